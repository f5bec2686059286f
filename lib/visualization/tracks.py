"""Drawing tracked people: a colour and a number for each, and a trail that fades."""
from __future__ import annotations

import colorsys
from collections import deque
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .poses import draw_pose

if TYPE_CHECKING:
    from ..core.poses import Poses
    from ..core.skeletons import Skeleton

GOLDEN_RATIO = 0.618034  # of the circle of hues: numbers that follow each other have colours far apart
TRAIL_LENGTH = 30  # frames
FADING_STEPS = 3


def identity_color(identity: int) -> tuple[int, int, int]:
    """The BGR colour of a person's number, always the same."""
    hue = identity * GOLDEN_RATIO % 1
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 1.0 if identity % 2 else 0.8)
    return round(255 * blue), round(255 * green), round(255 * red)


class TrackDrawing:
    """Draws frame after frame; remembers where everybody's feet were in the last `length` frames.

    skeleton: of the K joints; length 0: no trails.
    """

    def __init__(self, skeleton: Skeleton, length: int = TRAIL_LENGTH) -> None:
        self.skeleton, self.length = skeleton, length
        self._trails: dict[int, deque[Any]] = {}  # identity -> deque of (frame, point)
        self._frame = 0

    def draw(self, image: np.ndarray, tracked: Poses, joints: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """A copy of a frame (H, W, 3) with its tracked people; joints (N, K, 2) and shown (N, K): what to draw."""
        image = image.copy()
        self._remember(tracked)
        self._draw_trails(image)
        for identity, box, pose, seen in zip(tracked.track_ids.tolist(), tracked.boxes, joints, shown, strict=True):
            color = identity_color(identity)
            left, top, width, height = (round(value) for value in box.tolist())
            cv2.rectangle(image, (left, top), (left + width, top + height), color, 1)
            draw_pose(image, pose, seen, self.skeleton, color)
            _draw_number(image, str(identity), (left, top), color)
        return image

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
        thickness = max(1, round(min(image.shape[:2]) / 180))
        for step in range(FADING_STEPS):
            earliest = self._frame - self.length * (FADING_STEPS - step) // FADING_STEPS
            layer = image.copy()
            for identity, trail in self._trails.items():
                line = np.array([point for frame, point in trail if frame > earliest], dtype=np.int32).reshape(-1, 2)
                cv2.polylines(layer, [line], False, identity_color(identity), thickness, cv2.LINE_AA)
            cv2.addWeighted(layer, 0.5, image, 0.5, 0, dst=image)


def _draw_number(image: np.ndarray, text: str, corner: tuple[int, int], color: tuple[int, int, int]) -> None:
    """The number on a patch of its colour above a box's corner, or within the picture where there is no room above."""
    scale = max(0.4, min(image.shape[:2]) / 700)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = min(max(corner[0], 0), max(image.shape[1] - width - 4, 0))
    bottom = max(corner[1], height + below + 2)
    cv2.rectangle(image, (left, bottom - height - below - 2), (left + width + 4, bottom), color, -1)
    cv2.putText(
        image, text, (left + 2, bottom - below), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
    )
