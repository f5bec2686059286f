"""The one-euro filter (Casiez, Roussel and Vogel, CHI 2012) for the joints of tracked people."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

SLOPE_CUTOFF = 1.0  # Hz, of the speed's own smoothing: the paper's


class PoseSmoother:
    """Smooths keypoints: strongly while they are at rest, hardly while they move.

    rate: frames a second, where `smooth` is not told the times; cutoff: Hz at rest, lower is smoother; speed: how much
    the cutoff rises with each pixel a second, in Hz. The filter starts anew for a joint that was not seen in the frame
    before.
    """

    def __init__(self, rate: float, cutoff: float = 1.0, speed: float = 0.02) -> None:
        self.rate, self.cutoff, self.speed = rate, cutoff, speed
        self._seconds: float | None = None  # of the frame before
        # identity -> (positions (K, 2), speeds (K, 2)), NaN where a joint was not seen
        self._states: dict[int, Any] = {}

    def smooth(
        self, identities: Sequence[int] | np.ndarray, joints: np.ndarray, shown: np.ndarray,
        seconds: float | None = None,
    ) -> np.ndarray:
        """Joints (N, K, 2) of a frame, smoothed, as a new array; those not shown (N, K) come back as they are.

        seconds: the frame's time; the filter then goes by the time since the frame before it.
        """
        if seconds is not None and self._seconds is not None and seconds > self._seconds:
            self.rate = 1 / (seconds - self._seconds)
        self._seconds = seconds
        result, states = np.array(joints, dtype=np.float64), {}
        for row, identity in enumerate(np.asarray(identities).tolist()):
            now = np.where(np.asarray(shown)[row][:, None], joints[row], np.nan)
            states[identity] = self._filtered(now, *self._states.get(identity, (np.full_like(now, np.nan),) * 2))
            result[row] = np.where(np.isnan(now), joints[row], states[identity][0])
        self._states = states  # who is not in this frame is forgotten
        return result

    def _filtered(self, now: np.ndarray, before: np.ndarray, speeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slope = _share(SLOPE_CUTOFF, self.rate)
        measured = (now - before) * self.rate
        speeds = np.where(np.isnan(speeds), measured, slope * measured + (1 - slope) * speeds)
        lengths = np.linalg.norm(speeds, axis=1, keepdims=True)
        share = _share(self.cutoff + self.speed * np.nan_to_num(lengths), self.rate)
        smooth = np.where(np.isnan(before), now, share * now + (1 - share) * before)
        return smooth, np.where(np.isnan(before), np.nan, speeds)


def _share(cutoff: float, rate: float) -> float | np.ndarray:
    """How much of the newest value an exponential filter of a cutoff in Hz takes."""
    return 1 / (1 + rate / (2 * np.pi * cutoff))
