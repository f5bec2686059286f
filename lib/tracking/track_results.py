"""What is saved of a clip: the drawn video, a line a frame, and PoseTrack18's form."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..core.poses import NOBODY, Poses
from ..dataset.annotations.posetrack_form import annotation_entry, write_form
from ..inference.results.pose_results import ResultSettings, frame_line, person_entries
from ..utils.media import Frame, video_writer
from ..utils.runtime import naming_file

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..core.skeletons import Skeleton
    from ..utils.media import Video
    from ..visualization.tracks import TrackDrawing


@dataclass
class Seen:
    """A frame on its way: its place and time in the clip, the people found and then followed, the joints (N, K, 2) to
    save and which of them (N, K) are shown."""

    frame: Frame
    position: int
    seconds: float
    people: Poses = NOBODY
    joints: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2)))
    shown: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))


class TrackResults(contextlib.ExitStack):
    """The three files of a clip. people: how many there were; other_sizes: frames not of the clip's size."""

    def __init__(
        self, paths: Mapping[str, Path], clip: Video, skeleton: Skeleton, drawing: TrackDrawing
    ) -> None:
        super().__init__()
        self.paths, self.clip, self.skeleton, self.drawing = paths, clip, skeleton, drawing
        self._settings = ResultSettings(paths["jsonl"].parent, skeleton)
        self.people = self.other_sizes = self._annotations = 0
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        super().__enter__()
        with naming_file(self.paths["jsonl"]):
            self._lines = self.enter_context(open(self.paths["jsonl"], "w", encoding="utf-8"))
        self.callback(self._write_form)
        writer = video_writer(self.paths["mp4"], self.clip.rate, self.clip.size, self.clip)
        self._video = self.enter_context(writer)
        self.notes += filter(None, [self._video.sound.note])
        return self

    def write(self, seen: Seen, picture: np.ndarray) -> None:
        """Adds a frame: the drawn picture, and the tracked people with the joints to save."""
        frame, tracked, joints, shown = seen.frame, seen.people, seen.joints, seen.shown
        if picture.shape[1::-1] != self.clip.size:
            self.other_sizes += 1
            picture = cv2.resize(picture, self.clip.size)
        self._video.write(picture, seen.seconds)
        number = seen.position - 1
        annotations = []
        for row, identity in enumerate(tracked.track_ids.tolist()):
            self._annotations += 1
            person = {
                "identity": identity, "joints": joints[row], "shown": shown[row], "scores": tracked.scores[row],
                "box": tracked.boxes[row], "score": tracked.box_scores[row],
            }  # fmt: skip
            annotations.append(annotation_entry(number, self._annotations, person, self.skeleton))
        self.people = max([self.people, *tracked.track_ids.tolist()])
        height, width = frame.image.shape[:2]
        name = frame.path.name if frame.number is None else f"{frame.path.stem}/{number:06d}.jpg"
        image = {
            "id": number, "frame_id": number, "file_name": name, "width": width, "height": height, "is_labeled": True,
        }  # fmt: skip
        persons = person_entries(frame, replace(tracked, keypoints=joints), self._settings)
        line = frame_line(number, seen.seconds, persons, image=image, annotations=annotations)
        with naming_file(self.paths["jsonl"]):
            self._lines.write(line)
            self._lines.flush()  # it is there for whoever reads along

    def _write_form(self) -> None:
        self._lines.flush()
        write_form(self.paths["json"], self._records, self.skeleton)

    def _records(self) -> Iterator[Any]:
        with open(self.paths["jsonl"], encoding="utf-8") as lines:
            yield from map(json.loads, lines)
