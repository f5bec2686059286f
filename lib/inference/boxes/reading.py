"""How boxes are to be read: format and unit, given or by the file; boxes that cannot be meant are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.box_forms import (
    FORMATS,
    LARGEST_SHARE,
    PIXEL,
    SHARE,
    XYWH,
    XYXY,
    are_shares,
    as_xywh,
    may_be_corners,
    unlikely_words,
)
from ...utils.errors import UserError
from ...utils.files import checked_box


@dataclass(frozen=True)
class BoxReading:
    """What four numbers are. form: a key of FORMATS; unit: PIXEL or SHARE of the picture's sides.

    form_is_sure, unit_is_sure: the user said so, and nothing else is thought of.
    """

    form: str = XYWH
    unit: str = PIXEL
    form_is_sure: bool = False
    unit_is_sure: bool = False

    def given(self, form: str | None, unit: str | None) -> BoxReading:
        """The same with what the user gave, None for nothing."""
        changed = self if form is None else replace(self, form=form, form_is_sure=True)
        return changed if unit is None else replace(changed, unit=unit, unit_is_sure=True)

    def read(self, value: Any) -> list[float]:
        """Four numbers of a file -> x, y, width, height in the unit; ValueError where they cannot be a box."""
        box = checked_box(value)
        return box if self.form == XYWH else as_xywh(np.array([box]), self.form)[0].tolist()  # NumPy is slow with one

    def in_pixels(self, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Boxes (N, 4) x, y, width, height that were `read` -> in pixels of a picture of `size` (width, height)."""
        return boxes * np.tile(size, 2) if self.unit == SHARE else boxes

    def refuse_other_unit(self, what: str, boxes: np.ndarray) -> None:
        """Raises UserError where boxes (N, 4) that were `read` are of the other unit; what: they are, in a message."""
        if self.unit == SHARE and len(boxes) and not (np.abs(boxes) <= LARGEST_SHARE).all():
            raise UserError(
                f"{what}: expected shares of the picture's sides, 0 to 1, found {np.abs(boxes).max():g}: of boxes in "
                f"pixels give --bbox-unit {PIXEL}"
            )
        if self.unit == PIXEL and not self.unit_is_sure and are_shares(boxes):
            words, _ = unlikely_words(boxes, np.empty((len(boxes), 2)))
            yolo = "" if self.form_is_sure else " (and --bbox-format cxcywh, if they are YOLO's)"
            raise UserError(f"{what}: {words}: give --bbox-unit {SHARE}{yolo}")

    def refuse_other_form(self, what: str, found: Iterable[tuple[np.ndarray, tuple[int, int]]]) -> list[str]:
        """Raises UserError where boxes look like another form; a line where they may be, otherwise none.

        found: (boxes (N, 4) that were `read`, (width, height) of their picture) of each picture.
        """
        parts = [(boxes, size) for boxes, size in found if len(boxes)]
        if self.form_is_sure or self.form != XYWH or not parts:
            return []
        boxes = np.concatenate([self.in_pixels(boxes, size) for boxes, size in parts])
        sizes = np.repeat(np.array([size for _, size in parts], float), [len(boxes) for boxes, _ in parts], axis=0)
        words, form = unlikely_words(boxes, sizes)
        if form in FORMATS:
            raise UserError(f"{what}: {words}: give --bbox-format {form}, or {XYWH} if they are {FORMATS[XYWH]}")
        if not may_be_corners(boxes, sizes):
            return []
        corners = f"if they are {FORMATS[XYXY]}, give --bbox-format {XYXY}"
        return [f"=> WARNING: {what}: boxes reach beyond their picture; {corners}"]
