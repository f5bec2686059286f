"""Checks of what a caller hands over: pictures as arrays, and boxes. Messages name the argument."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..utils.errors import UserError
from ..utils.image import LONGEST_SIDE
from .box_forms import CXCYWH, SHARE, XYXY, may_be_corners, unlikely_words

IN_PIXELS = {  # what to give in place of boxes of another form
    SHARE: "multiply by the picture's width and height",
    XYXY: "give x1, y1, x2 - x1, y2 - y1",
    CXCYWH: "give x - width / 2, y - height / 2, width, height",
}
EXPECTED = "expected (H, W, 3) uint8 with values from 0 to 255, BGR as OpenCV reads it"


def checked_picture(picture: Any, name: str = "image") -> np.ndarray:
    """The (H, W, 3) uint8 BGR picture, contiguous in memory, of an array that a caller gives.

    Taken: uint8 of (H, W, 3) BGR; (H, W) or (H, W, 1) grey, which goes into all three channels; (H, W, 4) BGRA, whose
    alpha is left out. name: the argument, for messages. Raises UserError for anything else.
    """
    if picture is None:
        raise UserError(
            f"{name} is None: {EXPECTED}; cv2.imread gives None for a file that it cannot read: check its path"
        )
    if not isinstance(picture, np.ndarray):
        raise UserError(f"{name} is a {type(picture).__name__}: {EXPECTED}")
    if not picture.size:
        raise UserError(f"{name} is empty, of shape {picture.shape}: {EXPECTED}")
    _refuse_shape(picture, name)
    if picture.dtype != np.uint8:
        raise UserError(f"{name} {_dtype_problem(picture, name)}")
    if picture.ndim == 2 or picture.shape[2] == 1:
        picture = np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(picture[..., :3])


def _refuse_shape(picture: np.ndarray, name: str) -> None:
    shape = picture.shape
    if picture.ndim == 4:
        raise UserError(f"{name} has the shape {shape}: one picture has (H, W, 3); for several give list({name})")
    if picture.ndim == 3 and shape[2] not in (1, 3, 4) and shape[0] in (1, 3, 4):
        raise UserError(f"{name} has the shape {shape}, channels first: give {name}.transpose(1, 2, 0)")
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise UserError(f"{name} has the shape {shape}: expected (H, W, 3) BGR, (H, W, 4) BGRA or (H, W) grey")
    if max(shape[:2]) > LONGEST_SIDE:
        raise UserError(f"{name} has {shape[1]}x{shape[0]} pixels: at most {LONGEST_SIDE} on a side")


def _dtype_problem(picture: np.ndarray, name: str) -> str:
    """What is wrong with the values of a picture that is not of uint8, and what to do."""
    kind = picture.dtype
    if kind.kind == "b":
        return f"is bool: expected uint8 from 0 to 255: give ({name} * 255).astype(np.uint8)"
    if kind.kind == "f":
        if not np.isfinite(picture).all():
            return f"is {kind} and has NaN or infinite values: expected uint8 from 0 to 255"
        if picture.min() >= 0 and picture.max() <= 1:
            return (
                f"is {kind} with values from 0 to 1: expected uint8 from 0 to 255: multiply by 255 and convert to "
                f"uint8: ({name} * 255).round().astype(np.uint8)"
            )
    if kind == np.uint16:
        return f"is uint16: expected uint8 from 0 to 255: for 16-bit values give ({name} // 256).astype(np.uint8)"
    if kind.kind in "fiu" and picture.min() >= 0 and picture.max() <= 255:
        return f"is {kind}: expected uint8 from 0 to 255: convert to uint8: {name}.astype(np.uint8)"
    if kind.kind in "fiu":
        return f"is {kind} with values from {picture.min():g} to {picture.max():g}: expected uint8 from 0 to 255"
    return f"is of dtype {kind}: expected uint8 from 0 to 255"


def refuse_other_form(boxes: np.ndarray, size: tuple[int, int], name: str = "boxes") -> None:
    """Raises UserError for boxes (N, 4) of a picture of `size` that look like shares, corners or centres.

    They are what `checked_boxes` gives. A warning where they may be corners.
    """
    sizes = np.tile(np.array(size, float), (len(boxes), 1))
    words, form = unlikely_words(boxes, sizes)
    if form:
        raise UserError(f"{name}: {words}: expected x, y, width, height in pixels; {IN_PIXELS[form]}")
    if may_be_corners(boxes, sizes):
        warnings.warn(f"{name} reach beyond the picture; if they are x1 y1 x2 y2, {IN_PIXELS[XYXY]}", stacklevel=4)


def checked_boxes(boxes: Any, size: tuple[int, int], name: str = "boxes") -> np.ndarray:
    """The (N, 4) float64 boxes x, y, width, height in pixels that a caller gives; N may be 0.

    size: (width, height) of the picture; name: the argument, for messages. One box of shape (4,) is taken as (1, 4).
    Raises UserError for other shapes, for numbers that are not finite, for a width or height that is not above 0, and
    for a box that lies outside the picture.
    """
    try:
        array = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: expected (N, 4) numbers x, y, width, height in pixels, got {boxes!r:.80}") from error
    if not array.size:
        return np.zeros((0, 4))
    if array.shape == (4,):
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 4:
        raise UserError(f"{name} has the shape {array.shape}: expected (N, 4), x, y, width, height in pixels")
    width, height = size
    for row, box in enumerate(array):
        said = f"{name}[{row}] is {box.tolist()}"
        if not np.isfinite(box).all():
            raise UserError(f"{said}: expected finite numbers x, y, width, height in pixels")
        if (box[2:] <= 0).any():
            raise UserError(f"{said}: width and height must be above 0; of two corners give x1, y1, x2 - x1, y2 - y1")
        if (box[:2] >= size).any() or (box[:2] + box[2:] <= 0).any():
            raise UserError(f"{said}: it lies outside the picture of {width}x{height} pixels")
    return array
