"""Reports a Check: lines, JSON, and grids of drawn persons."""
from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ...utils.errors import UserError
from ...utils.runtime import replacing
from ...visualization.grids import captioned_grid
from ..joints_dataset import JointsDataset, SampleSettings
from .check import Finding, person_name

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton
    from .check import Check

DRAWN_SIDE = 320  # pixels of a drawn person's width
WARNING = "=> WARNING: "  # how lines about a set begin that a check counts as problems


def check_lines(check: Check, skeleton: Skeleton) -> list[str]:
    """What was counted, then a line for each finding."""
    persons, (share, count) = check.persons, check.facing
    notes = persons.note.replace(WARNING, "problem: ").splitlines()
    lines = [f"=> {len(persons)} persons in {check.pictures} pictures", *notes]
    width = max(5, *(len(name) for name in skeleton.joints))
    lines.append(f"   {'joint':{width}}  annotated      %")
    for name, number in zip(skeleton.joints, check.joint_counts, strict=True):
        percent = 100 * number / max(1, len(persons))
        lines.append(f"   {name:{width}}  {number:9d}  {percent:5.1f}" + ("" if number else "  never annotated"))
    if share is not None:
        lines.append(f"=> left joints lie right of the right ones in {100 * share:.1f}% of {count} persons")
    return lines + [f"problem: {finding.line()}" for finding in check.findings]


def check_record(check: Check, skeleton: Skeleton) -> dict[str, Any]:
    """The same as a dict for a JSON file, with more of the examples."""
    persons, (share, count) = check.persons, check.facing
    return {
        "persons": len(persons),
        "pictures": check.pictures,
        "left_out": {reason: len(ids) for reason, ids in persons.left_out.items() if ids},
        "joints": dict(zip(skeleton.joints, check.joint_counts.tolist(), strict=True)),
        "left_right_of_right": {"share": share, "persons": count},
        "problems": [
            {"name": each.name, "what": each.what, "count": each.count, "total": each.total, "examples": each.examples}
            for each in check.findings
        ],
    }


def evenly_spread(check: Check, count: int) -> dict[Any, Any] | dict[int, str]:
    """{person's row: caption} of `count` persons from the first to the last, of those that can be drawn."""
    rows = np.flatnonzero(check.drawable)
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int))]
    return {int(row): str(row + 1) for row in chosen}


def suspicious(check: Check, count: int) -> dict[int, str]:
    """{person's row: caption} of up to `count` persons that findings are about, of each finding in turn."""
    reasons: dict[int, list[str]] = {}
    drawable = check.drawable
    turns = zip_longest(*([(row, each.name) for row in each.rows if drawable[row]] for each in check.findings))
    for row, name in filter(None, chain.from_iterable(turns)):
        reasons.setdefault(row, []).append(name)
    return {row: f"{row + 1} {', '.join(names)}" for row, names in list(reasons.items())[:count]}


def draw_persons(
    path: str | os.PathLike[str], check: Check, captions: Mapping[int, str], skeleton: Skeleton,
    image_size: tuple[int, int],
) -> tuple[dict[int, str], Finding]:
    """Draws persons {row: caption} as crops with numbered joints into the picture file `path`, with a legend.

    image_size: (width, height) of the network's input, for its aspect; the crops are large enough to be looked at.
    Returns {row: caption} of those that were drawn, and a Finding of those whose pictures could not be decoded.
    """
    keep = np.zeros(len(check.persons), bool)
    keep[list(captions)] = True
    samples, drawn, broken = [], {}, []
    if captions:
        size = DRAWN_SIDE, round(DRAWN_SIDE * image_size[1] / image_size[0])
        dataset = JointsDataset(check.persons.choose(keep), skeleton, SampleSettings(size))
        index_of = {int(row): index for index, row in enumerate(np.flatnonzero(keep))}
        for row, caption in captions.items():
            try:
                samples.append(dataset[index_of[row]])
                drawn[row] = caption
            except UserError as error:
                broken.append(str(error))
    if samples:
        crops, joints, visible = (np.stack([each[key] for each in samples]) for key in ("crop", "joints", "visible"))
        lines = [(caption, Path(check.persons.pictures[row].rpartition("@")[2]).name) for row, caption in drawn.items()]
        grid = captioned_grid(crops, joints, visible > 0, skeleton, lines)
        with replacing(path) as temporary:
            temporary.write_bytes(cv2.imencode(".jpg", grid)[1].tobytes())
    what = "pictures to draw cannot be decoded"
    return drawn, Finding("undecodable", what, len(broken), len(captions), broken, [])


def name_drawn(check: Check, drawn: Mapping[int, str]) -> dict[str, str]:
    """{caption: picture and person} for the JSON file."""
    return {caption: person_name(check.persons, row) for row, caption in drawn.items()}
