"""Detects pictures of 16 bits a channel that use few of them, as 12-bit cameras do: read as 8 bits, they are dark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...utils.errors import UserError
from ...utils.image import FEW_BITS, few_bits_line, peak_of_16_bits


def few_bits(pictures: Sequence[str], most: int) -> tuple[str, int, int]:
    """(line, count, looked at) of up to `most` pictures, evenly through the set.

    line: about the brightest of the `count` pictures of 16 bits, '' where nothing is wrong.

    A single dark picture of 16 bits may be a night: only where all that were looked at stay below FEW_BITS, the set
    holds fewer bits. Pictures that cannot be read are left to those who say so.
    """
    different = list(dict.fromkeys(pictures))
    places = np.unique(np.linspace(0, len(different) - 1, min(most, len(different))).astype(int))
    peaks = {}
    for place in places:
        try:
            peak = peak_of_16_bits(different[place])
        except UserError:
            continue
        if peak is not None:
            peaks[different[place]] = peak
    brightest = max(peaks, key=lambda name: peaks[name], default="")
    line = few_bits_line(brightest, peaks[brightest]) if peaks and peaks[brightest] < FEW_BITS else ""
    return line, len(peaks), len(places)
