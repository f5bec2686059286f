"""Drawing tracked people: a colour and a number for each, and a trail that fades."""
from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .palette import identity_color
from .poses import draw_people
from .sizes import trail_width
from .style import PLAIN, DrawStyle

if TYPE_CHECKING:
    from ..core.poses import Poses
    from ..core.skeletons import Skeleton

TRAIL_LENGTH = 30  # frames
FADING_STEPS = 3


class TrackDrawing:
    """Draws frame after frame; remembers where everybody's feet were in the last `length` frames.

    skeleton: of the K joints; length 0: no trails; style: what else is drawn. Numbers are drawn without boxes, too.
    """

    def __init__(
        self, skeleton: Skeleton, length: int = TRAIL_LENGTH, style: DrawStyle = PLAIN
    ) -> None:
        self.skeleton, self.length, self.style = skeleton, length, style
        self._trails: dict[int, deque[Any]] = {}  # identity -> deque of (frame, point)
        self._frame = 0

    def draw(self, image: np.ndarray, tracked: Poses, joints: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """A copy of a frame (H, W, 3) with its tracked people; joints (N, K, 2) and shown (N, K): what to draw."""
        image = image.copy()
        self._remember(tracked)
        self._draw_trails(image)
        identities = tracked.track_ids.tolist()
        labels, colors = [str(identity) for identity in identities], [identity_color(each) for each in identities]
        return draw_people(image, tracked.boxes, joints, shown, self.skeleton, self.style, labels, colors)

    def _remember(self, tracked: Poses) -> None:
        self._frame += 1
        for identity, (left, top, width, height) in zip(tracked.track_ids.tolist(), tracked.boxes, strict=True):
            trail = self._trails.setdefault(identity, deque(maxlen=max(self.length, 1)))
            trail.append((self._frame, (round(left + width / 2), round(top + height))))
        oldest = self._frame - self.length
        for identity, trail in list(self._trails.items()):
            while trail and trail[0][0] <= oldest:
                trail.popleft()
            if not trail:
                del self._trails[identity]

    def _draw_trails(self, image: np.ndarray) -> None:
        """All of each trail faintly, then its later parts over it, once more for each step."""
        if not self._trails:
            return
        thickness = trail_width(image.shape)
        for step in range(FADING_STEPS):
            earliest = self._frame - self.length * (FADING_STEPS - step) // FADING_STEPS
            layer = image.copy()
            for identity, trail in self._trails.items():
                line = np.array([point for frame, point in trail if frame > earliest], dtype=np.int32).reshape(-1, 2)
                cv2.polylines(layer, [line], False, identity_color(identity), thickness, cv2.LINE_AA)
            cv2.addWeighted(layer, 0.5, image, 0.5, 0, dst=image)
