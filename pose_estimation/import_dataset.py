"""Writes a data folder and an experiment for a data set of SLEAP, DeepLabCut, Label Studio, YOLO-pose, NWB or COCO.

Look over the pairs that it prints and the persons that it draws before you train.
"""

import argparse
import re
from pathlib import Path

import _init_paths  # noqa: F401
from init_dataset import add_set_options, name_of

from lib.dataset.preparation.import_forms import FORMS, read_source, recognise, source_file
from lib.dataset.preparation.start_set import start_set
from lib.utils.parser import OneLineParser
from lib.utils.runtime import run_script


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = ".slp, .csv, .h5, .nwb, .json, a data.yaml, a config.yaml, or the folder of one"
    parser.add_argument("source", metavar="SOURCE", type=Path, help=about)
    parser.add_argument("--form", choices=FORMS, help="of the source (default: recognised)")
    add_set_options(parser)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    path = source_file(arguments.source)
    stem = path.resolve().parent.name if path.suffix in (".yaml", ".yml") else re.sub(r"\.pkg$", "", path.stem)
    name = name_of(arguments, stem)
    output = Path(arguments.output or f"data/{name}")
    by_video = None if arguments.group is None else arguments.group == "video"
    form = arguments.form or recognise(path)
    images = Path(arguments.images) if arguments.images else None
    own, parts, folder, lines = read_source(path, form, images, output, arguments.validation, by_video)
    print("\n".join([f"=> {path} is read as {form}", *lines]))
    start_set(own, name, path.name, parts, folder, output)


if __name__ == "__main__":
    run_script(main)
