"""Person boxes of an image: given ones, those of a file or a detector, or the whole image."""

from __future__ import annotations

import argparse
from typing import Any

from ..core.box_forms import FORMATS as BOX_FORMATS
from ..core.box_forms import UNITS
from ..utils.errors import UserError
from ..utils.parser import count, number, positive
from .boxes.detected import DetectedBoxes
from .boxes.finders import FileBoxes, GivenBoxes, PeopleFinder, WholePicture
from .boxes.reading import BoxReading
from .by_name import detector_file
from .detector import DetectorSettings, PersonDetector
from .detectors.forms import FORMS

DETECTOR_OPTIONS = (
    "detector_form", "person_label", "detector_size", "detector_mean", "detector_std", "detector_rgb",
)  # fmt: skip


def add_box_options(parser: argparse.ArgumentParser) -> None:
    """The options that say where people are, for `find_people_by`."""
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument(
        "--bbox", nargs=4, type=float, action="append", metavar=("X", "Y", "W", "H"),
        help="a person's box in pixels, once for each person (default: the whole picture is one person's box)",
    )  # fmt: skip
    boxes.add_argument(
        "--bbox-file", "--boxes", metavar="FILE", help="boxes of other programs: COCO's results (a list of {image_id, "
        "category_id, bbox, score}; image_id: the picture's number, name or path, of a video the frame's number from "
        "0), a CSV file with a header, MOTChallenge's det.txt, YOLO's .txt or a folder of them",
    )  # fmt: skip
    about = "how --bbox and --bbox-file write a box (default: as the file's kind has it, else xywh)"
    parser.add_argument("--bbox-format", choices=BOX_FORMATS, help=about)
    about = "of --bbox and --bbox-file: pixels, or shares of the picture's sides (default: as the file's kind has it)"
    parser.add_argument("--bbox-unit", choices=UNITS, help=about)
    add_detector_options(parser, boxes)


def add_detector_options(
    parser: argparse.ArgumentParser, group: Any = None, threshold: float = DetectorSettings.threshold
) -> None:
    """--detector and what it needs, for `open_detector`; group: that --detector goes to; threshold: the default."""
    about = "a detector in ONNX, or a name of fetch.py --list"
    (group or parser).add_argument("--detector", metavar="FILE", help=about)
    about = "whose inputs and outputs the file has (default: recognised)"
    parser.add_argument("--detector-form", choices=FORMS, help=about)
    about = "minimum box score, for --bbox-file and --detector (default %(default)s)"
    parser.add_argument("--bbox-thr", type=number, metavar="SCORE", default=threshold, help=about)
    about = "label of people in the detector's output, or their category in --bbox-file (default: its form's, 0 or 1)"
    parser.add_argument("--person-label", type=label, metavar="N", help=about)
    about = "input size of the detector, if the file leaves it open (default: its form's, such as 640 640)"
    parser.add_argument("--detector-size", nargs=2, type=count, metavar=("W", "H"), help=about)
    about = "of the detector's pixels, 0 to 255, in its channel order (default: its form's)"
    parser.add_argument("--detector-mean", nargs=3, type=number, metavar="N", help=about)
    parser.add_argument("--detector-std", nargs=3, type=positive, metavar="N", help=about)
    about = "the detector expects RGB images, or BGR (default: its form's)"
    parser.add_argument("--detector-rgb", action=argparse.BooleanOptionalAction, help=about)


def find_people_by(arguments: argparse.Namespace, provider: str = "auto") -> PeopleFinder:
    """The PeopleFinder that the options ask for.

    provider: for the detector, see `open_session`. Raises UserError for options, boxes or files that cannot be.
    """
    _refuse_unused(arguments)
    if arguments.bbox:
        return GivenBoxes(arguments.bbox, BoxReading().given(arguments.bbox_format, arguments.bbox_unit))
    if arguments.bbox_file:
        reading = arguments.bbox_format, arguments.bbox_unit, arguments.person_label
        return FileBoxes(arguments.bbox_file, arguments.bbox_thr, *reading)
    if not arguments.detector:
        return WholePicture()
    return DetectedBoxes(open_detector(arguments, provider))


def _refuse_unused(arguments: argparse.Namespace) -> None:
    """Raises UserError for an option that says nothing of the boxes that were asked for."""
    given = [name for name in DETECTOR_OPTIONS if getattr(arguments, name) is not None]
    if arguments.bbox_file and "person_label" in given:
        given.remove("person_label")
    if given and not arguments.detector:
        raise UserError(f"--{given[0].replace('_', '-')} requires --detector: give --detector FILE.onnx too")
    forms = [name for name in ("bbox-format", "bbox-unit") if getattr(arguments, name.replace("-", "_")) is not None]
    if forms and not (arguments.bbox or arguments.bbox_file):
        raise UserError(f"--{forms[0]} requires --bbox or --bbox-file")


def label(word: str) -> int | str:
    """argparse's type of a category: its number or its name."""
    return int(word) if word.lstrip("-").isdecimal() else word.lower()


def open_detector(arguments: argparse.Namespace, provider: str = "auto") -> PersonDetector:
    """The PersonDetector of the options. Raises UserError."""
    if isinstance(arguments.person_label, str):
        raise UserError(f"--person-label {arguments.person_label}: a detector's labels are numbers")
    values = {
        "person_label": arguments.person_label, "size": arguments.detector_size, "mean": arguments.detector_mean,
        "deviation": arguments.detector_std, "color_rgb": arguments.detector_rgb, "form": arguments.detector_form,
    }  # fmt: skip
    settings = {key: value for key, value in values.items() if value is not None}
    path, known = detector_file(arguments.detector)
    return PersonDetector(path, DetectorSettings(arguments.bbox_thr, **{**known, **settings}), provider)
