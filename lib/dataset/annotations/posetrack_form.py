"""PoseTrack18's JSON form: images, annotations with track_id and bbox_head, ignore regions. Read and written here.

In PoseTrack18 15 joints stand in COCO's 17 places (two of them empty): a skeleton's `indices` say which. A skeleton
without indices has its own joints, in order.
"""
from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import numpy.typing as npt

from ...core.skeletons import POSETRACK18
from ...utils.errors import UserError
from ...utils.files import MAX_PIXEL_COORDINATE, MAX_WORDS, describe_error, finite, read_json, without_nan
from ...utils.runtime import replacing

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

# What stands in the 17 places of PoseTrack18's files
PLACES = (
    "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
FORM_VERSION = 1  # of docs/schemas/tracks.schema.json; docs/files.md says when it changes
HEAD_SHARE = 0.6  # of the head box's diagonal: the benchmark's head size, as in MPII's PCKh


@dataclass
class PoseFrame:
    """The N people of one frame, true or predicted, in picture pixels.

    name: the picture's; identities (N,) int; joints (N, K, 2); shown (N, K) bool: annotated, or predicted; scores
    (N, K); head_sizes (N,) pixels, NaN where no head box is given; ignored: polygons (P, 2) in which nothing counts;
    labelled: whether somebody has looked for people in it.
    """

    name: str
    identities: np.ndarray
    joints: np.ndarray
    shown: np.ndarray
    scores: np.ndarray
    head_sizes: np.ndarray
    ignored: list = field(default_factory=list)
    labelled: bool = True


def place_names(skeleton: Skeleton) -> tuple[str, ...] | tuple[str, str]:
    """Names of the places that the joints of a Skeleton take in an annotation's keypoints."""
    return PLACES if skeleton is POSETRACK18 else skeleton.joints


def read_frames(path: str | os.PathLike[str], skeleton: Skeleton) -> dict[Any, PoseFrame]:
    """{image id: PoseFrame} of a file in PoseTrack18's form, in the file's order.

    Raises UserError, naming the file and the annotation, where it is ill-formed, or its joints are others.
    """
    content = read_json(path)
    lists = content if isinstance(content, dict) else {}
    images: Any = lists.get("images")
    annotations: Any = lists.get("annotations")
    categories: Any = lists.get("categories")
    for key, value in (("images", images), ("annotations", annotations)):
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise UserError(f"{path}: expected an object with lists of images and annotations, but {key} is none")
    _check_names(path, categories, skeleton)
    people: dict[Any, list[tuple[Any, ...]]] = {}
    for number, annotation in enumerate(annotations, 1):
        try:
            people.setdefault(annotation["image_id"], []).append(_person(annotation, skeleton))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: annotation {number} of {len(annotations)}: {describe_error(error)}") from error
    frames = {}
    for number, image in enumerate(images, 1):
        try:
            key = image.get("id", image.get("frame_id"))
            frames[key] = _frame(image, people.pop(key, []), len(skeleton.joints))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: image {number} of {len(images)}: {describe_error(error)}") from error
    if people:
        raise UserError(f"{path}: annotations of the image {next(iter(people))!r}, which is not among its images")
    return frames


def _check_names(
    path: str | os.PathLike[str],
    categories: Any,
    skeleton: Skeleton,
) -> None:
    """The joints' names must be the skeleton's, where the file says them."""
    first = categories[0] if isinstance(categories, list) and categories else None
    names, expected = first.get("keypoints") if isinstance(first, dict) else None, list(place_names(skeleton))
    if names and names != expected:
        found = ", ".join(map(str, names)) if isinstance(names, list) else str(names)
        raise UserError(f"{path}: its joints are {found[:MAX_WORDS]}; expected {', '.join(expected)}")


def _person(annotation: Mapping[str, Any], skeleton: Skeleton) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, float]:
    """(identity, joints (K, 2), shown (K,), scores (K,), head size) of an annotation."""
    count = len(place_names(skeleton))
    values: Any = annotation.get("keypoints") or [0] * 3 * count  # PoseTrack has heads of people without joints
    if not isinstance(values, list) or len(values) != 3 * count:
        raise ValueError(f"keypoints: expected {3 * count} numbers (x, y, visibility of {count} joints)")
    values = np.array([np.nan if value is None else finite(value, "a keypoint") for value in values]).reshape(-1, 3)
    given = annotation.get("scores") or values[:, 2].tolist()
    if len(given) != count:
        raise ValueError(f"scores: expected {count} numbers")
    scores = np.array([finite(score, "a score") for score in given])
    identity = annotation["track_id"]
    if isinstance(identity, bool) or not isinstance(identity, int):
        raise ValueError(f"a track_id of {identity!r}; expected a whole number")
    places = list(skeleton.indices) or list(range(count))
    shown = (np.nan_to_num(values[:, 2]) > 0) & (np.abs(values[:, :2]) < MAX_PIXEL_COORDINATE).all(axis=1)
    return identity, values[places, :2], shown[places], scores[places], _head_size(annotation.get("bbox_head"))


def _head_size(box: Any) -> float:
    if not box:
        return np.nan
    _, _, width, height = (finite(value, "a bbox_head") for value in box)
    return HEAD_SHARE * float(np.hypot(width, height))


def _frame(
    image: Mapping[str, Any], people: Sequence[tuple[Any, ...]], count: int
) -> PoseFrame:
    identities, joints, shown, scores, sizes = zip(*people, strict=True) if people else ((),) * 5
    name = str(image.get("file_name", ""))
    if len(set(identities)) < len(identities):
        raise ValueError(f"{name}: two people have the same track_id")
    return PoseFrame(
        name=name, identities=np.array(identities, dtype=int), joints=np.reshape(joints, (-1, count, 2)),
        shown=np.reshape(shown, (-1, count)).astype(bool), scores=np.reshape(scores, (-1, count)),
        head_sizes=np.array(sizes, dtype=float), ignored=_regions(image),
        labelled=bool(image.get("is_labeled", True)),
    )  # fmt: skip


def _regions(image: Mapping[str, Any]) -> list[np.ndarray]:
    columns, rows = (image.get(f"ignore_regions_{axis}") or [] for axis in "xy")
    if columns and not isinstance(columns[0], list):  # one region, not a list of them
        columns, rows = [columns], [rows]
    regions = [np.array([x, y], dtype=np.float32).T for x, y in zip(columns, rows, strict=True)]
    return [region for region in regions if len(region) >= 3]


def annotation_entry(
    image_id: int, number: int, person: Mapping[str, Any], skeleton: Skeleton, head_box: npt.ArrayLike | None = None
) -> dict[str, Any]:
    """An annotation of PoseTrack18's form.

    person: a dict of identity, joints (K, 2), shown (K,), scores (K,), box (4,) and score; number: which annotation of
    the file it is; head_box: (4,) x, y, width, height, of true people.
    """
    names = place_names(skeleton)
    places = list(skeleton.indices) or list(range(len(names)))
    keypoints, scores = np.zeros((len(names), 3)), np.zeros(len(names))
    shown = np.asarray(person["shown"], dtype=bool)
    keypoints[places] = np.where(shown[:, None], np.column_stack([person["joints"], shown]), 0)
    scores[places] = np.where(shown, person["scores"], 0)
    entry = {
        "id": number, "image_id": image_id, "track_id": int(person["identity"]), "category_id": 1,
        "keypoints": np.round(keypoints, 3).ravel().tolist(), "scores": np.round(scores, 4).tolist(),
        "bbox": np.round(np.asarray(person["box"], dtype=float), 3).tolist(), "score": float(person["score"]),
    }  # fmt: skip
    if head_box is not None:
        entry["bbox_head"] = np.round(np.asarray(head_box, dtype=float), 3).tolist()
    return entry


def write_form(
    path: str | os.PathLike[str], read_records: Callable[[], Iterable[dict[str, Any]]], skeleton: Skeleton
) -> None:
    """Writes a file of PoseTrack18's form, whole or not at all, without holding it in memory.

    read_records: called twice, returns an iterator of records, one a frame: {"image": {...}, "annotations": [...]}.
    """
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(place_names(skeleton))}
    names = place_names(skeleton)
    category["skeleton"] = [[names.index(end) + 1 for end in limb] for limb in skeleton.limbs]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(f'{{"version": {FORM_VERSION}, "categories": {json.dumps([category])},\n"images": [')
        _write_list(file, (record["image"] for record in read_records()))
        file.write('],\n"annotations": [')
        _write_list(file, itertools.chain.from_iterable(record["annotations"] for record in read_records()))
        file.write("]}\n")


def _write_list(file: TextIO, values: Iterable[Any]) -> None:
    for number, value in enumerate(values):
        file.write(("," if number else "") + "\n" + json.dumps(without_nan(value)))


def sequence_files(source: str | os.PathLike[str]) -> dict[str, Path]:
    """{name of the sequence: path} of a .json file or of a folder of them. Raises UserError where there is none."""
    path = Path(source)
    if path.is_file():
        return {path.stem: path}
    paths = sorted(path.glob("*.json")) if path.is_dir() else []
    if not paths:
        raise UserError(f"{path}: no sequence in PoseTrack18's JSON form is there")
    return {path.stem: path for path in paths}
