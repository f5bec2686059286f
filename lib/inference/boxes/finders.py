"""Whose boxes a picture gets: the whole picture's, given ones, or those of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.box_forms import FORMATS, SHARE, XYXY
from ...core.poses import NOBODY, Poses
from ...utils.detections import NO_AREA, refuse_categories, usable_detections
from ...utils.errors import UserError
from ...utils.files import MAX_PIXEL_COORDINATE, pluralize
from ...utils.image import UprightPath, picture_header
from ..image_ids import ByPicture, image_key
from .files import read_box_file
from .reading import BoxReading

if TYPE_CHECKING:
    from ...utils.media import Frame

LOOKED_AT = 100  # pictures whose sizes tell how boxes are written


class PeopleFinder:
    """Called with a Frame, returns its people as Poses with boxes only. line: says where the boxes come from."""

    line = ""
    path: str | os.PathLike[str] | None = None  # of a file of boxes
    _remarks: Sequence[str] = ()

    @property
    def count(self) -> int:
        """Boxes in that file."""
        return 0

    @property
    def used(self) -> int:
        """Those that were asked for."""
        return 0

    def __call__(self, frame: Frame) -> Poses:
        raise NotImplementedError

    def prepare(self, pictures: Sequence[Path], frame_size: tuple[int, int] | None = None) -> None:
        """Looks at the boxes before the work. pictures: that will be asked for; frame_size: of a video's frames.

        Raises UserError where boxes cannot be meant, or where it is not clear whose they are.
        """

    def remarks(self) -> list[str]:
        """Lines to say when the work is done: what is likely wrong, though it may be right."""
        return list(self._remarks)

    def warning(self) -> str:
        """What to say when the work is done, where the boxes were of no use, otherwise ''."""
        return ""


class WholePicture(PeopleFinder):
    """The whole picture as one person's box."""

    line = "=> the whole picture is taken as one person's box"

    def __call__(self, frame: Frame) -> Poses:
        height, width = frame.image.shape[:2]
        return Poses.in_boxes([[0, 0, width, height]])


class GivenBoxes(PeopleFinder):
    """The same boxes (N, 4) in each picture, written as `reading` says.

    Raises UserError for a box without area, or wholly outside the picture.
    """

    def __init__(self, boxes: Sequence[Sequence[float]], reading: BoxReading | None = None) -> None:
        self.reading = reading or BoxReading()
        for box in boxes:
            good = all(abs(number) < MAX_PIXEL_COORDINATE for number in box)
            if not good or min(self.reading.read(list(box))[2:]) <= 0:
                unit = "shares of the picture" if self.reading.unit == SHARE else "pixels"
                raise UserError(
                    f"--bbox {list(box)}: expected {FORMATS[self.reading.form].upper()} in {unit}, width and height "
                    "above 0"
                )
        self.boxes = np.array([self.reading.read(list(box)) for box in boxes])
        self.reading.refuse_other_unit("--bbox", self.boxes)
        self.line = f"=> {pluralize(len(boxes), 'box', 'boxes')} from --bbox"

    def prepare(self, pictures: Sequence[Path], frame_size: tuple[int, int] | None = None) -> None:
        sizes = [frame_size] if frame_size else [size for _, size in known_sizes(pictures)]
        self._remarks = self.reading.refuse_other_form("--bbox", [(self.boxes, size) for size in sizes])

    def __call__(self, frame: Frame) -> Poses:
        boxes = self.reading.in_pixels(self.boxes, frame.image.shape[1::-1])
        refuse_outside(boxes, frame, "--bbox")
        return Poses.in_boxes(boxes)


class FileBoxes(PeopleFinder):
    """The boxes of a file that `read_box_file` reads.

    form, unit, person: the user's --bbox-format, --bbox-unit and --person-label, None: what the file says.
    Other categories than the person's, boxes of no area and those below `threshold` are left out, and `line` says so.
    Raises UserError for a file of another form, a box that cannot be, or one wholly outside its picture.
    """

    def __init__(
        self, path: str | os.PathLike[str], threshold: float, form: str | None = None, unit: str | None = None,
        person: int | str | None = None,
    ) -> None:
        file = read_box_file(path)
        self.path, self.reading = path, file.reading.given(form, unit)
        wanted = file.person if person is None else person
        remedy = "give --person-label N, the category of people"
        refuse_categories(path, file.entries, (wanted,), file.categories if person is None else (0,), remedy)
        found = usable_detections(path, file.entries, threshold, image_key, (wanted,), read_box=self.reading.read)
        self._boxes: ByPicture[tuple[float, ...]] = ByPicture(path, file.frame_key)
        for key, box, score in zip(found.image_ids, found.boxes, found.scores, strict=True):
            self._boxes.add(key, (*box, score))
        self._refuse_no_area(len(found.left_out[NO_AREA]))
        self.reading.refuse_other_unit(str(path), np.array(found.boxes).reshape(-1, 4))
        left_out = {reason.removeprefix("boxes "): len(numbers) for reason, numbers in found.left_out.items()}
        reasons = ", ".join(f"{amount} {reason}" for reason, amount in left_out.items() if amount)
        self._left_out = f"; left out: {reasons}" if reasons else ""
        self.line = f"=> {pluralize(self.count, 'box', 'boxes')} from {path}{file.about}{self._left_out}"

    @property
    def count(self) -> int:
        return self._boxes.count

    @property
    def used(self) -> int:
        return self._boxes.used

    def _refuse_no_area(self, amount: int) -> None:
        if self.reading.form == XYXY and amount > self.count:  # two corners always have one between them
            raise UserError(
                f"{self.path}: {amount} of {amount + self.count} boxes have no area, read as "
                f"{FORMATS[self.reading.form]}: give another --bbox-format"
            )

    def prepare(self, pictures: Sequence[Path], frame_size: tuple[int, int] | None = None) -> None:
        self._boxes.refuse_ambiguous(pictures)
        if frame_size:
            found = [(self._boxes.every(), frame_size)]
        else:
            looked_at = [path for path in pictures if self._boxes.of_picture(path)]
            found = [(self._boxes.of_picture(path), size) for path, size in known_sizes(looked_at)]
        boxes = [(np.array(items)[:, :4], size) for items, size in found if items]
        self._remarks = self.reading.refuse_other_form(str(self.path), boxes)

    def __call__(self, frame: Frame) -> Poses:
        found = self._boxes.of(frame)
        if not found:
            return NOBODY
        values = np.array(found)
        boxes = self.reading.in_pixels(values[:, :4], frame.image.shape[1::-1])
        refuse_outside(boxes, frame, f"a box of {self.path}")
        return Poses.in_boxes(boxes, values[:, 4])

    def remarks(self) -> list[str]:
        """A line where boxes may be corners, or all of the file are left out."""
        is_empty = self._left_out and not self.count
        return [f"=> WARNING: {self.path}: no box is used{self._left_out}"] if is_empty else list(self._remarks)

    def warning(self) -> str:
        return self._boxes.warning("boxes")


def known_sizes(pictures: Sequence[Path]) -> list[tuple[Path, tuple[int, int]]]:
    """(path, (width, height) as it is shown) of up to LOOKED_AT of the pictures, evenly, that can be read."""
    places = np.unique(np.linspace(0, len(pictures) - 1, min(len(pictures), LOOKED_AT)).astype(int))
    sizes = []
    for place in places:
        try:
            size, _ = picture_header(UprightPath(pictures[place]))
        except UserError:  # complained of when its turn comes
            continue
        sizes.append((pictures[place], size))
    return sizes


def refuse_outside(boxes: np.ndarray, frame: Frame, what: str) -> None:
    """Raises UserError, naming `what` the boxes (N, 4) are, where one of them has no part in the frame's picture."""
    height, width = frame.image.shape[:2]
    for box in boxes:
        x, y, box_width, box_height = box
        if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
            name = Path(frame.path).name
            raise UserError(f"{what}, {box.tolist()}, lies outside the picture {name} of {width}x{height} pixels")
