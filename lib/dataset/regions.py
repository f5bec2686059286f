"""The image region that a person's crops can reach, and cropping from it.

Between the pixels of a whole picture and those of one decoded at 1/r (`read_reduced`) stands x = r * x' + (r - 1) / 2.
No Paddle here.
"""
from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..core.transforms import PIXELS_PER_SCALE, crop_of_box
from ..utils.image import crop_person, read_reduced, reduced_size
from .augment import HALF_BODY_PADDING, Augmentation

# Crops of pictures decoded at 1/2 differ from the plain way's by 1.2 grey levels in the mean, at 1/4 by 3.3 and at 1/8
# by 6.4 (tests/bench/loading.py), because the plain way skips pixels where this one takes means; and 1/4 is hardly
# faster to decode than 1/2
REDUCTION = 2
MARGIN = 2  # pixels around what a crop's corners reach: one for the interpolation, one for rounding

_scratch = threading.local()  # memory for the canvas, kept: to get fresh memory costs more than to fill it


@dataclass(frozen=True)
class Region:
    """A part of a picture.

    pixels: (h, w, 3) uint8 BGR; left, top: where they lie in the picture decoded at 1/reduction; picture_size: (width,
    height) of the whole picture.
    """

    pixels: np.ndarray
    left: int
    top: int
    picture_size: tuple
    reduction: int = 1


@dataclass(frozen=True)
class Reach:
    """What the crops of a person can ask for.

    image_size: (width, height) of a crop; augmentation: None for none; upper_body: indices of joints, see Augmentation;
    reduce: pictures may be decoded at reduced size.
    """

    image_size: tuple
    augmentation: Augmentation | None = None
    upper_body: tuple = ()
    reduce: bool = False

    def _crops(
        self, center: np.ndarray, scale: np.ndarray, joints: np.ndarray, visible: np.ndarray
    ) -> list[tuple[np.ndarray, float] | tuple[np.ndarray, np.float32]] | list[tuple[np.ndarray, float]]:
        """[(center (2,), width in pixels)] of the whole body and the halves, before they grow and turn."""
        crops = [(center, scale[0] * PIXELS_PER_SCALE)]
        if self.augmentation:
            for box in self.augmentation.half_bodies(joints, visible, self.upper_body):
                middle, half_scale = crop_of_box(box, self.image_size, HALF_BODY_PADDING)
                crops.append((middle, half_scale[0] * PIXELS_PER_SCALE))
        return crops

    def reduction(self, center: np.ndarray, scale: np.ndarray, joints: np.ndarray, visible: np.ndarray) -> int:
        """REDUCTION where even the smallest crop has so many pixels for each of the network's input; else 1.

        It is the same for all crops of a person, so that those from a cache are those without one.
        """
        if not self.reduce:
            return 1
        smallest = min(width for _, width in self._crops(center, scale, joints, visible))
        if self.augmentation:
            smallest *= 1 - self.augmentation.scale_factor
        return REDUCTION if smallest >= REDUCTION * self.image_size[0] else 1

    def box(self, center: np.ndarray, scale: np.ndarray, joints: np.ndarray, visible: np.ndarray) -> tuple:
        """(left, top, right, bottom), in pixels of the whole picture, that no crop reaches out of."""
        largest, turn = 1.0, 0.0
        if self.augmentation:
            largest = 1 + self.augmentation.scale_factor
            turn = math.radians(min(2 * self.augmentation.rotation_factor, 90))
        aspect = self.image_size[1] / self.image_size[0]
        across, upright = _turned(1, aspect, turn) * largest / 2, _turned(aspect, 1, turn) * largest / 2
        corners = [
            (x - across * width, y - upright * width, x + across * width, y + upright * width)
            for (x, y), width in self._crops(center, scale, joints, visible)
        ]
        lefts, tops, rights, bottoms = zip(*corners, strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)


def _turned(along: float, other: float, most: float) -> float:
    """The longest extent on one axis of a box that is `along` long on it, `other` on the other, turned up to `most`."""
    best = min(most, math.atan2(other, along))  # where its diagonal lies on the axis
    return along * math.cos(best) + other * math.sin(best)


def read_region(picture: Path | str, reduction: int) -> Region:
    """A whole picture as a Region. Raises UserError as `read_image` does."""
    image, reduction, size = read_reduced(picture, reduction)
    return Region(image, 0, 0, size, reduction)


def pixel_box(box: Sequence[Any], picture_size: tuple[int, int], reduction: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom), right and bottom exclusive, of the pixels of a reduced picture in and around `box`.

    box: in pixels of the whole picture, such as `Reach.box` gives. Nothing of it in the picture: an empty box.
    """
    edges = [(value - (reduction - 1) / 2) / reduction for value in box]
    size = reduced_size(picture_size, reduction)
    low = [min(max(math.floor(edge) - MARGIN, 0), side) for edge, side in zip(edges[:2], size, strict=True)]
    high = [
        min(max(math.ceil(edge) + MARGIN + 1, start), side)
        for edge, start, side in zip(edges[2:], low, size, strict=True)
    ]
    return (*low, *high)


def crop_region(
    region: Region, matrix: np.ndarray, mirror: bool, output_size: tuple[int, int], color_rgb: bool = False
) -> np.ndarray:
    """The crop (h, w, 3) uint8 that `crop_person` makes of the picture, from a region that reaches far enough.

    Bit for bit the same where the region is not reduced.
    matrix: (2, 3), from pixels of the whole picture to the crop's; mirror: of the mirrored picture. output_size,
    color_rgb: as in `crop_person`.
    """
    if region.reduction > 1:
        matrix, mirror = reduced_matrix(matrix, region.reduction, region.picture_size[0] if mirror else None), False
    has_same_origin = region.left == region.top == 0 and region.pixels.size and not mirror
    image = region.pixels if has_same_origin else _on_canvas(region, matrix, mirror, output_size)
    return crop_person(image, matrix, output_size, color_rgb)


def reduced_matrix(matrix: np.ndarray, reduction: int, mirrored_width: int | None = None) -> np.ndarray:
    """A matrix (2, 3) from the whole picture's pixels as one from those of the picture decoded at 1/reduction.

    mirrored_width: of the whole picture, where `matrix` is from the pixels of the mirrored one; the result is not.
    """
    x_axis, y_axis, start = matrix.T
    start = start + (x_axis + y_axis) * ((reduction - 1) / 2)
    if mirrored_width is not None:  # x of the mirrored picture is width - 1 - x
        start = start + x_axis * (mirrored_width - reduction)
        x_axis = -x_axis
    return np.column_stack([x_axis * reduction, y_axis * reduction, start])


def _on_canvas(region: Region, matrix: np.ndarray, mirror: bool, output_size: tuple[int, int]) -> np.ndarray:
    """A picture, reduced as the region is, that has its pixels where the crop looks and holds anything elsewhere.

    A crop of the region alone, by a matrix with another origin, would be rounded otherwise, differently in each
    version of OpenCV; and to flip and copy what the crop looks at costs less than the whole picture would.
    """
    width, height = reduced_size(region.picture_size, region.reduction)
    needed = width * height * 3
    if getattr(_scratch, "memory", np.empty(0)).size < needed:
        _scratch.memory = np.empty(needed, np.uint8)
    canvas = _scratch.memory[:needed].reshape(height, width, 3)
    rows, columns = region.pixels.shape[:2]
    left, top = width - region.left - columns if mirror else region.left, region.top
    low, high = _looked_at(matrix, output_size)
    x0, x1 = max(low[0], left), min(high[0], left + columns)
    y0, y1 = max(low[1], top), min(high[1], top + rows)
    if x0 >= x1 or y0 >= y1:
        return canvas
    pixels = region.pixels[y0 - top : y1 - top]
    if mirror:
        cv2.flip(pixels[:, left + columns - x1 : left + columns - x0], 1, dst=canvas[y0:y1, x0:x1])
    else:
        canvas[y0:y1, x0:x1] = pixels[:, x0 - left : x1 - left]
    return canvas


def _looked_at(matrix: np.ndarray, output_size: tuple[int, int]) -> tuple[list[int], list[int]]:
    """(left, top), (right, bottom), exclusive, of the pixels that a crop of `output_size` by `matrix` is made of."""
    inverse = cv2.invertAffineTransform(matrix).tolist()
    right, bottom = output_size[0] - 1, output_size[1] - 1
    low, high = [], []
    for along, down, start in inverse:
        low.append(math.floor(start + min(along * right, 0) + min(down * bottom, 0)) - MARGIN)
        high.append(math.ceil(start + max(along * right, 0) + max(down * bottom, 0)) + MARGIN + 1)
    return low, high
