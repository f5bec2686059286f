"""What infer.py and deploy.py share: pictures and videos -> boxes -> poses -> drawn pictures, JSON and videos.

No Paddle here: a PosePredictor stands for the network.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.errors import ItemError, RunError, UserError
from ..utils.files import pluralize
from ..utils.image import read_image
from ..utils.media import Frame, VideoFile, is_video, refuse_replacing, result_names
from ..utils.parser import number
from ..utils.progress import progress_bar
from ..utils.runtime import make_folder
from .person_boxes import NOBODY, add_box_options
from .pose_results import (
    ResultSettings,
    VideoResults,
    Window,
    drawn_pictures,
    person_entries,
    write_picture_results,
)

if TYPE_CHECKING:
    from ..core.predictor import PosePredictor, Poses
    from ..core.skeletons import Skeleton
    from ..utils.progress import ProgressBar
    from .person_boxes import People, PeopleFinder

PARTS = ("read", "boxes", "preprocess", "network", "decode", "draw", "write")
MAX_FRAMES, MAX_BYTES = 16, 2**28  # that wait for persons enough to fill a batch


def add_result_options(parser: argparse.ArgumentParser, output: str) -> None:
    """The options that both scripts have: whose boxes, and what becomes of the poses. output: the default folder."""
    add_box_options(parser)
    about = "minimum keypoint score to draw (default %(default)s)"
    parser.add_argument("--kpt-thr", type=number, default=0.2, metavar="SCORE", help=about)
    parser.add_argument("--output", metavar="DIR", default=output, help="where the results go (default %(default)s)")
    parser.add_argument("--save-heatmaps", action="store_true", help="also save the heatmaps drawn over the image")
    parser.add_argument("--show", action="store_true", help="show the results in a window, if there is a display")


def settings_of(arguments: argparse.Namespace, skeleton: Skeleton, **values: Any) -> ResultSettings:
    """The ResultSettings of parsed options; values: those of its fields that no option says."""
    return ResultSettings(
        Path(arguments.output), skeleton, arguments.kpt_thr, save_heatmaps=arguments.save_heatmaps, **values
    )


class PoseApp:
    """Finds, draws and saves the poses of people in pictures and videos.

    find_people: a PeopleFinder; settings: ResultSettings; log: a logger; show: in a window, where one can be opened.
    """

    def __init__(
        self, predictor: PosePredictor, find_people: PeopleFinder, settings: ResultSettings, log: logging.Logger,
        show: bool = False,
    ) -> None:
        self.predictor, self.find_people, self.settings = predictor, find_people, settings
        self.log, self.window, self.clock = log, Window() if show else None, predictor.clock
        self.problems = self.pictures = self.persons = 0
        self._alone = False
        self._folder: Path | None = None
        self._bad_frames: list[Exception] = []

    def run(self, paths: Sequence[Path]) -> int:
        """Works through the pictures and videos at `paths` and returns the number of problems.

        A bad one among others, or one that something fails with, is reported and left out. Raises UserError or
        ItemError where it is the only one, UserError where a result would replace one of them, and RunError where the
        network fails or nothing more can be saved.
        """
        names, self._alone = result_names(paths), len(paths) == 1
        box_file = self.find_people.path
        if box_file and len(paths) > 1 and any(map(is_video, paths)):
            raise UserError("--bbox-file counts the frames of one video: give that video alone")
        refuse_replacing(paths, names, self.settings.folder, box_file)
        self.predictor.warm_up()
        pictures = [path for path in paths if not is_video(path)]
        with progress_bar(len(pictures), "pictures") if len(pictures) > 1 else contextlib.nullcontext() as bar:
            for frame, people, poses in self._poses(self._read_pictures(pictures, bar)):
                self._save_picture(names[frame.path], frame, people, poses)
        for path in filter(is_video, paths):
            video = None
            with self._tolerating():
                video = VideoFile(path)
            if video:
                with contextlib.closing(video):
                    folder = self._output_folder()
                    with self._tolerating(ItemError):
                        self._run_video(video, VideoResults(names[path], video, folder))
        if self.window:
            self.window.close()
        complaint = self.find_people.warning()
        if complaint:
            self._report(complaint)
        return self.problems

    def time_line(self) -> str:
        """Where the time went, in words; the network's warm-up is not in it."""
        seconds, count = self.clock.seconds, max(1, self.pictures)
        parts = [f"{part} {1000 * seconds[part] / count:.1f}" for part in PARTS if part in seconds]
        return (
            f"=> milliseconds per picture, after a warm-up: {', '.join(parts)} "
            f"({pluralize(self.pictures, 'picture', 'pictures')}, {pluralize(self.persons, 'person', 'people')})"
        )

    @contextlib.contextmanager
    def _tolerating(
        self, kinds: type[ItemError] | tuple[type[UserError], type[ItemError]] = (UserError, ItemError)
    ) -> Iterator[None]:
        try:
            yield
        except kinds as error:
            if self._alone:
                raise
            self._report(error)

    def _report(self, problem: object) -> None:
        self.problems += 1
        self.log.info(f"problem: {problem}")

    def _read_pictures(self, paths: Sequence[Path], bar: ProgressBar | None = None) -> Iterator[tuple[Frame, People]]:
        for path in paths:
            found = None
            with self._tolerating():
                with self.clock.part("read"):
                    frame = Frame(read_image(path, use_orientation=True), path)
                found = frame, self._people_in(frame)
            if bar:
                bar.update()
            if found:
                yield found

    def _read_frames(self, video: VideoFile, bar: ProgressBar) -> Iterator[tuple[Frame, People]]:
        while True:
            with self.clock.part("read"):
                image = video.read()
            if image is None:
                return
            frame = Frame(image, video.path, video.place - 1)
            try:
                people = self._people_in(frame)
            except (UserError, ItemError) as error:  # the frame goes through without people
                people = NOBODY
                self._bad_frames.append(error)
            yield frame, people
            bar.update()

    def _people_in(self, frame: Frame) -> People:
        with self.clock.part("boxes"):
            try:
                return self.find_people(frame)
            except RunError as error:  # a detector that fails with this picture may do well with the next
                raise ItemError(str(error)) from error

    def _poses(self, found: Iterator[Any]) -> Iterator[tuple[Frame, People, Poses]]:
        """(frame, People, Poses) of each (frame, People): persons of several frames go through the network together."""
        for group in in_groups(found, self.predictor.settings.batch_size):
            images, boxes = [frame.image for frame, _ in group], [people.boxes for _, people in group]
            every = self.predictor.predict_many(images, boxes, self.settings.save_heatmaps)
            self.pictures += len(group)
            self.persons += sum(map(len, boxes))
            for (frame, people), poses in zip(group, every, strict=True):
                yield frame, people, poses

    def _results(
        self, frame: Frame, people: People, poses: Poses
    ) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
        """(drawn pictures, entries) of a frame; the drawn one is shown where a window is open."""
        with self.clock.part("draw"):
            pictures = drawn_pictures(frame, people, poses, self.settings)
        if self.window:
            self.window.show(pictures["pose"], wait=frame.number is None)
            if self.window.problem:
                self.log.info(f"=> --show: {self.window.problem}")
                self.window = None
        return pictures, person_entries(frame, people, poses, self.settings)

    def _save_picture(self, name: str, frame: Frame, people: People, poses: Poses) -> None:
        results, folder = self._results(frame, people, poses), self._output_folder()
        with self._tolerating(ItemError):
            with self.clock.part("write"):
                paths = write_picture_results(name, *results, folder)
            count = pluralize(len(people.boxes), "person", "people")
            self.log.info(f"=> {frame.path.name}: {count}, saving {', '.join(map(str, paths))}")

    def _run_video(self, video: VideoFile, results: VideoResults) -> None:
        self._bad_frames, before, path = [], self.persons, video.path
        with contextlib.ExitStack() as stack:
            bar: ProgressBar = stack.enter_context(progress_bar(video.count or None, path.name))
            stack.enter_context(results)
            for frame, people, poses in self._poses(self._read_frames(video, bar)):
                pictures, entries = self._results(frame, people, poses)
                with self.clock.part("write"):
                    assert frame.number is not None  # it is a video's
                    results.write(frame.number, pictures, entries)
        frames, count = pluralize(video.place, "frame", "frames"), pluralize(self.persons - before, "person", "people")
        self.log.info(f"=> {path.name}: {frames}, {count}, saving {', '.join(map(str, results.paths))}")
        if self._bad_frames:
            self._report(f"{pluralize(len(self._bad_frames), 'frame', 'frames')} of {path}: {self._bad_frames[0]}")
        if video.missing():
            self._report(f"{path}: {video.missing()} of its {video.count} frames could not be read")

    def _output_folder(self) -> Path:
        """The output folder, made when there is something to put into it."""
        if self._folder is None:
            self._folder = make_folder(self.settings.folder)
        return self._folder


def run_app(app: PoseApp, paths: Sequence[Path], lines: Sequence[str]) -> None:
    """Runs a PoseApp as a script does: says `lines`, then the time, and exits with 1 where there were problems."""
    for line in lines:
        app.log.info(line)
    problems = app.run(paths)
    app.log.info(app.time_line())
    if problems:
        app.log.info(f"=> {pluralize(problems, 'problem', 'problems')}")
        sys.exit(1)


def in_groups(
    found: Iterator[Any] | list[tuple[Frame, People]], batch_size: int
) -> Iterator[list[tuple[Frame, People]]]:
    """(frame, People) in lists with persons enough for a batch, or with as many frames as memory should hold."""
    group, persons, size = [], 0, 0
    for frame, people in found:
        group.append((frame, people))
        persons, size = persons + len(people.boxes), size + frame.image.nbytes
        if persons >= batch_size or len(group) >= MAX_FRAMES or size >= MAX_BYTES:
            yield group
            group, persons, size = [], 0, 0
    if group:
        yield group
