"""What a detector gets of a picture: where its pixels lie in the input, and their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ...utils.image import MEAN, STD, crops_to_input

BORDER_VALUE = 114  # what letterboxes are filled up with
SIDES_OF = 32  # what the zoo's Faster R-CNN wants its sides to be multiples of


@dataclass(frozen=True)
class Pixels:
    """The values of the input: (pixel from 0 to 255 - mean) / std, of three channels, RGB or (color_rgb false) BGR."""

    color_rgb: bool
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)

    def changed(self, color_rgb: bool | None, mean: tuple | None, std: tuple | None) -> Pixels:
        """The same with what is not None. A mean and std that stay go with their colours to the other order."""
        order = self.color_rgb if color_rgb is None else color_rgb
        step = 1 if order == self.color_rgb else -1
        return Pixels(order, tuple(mean or self.mean[::step]), tuple(std or self.std[::step]))

    def __str__(self) -> str:
        order, parts = "RGB" if self.color_rgb else "BGR", []
        if any(self.mean):
            parts.append(f"minus ({_numbers(self.mean)})")
        if set(self.std) != {1.0}:
            same = len(set(self.std)) == 1
            parts.append(f"over {self.std[0]:g}" if same else f"over ({_numbers(self.std)})")
        return f"{order} {' '.join(parts)}" if parts else f"{order} 0-255 as they are"


    def options(self) -> str:
        """The options that give a detector these pixels."""
        mean, std = (" ".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        order = "--detector-rgb" if self.color_rgb else "--no-detector-rgb"
        return f"{order} --detector-mean {mean} --detector-std {std}"


def _numbers(values: tuple) -> str:
    return ", ".join(f"{value:g}" for value in values)


AS_THEY_ARE = Pixels(color_rgb=False)
RTMDET = Pixels(False, (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
OVER_255 = Pixels(True, std=(255.0, 255.0, 255.0))
# the published mean and std are of RGB from 0 to 1
IMAGENET = replace(OVER_255, mean=tuple(255 * value for value in MEAN), std=tuple(255 * value for value in STD))
CAFFE = Pixels(False, (102.9801, 115.9465, 122.7717))
KNOWN = (AS_THEY_ARE, RTMDET, OVER_255, IMAGENET, CAFFE)


@dataclass(frozen=True)
class Placed:
    """Where a picture lies in an input.

    picture, inner, canvas: (width, height) of the picture, of what is made of it and of the input; corner: (x, y) of
    the inner's top left in the input.
    """

    picture: tuple[int, int]
    inner: tuple[int, int]
    canvas: tuple[int, int]
    corner: tuple[int, int] = (0, 0)

    @property
    def factors(self) -> np.ndarray:
        """(2,) x and y, from the picture's pixels to the input's."""
        return np.array(self.inner, dtype=np.float64) / self.picture

    def to_picture(self, corners: np.ndarray) -> np.ndarray:
        """Corners (M, 4) x1, y1, x2, y2 in the input's pixels -> those in the picture's."""
        return (corners - np.tile(self.corner, 2)) / np.tile(self.factors, 2)


@dataclass(frozen=True)
class Placing:
    """How a picture is put into an input.

    words: the same for people. keeps_aspect: else it is squashed to the input's size. is_centered: else it is at the
    top left. multiple: None where the input has a size of its own; otherwise the input is as large as the picture in
    it, rounded up to multiples of this, and a size is the most that it may have, turned for upright pictures; a
    picture is then made larger only where `enlarges`. fill: value of the pixels around it, None: 0 after mean and std.
    """

    words: str
    keeps_aspect: bool = True
    is_centered: bool = False
    multiple: int | None = None
    enlarges: bool = True
    fill: int | None = BORDER_VALUE

    def place(self, picture: tuple[int, int], size: tuple[int, int], is_fixed: bool = True) -> Placed:
        """Where a picture of that (width, height) lies in an input of `size`; is_fixed: the file allows no other."""
        multiple = None if is_fixed else self.multiple
        if not self.keeps_aspect or (self.multiple == 1 and is_fixed):
            return Placed(picture, size, size)
        most = size if multiple is None else tuple(sorted(size, reverse=picture[0] > picture[1]))
        factor = min(most[0] / picture[0], most[1] / picture[1])
        if multiple and not self.enlarges:
            factor = min(1.0, factor)
        inner = _each(picture, lambda side: max(1, int(side * factor + 0.5)))
        canvas = _each(inner, lambda side: -(-side // multiple) * multiple) if multiple else size
        corner = ((canvas[0] - inner[0]) // 2, (canvas[1] - inner[1]) // 2) if self.is_centered else (0, 0)
        return Placed(picture, inner, canvas, corner)


def _each(sides: tuple[int, int], change: Callable[[int], int]) -> tuple[int, int]:
    return change(sides[0]), change(sides[1])


LETTERBOX = Placing("letterbox at the top left")
CENTERED = Placing("letterbox in the middle", is_centered=True)
SQUASHED = Placing("squashed", keeps_aspect=False)
UNBOXED = Placing("no letterbox", multiple=1, enlarges=False)
PADDED = Placing(f"sides made multiples of {SIDES_OF}", multiple=SIDES_OF, fill=None)


def prepare(image: np.ndarray, placed: Placed, pixels: Pixels, fill: int | None = BORDER_VALUE) -> np.ndarray:
    """An (H, W, 3) uint8 BGR picture -> the values (1, 3, height, width) float32 of an input in which it is `placed`.

    fill: the pixels' value where the picture is not, None for 0 after mean and std.
    """
    width, height = placed.canvas
    inner = cv2.resize(image, placed.inner, interpolation=cv2.INTER_LINEAR)
    ordered = inner[None, :, :, ::-1] if pixels.color_rgb else inner[None]
    part = crops_to_input(ordered, 1.0, pixels.mean, pixels.std)
    if placed.inner == placed.canvas:
        return part
    empty = np.zeros(3) if fill is None else (fill - np.array(pixels.mean)) / pixels.std
    values = np.empty((1, 3, height, width), np.float32)
    values[:] = empty[:, None, None]
    left, top = placed.corner
    values[:, :, top : top + placed.inner[1], left : left + placed.inner[0]] = part
    return values
