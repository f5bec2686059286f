"""Looks a data set over before anyone trains on it, and draws persons of it.

Reads the annotations themselves: ground-truth boxes, without DATASET.SELECT_DATA. Exit code: 0 nothing wrong found,
1 problems found, 2 bad input.
"""

import argparse
import sys
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_experiment_parser
from lib.config.schema import Config
from lib.utils.runtime import make_logger, run_script


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_experiment_parser(__doc__)
    parser.add_argument("--set", choices=("train", "test"), help="DATASET.TRAIN_SET or TEST_SET only (default: both)")
    parser.add_argument("--samples", type=int, default=16, metavar="N", help="persons to draw (default %(default)s)")
    folder = "folder for the pictures and the report as JSON (default: OUTPUT_DIR/check/<experiment>)"
    parser.add_argument("--output", metavar="DIR", help=folder)
    parser.set_defaults(use_gt_bbox=True, select_data=False)
    arguments = parser.parse_intermixed_args()
    if arguments.samples < 0:
        parser.error(f"argument --samples: {arguments.samples} is below 0")
    flags = (("use_gt_bbox", "TEST.USE_GT_BBOX"), ("select_data", "DATASET.SELECT_DATA"))
    return arguments, config_from(arguments, flags=flags)


def main() -> None:
    arguments, config = parse_arguments()
    from lib.dataset.checks.sets import check_set, has_ground_truth, sets_to_check

    present, lines = sets_to_check(config, arguments.set)
    folder = Path(arguments.output or Path(config.output_dir) / "check" / Path(arguments.cfg).stem)
    log, problems = make_logger(), len(lines)
    for name, _ in present:
        if not has_ground_truth(config, name):
            lines.append(f"=> {name} has no ground truth: nothing to check")
            continue
        new_lines, count = check_set(config, name, folder, arguments.samples)
        log.info(f"=> {name}")
        for line in new_lines:
            log.info(line)
        problems += count
    for line in lines:
        log.info(line)
    if problems:
        log.info(f"=> {problems} " + ("problem" if problems == 1 else "problems"))
        sys.exit(1)
    log.info("=> nothing wrong found")


if __name__ == "__main__":
    run_script(main)
