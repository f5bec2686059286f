"""What to say of pictures that come out dark, and of a network whose every score is low."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..utils.image import FEW_BITS, few_bits_line, peak_of_16_bits

if TYPE_CHECKING:
    from ..utils.media import Frame

LOW = 0.5  # see the figures in docs/inference.md
MOST_KEPT = 10**5  # people


class ScoreWatch:
    """Watches how sure a network is of the joints of all people."""

    def __init__(self) -> None:
        self._better_halves: list[float] = []

    def add(self, scores: np.ndarray) -> None:
        """Adds the scores (N, K) of people: of each the better half counts, as joints may be out of the picture."""
        if scores.size and len(self._better_halves) < MOST_KEPT:
            half = np.sort(scores, axis=1)[:, -max(1, scores.shape[1] // 2) :]
            self._better_halves += half.mean(axis=1).tolist()

    @property
    def people(self) -> int:
        """How many have been added."""
        return len(self._better_halves)

    def lines(self) -> list[str]:
        """A line where the better half of most people's joints has low scores, otherwise none."""
        if not self._better_halves or not np.median(self._better_halves) < LOW:
            return []
        return [
            "=> WARNING: the keypoints' scores are low: of half the people even the better half has "
            f"{np.median(self._better_halves):.2f} or less; of a network that fits it has 0.7 or more. Check the "
            "boxes, and what pictures the network expects: pixel scale, mean and std, colour order, input size"
        ]


class DepthWatch:
    """Says once, by `say`, that a picture of 16 bits a channel uses few of them, and comes out dark."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say: Callable[[str], object] | None = say

    def look(self, frame: Frame) -> None:
        """Looks at the file of a Frame that is no video's."""
        if self._say is None or frame.number is not None:
            return
        peak = peak_of_16_bits(frame.path)
        if peak is not None and peak < FEW_BITS:
            self._say(f"=> WARNING: {few_bits_line(frame.path, peak)}")
            self._say = None
