"""Tracked people in PoseTrack18's form, as track.py writes them -> entries of COCO's result form.

The form stands in <name>_track.json, and frame by frame in <name>_track.jsonl of releases before versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...core.skeletons import POSETRACK18
from ...dataset.annotations.posetrack_form import PLACES
from ...utils.files import short_repr

FRAME_OF_VIDEO = re.compile(r"[^/]+/(\d{6,})\.jpg", re.ASCII)  # how track.py names the frames of a video


def posetrack_entries(content: Any) -> list[dict[str, Any]] | None:
    """The entries of a file's content, or of a frame's; None where it is not of this form.

    A frame that track.py took from a video has its number as image_id, others have their file's name. Keypoints that
    are not shown are null. Raises KeyError, TypeError or ValueError where an annotation cannot be.
    """
    lists: Mapping[str, Any] = content if isinstance(content, dict) else {}
    images: Any = lists.get("images")
    annotations: Any = lists.get("annotations")
    if not _are_objects(images) or not _are_objects(annotations):
        return None
    names = _names(lists.get("categories"))
    image_ids = {image["id"]: _image_id(image) for image in images}
    strangers = [item["image_id"] for item in annotations if item["image_id"] not in image_ids]
    if strangers:
        raise ValueError(f"people of the image {short_repr(strangers[0])}, which is not among its images")
    return [_entry(annotation, image_ids[annotation["image_id"]], names) for annotation in annotations]


def frame_entries(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a line of <name>_track.jsonl without `persons`. Raises as `posetrack_entries`."""
    entries = posetrack_entries({"images": [line["image"]], "annotations": line["annotations"]})
    if entries is None:
        raise ValueError("expected an image and annotations")
    return entries


def _image_id(image: Mapping[str, Any]) -> int | str:
    name = str(image["file_name"])
    number = FRAME_OF_VIDEO.fullmatch(name)
    return image["id"] if number and int(number[1]) == image["id"] else name


def _names(categories: Any) -> list[Any]:
    first = categories[0] if isinstance(categories, list) and categories else None
    names = first.get("keypoints") if isinstance(first, dict) else None
    return names if isinstance(names, list) else []


def _entry(annotation: Mapping[str, Any], image_id: int | str, names: Sequence[Any]) -> dict[str, Any]:
    """One person; PoseTrack18's seventeen places become its fifteen joints."""
    values = annotation.get("keypoints") or [0] * 3 * max(len(names), 1)  # there are heads of people without joints
    points = [values[start : start + 3] for start in range(0, len(values), 3)]
    scores = annotation.get("scores") or [1.0] * len(points)
    joints = [[x, y, score] if seen else [None, None, 0] for (x, y, seen), score in zip(points, scores, strict=True)]
    if list(names) == list(PLACES):
        joints, names = [joints[place] for place in POSETRACK18.indices], POSETRACK18.joints
    entry = {"image_id": image_id, "keypoints": [value for joint in joints for value in joint]}
    entry |= {"joint_names": list(names)} if names else {}
    return entry | {key: annotation[key] for key in ("bbox", "score", "track_id") if annotation.get(key) is not None}


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
