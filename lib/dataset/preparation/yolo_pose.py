"""Ultralytics YOLO-pose: a data.yaml with kpt_shape, and one text file of keypoints for each picture.

Read here and not by sleap-io, which does not know flip_idx, two numbers a keypoint, or pictures turned by EXIF.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.errors import UserError
from ...utils.files import pairs_in
from ...utils.image import stored_size
from ...utils.safe_yaml import read_yaml
from ..picture_sizes import EXCHANGING
from .foreign import TRAIN, VALID, ForeignSet

PICTURES = frozenset((".bmp", ".dng", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"))
SPLITS = {"train": TRAIN, "val": VALID}


def read_yolo_pose(path: Path, images: Path | None) -> ForeignSet:
    """The set of a data.yaml; images: where the set lies, None for the place that the file or its folder says.

    Raises UserError where the file is none of YOLO-pose, or a line of a label file cannot be read.
    """
    content = read_yaml(path, "data.yaml")
    shape = content.get("kpt_shape") if isinstance(content, dict) else None
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] not in (2, 3) or shape[0] not in range(1, 1000):
        raise UserError(f"{path}: expected kpt_shape: [number of keypoints, 2 or 3], as YOLO-pose's data.yaml has")
    count, numbers = int(shape[0]), int(shape[1])
    joints = _joint_names(content, count)
    found = ForeignSet(joints, _class_name(content), _limbs(content, joints), _pairs(path, content, joints))
    root = images or _root(path, content)
    for key, split in SPLITS.items():
        for picture in _pictures(path, root, content.get(key)):
            (width, height), turn = stored_size(picture)
            size = (height, width) if turn in EXCHANGING else (width, height)  # labels are of the turned picture
            _add_labels(found, found.add_image(str(picture), size, split), _label_file(picture), size, count, numbers)
    if not found.images:
        raise UserError(f"{path}: no pictures of its train and val are below {root}: give --images FOLDER")
    return found


def _joint_names(content: dict[str, Any], count: int) -> list[str]:
    """kpt_names of the first class, or SLEAP's node_names, where the file has them; else keypoint_0, keypoint_1, ..."""
    names = content.get("kpt_names", content.get("node_names"))
    if isinstance(names, dict) and names:
        names = next(iter(names.values()))
    if isinstance(names, list) and len(names) == count:
        return [str(name) for name in names]
    return [f"keypoint_{number}" for number in range(count)]


def _class_name(content: dict[str, Any]) -> str:
    names = content.get("names")
    values = list(names.values()) if isinstance(names, dict) else names
    return str(values[0]) if isinstance(values, list) and len(values) == 1 else "object"


def _limbs(content: dict[str, Any], joints: list[str]) -> list[tuple[str, str]]:
    """SLEAP's `skeleton`, pairs of numbers from 0; Ultralytics itself has none."""
    numbers = range(len(joints))
    known = [pair for pair in pairs_in(content.get("skeleton")) if all(end in numbers for end in pair)]
    return [(joints[first], joints[second]) for first, second in known]


def _pairs(path: Path, content: dict[str, Any], joints: list[str]) -> list[tuple[str, str]] | None:
    flipped = content.get("flip_idx")
    if flipped is None:
        return None
    if not isinstance(flipped, list) or sorted(map(str, flipped)) != sorted(map(str, range(len(joints)))):
        raise UserError(f"{path}: flip_idx: expected each of 0 to {len(joints) - 1} once")
    return [(joints[first], joints[second]) for first, second in enumerate(flipped) if first < second]


def _root(path: Path, content: dict[str, Any]) -> Path:
    """`path` of the file, beside it or as it stands, or the file's folder: the first where train or val is."""
    said = str(content.get("path") or ".")
    entries = [item for key in SPLITS for item in _items(content.get(key))]
    places = (path.parent / said, Path(said), path.parent)
    return next((place for place in places if any(os.path.exists(place / item) for item in entries)), path.parent)


def _items(entry: Any) -> list[str]:
    return [str(item) for item in (entry if isinstance(entry, list) else [entry] if entry else [])]


def _pictures(path: Path, root: Path, entry: Any) -> Iterator[Path]:
    """The pictures of train or val: folders, or text files with a picture a line."""
    for item in _items(entry):
        place = root / item
        if not os.path.exists(place) and item.startswith("../"):  # Roboflow's, which are meant from another folder
            place = root / item[3:]
        if os.path.isdir(place):
            yield from sorted(file for file in place.rglob("*") if file.suffix.lower() in PICTURES)
        elif os.path.isfile(place):
            yield from (root / line for line in place.read_text(encoding="utf-8").split("\n") if line.strip())
        else:
            raise UserError(f"{path}: there is no {str(place)[:300]}: give --images FOLDER, where the set lies")


def _label_file(picture: Path) -> Path:
    """labels/ in place of the last images/, and .txt."""
    before, found, after = str(picture).rpartition(f"{os.sep}images{os.sep}")
    return Path(f"{before}{os.sep}labels{os.sep}{after}" if found else picture).with_suffix(".txt")


def _add_labels(
    found: ForeignSet, image_id: int, path: Path, size: tuple[int, int], count: int, numbers: int
) -> None:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []  # a picture without objects
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = np.array(line.split(), dtype=float)
            if len(values) != 5 + count * numbers or not np.isfinite(values).all():
                raise ValueError(f"{len(values)} numbers, expected {5 + count * numbers}")
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
        keypoints = values[5:].reshape(count, numbers)
        points = keypoints[:, :2] * size
        seen = keypoints[:, 2] if numbers == 3 else 2 * keypoints.any(axis=1)
        visibility = np.clip(np.round(seen), 0, 2).astype(int).tolist()
        center, sides = values[1:3] * size, values[3:5] * size
        found.add_person(image_id, points, visibility, bbox=np.concatenate([center - sides / 2, sides]).tolist())
