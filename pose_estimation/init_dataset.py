"""Writes a data folder and an experiment for a COCO-form keypoint export (CVAT, Roboflow, Label Studio and others).

The pictures stay where they are. Look over the pairs that it prints and the persons that it draws before you train.
Other forms (SLEAP, DeepLabCut, YOLO-pose and more): import_dataset.py.
"""

import argparse
import re
from pathlib import Path

import _init_paths  # noqa: F401

from lib.dataset.preparation.own_set import read_export, split_images
from lib.dataset.preparation.start_set import start_set
from lib.utils.errors import UserError
from lib.utils.parser import OneLineParser, number
from lib.utils.runtime import run_script


def add_set_options(parser: argparse.ArgumentParser) -> None:
    """The options that import_dataset.py has, too."""
    parser.add_argument("--images", metavar="FOLDER", help="of the pictures (default: where the source says or lies)")
    parser.add_argument("--name", help="of the skeleton and the experiment (default: the source's name)")
    parser.add_argument("--output", metavar="FOLDER", help="default: data/NAME")
    about = "share of the images to validate with (default %(default)s)"
    parser.add_argument("--validation", type=number, default=0.2, metavar="SHARE", help=about)
    about = "what stays together: a picture, or the pictures whose names differ in the number at their end alone"
    parser.add_argument("--group", choices=("picture", "video"), help=f"{about} (default: picture)")


def name_of(arguments: argparse.Namespace, stem: str) -> str:
    """--name, or one made of the source's name. Raises UserError for options that cannot be."""
    if not 0 < arguments.validation < 1:
        raise UserError(f"--validation {arguments.validation:g}: expected a share between 0 and 1")
    name = arguments.name or re.sub(r"\W+", "_", stem).strip("_")
    if not re.fullmatch(r"\w[\w-]*", name):
        raise UserError(f"--name {name!r}: expected letters, digits, _ and -")
    return name


def main() -> None:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("export", metavar="EXPORT.json", help="annotations in COCO's form")
    add_set_options(parser)
    arguments = parser.parse_args()
    export = Path(arguments.export)
    name = name_of(arguments, export.stem)
    images, output = Path(arguments.images or export.parent), Path(arguments.output or f"data/{name}")
    own = read_export(export)
    print("\n".join(own.lines()))
    parts, lines = split_images(own, images, arguments.validation, arguments.group == "video")
    print("\n".join(lines))
    start_set(own, name, export.name, parts, images, output)


if __name__ == "__main__":
    run_script(main)
