"""What check_dataset.py does: which sets it checks, and what it writes of each."""

import json
from pathlib import Path

from ...config.schema import Config
from ...utils.runtime import make_folder, replacing
from ..build import annotation_form
from .check import check_persons
from .report import WARNING, check_lines, check_record, draw_persons, evenly_spread, name_drawn, suspicious

SETS = {"train": True, "test": False}  # whether it is the one that is trained on


def sets_to_check(config: Config, chosen: str | None) -> tuple[list[tuple[str, bool]], list[str]]:
    """The sets to check, as (name, whether it is trained on), and lines about those without annotations.

    Where no annotation is there at all, every set stays: its reader then says what is missing.

    Args:
        chosen: train, test, or None for both.
    """
    named: dict[str, bool] = {}
    for training in SETS.values() if chosen is None else [SETS[chosen]]:
        for name in config.dataset.train_sets if training else [config.dataset.test_set]:
            named.setdefault(name, training)
    present, lines = [], []
    for name, training in named.items():
        path = annotation_form(config).annotation_path(name)
        if path.exists():
            present.append((name, training))
        else:
            lines.append(f"problem: {name}: there is no annotation {path}")
    return (present, lines) if present else (list(named.items()), [])


def has_ground_truth(config: Config, name: str) -> bool:
    """Whether a set has joints to check: the test sets of COCO and MPII have none."""
    return annotation_form(config).has_ground_truth(name)


def check_set(config: Config, name: str, folder: Path, samples: int) -> tuple[list[str], int]:
    """Checks one set, writes its files into `folder`, and returns its lines and the number of problems."""
    skeleton = config.skeleton
    pictures: dict[str, dict[str, str]] = {}
    persons = annotation_form(config).persons(name)
    make_folder(folder)  # before the pictures are looked at, which may take minutes
    check = check_persons(persons, skeleton, config.dataset.check_sides)
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
    problems = len(check.findings) + persons.note.count(WARNING)
    return [*check_lines(check, skeleton), f"=> written to {folder}: {written}"], problems
