"""What infer.py and deploy.py share: pictures and videos -> boxes -> poses -> drawn pictures, JSON and videos.

No Paddle here: a PosePredictor stands for the network.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.poses import NOBODY, Poses
from ..utils.errors import ItemError, RunError, UserError
from ..utils.files import pluralize
from ..utils.image import read_image
from ..utils.media import Frame, Stream, Video, is_video, open_video, refuse_replacing, result_names
from ..utils.parser import number
from ..utils.pipeline import ahead
from ..utils.progress import progress_bar
from ..utils.runtime import make_folder
from ..utils.stop import StopSignals
from ..visualization.style import add_style_options, style_of
from .batches import posed
from .person_boxes import add_box_options
from .remarks import DepthWatch, ScoreWatch
from .results.extra_results import ExtraResults, add_extra_options, extra_settings
from .results.pose_results import (
    ResultSettings,
    VideoResults,
    Window,
    drawn_pictures,
    person_entries,
    write_picture_results,
)

if TYPE_CHECKING:
    from ..core.predictor import PosePredictor
    from ..core.skeletons import Skeleton
    from ..utils.progress import ProgressBar
    from .person_boxes import PeopleFinder

PARTS = ("read", "boxes", "preprocess", "network", "decode", "draw", "write")


def add_result_options(parser: argparse.ArgumentParser, output: str) -> None:
    """The options that both scripts have: whose boxes, and what becomes of the poses. output: the default folder."""
    add_box_options(parser)
    about = "minimum keypoint score to draw (default %(default)s)"
    parser.add_argument("--kpt-thr", type=number, default=0.2, metavar="SCORE", help=about)
    add_style_options(parser)
    parser.add_argument("--output", metavar="DIR", default=output, help="where the results go (default %(default)s)")
    parser.add_argument("--save-heatmaps", action="store_true", help="also save the heatmaps drawn over the image")
    add_extra_options(parser)
    parser.add_argument("--show", action="store_true", help="show the results in a window, if there is a display")


def settings_of(arguments: argparse.Namespace, skeleton: Skeleton, **values: Any) -> ResultSettings:
    """The ResultSettings of parsed options; values: those of its fields that no option says. Raises UserError."""
    if arguments.detect_every:
        raise UserError("--detect-every requires --track: without it nobody is followed between the frames")
    return ResultSettings(
        Path(arguments.output), skeleton, arguments.kpt_thr, save_heatmaps=arguments.save_heatmaps,
        extra=extra_settings(arguments), style=style_of(arguments), **values,
    )  # fmt: skip


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
        self.watch, self.depth = ScoreWatch(), DepthWatch(log.info)
        self.problems = self.pictures = self.persons = 0
        self._alone = False
        self._extras: ExtraResults
        self._folder: Path | None = None
        self._bad_frames: list[Exception] = []
        self._counting = threading.Lock()

    def run(self, sources: Sequence[Path | Stream]) -> int:
        """Works through pictures and videos, or a stream until Ctrl-C, and returns the number of problems.

        A bad one among others, or one that something fails with, is reported and left out. Raises UserError or
        ItemError where it is the only one, UserError where a result would replace one of them, and RunError where the
        network fails or nothing more can be saved.
        """
        names, self._alone = result_names(sources), len(sources) == 1
        box_file = self.find_people.path
        videos = [source for source in sources if isinstance(source, Stream) or is_video(source)]
        if box_file and len(sources) > 1 and videos:
            raise UserError("--bbox-file counts the frames of one video: give that video alone")
        refuse_replacing(sources, names, self.settings.folder, box_file)
        films = set(videos)
        pictures = [source for source in sources if isinstance(source, Path) and source not in films]
        self.find_people.prepare(pictures)
        with self._extra_results(sources, names) as self._extras:
            self.predictor.warm_up()
            self.clock.begin()
            self._run_pictures(pictures, names)
            for source in videos:
                with StopSignals() if isinstance(source, Stream) else contextlib.nullcontext() as stop:
                    self._run_source(source, names[source], stop)
        if self._extras.paths and self.pictures:
            self.log.info(f"=> saving {', '.join(map(str, self._extras.paths))}")
        if self.window:
            self.window.close()
        for remark in (*self.find_people.remarks(), *self.watch.lines()):
            self.log.info(remark)
        complaint = self.find_people.warning()
        if complaint:
            self._report(complaint)
        return self.problems

    def _extra_results(
        self, sources: Sequence[Path | Stream], names: Mapping[Path | Stream, str]
    ) -> ExtraResults:
        """One table for all files, named as the only one or as their folder."""
        paths = [source for source in sources if isinstance(source, Path)]
        folder = next((path.resolve().parent.name for path in paths), "")
        name = names[sources[0]] if self._alone else folder or "all"
        settings, inputs = self.settings, (*paths, self.find_people.path)
        return ExtraResults(settings.extra, settings.folder, f"{name}_pose.csv", settings.skeleton, inputs)

    def _run_pictures(self, pictures: Sequence[Path], names: Mapping[Path | Stream, str]) -> None:
        several = len(pictures) > 1
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(progress_bar(len(pictures), "pictures")) if several else None
            stage = partial(_beside, stack, several)
            found = stage(self._read_pictures(pictures))
            for frame, poses, drawn in stage(self._drawn(stage(self._poses(found)))):
                self._save_picture(names[frame.path], frame, poses, drawn)
                if bar:
                    bar.update()

    def _run_source(self, source: Path | Stream, name: str, stop: StopSignals | None) -> None:
        video: Video | None = None
        with self._tolerating():
            opened = open_video(source, lambda: bool(stop and stop.asked))
            self.find_people.prepare([], opened.size)
            video = opened
        if video:
            for line in video.lines:
                self.log.info(line)
            with contextlib.closing(video):
                folder = self._output_folder()
                with self._tolerating(ItemError):
                    self._run_video(video, VideoResults(name, video, folder), stop)

    def time_line(self) -> str:
        """Where the time went, in words; the network's warm-up is not in it."""
        said = self.clock.line(PARTS, self.pictures)
        counts = f"{pluralize(self.pictures, 'picture', 'pictures')}, {pluralize(self.persons, 'person', 'people')}"
        return f"=> milliseconds per picture, after a warm-up: {said} ({counts})"

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
        with self._counting:  # several threads may have one
            self.problems += 1
        self.log.info(f"problem: {problem}")

    def _read_pictures(self, paths: Sequence[Path]) -> Iterator[tuple[Frame, Poses]]:
        for path in paths:
            found = None
            with self._tolerating():
                with self.clock.part("read"):
                    frame = Frame(read_image(path, use_orientation=True), path)
                    self.depth.look(frame)
                found = frame, self._people_in(frame)
            if found:
                yield found

    def _frames(self, video: Video, stop: StopSignals | None) -> Iterator[Frame]:
        while not (stop and stop.asked):
            with self.clock.part("read"):
                image = video.read()
            if image is None:
                return
            yield Frame(image, video.path, video.position - 1, video.seconds)

    def _with_people(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Poses]]:
        for frame in frames:
            try:
                yield frame, self._people_in(frame)
            except (UserError, ItemError) as error:  # the frame goes through without people
                self._bad_frames.append(error)
                yield frame, NOBODY

    def _people_in(self, frame: Frame) -> Poses:
        with self.clock.part("boxes"):
            try:
                return self.find_people(frame)
            except RunError as error:  # a detector that fails with this picture may do well with the next
                raise ItemError(str(error)) from error

    def _poses(self, found: Iterator[Any], live: bool = False) -> Iterator[tuple[Frame, Poses]]:
        """(frame, Poses) with keypoints, see `posed`."""
        for frame, poses in posed(self.predictor, found, live, self.settings.save_heatmaps):
            self.pictures += 1
            self.persons += len(poses)
            self.watch.add(poses.scores)
            yield frame, poses

    def _drawn(self, every: Iterator[tuple[Frame, Poses]]) -> Iterator[tuple[Frame, Poses, dict[str, np.ndarray]]]:
        for frame, poses in every:
            with self.clock.part("draw"):
                pictures = drawn_pictures(frame, poses, self.settings)
            yield frame, poses, pictures

    def _show(self, frame: Frame, pictures: dict[str, np.ndarray]) -> None:
        if self.window:
            self.window.show(pictures["pose"], wait=frame.number is None)
            if self.window.problem:
                self.log.info(f"=> --show: {self.window.problem}")
                self.window = None

    def _save_picture(self, name: str, frame: Frame, poses: Poses, pictures: dict[str, np.ndarray]) -> None:
        folder = self._output_folder()
        self._show(frame, pictures)
        with self._tolerating(ItemError):
            with self.clock.part("write"):
                entries = person_entries(frame, poses, self.settings)
                paths = write_picture_results(name, pictures, entries, folder)
                self._extras.add(name, frame, poses)
            count = pluralize(len(poses), "person", "people")
            self.log.info(f"=> {frame.path.name}: {count}, saving {', '.join(map(str, paths))}")

    def _run_video(self, video: Video, results: VideoResults, stop: StopSignals | None) -> None:
        self._bad_frames, before, path = [], self.persons, video.path
        with contextlib.ExitStack() as stack:
            bar: ProgressBar = stack.enter_context(progress_bar(video.count or None, path.name))
            stack.enter_context(results)
            stage = partial(_beside, stack, not video.live)
            found = stage(self._with_people(stage(self._frames(video, stop))))
            for frame, poses, pictures in stage(self._drawn(stage(self._poses(found, video.live)))):
                self._show(frame, pictures)
                with self.clock.part("write"):
                    results.write(frame, pictures, person_entries(frame, poses, self.settings))
                    self._extras.add(results.name, frame, poses, frame.number, frame.seconds)
                bar.update()
        frames = pluralize(video.position - video.skipped, "frame", "frames")
        count = pluralize(self.persons - before, "person", "people")
        self.log.info(f"=> {path.name}: {frames}, {count}, saving {', '.join(map(str, results.paths))}")
        if self._bad_frames:
            self._report(f"{pluralize(len(self._bad_frames), 'frame', 'frames')} of {path}: {self._bad_frames[0]}")
        for note in (*results.notes, *video.notes()):
            self.log.info(f"=> {path.name}: {note}")
        for problem in filter(None, [video.loss_line(), video.problem]):
            self._report(problem)

    def _output_folder(self) -> Path:
        """The output folder, made when there is something to put into it."""
        if self._folder is None:
            self._folder = make_folder(self.settings.folder)
        return self._folder


def _beside(stack: contextlib.ExitStack, threaded: bool, items: Iterator[Any]) -> Iterator[Any]:
    """The items, made ahead in a thread that ends with `stack`, or as they are asked for."""
    return stack.enter_context(ahead(items)) if threaded else items


def run_app(app: PoseApp, paths: Sequence[Path | Stream], lines: Sequence[str]) -> None:
    """Runs a PoseApp as a script does: says `lines`, then the time, and exits with 1 where there were problems."""
    for line in lines:
        app.log.info(line)
    problems = app.run(paths)
    app.log.info(app.time_line())
    if problems:
        app.log.info(f"=> {pluralize(problems, 'problem', 'problems')}")
        sys.exit(1)
