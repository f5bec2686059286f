"""Reads and checks annotation files in COCO's form."""
from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.errors import UserError
from ..utils.files import MAX_PIXEL_COORDINATE, checked_box, describe_error, finite, read_json, short_repr

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton

LAYOUT = (
    "COCO's pictures and annotations (2017 Train/Val images and annotations) come from cocodataset.org; they go to "
    "data/coco/images/{train2017,val2017}/*.jpg and data/coco/annotations/person_keypoints_{train2017,val2017}.json"
)
PERSON = "person"
# What is kept of the file's objects while it is read; the polygons of train2017 alone would take a gigabyte
KEPT = frozenset(
    (
        "images", "annotations", "categories", "id", "name", "file_name", "width", "height", "image_id", "category_id",
        "bbox", "area", "iscrowd", "keypoints",
    )
)  # fmt: skip


@dataclass
class CocoTruth:
    """What an annotation file says about one category.

    images: {id: (file name, width, height)}; category: {id, name}.
    annotations: dicts with id, image_id, bbox (x, y, width, height), area, iscrowd and keypoints, an array of 3 K
        numbers x, y, visibility (K joints of the skeleton); a data set without areas gets its boxes' areas.
    """

    path: Path
    images: dict
    category: dict
    annotations: list


def annotation_path(root: str | os.PathLike[str], image_set: str) -> Path:
    """person_keypoints_<set>.json, or image_info_<set>.json of a set without ground truth, whichever is there."""
    folder = Path(root) / "annotations"
    path, without_truth = folder / f"person_keypoints_{image_set}.json", folder / f"image_info_{image_set}.json"
    return without_truth if without_truth.is_file() and not path.is_file() else path


def read_truth(path: str | os.PathLike[str], skeleton: Skeleton) -> CocoTruth:
    """The CocoTruth of an annotation file, for the category `person`, or the only one of the file.

    Raises UserError, naming the file and the annotation, where it is ill-formed.
    """
    content = read_json(path, LAYOUT, _compact)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object with images and annotations, got a {type(content).__name__}")
    lists = {key: content.get(key, []) for key in ("images", "annotations", "categories")}
    for key, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"{path}: {key}: expected a list of objects")
    images = {}
    for image in lists["images"]:
        try:
            images[image["id"]] = str(image["file_name"]), _size(image["width"]), _size(image["height"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: image {short_repr(image.get('id'))}: {describe_error(error)}") from error
    if not images:
        raise UserError(f"{path}: it lists no images")
    category = _category(path, lists["categories"])
    annotations = []
    for record in lists["annotations"]:
        if record.get("category_id") == category["id"]:
            try:
                annotations.append(_checked(record, images, skeleton))
            except (KeyError, TypeError, ValueError) as error:
                which = short_repr(record.get("id"))
                raise UserError(f"{path}: annotation {which}: {describe_error(error)}") from error
    if lists["annotations"] and not annotations:
        raise UserError(f"{path}: none of its {len(lists['annotations'])} annotations is of a {category['name']}")
    return CocoTruth(Path(path), images, category, annotations)


def _compact(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = {key: value for key, value in pairs if key in KEPT}
    if "image_id" in record and isinstance(record.get("keypoints"), list):
        with contextlib.suppress(TypeError, OverflowError):  # complained of where the annotation's number is known
            record["keypoints"] = array("d", record["keypoints"])
    return record


def _size(value: Any) -> Any:
    if not isinstance(value, (int, float)) or not 0 < value < MAX_PIXEL_COORDINATE:
        raise ValueError(f"a width or height of {short_repr(value)}; expected pixels above 0 and below a million")
    return value


def _category(path: str | os.PathLike[str], categories: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    for category in categories:
        if category.get("name") == PERSON or len(categories) == 1:
            return {"id": category.get("id"), "name": str(category.get("name"))[:60]}
    names = ", ".join(str(category.get("name"))[:60] for category in categories[:5])
    raise UserError(f"{path}: its categories are {names or 'none'}; expected {PERSON}, or a single category")


def _checked(
    record: dict[str, Any], images: Mapping[Any, tuple[str, int, int]], skeleton: Skeleton
) -> dict[str, Any]:
    """An annotation with numbers that can be, and with the skeleton's joints only."""
    if record["image_id"] not in images:
        raise ValueError(f"its image_id {short_repr(record['image_id'])} is not among the file's images")
    box = checked_box(record["bbox"])
    count, keypoints = len(skeleton.joints), record.get("keypoints")
    last = max(skeleton.indices, default=count - 1)  # of the record's joints that are wanted
    if keypoints is None:
        keypoints = array("d", bytes(8 * 3 * (last + 1)))
    if not isinstance(keypoints, array):
        raise ValueError("keypoints is not a list of numbers")
    keypoints = np.asarray(keypoints)
    if skeleton.indices and not len(keypoints) % 3:
        found = len(keypoints) // 3
        if found <= last:
            raise ValueError(f"{found} joints, but DATASET.SKELETON.INDICES asks for {last}, counted from 0")
        keypoints = keypoints.reshape(-1, 3)[list(skeleton.indices)].ravel()
    if len(keypoints) != 3 * count:
        raise ValueError(
            f"keypoints has {len(keypoints)} numbers, expected {3 * count} (x, y, visibility of {count} joints)"
        )
    if not (np.abs(keypoints) < MAX_PIXEL_COORDINATE).all() or (keypoints[2::3] < 0).any():
        raise ValueError("keypoints holds numbers that are not finite pixels below a million and visibilities from 0")
    area = record.get("area")
    # the file's text and other objects go: what is kept is its own memory
    return {
        "id": record["id"], "image_id": record["image_id"], "bbox": box,
        "area": box[2] * box[3] if area is None else finite(area, "an area"),
        "iscrowd": int(finite(record.get("iscrowd", 0), "an iscrowd") > 0), "keypoints": keypoints,
    }  # fmt: skip
