"""COCO keypoints (and data sets in its JSON form): annotations and detected boxes -> persons. No Paddle here."""

import contextlib
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path
from zipfile import is_zipfile

import numpy as np

from lib.dataset.joints_dataset import Persons
from lib.utils.errors import UserError
from lib.utils.files import read_json
from lib.utils.image import open_archive
from lib.utils.transforms import crop_of_box

LAYOUT = (
    "COCO's pictures and annotations (2017 Train/Val images and annotations) come from cocodataset.org; they go to "
    "data/coco/images/{train2017,val2017}/*.jpg and data/coco/annotations/person_keypoints_{train2017,val2017}.json"
)
MAXIMUM_PIXELS = 1e6
PERSON = "person"
NO_AREA = "boxes of no area"  # why an annotation is left out
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


def annotation_path(root, image_set):
    """person_keypoints_<set>.json, or image_info_<set>.json of a set without ground truth, whichever is there."""
    folder = Path(root) / "annotations"
    path, without_truth = folder / f"person_keypoints_{image_set}.json", folder / f"image_info_{image_set}.json"
    return without_truth if without_truth.is_file() and not path.is_file() else path


def read_truth(path, skeleton):
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
            raise UserError(f"{path}: image {image.get('id')}: {_what(error)}") from error
    if not images:
        raise UserError(f"{path}: it lists no images")
    category = _category(path, lists["categories"])
    annotations = []
    for record in lists["annotations"]:
        if record.get("category_id") == category["id"]:
            try:
                annotations.append(_checked(record, images, skeleton))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: annotation {record.get('id')}: {_what(error)}") from error
    if lists["annotations"] and not annotations:
        raise UserError(f"{path}: none of its {len(lists['annotations'])} annotations is of a {category['name']}")
    return CocoTruth(Path(path), images, category, annotations)


def _compact(pairs):
    record = {key: value for key, value in pairs if key in KEPT}
    if "image_id" in record and isinstance(record.get("keypoints"), list):
        with contextlib.suppress(TypeError, OverflowError):  # complained of where the annotation's number is known
            record["keypoints"] = array("d", record["keypoints"])
    return record


def _what(error):
    return f"no {error}" if isinstance(error, KeyError) else error


def _size(value):
    if not isinstance(value, (int, float)) or not 0 < value < MAXIMUM_PIXELS:
        raise ValueError(f"a width or height of {value!r}; expected pixels above 0 and below a million")
    return value


def _category(path, categories):
    for category in categories:
        if category.get("name") == PERSON or len(categories) == 1:
            return {"id": category.get("id"), "name": str(category.get("name"))}
    names = ", ".join(str(category.get("name")) for category in categories[:5])
    raise UserError(f"{path}: its categories are {names or 'none'}; expected {PERSON}, or a single category")


def _checked(record, images, skeleton):
    """An annotation with numbers that can be, and with the skeleton's joints only."""
    if record["image_id"] not in images:
        raise ValueError(f"its image_id {record['image_id']} is not among the file's images")
    box = _box(record["bbox"])
    count, keypoints = len(skeleton.joints), record.get("keypoints")
    if keypoints is None:
        keypoints = array("d", bytes(8 * 3 * count))
    if not isinstance(keypoints, array):
        raise ValueError("keypoints is not a list of numbers")
    keypoints = np.asarray(keypoints)
    if skeleton.indices and not len(keypoints) % 3 and len(keypoints) // 3 > max(skeleton.indices):
        keypoints = keypoints.reshape(-1, 3)[list(skeleton.indices)].ravel()
    if len(keypoints) != 3 * count:
        raise ValueError(
            f"keypoints has {len(keypoints)} numbers, expected {3 * count} (x, y, visibility of {count} joints)"
        )
    if not (np.abs(keypoints) < MAXIMUM_PIXELS).all() or (keypoints[2::3] < 0).any():
        raise ValueError("keypoints holds numbers that are not finite pixels below a million and visibilities from 0")
    area = record.get("area")
    # the file's text and other objects go: what is kept is its own memory
    return {
        "id": record["id"], "image_id": record["image_id"], "bbox": box,
        "area": box[2] * box[3] if area is None else _finite(area, "an area"),
        "iscrowd": int(_finite(record.get("iscrowd", 0), "an iscrowd") > 0), "keypoints": keypoints,
    }  # fmt: skip


def _finite(value, what):
    if not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{what} of {value!r}; expected a finite number")
    return float(value)


def _box(value):
    good = isinstance(value, list) and len(value) == 4
    if not good or not all(isinstance(number, (int, float)) and abs(number) < MAXIMUM_PIXELS for number in value):
        raise ValueError(f"a box of {value!r}; expected x, y, width, height in finite pixels below a million")
    return [float(number) for number in value]


def annotated_persons(truth, image_size, pictures):
    """The persons of a CocoTruth that show a joint, as the original chooses and crops them.

    Crowds, persons without keypoints and boxes without area are left out, and `note` says how many. Boxes are cut at
    the picture's border, fitted to the aspect of image_size (width, height) and grown by 1.25.
    pictures: see `picture_paths`.
    """
    if not truth.annotations:
        raise UserError(f"{truth.path}: it has no annotations, so give detected boxes (TEST.USE_GT_BBOX false)")
    records, boxes, left_out = [], [], {"crowds": 0, "without a joint": 0, NO_AREA: 0}
    for record in truth.annotations:
        _, width, height = truth.images[record["image_id"]]
        x, y, box_width, box_height = record["bbox"]
        left, top = max(0, x), max(0, y)
        right, bottom = min(width - 1, left + max(0, box_width - 1)), min(height - 1, top + max(0, box_height - 1))
        empty = record["area"] <= 0 or right < left or bottom < top or (right == left and bottom == top)
        if record["iscrowd"]:
            left_out["crowds"] += 1
        elif empty:
            left_out[NO_AREA] += 1
        elif not record["keypoints"].max() > 0:
            left_out["without a joint"] += 1
        else:
            records.append(record)
            boxes.append((left, top, right - left, bottom - top))
    if not records:
        raise UserError(f"{truth.path}: no {truth.category['name']} of it has a box and a joint that can be used")
    keypoints = np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3)
    persons = _make_persons(
        [record["image_id"] for record in records], np.array(boxes, dtype=np.float64), image_size, pictures,
        keypoints=keypoints, note=_note(left_out, len(truth.annotations), "annotations"),
    )  # fmt: skip
    persons.left_out = left_out
    return persons


def detected_persons(truth, path, joint_count, image_size, pictures, threshold=0.0):
    """The persons of a detection file: a list of {image_id, category_id, bbox, score}, COCO's result form.

    joint_count: of the skeleton; none of a detected person's joints is known.
    threshold: boxes with a lower score are left out. Raises UserError for unknown images or an ill-formed box.
    """
    detections = read_json(path)
    if not isinstance(detections, list) or not all(isinstance(item, dict) for item in detections):
        raise UserError(f"{path}: expected a list of detections (image_id, category_id, bbox, score)")
    image_ids, boxes, scores = [], [], []
    left_out = {"of another category": 0, "boxes of no area": 0, f"below the score {threshold:g}": 0}
    for number, detection in enumerate(detections):
        try:
            if detection["category_id"] != truth.category["id"]:
                left_out["of another category"] += 1
                continue
            box, score = _box(detection["bbox"]), _finite(detection["score"], "a score")
            if detection["image_id"] not in truth.images:
                raise ValueError(f"its image_id {detection['image_id']} is not among the images of {truth.path}")
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: detection {number + 1} of {len(detections)}: {_what(error)}") from error
        if min(box[2:]) <= 0:
            left_out["boxes of no area"] += 1
        elif score < threshold:
            left_out[f"below the score {threshold:g}"] += 1
        else:
            image_ids.append(detection["image_id"])
            boxes.append(box)
            scores.append(score)
    note = _note(left_out, len(detections), "detections")
    if not boxes:
        raise UserError(f"{path}: no box to look at; {note.removeprefix('=> ') or 'the list is empty'}")
    keypoints = np.zeros((len(boxes), joint_count, 3))
    return _make_persons(image_ids, np.array(boxes), image_size, pictures, keypoints, np.array(scores), note)


def _note(left_out, count, what):
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items() if number)
    return f"=> {sum(left_out.values())} of {count} {what} left out: {reasons}" if reasons else ""


def _make_persons(image_ids, boxes, image_size, pictures, keypoints, scores=None, note=""):
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


def picture_paths(root, image_set, truth, data_format):
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
