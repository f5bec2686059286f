"""MPII's own annotation file, mpii_human_pose_v1_u12_1.mat -> the original project's JSON files and gt_valid.mat.

The structure is nested and uneven: where a list has one entry it is the entry itself, empty ones are empty matrices,
some points have no is_visible, some numbers are text. Persons without a position, a scale or points are left out, as
the original's files leave them out.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from ...core.skeletons import MPII_MAT_JOINTS
from ...utils.errors import UserError
from ...utils.files import write_json
from ...utils.runtime import make_folder, replacing

VALIDATION = Path(__file__).with_name("mpii_validation.txt")  # images of the usual split (Tompson et al., CVPR 2014)
JOINTS = len(MPII_MAT_JOINTS)
UNKNOWN = [-1.0, -1.0]  # where a joint is not annotated, as in the original's files


@dataclass
class Prepared:
    """Records of the original's JSON form by set, and the head boxes (2, 2) x, y of valid's persons."""

    records: dict[str, list[dict[str, Any]]]
    heads: list[np.ndarray]
    left_out: dict[str, int] = field(default_factory=dict)


def read_release(path: str | os.PathLike[str]) -> Any:
    """RELEASE of MPII's file. Raises UserError where it is missing, damaged or another file."""
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}: MPII's annotations come from its home page")
    try:
        content = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise UserError(f"{path} is no MATLAB file, or is damaged: {str(error)[:200]}") from error
    release = content.get("RELEASE")
    if release is None or not all(hasattr(release, name) for name in ("annolist", "img_train")):
        raise UserError(f"{path} has no RELEASE with annolist and img_train: is it mpii_human_pose_v1_u12_1.mat?")
    return release


def prepare(release: Any, validation: set[str] | None = None) -> Prepared:
    """The records of train, valid, trainval and test; validation: names of the images that are valid's."""
    names = set(VALIDATION.read_text(encoding="utf-8").split()) if validation is None else validation
    prepared = Prepared({"train": [], "valid": [], "trainval": [], "test": []}, [])
    annotations = _entries(release.annolist)
    is_train = np.atleast_1d(release.img_train)
    if len(annotations) != len(is_train):
        raise UserError(f"MPII's file has {len(annotations)} images, and img_train {len(is_train)}: it is damaged")
    for annotation, train in zip(annotations, is_train, strict=True):
        image = str(getattr(getattr(annotation, "image", None), "name", ""))
        for person in _entries(getattr(annotation, "annorect", None)):
            _add_person(prepared, image, person, bool(train), image in names)
    return prepared


def _add_person(prepared: Prepared, image: str, person: Any, train: bool, is_valid: bool) -> None:
    position = getattr(person, "objpos", None)
    center = [_number(getattr(position, axis, None)) for axis in "xy"]
    scale = _number(getattr(person, "scale", None))
    if scale is None or None in center:
        _leave_out(prepared, "without position or scale")
        return
    record: dict[str, Any] = {"image": image, "center": center, "scale": scale}
    if not train:
        prepared.records["test"].append(record)
        return
    joints, visible = _joints(person)
    if not any(visible):
        _leave_out(prepared, "without joints")
        return
    record = {"joints_vis": visible, "joints": joints, **record}
    prepared.records["trainval"].append(record)
    prepared.records["valid" if is_valid else "train"].append(record)
    if is_valid:
        sides = [_number(getattr(person, name, None)) for name in ("x1", "y1", "x2", "y2")]
        prepared.heads.append(np.array([math.nan if side is None else side for side in sides]).reshape(2, 2))


def _joints(person: Any) -> tuple[list[list[float]], list[int]]:
    """16 points x, y, and whether each is annotated; is_visible does not count, as in the original."""
    joints, visible = [list(UNKNOWN) for _ in range(JOINTS)], [0] * JOINTS
    for point in _entries(getattr(getattr(person, "annopoints", None), "point", None)):
        number, x, y = (_number(getattr(point, name, None)) for name in ("id", "x", "y"))
        if number is not None and x is not None and y is not None and 0 <= number < JOINTS:
            joints[int(number)] = [x, y]
            visible[int(number)] = 1
    return joints, visible


def _leave_out(prepared: Prepared, reason: str) -> None:
    prepared.left_out[reason] = prepared.left_out.get(reason, 0) + 1


def _entries(value: Any) -> list[Any]:
    """The structures in a field: none, one, or an array of them."""
    if value is None or isinstance(value, (str, float, int)):
        return []
    return [entry for entry in np.atleast_1d(np.asarray(value, dtype=object)).ravel() if hasattr(entry, "_fieldnames")]


def _number(value: Any) -> float | None:
    """A number that may be text, or a matrix of one; None where it is none."""
    try:
        number = float(np.asarray(value).ravel()[0]) if np.size(value) == 1 else math.nan
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def write_annotations(prepared: Prepared, folder: Path) -> None:
    """Writes train.json, valid.json, trainval.json, test.json and gt_valid.mat, as the original's are."""
    make_folder(folder)
    for name, records in prepared.records.items():
        write_json(records, folder / f"{name}.json")
    valid = prepared.records["valid"]
    joints = np.array([record["joints"] for record in valid], dtype=np.float64).reshape(-1, JOINTS, 2)
    missing = 1 - np.array([record["joints_vis"] for record in valid], dtype=np.uint8).reshape(-1, JOINTS)
    names = np.empty((1, JOINTS), dtype=object)
    names[0] = MPII_MAT_JOINTS
    ground_truth = {
        "dataset_joints": names,
        "jnt_missing": missing.T.astype(np.uint8),
        "pos_gt_src": np.where(missing[..., None], 0, joints).transpose(1, 2, 0),
        "headboxes_src": np.array(prepared.heads).reshape(-1, 2, 2).transpose(1, 2, 0),
    }
    with replacing(folder / "gt_valid.mat") as temporary, open(temporary, "wb") as file:
        scipy.io.savemat(file, ground_truth)
