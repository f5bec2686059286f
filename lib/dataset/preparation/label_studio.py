"""Label Studio's JSON export with keypointlabels: keypoints of a picture in percent, of one person or of boxes.

Read here and not by sleap-io, which reads its own form of Label Studio's tasks alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from ...utils.errors import UserError
from ...utils.files import describe_error, finite, pluralize, read_json, short_repr
from .foreign import ForeignSet, PictureFinder

UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file
BOX_KEYS = ("x", "y", "width", "height")


def is_label_studio(content: Any) -> bool:
    """Whether JSON content is a list of Label Studio's tasks."""
    return isinstance(content, list) and bool(content) and isinstance(content[0], dict) and "data" in content[0]


def read_label_studio(path: Path, images: Path | None) -> ForeignSet:
    """The set of a JSON export (not JSON-MIN); images: the folder of the pictures, None for the export's.

    Raises UserError where a task cannot be read, naming it.
    """
    tasks = read_json(path)
    if not is_label_studio(tasks) or not isinstance(tasks, list):
        raise UserError(f"{path}: expected Label Studio's JSON export: a list of tasks with data and annotations")
    results = []
    others = 0
    for task in tasks:
        done = [each for each in _annotations(task) if not each.get("was_cancelled")]
        others += max(0, len(done) - 1)
        items = done[0].get("result") if done else None
        results.append([item for item in items if isinstance(item, dict)] if isinstance(items, list) else [])
    names = dict.fromkeys(_label(item) for items in results for item in items if item.get("type") == "keypointlabels")
    if not names:
        raise UserError(f"{path}: no task has keypoints (results of the type keypointlabels)")
    found, pictures = ForeignSet([str(name) for name in names]), PictureFinder(path, images)
    for number, (task, items) in enumerate(zip(tasks, results, strict=True)):
        try:
            _add_task(found, pictures.find(_picture(task)), items)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            reason = describe_error(error)
            known = task.get("id", number) if isinstance(task, dict) else number
            raise UserError(f"{path}: task {short_repr(known)}: {reason}") from error
    if others:
        found.lines.append(f"=> {pluralize(others, 'second annotation', 'second annotations')} of tasks left out")
    return found


def _annotations(task: Any) -> list[dict[str, Any]]:
    entries = task.get("annotations", task.get("completions")) if isinstance(task, dict) else None
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _label(item: Mapping[str, Any]) -> str:
    value = item.get("value")
    labels = value.get("keypointlabels") if isinstance(value, dict) else None
    return str(labels[0])[:200] if isinstance(labels, list) and labels else "?"


def _picture(task: Mapping[str, Any]) -> str:
    """The picture's name: without the address, ?d= of local files, and the mark of an upload."""
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    if not texts:
        raise ValueError("its data name no picture")
    text = task["data"].get("image", texts[0])
    local = parse_qs(urlsplit(text).query).get("d")
    name = local[0] if local else urlsplit(text).path if "://" in text or text.startswith("/data/") else text
    return UPLOADED.sub("", name.rpartition("/")[2]) if "/upload/" in text else name


def _add_task(found: ForeignSet, picture: str, items: list[dict[str, Any]]) -> None:
    sized = [item for item in items if item.get("original_width")]
    if not sized:
        return  # nobody is annotated
    size = int(sized[0]["original_width"]), int(sized[0]["original_height"])
    if any(item.get("image_rotation") for item in items):
        raise ValueError("its picture was rotated in Label Studio, which is not read: rotate the file")
    image_id = found.add_image(picture, size)
    for points, visibility, keys in _persons(found, items, size):
        found.add_person(image_id, points, visibility, **keys)


def _persons(
    found: ForeignSet, items: list[dict[str, Any]], size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, list[int], dict[str, Any]]]:
    """(points (K, 2) in pixels, visibility, {bbox}) of each person: of a box by parentID, or of the whole task."""
    boxes = {str(item.get("id")): item["value"] for item in items if item.get("type") == "rectanglelabels"}
    alone = next(iter(boxes)) if len(boxes) == 1 else ""
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        if item.get("type") == "keypointlabels":
            parent = str(item.get("parentID"))
            groups.setdefault(parent if parent in boxes else alone, []).append(item)
    for parent, keypoints in groups.items():
        points, visibility = np.zeros((len(found.joints), 2)), [0] * len(found.joints)
        for item in keypoints:
            index = found.joints.index(_label(item))
            if visibility[index]:
                raise ValueError(
                    f"{_label(item)} is there twice: where a picture has several persons, draw a rectangle for each "
                    "and drag its keypoints onto it in the list of regions"
                )
            value = item["value"]
            points[index] = [finite(value[key], key) * side / 100 for key, side in zip("xy", size, strict=True)]
            visibility[index] = 2
        keys = {}
        if parent in boxes:
            sides = (*size, *size)
            keys["bbox"] = [
                finite(boxes[parent][key], key) * side / 100 for key, side in zip(BOX_KEYS, sides, strict=True)
            ]
        yield points, visibility, keys
