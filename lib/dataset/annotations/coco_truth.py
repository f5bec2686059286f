"""Reads and checks annotation files in COCO's form."""
from __future__ import annotations

import contextlib
import os
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...utils.errors import UserError
from ...utils.files import read_json
from .coco_categories import choose_categories, named_categories, renamed_joints
from .coco_records import Problems, checked_annotation, checked_image, named

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

LAYOUT = (
    "COCO's pictures and annotations (2017 Train/Val images and annotations) come from cocodataset.org; they go to "
    "data/coco/images/{train2017,val2017}/*.jpg and data/coco/annotations/person_keypoints_{train2017,val2017}.json"
)
# What is kept of the file's objects while it is read; the polygons of train2017 alone would take a gigabyte
KEPT = frozenset(
    (
        "images", "annotations", "categories", "id", "name", "file_name", "width", "height", "image_id", "category_id",
        "bbox", "area", "iscrowd", "keypoints",
    )
)  # fmt: skip


@dataclass
class CocoTruth:
    """What an annotation file says about the categories that have the skeleton.

    images: {id: (file name, width, height)}, the sizes None where the file does not say them; ids are numbers or texts.
    categories: dicts with id and name.
    annotations: dicts with id, image_id, category_id, bbox (x, y, width, height), area, iscrowd and keypoints, an array
        of 3 K numbers x, y, visibility (K joints of the skeleton); box_is_made where the box is of the joints.
    filled: {what was mended: ids of the annotations}; others: {name of another category: its annotations}.
    renamed: a line about joints that have other names in the file than in the skeleton, '' if none has.
    category_ids: those of all categories of the file.
    """

    path: Path
    images: dict
    categories: list
    annotations: list
    filled: dict = field(default_factory=dict)
    others: dict = field(default_factory=dict)
    renamed: str = ""
    category_ids: tuple = ()

    @property
    def category(self) -> dict[str, Any]:
        """The only category, or the first of several."""
        return self.categories[0]

    def notes(self) -> list[str]:
        """Lines about what the figures stand on."""
        lines = [f"=> {len(ids)} of {len(self.annotations)}: {what}" for what, ids in self.filled.items()]
        if len(self.categories) > 1:
            lines.append(f"=> {len(self.categories)} categories: {named_categories(self.categories)}")
        if self.others:
            counts = ", ".join(f"{count} of {name}" for name, count in list(self.others.items())[:5])
            lines.append(f"=> {sum(self.others.values())} annotations of other categories left out: {counts}")
        return lines + [self.renamed] * bool(self.renamed)


def read_truth(path: str | os.PathLike[str], skeleton: Skeleton, wanted: Sequence[str] = ()) -> CocoTruth:
    """The CocoTruth of an annotation file.

    wanted: names of the categories (DATASET.CATEGORIES), or `all`; empty: those that have the skeleton and annotations.
    Raises UserError, naming the file and all records of the kind, where it is ill-formed.
    """
    return truth_of(read_json(path, LAYOUT, _compact), path, skeleton, wanted)


def truth_of(
    content: Any, path: str | os.PathLike[str], skeleton: Skeleton, wanted: Sequence[str] = ()
) -> CocoTruth:
    """As `read_truth`, of the content of a file; path: of the file, for messages."""
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object with images and annotations, got a {type(content).__name__}")
    lists = {key: content.get(key, []) for key in ("images", "annotations", "categories")}
    for key, value in lists.items():
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"{path}: {key}: expected a list of objects")
    images = _images(path, lists["images"])
    counts = Counter(str(record.get("category_id")) for record in lists["annotations"])
    annotated = [counts[str(category.get("id"))] > 0 for category in lists["categories"]]
    categories = choose_categories(path, lists["categories"], annotated, skeleton, wanted)
    chosen = [category["id"] for category in categories]
    annotations: list[dict[str, Any]] = []
    renamed = renamed_joints([each for each in lists["categories"] if each.get("id") in chosen], skeleton)
    every = tuple(category.get("id") for category in lists["categories"])
    truth = CocoTruth(Path(path), images, categories, annotations, renamed=renamed, category_ids=every)
    problems = Problems(path, "annotation", len(lists["annotations"]))
    for record in lists["annotations"]:
        if record.get("category_id") in chosen:
            try:
                annotations.append(checked_annotation(record, images, skeleton, truth.filled))
            except (KeyError, TypeError, ValueError) as error:
                problems.add(record.get("id"), error)
    problems.refuse()
    if lists["annotations"] and not annotations:
        names = named_categories(categories)
        raise UserError(f"{path}: none of its {len(lists['annotations'])} annotations is of a {names}")
    for category in lists["categories"]:
        if category.get("id") not in chosen and counts[str(category.get("id"))]:
            truth.others[str(category.get("name"))[:60]] = counts[str(category.get("id"))]
    unlisted = len(lists["annotations"]) - len(annotations) - sum(truth.others.values())
    if unlisted:
        truth.others["no category that it lists"] = unlisted
    return truth


def _images(path: str | os.PathLike[str], records: list[dict[str, Any]]) -> dict[Any, tuple]:
    images, problems = {}, Problems(path, "image", len(records))
    repeated: Counter[Any] = Counter()
    for image in records:
        try:
            number, about = checked_image(image)
            repeated[number] += number in images
            images[number] = about
        except (KeyError, TypeError, ValueError) as error:
            problems.add(image.get("id"), error)
    problems.refuse()
    twice = [number for number, count in repeated.items() if count]
    if twice:
        raise UserError(
            f"{path}: {len(twice)} image ids stand for several images: {named(twice)}. Annotations would go to the "
            "wrong pictures: were two exports joined? Give the images of one other ids, in its annotations, too"
        )
    if not images:
        raise UserError(f"{path}: it lists no images")
    return images


def _compact(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = {key: value for key, value in pairs if key in KEPT}
    if "image_id" in record and isinstance(record.get("keypoints"), list):
        with contextlib.suppress(TypeError, OverflowError):  # complained of where the annotation's number is known
            record["keypoints"] = array("d", record["keypoints"])
    return record


