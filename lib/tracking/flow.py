"""Dense optical flow between two frames, and moving points along it.

The paper's flow is FlowNet2S, a network of its own; here OpenCV's DIS (Kroeger et al., ECCV 2016) stands for it.
Coordinates are (x, y) in picture pixels, as in lib.core.transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

METHODS = ("dis", "farneback", "none")
# Farneback's parameters as OpenCV's own examples have them
FARNEBACK = {
    "pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0,
}  # fmt: skip
SMALLEST_SIDE = 16  # of the picture that flow is computed on: DIS takes patches of 8 pixels


@dataclass(frozen=True)
class Flow:
    """Where the pixels of the frame before are now.

    field: (h, w, 2) float32, x and y in the field's own pixels; size: (width, height) of the frame before, whose
    pixels `carry` takes; new_size: of this frame, in whose pixels it answers.
    """

    field: np.ndarray
    size: tuple
    new_size: tuple

    def carry(self, points: np.ndarray) -> np.ndarray:
        """The points (..., 2) of the frame before where the flow has taken them; NaN stays NaN."""
        points = np.asarray(points, dtype=np.float64)
        shape, flat = points.shape, points.reshape(-1, 2)
        known = np.isfinite(flat).all(axis=1)
        moved = np.full_like(flat, np.nan)
        if known.any():
            small = np.array(self.field.shape[1::-1], dtype=np.float64)
            places = (flat[known] + 0.5) * (small / self.size) - 0.5
            # remap wants 32-bit numbers and a picture no higher than 32,767 pixels
            maps = np.clip(places, 0, small - 1).astype(np.float32).reshape(1, -1, 2)
            remap: Any = cv2.remap  # OpenCV's stubs do not let None stand for the second map
            steps = remap(self.field, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
            moved[known] = (places + steps + 0.5) * (self.new_size / small) - 0.5
        return moved.reshape(shape)


class FlowEstimator:
    """Flow from frame to frame: each frame is made small and grey once, and one flow is computed between two.

    method: of METHODS; with none the points stay where they are. longest_side: of the picture the flow is computed on,
    in pixels, so that the cost is bounded whatever the frames' size.
    """

    def __init__(self, method: str = "dis", longest_side: int = 320) -> None:
        if method not in METHODS:
            raise ValueError(f"the flow method {method!r} is not known; expected one of {', '.join(METHODS)}")
        self.method, self.longest_side = method, longest_side
        self._before: np.ndarray | None = None
        self._size: tuple[int, ...] | None = None
        create: Any = cv2.DISOpticalFlow.create
        self._dis = create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) if method == "dis" else None

    def advance(self, image: np.ndarray) -> Flow | None:
        """Takes the next frame, (H, W, 3) uint8 BGR; returns the Flow from the one before, None at the first.

        Of a frame whose size has changed the picture before is taken to have been scaled with it.
        """
        size = image.shape[1::-1]
        factor = min(1.0, self.longest_side / max(size))
        small_size = tuple(max(SMALLEST_SIDE, round(side * factor)) for side in size)
        before, size_before = self._before, self._size
        small = None
        if self.method != "none":
            small = cv2.cvtColor(cv2.resize(image, small_size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
        self._before, self._size = small, size
        if size_before is None:
            return None
        if self.method == "none":
            return Flow(np.zeros((1, 1, 2), np.float32), size_before, size)
        assert before is not None and small is not None  # this method computes flow
        if before.shape != small.shape:
            before = cv2.resize(before, small_size, interpolation=cv2.INTER_AREA)
        return Flow(self._between(before, small), size_before, size)

    def _between(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        if self._dis:
            return self._dis.calc(before, now, None)
        farneback: Any = cv2.calcOpticalFlowFarneback  # OpenCV's stubs do not let None stand for the result
        return farneback(before, now, None, **FARNEBACK)
