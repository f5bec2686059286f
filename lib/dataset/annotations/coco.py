"""COCO keypoints (and data sets in its JSON form): annotations and detected boxes -> persons."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np

from ...core.box_forms import unlikely_words
from ...core.transforms import crop_of_box
from ...utils.detections import NO_AREA, read_detections
from ...utils.errors import UserError
from ...utils.files import short_repr
from ...utils.image import open_archive
from ..checks.fit import AREA_SHARES, EXPECTED, odd_areas, refuse_misfits
from ..joints_dataset import Persons, left_out_note
from ..picture_names import PictureNames
from .coco_categories import named_categories

if TYPE_CHECKING:
    from .coco_truth import CocoTruth

# Why an annotation is left out
CROWDS, NO_JOINT, OUTSIDE = "crowds", "without a joint", "with boxes outside their picture"
ZERO_AREA = "with an area of 0"
CHECKED = 5000  # annotations of a large set tell whether its boxes and joints fit together
WAY_ON = "give boxes around the joints, or an area above 0"


def annotated_persons(ground_truth: CocoTruth, image_size: tuple[int, int], pictures: dict[int, str]) -> Persons:
    """The persons of a CocoTruth that show a joint, as the original chooses and crops them.

    Crowds, persons without keypoints and boxes without area are left out, and `note` says how many. Boxes are cut at
    the picture's border, fitted to the aspect of image_size (width, height) and grown by 1.25.
    pictures: see `picture_paths`.
    """
    if not ground_truth.annotations:
        raise UserError(
            f"{ground_truth.path}: it has no annotations: nothing to train on; to predict, give detected boxes "
            "(TEST.USE_GT_BBOX false)"
        )
    records = []
    boxes = []
    left_out: dict[str, list[Any]] = {CROWDS: [], NO_JOINT: [], NO_AREA: [], OUTSIDE: [], ZERO_AREA: []}
    for record in ground_truth.annotations:
        _, width, height = ground_truth.images[record["image_id"]]
        box = _cut_box(record["bbox"], width, height)
        reason = _reason_to_leave_out(record, box)
        if reason:
            left_out[reason].append(record["id"])
        else:
            records.append(record)
            boxes.append(box)
    note = left_out_note(left_out, len(ground_truth.annotations), "annotations")
    if not records:
        person = named_categories(ground_truth.categories)
        reason = f" ({note.removeprefix('=> ')}): {WAY_ON}" if note else ""
        raise UserError(f"{ground_truth.path}: no {person} of it has a box and a joint that can be used{reason}")
    keypoints = np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3)
    persons = _make_persons(
        [record["image_id"] for record in records], np.array(boxes, dtype=np.float64), image_size, pictures,
        keypoints=keypoints, note="\n".join([*filter(None, [note]), *ground_truth.notes()]),
    )  # fmt: skip
    persons.category_ids = as_objects([record["category_id"] for record in records])
    persons.left_out = left_out
    return persons


def _cut_box(box: Sequence[float], width: int, height: int) -> tuple[float, float, float, float]:
    """The part x, y, width, height of a box in a picture of this size, as the original cuts it."""
    x, y, box_width, box_height = box
    left, top = max(0, x), max(0, y)
    right, bottom = min(width - 1, left + max(0, box_width - 1)), min(height - 1, top + max(0, box_height - 1))
    return left, top, right - left, bottom - top


def _reason_to_leave_out(record: dict[str, Any], cut: Sequence[float]) -> str:
    """Why an annotation, whose box was cut at the picture's border, is no person to look at; '' if it is one."""
    if record["iscrowd"]:
        return CROWDS
    if not record["keypoints"].max() > 0:
        return NO_JOINT
    if min(record["bbox"][2:]) <= 0:
        return NO_AREA
    if min(cut[2:]) < 0 or cut[2] == cut[3] == 0:
        return OUTSIDE
    return ZERO_AREA if record["area"] <= 0 else ""


def detected_persons(
    ground_truth: CocoTruth, path: str | os.PathLike[str], joint_count: int, image_size: tuple[int, int],
    pictures: dict[int, str], threshold: float = 0.0, part: bool = False,
) -> Persons:
    """The persons of a detection file: a list of {image_id, category_id, bbox, score}, COCO's result form.

    joint_count: of the skeleton; none of a detected person's joints is known.
    threshold: boxes with a lower score are left out. part: so are those of pictures that the ground truth, a part of a
    set, does not have (TEST.PART). Raises UserError for unknown images, ill-formed boxes and those that cannot be.
    """
    def known_image(image_id: Any) -> Any:
        if image_id not in ground_truth.images:
            raise ValueError(f"its image_id {short_repr(image_id)} is not among the images of {ground_truth.path}")
        return image_id

    categories = {category["id"] for category in ground_truth.categories}
    beyond = ground_truth.images if part else None
    found = read_detections(path, threshold, known_image, categories, ground_truth.category_ids, beyond)
    note = left_out_note(found.left_out, found.count, "detections")
    if not found.boxes:
        raise UserError(f"{path}: no box to look at; {note.removeprefix('=> ') or 'the list is empty'}")
    keypoints = np.zeros((len(found.boxes), joint_count, 3))
    boxes = np.array(found.boxes)
    sizes = np.array([ground_truth.images[image_id][1:] for image_id in found.image_ids], dtype=np.float64)
    problem, _ = unlikely_words(boxes, sizes)
    if problem:
        raise UserError(f"{path}: {problem}; {EXPECTED}, in pixels")
    scores = np.array(found.scores)
    persons = _make_persons(found.image_ids, boxes, image_size, pictures, keypoints, scores, note)
    persons.category_ids = as_objects(found.category_ids)
    return persons


def check_fit(ground_truth: CocoTruth) -> list[str]:
    """Raises UserError where most boxes and joints contradict each other; returns warnings."""
    records = [record for record in ground_truth.annotations if not record["iscrowd"]]
    records = records[:: -(-len(records) // CHECKED)] if records else []
    if not records:
        return []
    boxes = np.array([record["bbox"] for record in records])
    keypoints = np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3)
    sizes = np.array([ground_truth.images[record["image_id"]][1:] for record in records], dtype=np.float64)
    misfits = refuse_misfits(ground_truth.path, boxes, keypoints[..., :2], keypoints[..., 2], sizes)
    areas = np.array([record["area"] for record in records])
    annotated = np.array(["box_is_made" not in record for record in records])
    odd = int((odd_areas(areas, boxes) & annotated & (areas > 0) & (keypoints[..., 2] > 0).any(axis=1)).sum())
    lines = [misfits] if misfits else []
    if odd * 2 <= len(records):
        return lines
    low, high = (round(100 * share) for share in AREA_SHARES)
    return lines + [
        f"=> WARNING: {odd} of {len(records)} areas are not {low} to {high}% of their box; COCO's AP is measured with "
        "the area, in pixels, of the person's outline"
    ]


def refuse_unknown_sizes(ground_truth: CocoTruth) -> None:
    """Raises UserError where neither the annotation nor the picture says how large a picture is."""
    unknown = [name for name, width, _ in ground_truth.images.values() if width is None]
    if unknown:
        raise UserError(
            f"{ground_truth.path}: {len(unknown)} images have no width and height, and their pictures cannot be read, "
            f"such as {unknown[0]}"
        )


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
        image_ids=as_objects(image_ids),
        box_scores=np.ones(len(boxes)) if scores is None else scores,
        note=note,
    )


def as_objects(values: Sequence[Any]) -> np.ndarray:
    """(N,) of Python's own objects: ids of 64 bits and texts stay what they are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def picture_paths(
    root: str | os.PathLike[str], image_set: str, ground_truth: CocoTruth, data_format: str
) -> dict[int, str]:
    """{image id: path} of a set's pictures: root/images/<set>/, or root/images/<set>.zip for data_format zip.

    test-dev and its like share the folder test2017. An archive may have the folder inside, as COCO's have, or not.
    Names of other tools are understood, see `PictureNames`.
    """
    folder = "test2017" if image_set.startswith("test") and image_set.endswith("2017") else image_set
    prefix, members = f"{root}/images/{folder}/", None
    if data_format == "zip":
        archive = f"{root}/images/{folder}.zip"
        members = open_archive(archive).namelist() if is_zipfile(archive) else []  # else the data set complains
        first = next(iter(ground_truth.images.values()))[0]
        inside = f"{folder}/" if f"{folder}/{first}" in members else ""
        members = [name.removeprefix(inside) for name in members]
        prefix = f"{archive}@{inside}"
    names = PictureNames(prefix, members)
    return {image_id: prefix + names.find(name) for image_id, (name, _, _) in ground_truth.images.items()}
