"""A picture to look at, and what it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Frame:
    """A picture to look at: image (H, W, 3) uint8 BGR and the file it is from.

    Of a video: number, from 0, and seconds, its time since the first frame. Of a picture both are None; of one of a
    folder of frames the number is.
    """

    image: np.ndarray
    path: Path
    number: int | None = None
    seconds: float | None = None


def image_id_of(path: Path) -> int | str:
    """COCO's number of a picture by its name (000000000785.jpg, COCO_val2014_000000000785.jpg), otherwise the name."""
    number = re.fullmatch(r"(?:COCO_\w+_)?(\d+)", path.stem, re.ASCII)
    return int(number[1]) if number else path.stem
