"""One image, category or annotation of a file in COCO's form: what can be mended is mended and counted.

Tools write the same form in many ways. Whatever changes a value has a reason here, and the reader says how often.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.boxes import box_of_joints
from ...utils.errors import UserError
from ...utils.files import MAX_PIXEL_COORDINATE, checked_box, describe_error, finite, short_repr

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

BOX_FROM_JOINTS = "boxes are made of the visible joints, 15% longer (they are missing or of no area)"
AREA_FROM_BOX = "areas are their boxes' (they are missing), which COCO's AP is not measured with"
EXAMPLES = 3  # that a message names


@dataclass
class Problems:
    """What is wrong with the records of a list, by kind; raised as one error. what: of a record, such as annotation."""

    path: Any
    what: str
    total: int
    kinds: dict[str, list[tuple[Any, str]]] = field(default_factory=dict)

    def add(self, number: Any, error: Exception) -> None:
        """Notes an error of the record whose id is `number`; numbers in its words do not make another kind."""
        words = describe_error(error)
        self.kinds.setdefault(re.sub(r"-?\d+(\.\d+)?", "#", words), []).append((number, words))

    def refuse(self) -> None:
        """Raises UserError where there are any, with the first kind's records."""
        if not self.kinds:
            return
        records, *others = self.kinds.values()
        number, words = records[0]
        if len(records) > 1:
            words += f"; so are {len(records)} of {self.total}: {named(number for number, _ in records)}"
        if others:
            words += f"; {sum(map(len, others))} more have other faults"
        raise UserError(f"{self.path}: {self.what} {short_repr(number)}: {words}")


def named(numbers: Iterable[Any]) -> str:
    """The first of some ids, as text."""
    every = list(numbers)
    return ", ".join(map(short_repr, every[:EXAMPLES])) + (", ..." if len(every) > EXAMPLES else "")


def checked_image(image: Mapping[str, Any]) -> tuple[Any, tuple[str, float | None, float | None]]:
    """(id, (file name, width, height)) of an image; the sizes None where the file does not say them."""
    number = image["id"]
    if isinstance(number, (bool, float)) or not isinstance(number, (int, str)):
        raise ValueError(f"its id is {short_repr(number)}; expected a whole number or a text")
    if not isinstance(image["file_name"], str) or not image["file_name"]:
        raise ValueError(f"its file_name is {short_repr(image['file_name'])}; expected a text")
    width, height = (_size(image.get(key)) for key in ("width", "height"))
    return number, (image["file_name"], *((None, None) if None in (width, height) else (width, height)))


def _size(value: Any) -> float | None:
    if value is None or value == 0 and not isinstance(value, bool):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < MAX_PIXEL_COORDINATE:
        raise ValueError(f"a width or height of {short_repr(value)}; expected pixels above 0 and below a million")
    return value


def checked_annotation(
    record: dict[str, Any], images: Mapping[Any, Any], skeleton: Skeleton, filled: dict[str, list[Any]]
) -> dict[str, Any]:
    """An annotation with numbers that can be, and with the skeleton's joints only.

    filled: {reason: ids}, which grows by what was mended. Raises KeyError, TypeError or ValueError.
    """
    if record["image_id"] not in images:
        raise ValueError(f"its image_id {short_repr(record['image_id'])} is not among the file's images")
    keypoints = _keypoints(record.get("keypoints"), skeleton)
    box = _box(record.get("bbox"))
    made = _box_around(keypoints) if box is None or min(box[2:]) <= 0 else None
    if made:
        filled.setdefault(BOX_FROM_JOINTS, []).append(record["id"])
    box = made or box or [0.0] * 4
    area = record.get("area")
    if area is None or (made and area == 0):
        area = box[2] * box[3]
        filled.setdefault(AREA_FROM_BOX, []).append(record["id"])
    # the file's text and other objects go: what is kept is its own memory
    kept = {
        "id": record["id"], "image_id": record["image_id"], "category_id": record["category_id"], "bbox": box,
        "area": finite(area, "an area"), "iscrowd": int(finite(record.get("iscrowd") or 0, "an iscrowd") > 0),
        "keypoints": keypoints,
    }  # fmt: skip
    return {**kept, "box_is_made": True} if made else kept


def _box(value: Any) -> list[float] | None:
    """Four floats; None where nothing is said: missing, null, empty, or not a number throughout."""
    if value is None:
        return None
    try:
        return checked_box(value)
    except ValueError:
        if isinstance(value, list) and all(item is None or item != item for item in value):
            return None
        raise


def _box_around(keypoints: np.ndarray) -> list[float] | None:
    """The box of the visible joints; None of nobody, and of joints that span no area."""
    joints = keypoints.reshape(1, -1, 3)
    box = box_of_joints(joints[..., :2], joints[..., 2] > 0)[0]
    return box.tolist() if (box[2:] > 0).all() else None


def _keypoints(value: Any, skeleton: Skeleton) -> np.ndarray:
    """(3 K,) x, y, visibility of the skeleton's K joints; zeros for a person without any."""
    count = len(skeleton.joints)
    last = max(skeleton.indices) if skeleton.indices else count - 1  # of the record's joints that are wanted
    if value is None or (isinstance(value, (list, array)) and not len(value)):  # frames between labelled ones
        value = array("d", bytes(8 * 3 * (last + 1)))
    keypoints = np.asarray(value if isinstance(value, array) else _flat(value))
    if skeleton.indices and not len(keypoints) % 3:
        found = len(keypoints) // 3
        if found <= last:
            raise ValueError(f"{found} joints, but DATASET.SKELETON.INDICES asks for {last}, counted from 0")
        keypoints = keypoints.reshape(-1, 3)[list(skeleton.indices)].ravel()
    if len(keypoints) != 3 * count:
        raise ValueError(
            f"keypoints has {len(keypoints)} numbers, expected {3 * count} (x, y, visibility of {count} joints)"
        )
    good = (np.abs(keypoints) < MAX_PIXEL_COORDINATE).all()
    if not good:
        triples = keypoints.reshape(-1, 3)
        triples[(triples[:, 2] == 0) & ~np.isfinite(triples).all(axis=1)] = 0  # nothing is said of these joints
        good = (np.abs(keypoints) < MAX_PIXEL_COORDINATE).all()
    if not good or (keypoints[2::3] < 0).any():
        raise ValueError("keypoints holds numbers that are not finite pixels below a million and visibilities from 0")
    return keypoints


def _flat(value: Any) -> array[float]:
    """Numbers of a list, or of a list of triples; null where the visibility is 0 as well."""
    problem = ValueError("keypoints is not a list of numbers")
    if not isinstance(value, list):
        raise problem
    if all(isinstance(item, list) and len(item) == 3 for item in value):
        value = [number for item in value for number in item]
    if not all(number is None or isinstance(number, (int, float)) for number in value):
        raise problem
    try:
        return array("d", [float("nan") if number is None else number for number in value])
    except OverflowError:
        raise problem from None
