"""Poses as mmpose writes them: nested keypoints, scores apart, boxes as corners -> entries of COCO's result form.

Its demos write {meta_info, instance_info}, its inferencer the list alone. Both have a list of instances, of one
picture, or of {frame_id, instances} of a video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.box_forms import XYXY, as_xywh
from ...utils.files import checked_box, finite, short_repr

PREFIX = "results_"  # of the demos' files, before the picture's name


def mmpose_entries(content: Any, path: Path) -> list[dict[str, Any]] | None:
    """The entries of a file's content, with nested keypoints still; None where it is none of mmpose's.

    path: of the file: one of a single picture has its picture's name.
    """
    names: list[str] = []
    if isinstance(content, dict) and isinstance(content.get("instance_info"), list):
        about = content.get("meta_info")
        known = about.get("keypoint_id2name") if isinstance(about, dict) else None
        names = [str(name) for name in known.values()] if isinstance(known, dict) else []
        content = content["instance_info"]
    elif isinstance(content, dict) and isinstance(content.get("predictions"), list):
        content = content["predictions"]
    while isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):  # a batch of one picture
        content = content[0]
    if not _are_objects(content):
        return None
    named = {"joint_names": names} if names else {}
    if content and all("frame_id" in item and _are_objects(item.get("instances")) for item in content):
        numbers = [item["frame_id"] for item in content]
        first = 1 if 1 in numbers and 0 not in numbers else 0  # the demos count from 1
        frames = [(number - first if isinstance(number, int) else number) for number in numbers]
        pairs = zip(frames, content, strict=True)
        return [{**named, **person, "image_id": number} for number, item in pairs for person in item["instances"]]
    if any("keypoint_scores" in item and "image_id" not in item for item in content):
        name = path.stem.removeprefix(PREFIX)
        return [{"image_id": name, **named, **item} for item in content]
    return None


def flat_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry whose keypoints may be nested, [[x, y], ...] or [[x, y, score], ...] -> flat x, y, score.

    A box in a list of its own is mmpose's x1, y1, x2, y2, and becomes x, y, width, height. Raises ValueError where
    keypoints and scores cannot be.
    """
    points, scores, box = entry.get("keypoints"), entry.get("keypoint_scores"), entry.get("bbox")
    flat = dict(entry)
    if isinstance(points, list) and points and all(isinstance(point, list) for point in points):
        flat["keypoints"] = _flat(points, scores)
        if isinstance(scores, list) and scores and "score" not in flat:
            flat["score"] = float(np.mean([finite(value, "keypoint_scores") for value in scores]))
    if isinstance(box, list) and len(box) == 1 and isinstance(box[0], list):
        flat["bbox"] = [float(number) for number in as_xywh(np.array([checked_box(box[0])]), XYXY)[0]]
    return flat


def _flat(points: Sequence[Sequence[Any]], scores: Any) -> list[Any]:
    if isinstance(scores, list) and len(scores) != len(points):
        raise ValueError(f"{len(points)} keypoints, but {len(scores)} keypoint_scores")
    flat: list[Any] = []
    for index, point in enumerate(points):
        if len(point) not in (2, 3):
            raise ValueError(f"a keypoint of {short_repr(point)}; expected x, y and perhaps a score")
        own = point[2] if len(point) == 3 else 1.0
        flat += [*point[:2], scores[index] if isinstance(scores, list) else own]
    return flat


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
