"""Writes poses: drawn images, COCO's result form, videos; shows them in a window."""
from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ...core.skeletons import Skeleton
from ...utils.files import without_nan, write_json
from ...utils.media import image_id_of, video_writer, write_picture
from ...utils.runtime import replacing
from ...visualization.poses import box_labels, draw_people, overlay_heatmaps
from ...visualization.style import DrawStyle
from .extra_results import ExtraSettings

if TYPE_CHECKING:
    from ...core.poses import Poses
    from ...utils.media import Frame, Video

FILES_VERSION = 1  # of docs/schemas/pictures and video-frame; docs/files.md says when it changes
QUIT_KEYS = frozenset((ord("q"), 27))  # 27: Escape


@dataclass(frozen=True)
class ResultSettings:
    """What results look like.

    folder: where they go; threshold: joints are drawn from this score on; sure: a person's score is the mean of the
    joints above this one; save_heatmaps: an overlay of the heatmaps too; unbiased: see `get_affine_transform`; extra:
    see extra_results; style: what is drawn besides joints and limbs.
    """

    folder: Path
    skeleton: Skeleton
    threshold: float = 0.2
    sure: float = 0.2
    save_heatmaps: bool = False
    unbiased: bool = False
    extra: ExtraSettings = field(default_factory=ExtraSettings)
    style: DrawStyle = DrawStyle()


def person_entries(frame: Frame, poses: Poses, settings: ResultSettings) -> list[dict[str, Any]]:
    """One entry a person, in COCO's result form; its score is that of the box times the mean of the sure joints'.

    People who are tracked also have a track_id.
    """
    entries = []
    for box, box_score, joints, values, identity in zip(
        poses.boxes, poses.box_scores, poses.keypoints, poses.scores, poses.track_ids.tolist(), strict=True
    ):
        sure = values[values > settings.sure]
        entries.append({
            "image_id": image_id_of(frame.path) if frame.number is None else frame.number,
            "category_id": 1,
            "keypoints": np.column_stack([joints, values]).ravel().tolist(),
            "score": float(sure.mean() * box_score) if len(sure) else 0.0,
            "bbox": box.tolist(),
            "bbox_score": float(box_score),
            "joint_names": list(settings.skeleton.joints),
            **({"track_id": identity} if identity else {}),
        })  # fmt: skip
    return entries


def frame_line(number: int, seconds: float, entries: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """A video's line of a frame: its number from 0, its time and its people's entries; more: keys besides."""
    line = {"version": FILES_VERSION, "frame": number, "seconds": round(seconds, 3), "persons": entries, **more}
    return json.dumps(without_nan(line)) + "\n"


def drawn_pictures(frame: Frame, poses: Poses, settings: ResultSettings) -> dict[str, np.ndarray]:
    """{"pose": the frame with boxes and poses drawn, "heatmaps": with the heatmaps over it, where they are wanted}."""
    shown = poses.scores >= settings.threshold
    labels = box_labels(poses.box_scores) if settings.style.boxes else ()
    image, about = frame.image.copy(), (settings.skeleton, settings.style, labels)
    pictures = {"pose": draw_people(image, poses.boxes, poses.keypoints, shown, *about)}
    if settings.save_heatmaps:
        # of nobody there are no heatmaps
        pictures["heatmaps"] = frame.image if poses.heatmaps is None else overlay_heatmaps(
            frame.image, poses.heatmaps, settings.unbiased
        )  # fmt: skip
    return pictures


def write_picture_results(
    name: str, pictures: dict[str, np.ndarray],
    entries: list[dict[str, Any]],
    folder: Path,
) -> list[Path]:
    """Writes <name>_pose.json and <name>_<kind>.jpg of {kind: picture}; returns the paths."""
    paths = {kind: folder / f"{name}_{kind}.jpg" for kind in pictures}
    for kind, path in paths.items():
        write_picture(pictures[kind], path)
    joints_file = folder / f"{name}_pose.json"
    write_entries(entries, joints_file)
    return [*paths.values(), joints_file]


def write_entries(entries: list[dict[str, Any]], path: Path) -> None:
    """Writes the entries of a picture's people as COCO's result form: a list, so that each has the version."""
    write_json([{"version": FILES_VERSION, **entry} for entry in entries], path)


class VideoResults(contextlib.ExitStack):
    """<name>_<kind>.mp4 of {kind: picture} and <name>_pose.jsonl, frame by frame; there when the block ends well.

    Of a live Video the .jsonl is there from the start, for whoever reads along. notes: what is to be said of the sound.
    """

    def __init__(self, name: str, video: Video, folder: Path) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.name, self.folder, self.video = name, folder, video
        self.paths = [folder / f"{name}_pose.jsonl"]
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> VideoResults:
        super().__enter__()
        with contextlib.ExitStack() as opened:  # so that `replacing` hears of a file that cannot be opened
            path = self.paths[0] if self.video.live else opened.enter_context(replacing(self.paths[0]))
            buffering = 1 if self.video.live else -1  # 1: each line is there at once
            self._lines = opened.enter_context(open(path, "w", encoding="utf-8", buffering=buffering))
            self.enter_context(opened.pop_all())
        return self

    def write(
        self, frame: Frame, pictures: dict[str, np.ndarray],
        entries: list[dict[str, Any]],
    ) -> None:
        """Adds a frame of the video: its drawn pictures and the persons' entries."""
        assert frame.seconds is not None  # it is a video's
        for kind, picture in pictures.items():
            if kind not in self._writers:
                self.paths.append(self.folder / f"{self.name}_{kind}.mp4")
                writer = video_writer(self.paths[-1], self.video.rate, self.video.size, self.video)
                self._writers[kind] = self.enter_context(writer)
                self.notes += filter(None, [self._writers[kind].sound.note])
            self._writers[kind].write(picture, frame.seconds)
        assert frame.number is not None
        self._lines.write(frame_line(frame.number, frame.seconds, entries))


class Window:
    """A window for drawn pictures where one can be opened; `problem` says why not, and then it shows nothing."""

    def __init__(self) -> None:
        self.problem, self.open = "", True
        # where there is no screen OpenCV's Qt ends the whole process
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            self.problem, self.open = "no window can be opened: there is no display", False

    def show(self, picture: np.ndarray, wait: bool) -> None:
        """Shows a picture; wait: until a key is pressed. q or Escape closes the window for good."""
        if not self.open:
            return
        try:
            cv2.imshow("poses", picture)
            if cv2.waitKey(0 if wait else 1) & 0xFF in QUIT_KEYS:
                self.close()
        except cv2.error:
            self.problem, self.open = "no window can be opened: this OpenCV is the headless one", False

    def close(self) -> None:
        """Closes the window, if there is one."""
        if self.open:
            with contextlib.suppress(cv2.error):
                cv2.destroyAllWindows()
        self.open = False
