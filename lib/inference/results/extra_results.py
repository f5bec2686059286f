"""Results that are asked for: tables of all keypoints, a picture of each person, files for annotation tools."""

from __future__ import annotations

import argparse
import contextlib
import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.boxes import cut_at_border
from ...dataset.preparation.sleap_labels import import_sleap_io
from ...utils.errors import UserError
from ...utils.media import write_picture
from ...utils.runtime import make_folder, naming_file, replacing
from .annotation_files import Found, FrameOf, write_deeplabcut, write_slp

if TYPE_CHECKING:
    import os

    from ...core.poses import Poses
    from ...core.skeletons import Skeleton
    from ...utils.media import Frame

COLUMNS = ("file", "frame", "seconds", "person", "keypoint", "x", "y", "score")


@dataclass(frozen=True)
class ExtraSettings:
    """Which extra results are wanted."""

    save_csv: bool = False
    save_crops: bool = False
    save_slp: bool = False
    save_dlc: bool = False


def add_extra_options(parser: argparse.ArgumentParser) -> None:
    """The options of `extra_settings`."""
    about = "also save a table of all keypoints: a line for each person and keypoint"
    parser.add_argument("--save-csv", action="store_true", help=about)
    about = "also save a picture of each person, cut out along the box, in the folder crops"
    parser.add_argument("--save-crops", action="store_true", help=about)
    about = "also save the poses as SLEAP's project (.slp), to correct them there; needs requirements/import.txt"
    parser.add_argument("--save-slp", action="store_true", help=about)
    parser.add_argument("--save-dlc", action="store_true", help="also save the poses as DeepLabCut's table (_dlc.csv)")


def extra_settings(arguments: argparse.Namespace) -> ExtraSettings:
    """The ExtraSettings of parsed options. Raises UserError where a package for them is missing."""
    if arguments.save_slp:
        import_sleap_io()
    return ExtraSettings(arguments.save_csv, arguments.save_crops, arguments.save_slp, arguments.save_dlc)


class ExtraResults(contextlib.ExitStack):
    """The extra results of a run; tables and files for annotation tools are there when the block ends well.

    folder: of the results; table: the table's name, which the others' begin with; skeleton: of the keypoints. paths:
    of what is written, the folder for crops. Raises UserError where one of them would replace one of `inputs`.
    """

    def __init__(
        self, settings: ExtraSettings, folder: Path, table: str, skeleton: Skeleton,
        inputs: Sequence[str | os.PathLike[str] | None] = (),
    ) -> None:
        super().__init__()
        self.settings, self.folder, self.skeleton = settings, folder, skeleton
        self.table, self.crops = folder / table, folder / "crops"
        self.slp, self.dlc = self.table.with_suffix(".slp"), folder / f"{self.table.stem}_dlc.csv"
        self._rows: Any = None
        self._frames: list[FrameOf] = []
        wanted = {
            self.table: settings.save_csv, self.crops: settings.save_crops, self.slp: settings.save_slp,
            self.dlc: settings.save_dlc,
        }  # fmt: skip
        self.paths = [path for path, is_wanted in wanted.items() if is_wanted]
        given = [Path(path).resolve() for path in inputs if path]
        for path in self.paths:
            if path.resolve() in given:
                raise UserError(f"{path} is one of the inputs: choose another --output")
        self.push(self._write_annotations)

    def _write_annotations(self, kind: type[BaseException] | None, *_: object) -> None:
        """What SLEAP and DeepLabCut read, where the block ended well."""
        if kind is not None or not self._frames:
            return
        make_folder(self.folder)
        if self.settings.save_slp:
            write_slp(self._frames, self.skeleton, self.slp)
        if self.settings.save_dlc:
            write_deeplabcut(self._frames, self.skeleton, self.dlc)

    def add(
        self, name: str, frame: Frame, poses: Poses, number: int | None = None, seconds: float | None = None,
        keypoints: np.ndarray | None = None,
    ) -> None:
        """Adds the people of a frame.

        name: that results of its file begin with; number: of a video's frame from 0, None for a picture; seconds: when
        it is shown; keypoints: (N, K, 2) in place of those of `poses`. Raises RunError where the disk is full.
        """
        people = [identity or row for row, identity in enumerate(poses.track_ids.tolist(), 1)]
        joints = poses.keypoints if keypoints is None else keypoints
        if self.settings.save_slp or self.settings.save_dlc:
            found = zip(poses.track_ids.tolist(), joints, poses.scores, strict=True)
            persons = [Found(who, points, scores, float(np.mean(scores))) for who, points, scores in found]
            self._frames.append(FrameOf(Path(frame.path), number, persons))
        if self.settings.save_csv:
            self._add_rows(frame, people, joints, poses.scores, number, seconds)
        if self.settings.save_crops and people:
            make_folder(self.crops)
            start = name if number is None else f"{name}_{number:06d}"
            word = "track" if poses.track_ids.any() else "person"
            boxes, seen = cut_at_border(poses.boxes, frame.image.shape[1::-1])
            for person, box in zip(np.array(people)[seen].tolist(), boxes[seen], strict=True):
                (left, top), (right, bottom) = np.floor(box[:2]).astype(int), np.ceil(box[:2] + box[2:]).astype(int)
                write_picture(frame.image[top:bottom, left:right], self.crops / f"{start}_{word}{person}.jpg")

    def _add_rows(
        self, frame: Frame, people: Sequence[int], joints: np.ndarray, scores: np.ndarray, number: int | None,
        seconds: float | None,
    ) -> None:
        with naming_file(self.table):
            if self._rows is None:
                self._open()
            about = (str(frame.path), "" if number is None else number, "" if seconds is None else f"{seconds:.3f}")
            for person, points, values in zip(people, joints.tolist(), scores.tolist(), strict=True):
                for joint, (x, y), score in zip(self.skeleton.joints, points, values, strict=True):
                    self._rows.writerow((*about, person, joint, _cell(x, 2), _cell(y, 2), _cell(score, 4)))

    def _open(self) -> None:
        make_folder(self.folder)
        with contextlib.ExitStack() as opened:  # so that `replacing` hears of a file that cannot be opened
            temporary = opened.enter_context(replacing(self.table))
            file = opened.enter_context(open(temporary, "w", encoding="utf-8", newline=""))
            self._rows = csv.writer(file, lineterminator="\n")
            self._rows.writerow(COLUMNS)
            self.enter_context(opened.pop_all())


def _cell(value: float, digits: int) -> str:
    """A number of a table; empty where it is none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else ""
