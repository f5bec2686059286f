"""Checks the annotations and images of a data set.

N persons, K joints. What looks wrong is a `Finding`, and a data set's report is a `Check`.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...utils.detections import NO_AREA
from ...utils.errors import UserError
from ...utils.image import picture_size
from ...utils.progress import progress_bar
from ..annotations.coco import OUTSIDE, ZERO_AREA
from ..joints_dataset import Persons, missing_pictures
from .depth import few_bits
from .left_right import facing_share, swap_gains
from .set_sides import WAY_OUT, judge_sides

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

SMALL_BOX = 16  # pixels on the longer side, below which there is nothing to learn from
BORDER = 1.0  # pixels a joint may lie outside: sources differ in whether they count from 0, 1 or a pixel's corner
SAME_BOX = 0.9  # intersection over union of the boxes of a person annotated twice
MAX_EXAMPLES = 1000  # that are kept for the JSON file
MOST_LOOKED_AT = 100  # pictures whose number of bits is looked at, evenly through the set


@dataclass
class Finding:
    """Something that looks wrong: `count` of `total` things, `what` they are and do, in words.

    name: one or two words; examples: the first or worst of them, as text; rows: the persons concerned, in that order.
    """

    name: str
    what: str
    count: int
    total: int
    examples: list
    rows: list

    def line(self, shown: int = 3) -> str:
        """One line with the first `shown` examples."""
        share = f" ({100 * self.count / self.total:.1f}%)" if self.total else ""
        examples = ", ".join([*self.examples[:shown], *(["..."] if self.count > shown < len(self.examples) else [])])
        return f"{self.count} of {self.total}{share} {self.what}" + (f": {examples}" if examples else "")


@dataclass
class Check:
    """What was found in one set.

    persons: all that were read; sizes (N, 2): width and height of their pictures, NaN where there is none to read;
    pictures: how many different ones; joint_counts (K,): in how many persons each joint is annotated.
    facing: (share, count) of `facing_share`.
    """

    persons: Persons
    sizes: np.ndarray
    pictures: int
    joint_counts: np.ndarray
    facing: tuple
    findings: list

    @property
    def drawable(self) -> np.ndarray:
        """(N,) bool: persons with a picture and a box."""
        return np.isfinite(self.sizes).all(axis=1) & (boxes_of(self.persons)[:, 2:] > 0).all(axis=1)


def check_persons(persons: Persons, skeleton: Skeleton, check_sides: bool = True) -> Check:
    """The Check of `persons` as the readers return them; looks at the header of each picture once.

    check_sides: DATASET.CHECK_SIDES, whether to judge the sides of the set as a whole.
    """
    sizes, findings = _check_pictures(persons.pictures)
    facing = facing_share(persons.joints, persons.visible, skeleton)
    findings += _check_joints(persons, skeleton, sizes)
    findings += _check_boxes(persons, sizes)
    findings += _check_sides(persons, skeleton)
    findings += _judge_set(persons, skeleton) if check_sides else []
    counts = (persons.visible > 0).sum(axis=0)
    return Check(persons, sizes, len(set(persons.pictures)), counts, facing, [each for each in findings if each.count])


def boxes_of(persons: Persons) -> np.ndarray:
    """The boxes (N, 4) of persons that were read from annotations."""
    assert persons.boxes is not None  # every form of annotation has them, or makes them
    return persons.boxes


def person_name(persons: Persons, row: int) -> str:
    """Such as im0004.jpg (person 5): persons count from 1, in the order of the annotation, without those left out."""
    return f"{_base_name(persons.pictures[row])} (person {row + 1})"


def _base_name(picture: str) -> str:
    return os.path.basename(picture.rpartition(".zip@")[2])


def _finding(name: str, what: str, rows: Iterable[int], total: int, describe: Callable[[int], str]) -> Finding:
    """A Finding of persons: `rows` (indices), worst first; describe: row -> text."""
    numbers = [int(row) for row in rows]
    return Finding(name, what, len(numbers), total, [describe(row) for row in numbers[:MAX_EXAMPLES]], numbers)


def _check_pictures(pictures: list[str]) -> tuple[np.ndarray, list[Finding]]:
    """(sizes (N, 2), findings) of the persons' pictures."""
    missing, different = missing_pictures(pictures), list(dict.fromkeys(pictures))
    sizes, broken = dict.fromkeys(missing), {}
    with progress_bar(len(different), "pictures") as bar:
        for picture in different:
            bar.update()
            if picture not in sizes:
                try:
                    sizes[picture] = picture_size(picture)
                except UserError as error:
                    broken[picture] = str(error)
    known = np.array([sizes.get(picture) or (np.nan, np.nan) for picture in pictures], dtype=float)
    names = [_base_name(picture) for picture in missing[:MAX_EXAMPLES]]
    what = "pictures are missing" + (_absent_place(missing[0]) if missing else "")
    readable = [picture for picture in different if sizes.get(picture)]
    dark, deep, looked_at = few_bits(readable, MOST_LOOKED_AT)
    few = "pictures that were looked at use few of their 16 bits, and are read dark"
    return known.reshape(-1, 2), [
        Finding("missing", what, len(missing), len(different), names, []),
        Finding("unreadable", "pictures cannot be read", len(broken), len(different), list(broken.values()), []),
        Finding("16 bits", few, deep if dark else 0, looked_at, [dark], []),
    ]


def _absent_place(picture: str) -> str:
    archive, separator, _ = picture.partition(".zip@")
    source = Path(archive + ".zip") if separator else Path(picture).parent
    return "" if source.exists() else f" (there is no {source})"


def _check_joints(persons: Persons, skeleton: Skeleton, sizes: np.ndarray) -> list[Finding]:
    seen, joints = persons.visible > 0, persons.joints
    with np.errstate(invalid="ignore"):  # where the picture's size is not known
        over = np.maximum(-0.5 - joints, joints + 0.5 - sizes[:, None]).max(axis=2)  # (N, K) pixels
        outside = seen & (over > BORDER)
    rows, columns = np.nonzero(outside)
    order = np.argsort(-over[rows, columns], kind="stable")
    examples = [_joint_name(persons, skeleton, sizes, rows[at], columns[at]) for at in order[:MAX_EXAMPLES]]
    concerned = list(dict.fromkeys(int(row) for row in rows[order]))
    what = "annotated joints lie outside their picture"
    never = [name for name, count in zip(skeleton.joints, seen.sum(axis=0), strict=True) if not count]
    return [
        Finding("outside", what, len(rows), int(seen.sum()), examples, concerned),
        Finding("never", "joints are never annotated", len(never), len(skeleton.joints), never, []),
        _finding("no joint", "persons have no annotated joint", np.flatnonzero(~seen.any(axis=1)), len(persons),
                 lambda row: person_name(persons, row)),
    ]  # fmt: skip


def _joint_name(persons: Persons, skeleton: Skeleton, sizes: np.ndarray, row: int, joint: int) -> str:
    (x, y), (width, height) = persons.joints[row, joint], sizes[row]
    return f"{person_name(persons, row)} {skeleton.joints[joint]} at {x:.0f} {y:.0f} in {width:.0f}x{height:.0f}"


def _check_boxes(persons: Persons, sizes: np.ndarray) -> list[Finding]:
    boxes = boxes_of(persons)
    corner, size = boxes[:, :2], boxes[:, 2:]
    with np.errstate(invalid="ignore"):
        outside = ((corner > sizes - 1) | (corner + size < 0)).any(axis=1)
    empty = (size <= 0).any(axis=1)
    small = ~empty & (size.max(axis=1) < SMALL_BOX)

    def describe(row: int) -> str:
        return f"{person_name(persons, row)} " + " ".join(f"{value:.0f}" for value in boxes[row])

    records = len(persons) + sum(map(len, persons.left_out.values()))

    def left_out(what: str, *reasons: str) -> Finding:
        ids = [number for reason in reasons for number in persons.left_out.get(reason, [])]
        names = [f"annotation {number}" for number in ids[:MAX_EXAMPLES]]
        return Finding("left out", f"annotations have {what}, left out", len(ids), records, names, [])

    kinds = (
        ("no area", "boxes (x y width height) have no area", empty),
        ("box outside", "boxes (x y width height) lie outside their picture", outside),
        ("small box", f"boxes (x y width height) are below {SMALL_BOX} px on their longer side", small),
        ("twice", f"persons are annotated twice (boxes overlap by {100 * SAME_BOX:.0f}%)", _is_repeated(persons)),
    )
    return [
        left_out("no box in their picture", NO_AREA, OUTSIDE),
        left_out("an area of 0", ZERO_AREA),
        *(_finding(name, what, np.flatnonzero(mask), len(persons), describe) for name, what, mask in kinds),
    ]


def _is_repeated(persons: Persons) -> np.ndarray:
    """(N,) bool: a person whose box is nearly that of an earlier one of the same picture."""
    numbers: dict[str, int] = {}
    picture_numbers = np.array([numbers.setdefault(picture, len(numbers)) for picture in persons.pictures], dtype=int)
    order = np.argsort(picture_numbers, kind="stable")
    picture_numbers, boxes = picture_numbers[order], boxes_of(persons)[order]
    repeated = np.zeros(len(persons), bool)
    for step in range(1, int(np.bincount(picture_numbers).max(initial=0))):
        # the person `step` before is of the same picture
        same = step + np.flatnonzero(picture_numbers[step:] == picture_numbers[:-step])
        repeated[order[same]] |= _overlaps(boxes[same], boxes[same - step]) > SAME_BOX
    return repeated


def _overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (M, 4), row by row."""
    low = np.maximum(first[:, :2], second[:, :2])
    high = np.minimum(first[:, :2] + first[:, 2:], second[:, :2] + second[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    return shared / np.maximum(first[:, 2:].prod(axis=1) + second[:, 2:].prod(axis=1) - shared, 1e-9)


def _judge_set(persons: Persons, skeleton: Skeleton) -> list[Finding]:
    """What training would refuse, or warn of."""
    problems = judge_sides(persons.joints, persons.visible, skeleton)
    return [Finding(each.name, f"{each.what}; {WAY_OUT}", each.count, each.total, [], []) for each in problems]


def _check_sides(persons: Persons, skeleton: Skeleton) -> list[Finding]:
    gains = swap_gains(persons.joints, persons.visible, skeleton)
    best = gains.max(axis=1, initial=0)
    rows = np.flatnonzero(best)

    def describe(row: int) -> str:
        pair = skeleton.flip_pairs[gains[row].argmax()]
        return f"{person_name(persons, row)} " + "/".join(skeleton.joints[joint] for joint in pair)

    what = "persons look as if left and right were exchanged, or crossed (in MPII's own validation set 0.6%)"
    return [_finding("swapped", what, rows[np.argsort(-best[rows], kind="stable")], len(persons), describe)]
