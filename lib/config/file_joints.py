"""The skeleton of an annotation file in COCO's form, for experiments that name none."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.sides import plain_name
from ..core.skeletons import COCO
from ..utils.errors import UserError
from ..utils.files import pairs_in
from .names import annotation_path

SKELETON = "DATASET.SKELETON"
COCO_NAMES = {plain_name(name) for name in COCO.joints}
LONGEST = 2**20  # bytes of a file's categories
KEY = re.compile(rb'"categories"\s*:\s*(?=\[)')


def joints_and_limbs(
    source: str | os.PathLike[str], categories: Sequence[Mapping[str, Any]]
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """(joint names in the file's order, limbs as pairs of names) of categories that name their keypoints.

    Limbs with numbers that are no keypoint's are left out. Raises UserError where names repeat or categories differ.
    """
    joints = tuple(map(str, categories[0]["keypoints"]))
    if len(set(joints)) < len(joints):
        name, shown = categories[0].get("name"), ", ".join(joints)[:300]
        raise UserError(f"{source}: the keypoints of {name} repeat a name: {shown}")
    others = [each for each in categories if tuple(map(str, each["keypoints"])) != joints]
    if others:
        names = f"{categories[0].get('name')} and {others[0].get('name')}"
        way_on = "export one at a time, or name it in DATASET.CATEGORIES"
        raise UserError(f"{source}: {names} have different keypoints: {way_on}")
    numbers = range(1, len(joints) + 1)
    limbs = [pair for pair in pairs_in(categories[0].get("skeleton")) if all(end in numbers for end in pair)]
    return joints, tuple((joints[int(first) - 1], joints[int(second) - 1]) for first, second in limbs)


def with_joints_of_file(flat: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """({dotted key: value} with the file's joints and limbs as DATASET.SKELETON, a line that says so).

    flat: an experiment's values. They stay as they are, and the line is empty, where they name a skeleton, where
    the annotations are not in COCO's form or not there, and where the file has COCO's own joints, or names none.
    Raises UserError where its categories have different keypoints.
    """
    values = dict(flat)
    if values.get("DATASET.DATASET") != "coco" or any(key.startswith(SKELETON) for key in values):
        return values, ""
    for path in _files(values):
        categories = [each for each in _categories(path) if _is_wanted(each, values.get("DATASET.CATEGORIES"))]
        if any({plain_name(str(name)) for name in each["keypoints"]} == COCO_NAMES for each in categories):
            return values, ""
        if categories:
            joints, limbs = joints_and_limbs(path, categories)
            own = {"NAME": path.parent.parent.name or "own", "JOINTS": joints, "LIMBS": limbs}
            values.setdefault("MODEL.NUM_JOINTS", len(joints))
            line = f"=> no DATASET.SKELETON: {len(joints)} joints as {path} names them: {', '.join(joints)}"
            return {**values, **{f"{SKELETON}.{key}": value for key, value in own.items()}}, line
    return values, ""


def _files(values: Mapping[str, Any]) -> list[Path]:
    """The annotation files that are there, those to train on first."""
    root = Path(str(values.get("DATA_DIR", ""))) / str(values.get("DATASET.ROOT", ""))
    sets = values.get("DATASET.TRAIN_SET", "train")
    names = [*(sets if isinstance(sets, list) else str(sets).split("+")), values.get("DATASET.TEST_SET", "valid")]
    paths = [annotation_path(root, str(name)) for name in names]
    return [path for path in paths if path.is_file()]


def _is_wanted(category: Any, wanted: Any) -> bool:
    if not isinstance(category, dict) or not isinstance(category.get("keypoints"), list) or not category["keypoints"]:
        return False
    names = [wanted] if isinstance(wanted, str) else wanted
    return not names or names == ["all"] or str(category.get("name")) in names


def _categories(path: Path) -> list[Any]:
    """The file's categories, without parsing its annotations: COCO's take half a gigabyte.

    Empty where there are none or the file is damaged, which is reported when it is read.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = KEY.search(data)
            text = data[found.end() : found.end() + LONGEST].decode("utf-8", "ignore") if found else "[]"
        return json.JSONDecoder().raw_decode(text)[0]
    except (OSError, ValueError, RecursionError):
        return []
