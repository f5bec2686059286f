"""Looks a data set over before anyone trains on it, and draws persons of it.

Reads the annotations themselves: ground-truth boxes, without DATASET.SELECT_DATA. Exit code: 0 nothing wrong found,
1 problems found, 2 bad input.
"""

import json
import sys
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_experiment_parser
from lib.utils.runtime import make_folder, make_logger, replacing, run_script

SETS = {"train": True, "test": False}  # whether it is the one that is trained on


def parse_arguments():
    parser = make_experiment_parser(__doc__)
    parser.add_argument("--set", choices=SETS, help="DATASET.TRAIN_SET or TEST_SET only (default: both)")
    parser.add_argument("--samples", type=int, default=16, metavar="N", help="persons to draw (default %(default)s)")
    folder = "folder for the pictures and the report as JSON (default: OUTPUT_DIR/check/<experiment>)"
    parser.add_argument("--output", metavar="DIR", help=folder)
    parser.set_defaults(use_gt_bbox=True, select_data=False)
    arguments = parser.parse_intermixed_args()
    if arguments.samples < 0:
        parser.error(f"argument --samples: {arguments.samples} is below 0")
    flags = (("use_gt_bbox", "TEST.USE_GT_BBOX"), ("select_data", "DATASET.SELECT_DATA"))
    return arguments, config_from(arguments, flags=flags)


def sets_to_check(config, chosen):
    """([(set's name, training)] to look at, lines about those that cannot be).

    chosen: train, test or None for both. Where no annotation is there, the set stays for its reader to complain of.
    """
    from lib.dataset.build import annotation_file

    named = {}
    for training in SETS.values() if chosen is None else [SETS[chosen]]:
        named.setdefault(config.dataset.train_set if training else config.dataset.test_set, training)
    present, lines = [], []
    for name, training in named.items():
        path = annotation_file(config, training)
        if path.exists():
            present.append((name, training))
        else:
            lines.append(f"problem: {name}: there is no annotation {path}")
    return (present, lines) if present else (list(named.items()), [])


def has_truth(config, name, training):
    """Whether a set has joints to check: test sets of COCO and MPII have not."""
    from lib.dataset.build import annotation_file

    if config.dataset.dataset == "mpii":
        return name != "test"
    return not annotation_file(config, training).name.startswith("image_info")


def check_set(config, name, training, folder, samples):
    """Checks one set, writes its files into `folder`, and returns (lines, number of problems)."""
    from lib.dataset.build import read_persons
    from lib.dataset.checks.check import check_persons
    from lib.dataset.checks.report import (
        check_lines,
        check_record,
        draw_persons,
        evenly_spread,
        name_drawn,
        suspicious,
    )

    skeleton, pictures, persons = config.skeleton, {}, read_persons(config, training)
    make_folder(folder)  # before the pictures are looked at, which may take minutes
    check = check_persons(persons, skeleton)
    for suffix, choose in (("", evenly_spread), ("_suspicious", suspicious)):
        path = folder / f"{name}{suffix}.jpg"
        path.unlink(missing_ok=True)  # an earlier check's
        drawn, broken = draw_persons(path, check, choose(check, samples), skeleton, config.model.image_size)
        if broken.count:
            check.findings.append(broken)
        if drawn:
            pictures[path.name] = name_drawn(check, drawn)
    with replacing(folder / f"{name}.json") as temporary:
        temporary.write_text(json.dumps({"set": name, **check_record(check, skeleton), "drawn": pictures}, indent=1))
    written = ", ".join([*pictures, f"{name}.json"])
    return [*check_lines(check, skeleton), f"=> written to {folder}: {written}"], len(check.findings)


def main():
    arguments, config = parse_arguments()
    present, lines = sets_to_check(config, arguments.set)
    folder = Path(arguments.output or Path(config.output_dir) / "check" / Path(arguments.cfg).stem)
    log, problems = make_logger(), len(lines)
    for name, training in present:
        if not has_truth(config, name, training):
            lines.append(f"=> {name} has no ground truth: nothing to check")
            continue
        new_lines, count = check_set(config, name, training, folder, arguments.samples)
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
