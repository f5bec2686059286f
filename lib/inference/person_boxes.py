"""Person boxes of an image: given ones, those of a file or a detector, or the whole image."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.errors import UserError
from ..utils.files import MAX_PIXEL_COORDINATE, checked_box, describe_error, finite, pluralize, read_json, short_repr
from ..utils.media import image_id_of
from ..utils.parser import count, number, positive
from .detector import DetectorSettings, PersonDetector

if TYPE_CHECKING:
    from ..utils.media import Frame

PERSON_CATEGORY = 1  # COCO's
DETECTOR_OPTIONS = ("person_label", "detector_size", "detector_mean", "detector_std", "detector_rgb")


@dataclass(frozen=True)
class People:
    """The N persons of a picture: boxes (N, 4) x, y, width, height in its pixels, and the boxes' scores (N,)."""

    boxes: np.ndarray
    scores: np.ndarray


NOBODY = People(np.zeros((0, 4)), np.zeros(0))


def add_box_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where people are, for `find_people_by`."""
    boxes, default = parser.add_mutually_exclusive_group(), DetectorSettings()
    boxes.add_argument(
        "--bbox", nargs=4, type=float, action="append", metavar=("X", "Y", "W", "H"),
        help="a person's box in pixels, once for each person (default: the whole picture is one person's box)",
    )  # fmt: skip
    boxes.add_argument(
        "--bbox-file", "--boxes", metavar="JSON", help="boxes in COCO's result form, a list of {image_id, "
        "category_id, bbox, score}; image_id: the picture's number or name, of a video the frame's number from 0",
    )  # fmt: skip
    boxes.add_argument(
        "--detector", metavar="FILE.onnx", help="a detector in MMDeploy's form, with outputs dets and labels"
    )
    about = "minimum box score, for --bbox-file and --detector (default %(default)s)"
    parser.add_argument("--bbox-thr", type=number, metavar="SCORE", default=default.threshold, help=about)
    about = f"label of persons in the detector's output (default {default.person_label})"
    parser.add_argument("--person-label", type=int, metavar="N", help=about)
    width, height = default.size
    about = f"input size of the detector, if the file leaves it open (default {width} {height})"
    parser.add_argument("--detector-size", nargs=2, type=count, metavar=("W", "H"), help=about)
    about = "of the detector's pixels, 0 to 255, in its channel order (default: RTMDet's)"
    parser.add_argument("--detector-mean", nargs=3, type=number, metavar="N", help=about)
    parser.add_argument("--detector-std", nargs=3, type=positive, metavar="N", help=about)
    about = "the detector expects RGB images"
    parser.add_argument("--detector-rgb", action="store_const", const=True, help=about)


def find_people_by(arguments: argparse.Namespace, provider: str = "auto") -> Any:
    """The PeopleFinder that the options ask for.

    provider: for the detector, see `open_session`. Raises UserError for options, boxes or files that cannot be.
    """
    given = [f"--{name.replace('_', '-')}" for name in DETECTOR_OPTIONS if getattr(arguments, name) is not None]
    if given and not arguments.detector:
        raise UserError(f"{given[0]} requires --detector: give --detector FILE.onnx too")
    if arguments.bbox:
        return GivenBoxes(arguments.bbox)
    if arguments.bbox_file:
        return FileBoxes(arguments.bbox_file, arguments.bbox_thr)
    if not arguments.detector:
        return WholePicture()
    values = {
        "person_label": arguments.person_label, "size": arguments.detector_size, "mean": arguments.detector_mean,
        "deviation": arguments.detector_std, "color_rgb": arguments.detector_rgb,
    }  # fmt: skip
    settings = {key: value for key, value in values.items() if value is not None}
    return DetectedBoxes(PersonDetector(arguments.detector, DetectorSettings(arguments.bbox_thr, **settings), provider))


class PeopleFinder:
    """Called with a Frame it returns the People in it. line: says where the boxes come from."""

    line = ""
    path: str | os.PathLike[str] | None = None  # of a file of boxes
    count = 0  # boxes in that file
    used = 0  # those that were asked for

    def __call__(self, frame: Frame) -> People:
        raise NotImplementedError

    def warning(self) -> str:
        """What to say when the work is done, where the boxes were of no use, otherwise ''."""
        return ""


class WholePicture(PeopleFinder):
    """The whole picture as one person's box."""

    line = "=> the whole picture is taken as one person's box"

    def __call__(self, frame: Frame) -> People:
        height, width = frame.image.shape[:2]
        return People(np.array([[0, 0, width, height]], dtype=float), np.ones(1))


class GivenBoxes(PeopleFinder):
    """The same boxes in each picture. Raises UserError for a box without area, or wholly outside the picture."""

    def __init__(self, boxes: np.ndarray) -> None:
        self.boxes = np.array(boxes, dtype=float)
        for box in self.boxes:
            if not (np.abs(box) < MAX_PIXEL_COORDINATE).all() or min(box[2:]) <= 0:
                raise UserError(f"--bbox {box.tolist()}: expected X Y WIDTH HEIGHT in pixels, width and height above 0")
        self.line = f"=> {pluralize(len(boxes), 'box', 'boxes')} from --bbox"

    def __call__(self, frame: Frame) -> People:
        refuse_outside(self.boxes, frame, "--bbox")
        return People(self.boxes, np.ones(len(self.boxes)))


class DetectedBoxes(PeopleFinder):
    """The people that a PersonDetector finds."""

    def __init__(self, detector: PersonDetector) -> None:
        self.detector, self.line = detector, detector.line

    def __call__(self, frame: Frame) -> People:
        return People(*self.detector.detect(frame.image))


class FileBoxes(PeopleFinder):
    """The boxes of a detection file in COCO's result form. `used`: how many of them a picture has asked for.

    Other categories than the person's, boxes of no area and those below `threshold` are left out, and `line` says so.
    Raises UserError for a file of another form, a box that cannot be, or one wholly outside its picture.
    """

    def __init__(self, path: str | os.PathLike[str], threshold: float) -> None:
        self.path = path
        self.used = 0
        self.count = 0
        self._boxes: dict[str, list[Any]] = {}
        left_out = {"of another category": 0, "of no area": 0, f"below the score {threshold:g}": 0}
        content = read_json(path)
        if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
            raise UserError(f"{path}: expected a list of detections (image_id, category_id, bbox, score)")
        for place, detection in enumerate(content, 1):
            try:
                box, score = checked_box(detection["bbox"]), finite(detection.get("score", 1.0), "a score")
                key = image_key(detection["image_id"])
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: detection {place} of {len(content)}: {describe_error(error)}") from error
            if detection.get("category_id", PERSON_CATEGORY) != PERSON_CATEGORY:
                left_out["of another category"] += 1
            elif min(box[2:]) <= 0:
                left_out["of no area"] += 1
            elif score < threshold:
                left_out[f"below the score {threshold:g}"] += 1
            else:
                self._boxes.setdefault(key, []).append((*box, score))
                self.count += 1
        reasons = ", ".join(f"{amount} {reason}" for reason, amount in left_out.items() if amount)
        self.line = f"=> {pluralize(self.count, 'box', 'boxes')} from {path}"
        self.line += f"; left out: {reasons}" if reasons else ""

    def __call__(self, frame: Frame) -> People:
        found = [box for key in keys_of(frame) for box in self._boxes.get(key, ())]
        self.used += len(found)
        if not found:
            return NOBODY
        boxes, scores = np.array(found)[:, :4], np.array(found)[:, 4]
        refuse_outside(boxes, frame, f"a box of {self.path}")
        return People(boxes, scores)

    def warning(self) -> str:
        if self.used or not self.count:
            return ""
        name = next(iter(self._boxes))[:60]
        return f"{self.path}: no picture here has an image_id of its boxes (such as {name}): is it of other pictures?"


def keys_of(frame: Frame) -> list[str]:
    """What an image_id may call a Frame, as `image_key` has it: its number, or its picture's number or name."""
    if frame.number is not None:
        return [str(frame.number)]
    return list(dict.fromkeys((str(image_id_of(frame.path)), frame.path.stem, frame.path.name)))


def image_key(image_id: Any) -> str:
    """An image_id as text: 785, 785.0 and "785" are the same. ValueError where it is none."""
    if isinstance(image_id, bool) or not isinstance(image_id, (int, float, str)):
        raise ValueError(f"an image_id of {short_repr(image_id)}; expected a number or a name")
    if isinstance(image_id, float) and image_id.is_integer():
        image_id = int(image_id)
    return str(image_id)


def refuse_outside(boxes: np.ndarray, frame: Frame, what: str) -> None:
    """Raises UserError, naming `what` the boxes (N, 4) are, where one of them has no part in the frame's picture."""
    height, width = frame.image.shape[:2]
    for box in boxes:
        x, y, box_width, box_height = box
        if x >= width or y >= height or x + box_width <= 0 or y + box_height <= 0:
            name = Path(frame.path).name
            raise UserError(f"{what}, {box.tolist()}, lies outside the picture {name} of {width}x{height} pixels")
