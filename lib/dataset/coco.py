"""COCO keypoints (and data sets in its JSON form): annotations and detected boxes -> persons."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np

from ..core.transforms import crop_of_box
from ..utils.errors import UserError
from ..utils.files import checked_box, describe_error, finite, read_json, short_repr
from ..utils.image import open_archive
from .joints_dataset import Persons, left_out_note

if TYPE_CHECKING:
    from .coco_truth import CocoTruth

NO_AREA = "boxes of no area"  # why an annotation is left out


def annotated_persons(truth: CocoTruth, image_size: tuple[int, int], pictures: dict[int, str]) -> Persons:
    """The persons of a CocoTruth that show a joint, as the original chooses and crops them.

    Crowds, persons without keypoints and boxes without area are left out, and `note` says how many. Boxes are cut at
    the picture's border, fitted to the aspect of image_size (width, height) and grown by 1.25.
    pictures: see `picture_paths`.
    """
    if not truth.annotations:
        raise UserError(f"{truth.path}: it has no annotations, so give detected boxes (TEST.USE_GT_BBOX false)")
    records = []
    boxes = []
    left_out: dict[str, list[Any]] = {"crowds": [], "without a joint": [], NO_AREA: []}
    for record in truth.annotations:
        _, width, height = truth.images[record["image_id"]]
        x, y, box_width, box_height = record["bbox"]
        left, top = max(0, x), max(0, y)
        right, bottom = min(width - 1, left + max(0, box_width - 1)), min(height - 1, top + max(0, box_height - 1))
        empty = record["area"] <= 0 or right < left or bottom < top or (right == left and bottom == top)
        if record["iscrowd"]:
            left_out["crowds"].append(record["id"])
        elif empty:
            left_out[NO_AREA].append(record["id"])
        elif not record["keypoints"].max() > 0:
            left_out["without a joint"].append(record["id"])
        else:
            records.append(record)
            boxes.append((left, top, right - left, bottom - top))
    if not records:
        raise UserError(f"{truth.path}: no {truth.category['name']} of it has a box and a joint that can be used")
    keypoints = np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3)
    persons = _make_persons(
        [record["image_id"] for record in records], np.array(boxes, dtype=np.float64), image_size, pictures,
        keypoints=keypoints, note=left_out_note(left_out, len(truth.annotations), "annotations"),
    )  # fmt: skip
    persons.left_out = left_out
    return persons


def detected_persons(
    truth: CocoTruth, path: str | os.PathLike[str], joint_count: int, image_size: tuple[int, int],
    pictures: dict[int, str], threshold: float = 0.0,
) -> Persons:
    """The persons of a detection file: a list of {image_id, category_id, bbox, score}, COCO's result form.

    joint_count: of the skeleton; none of a detected person's joints is known.
    threshold: boxes with a lower score are left out. Raises UserError for unknown images or an ill-formed box.
    """
    detections = read_json(path)
    if not isinstance(detections, list) or not all(isinstance(item, dict) for item in detections):
        raise UserError(f"{path}: expected a list of detections (image_id, category_id, bbox, score)")
    image_ids, boxes, scores = [], [], []
    low = f"below the score {threshold:g}"
    left_out: dict[str, list[Any]] = {"of another category": [], NO_AREA: [], low: []}
    for number, detection in enumerate(detections):
        try:
            if detection["category_id"] != truth.category["id"]:
                left_out["of another category"].append(number)
                continue
            box, score = checked_box(detection["bbox"]), finite(detection["score"], "a score")
            if detection["image_id"] not in truth.images:
                image_id = short_repr(detection["image_id"])
                raise ValueError(f"its image_id {image_id} is not among the images of {truth.path}")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: detection {number + 1} of {len(detections)}: {describe_error(error)}") from error
        if min(box[2:]) <= 0:
            left_out[NO_AREA].append(number)
        elif score < threshold:
            left_out[low].append(number)
        else:
            image_ids.append(detection["image_id"])
            boxes.append(box)
            scores.append(score)
    note = left_out_note(left_out, len(detections), "detections")
    if not boxes:
        raise UserError(f"{path}: no box to look at; {note.removeprefix('=> ') or 'the list is empty'}")
    keypoints = np.zeros((len(boxes), joint_count, 3))
    return _make_persons(image_ids, np.array(boxes), image_size, pictures, keypoints, np.array(scores), note)


def _make_persons(
    image_ids: list[int], boxes: np.ndarray, image_size: tuple[int, int], pictures: dict[int, str],
    keypoints: np.ndarray, scores: np.ndarray | None = None, note: str = "",
) -> Persons:
    center, scale = crop_of_box(boxes, image_size)
    return Persons(
        pictures=[pictures[image_id] for image_id in image_ids],
        center=center,
        scale=scale,
        joints=keypoints[..., :2].copy(),
        visible=(keypoints[..., 2] > 0).astype(np.float64),
        boxes=boxes,
        image_ids=np.array(image_ids),
        box_scores=np.ones(len(boxes)) if scores is None else scores,
        note=note,
    )


def picture_paths(root: str | os.PathLike[str], image_set: str, truth: CocoTruth, data_format: str) -> dict[int, str]:
    """{image id: path} of a set's pictures: root/images/<set>/, or root/images/<set>.zip for data_format zip.

    test-dev and its like share the folder test2017. An archive may have the folder inside, as COCO's have, or not.
    """
    folder = "test2017" if image_set.startswith("test") and image_set.endswith("2017") else image_set
    prefix = f"{root}/images/{folder}/"
    if data_format == "zip":
        archive = f"{root}/images/{folder}.zip"
        first = next(iter(truth.images.values()))[0]
        names = open_archive(archive).namelist() if is_zipfile(archive) else ()  # else the data set complains
        inside = f"{folder}/" if f"{folder}/{first}" in names else ""
        prefix = f"{archive}@{inside}"
    return {image_id: prefix + name for image_id, (name, _, _) in truth.images.items()}
