"""Finds the people of a validation set with a detector: writes their boxes for valid.py --coco-bbox-file."""

import argparse
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser
from lib.config.schema import Config
from lib.inference.build import detector_provider
from lib.inference.detect_set import coco_form, detect_set, person_ap
from lib.inference.person_boxes import add_detector_options, open_detector
from lib.utils.errors import UserError
from lib.utils.files import pluralize, write_json
from lib.utils.runtime import make_folder, run_script

EPILOG = """
Boxes from a score of 0.001 on are written, as AP counts all (--bbox-thr for another); valid.py leaves out those below
TEST.IMAGE_THRE. The person AP is printed if the set has ground truth.
"""


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_parser(__doc__)
    parser.epilog = EPILOG
    add_detector_options(parser, threshold=0.001)
    about = "default output/detections/<set>_<detector>.json"
    parser.add_argument("--output", metavar="X.json", help=about)
    arguments = parser.parse_intermixed_args()
    if not arguments.detector:
        raise UserError("give --detector FILE.onnx, or a name of fetch.py --list")
    return arguments, config_from(arguments)


def main() -> None:
    arguments, config = parse_arguments()
    form, image_set = coco_form(config), config.dataset.test_set
    name = f"{image_set}_{Path(arguments.detector).stem}.json"
    output = Path(arguments.output or Path("output/detections") / name)
    if output.suffix != ".json":
        raise UserError(f"--output {output}: the name must end in .json")
    detector = open_detector(arguments, detector_provider(config))
    print(detector.line)
    entries = list(detect_set(form, image_set, detector))
    make_folder(output.parent)
    write_json(entries, output)
    print(f"=> {pluralize(len(entries), 'box', 'boxes')} of {image_set}, saving {output}")
    scores = person_ap(form, image_set, entries)
    if scores:
        print("| " + " | ".join(scores) + " |\n" + "|---" * len(scores) + "|")
        print("| " + " | ".join(f"{value:.3f}" for value in scores.values()) + " |")
    print(f"=> use them: valid.py --cfg {arguments.cfg} --coco-bbox-file {output} --model-file MODEL")


if __name__ == "__main__":
    run_script(main)
