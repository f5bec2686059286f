"""Reads saved poses: what infer.py, deploy.py, track.py and valid.py write, and other projects' files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.skeletons import SKELETONS, Skeleton
from ...utils.errors import UserError
from ...utils.files import (
    LARGEST_FILE,
    MAX_PIXEL_COORDINATE,
    check_version,
    checked_box,
    describe_error,
    finite,
    pluralize,
    read_json,
    short_repr,
)
from ..image_ids import ByPicture, image_key
from .mmpose_poses import flat_entry, mmpose_entries
from .pose_results import FILES_VERSION
from .posetrack_poses import frame_entries, posetrack_entries

if TYPE_CHECKING:
    from ...utils.media import Frame

BY_COUNT = {17: SKELETONS["coco"], 16: SKELETONS["mpii"]}  # of joints, where a file does not name them


@dataclass(frozen=True, eq=False)
class SavedPerson:
    """joints: (K, 3) x, y, score, NaN where null was saved; box: (4,) x, y, width, height, or None; identity: the
    track's number, or None."""

    joints: np.ndarray
    box: np.ndarray | None
    identity: int | None


class SavedPoses:
    """The poses of a file: a JSON list of {image_id, keypoints (flat x, y, score), score, bbox, joint_names, track_id},
    the last four optional, as infer.py, deploy.py and valid.py write it; the JSON lines that they and track.py write of
    a video; PoseTrack18's form, as track.py writes it; or mmpose's, see mmpose_poses.

    threshold: persons with a lower score are left out; skeleton: of the joints, None to go by their names or number.
    Attributes: skeleton; tracked: whether anybody has a number; line, which says what was read.
    Raises UserError where the file is of another form or a newer version, or its joints are not the skeleton's.
    """

    def __init__(self, path: str | os.PathLike[str], threshold: float = 0.0, skeleton: Skeleton | None = None) -> None:
        self.path = Path(path)
        self._persons: ByPicture[SavedPerson] = ByPicture(path)
        self.tracked, left_out = False, 0
        entries = _read_entries(self.path)
        self.skeleton = skeleton or _skeleton_of(self.path, entries)
        for number, entry in enumerate(entries, 1):
            try:
                entry = flat_entry(entry)
                key, person = image_key(entry["image_id"]), self._person(entry)
                is_sure = finite(entry.get("score", 1.0), "a score") >= threshold
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: person {number} of {len(entries)}: {describe_error(error)}") from error
            left_out += not is_sure
            if is_sure:
                self._persons.add(key, person)
                self.tracked |= person.identity is not None
        below = f"; left out: {left_out} below the score {threshold:g}" if left_out else ""
        self.line = f"=> {pluralize(self._persons.count, 'person', 'people')} from {path}{below}"

    def of(self, frame: Frame) -> list[SavedPerson]:
        """The people in a Frame."""
        return self._persons.of(frame)

    def prepare(self, pictures: Sequence[Path]) -> None:
        """Raises UserError where one image_id of the file means several of these pictures."""
        self._persons.refuse_ambiguous(pictures)

    def warning(self) -> str:
        """What to say when the work is done, where the poses were of no use, otherwise ''."""
        return self._persons.warning("people")

    def _person(self, entry: Mapping[str, Any]) -> SavedPerson:
        joints, box, identity = self._joints(entry["keypoints"]), entry.get("bbox"), entry.get("track_id")
        if identity is not None and (isinstance(identity, bool) or not isinstance(identity, int)):
            raise ValueError(f"a track_id of {short_repr(identity)}; expected a whole number")
        return SavedPerson(joints, None if box is None else np.array(checked_box(box)), identity)

    def _joints(self, values: Any) -> np.ndarray:
        count = len(self.skeleton.joints)
        if not isinstance(values, list) or len(values) != 3 * count:
            found = f"{len(values)} numbers" if isinstance(values, list) else short_repr(values)
            raise ValueError(f"keypoints of {found}; expected x, y, score of {count} joints ({self.skeleton.name})")
        # what is not a number was saved as null
        numbers = [np.nan if value is None else finite(value, "keypoints") for value in values]
        joints = np.array(numbers).reshape(count, 3)
        if (np.abs(joints) > MAX_PIXEL_COORDINATE).any():
            raise ValueError(f"keypoints beyond {MAX_PIXEL_COORDINATE:.0f} pixels")
        return joints


def _read_entries(path: Path) -> list[dict[str, Any]]:
    """The entries of a JSON list, of every frame of JSON lines, or of the forms of PoseTrack18 and mmpose."""
    content = _read_lines(path) if path.suffix == ".jsonl" else read_json(path)
    try:
        tracked = posetrack_entries(content)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no tracks in PoseTrack18's form: {describe_error(error)}") from error
    nested = mmpose_entries(content, path) if tracked is None else tracked
    entries = content if nested is None else nested
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError(f"{path}: expected a list of people (image_id, keypoints, score) in COCO's result form")
    for number, entry in enumerate(entries, 1):  # before anything else of them is read
        try:
            check_version(entry, FILES_VERSION)
        except UserError as error:
            raise UserError(f"{path}: person {number} of {len(entries)}: {error}") from error
    return entries


def _read_lines(path: Path) -> list[dict[str, Any]]:
    entries = []
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(iter(lambda: file.readline(LARGEST_FILE), ""), 1):
                try:
                    entries += _entries_of_line(json.loads(line))
                except UserError as error:
                    raise UserError(f"{path}: line {number}: {error}") from error
                except (KeyError, TypeError, ValueError, RecursionError) as error:
                    raise UserError(f"{path}: line {number} is not a frame with its persons") from error
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    return entries


def _entries_of_line(line: Any) -> list[dict[str, Any]]:
    """The entries of a frame: from version 1 on they say themselves which picture is meant, one of a folder or not."""
    if not isinstance(line, dict):
        raise TypeError("expected an object")
    check_version(line, FILES_VERSION)
    if "persons" not in line:
        return frame_entries(line)
    number = line["frame"]
    return [{"image_id": number, **person} if "version" in line else {**person, "image_id": number}
            for person in line["persons"]]  # fmt: skip


def _skeleton_of(path: Path, entries: Sequence[Mapping[str, Any]]) -> Skeleton:
    """The Skeleton by the joints' names in the first entry, or by their number."""
    first = entries[0] if entries else {}
    names, values = first.get("joint_names"), first.get("keypoints")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        known = (skeleton for skeleton in SKELETONS.values() if list(skeleton.joints) == names)
        return next(known, Skeleton(path.stem, tuple(names)))
    count = 17
    if isinstance(values, list):
        count = len(values) if values and isinstance(values[0], list) else len(values) // 3
    if count not in BY_COUNT:
        raise UserError(f"{path}: {count} joints without names: give --dataset coco, mpii or a skeleton's JSON file")
    return BY_COUNT[count]
