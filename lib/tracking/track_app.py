"""The application behind track.py, and --track of infer.py and deploy.py.

Three files come of a clip: <name>_track.mp4, drawn; <name>_track.jsonl, a line a frame, written as it goes; and
<name>_track.json in PoseTrack18's form. Nothing of the clip is kept in memory but the tracker's queue and the trails.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..inference.remarks import DepthWatch, ScoreWatch
from ..inference.results.extra_results import ExtraResults, ExtraSettings
from ..utils.errors import RunError, UserError
from ..utils.files import pluralize
from ..utils.media import Stream, stream_of
from ..utils.pipeline import ahead
from ..utils.progress import progress_bar
from ..utils.runtime import make_folder
from ..utils.stop import StopSignals, stopped
from ..visualization.style import PLAIN, DrawStyle
from ..visualization.tracks import TRAIL_LENGTH, TrackDrawing
from .frames import frame_of, open_clip, pictures_and_size
from .similarity import tracking_sigmas
from .track_results import Seen, TrackResults
from .tracker import PoseTracker, follow

if TYPE_CHECKING:

    from ..core.predictor import PosePredictor
    from ..core.skeletons import Skeleton
    from ..inference.person_boxes import PeopleFinder
    from ..utils.media import Video
    from .smoothing import PoseSmoother
    from .tracker import TrackerSettings

PARTS = ("read", "boxes", "flow", "preprocess", "network", "decode", "match", "draw", "write")


class TrackApp:
    """Follows the people of clips and saves what comes of it.

    find_people: a PeopleFinder; skeleton: the predictor's; folder: where the results go; log: a logger; extra: see
    extra_results; style: what is drawn besides joints and limbs.
    """

    def __init__(
        self, predictor: PosePredictor, find_people: PeopleFinder, skeleton: Skeleton, folder: str | os.PathLike[str],
        log: logging.Logger, extra: ExtraSettings | None = None, style: DrawStyle = PLAIN,
    ) -> None:
        self.style = style
        self.extra = extra or ExtraSettings()
        self._extras: ExtraResults
        self.predictor, self.find_people, self.skeleton = predictor, find_people, skeleton
        self.folder, self.log, self.clock = Path(folder), log, predictor.clock
        self.watch, self.depth = ScoreWatch(), DepthWatch(log.info)
        self.problems = self.frames = 0
        self.detect_every = 1
        self._bad_frames: list[Exception] = []

    def run(
        self, path: str | os.PathLike[str], settings: TrackerSettings,
        make_smoother: Callable[[float], PoseSmoother] | None = None, trail: int = TRAIL_LENGTH, detect_every: int = 1,
    ) -> int:
        """Works through a video, a folder of frames or a stream, and returns the number of problems.

        settings: TrackerSettings; make_smoother: called with the frames' rate, returns a PoseSmoother; None: joints as
        they are; trail: its length in frames; detect_every: one of so many frames is searched for people, and the boxes
        of the others are the tracker's. Ctrl-C and SIGTERM end it after the frames at hand, all results whole: by
        KeyboardInterrupt, but for a stream, which ends no other way. Raises UserError where the clip cannot be read, or
        a result would replace it.
        """
        if detect_every > 1 and not settings.carry_boxes:
            raise UserError(f"--detect-every {detect_every}: without boxes carried by flow nobody is in between")
        self.detect_every = detect_every
        source = stream_of(path) or path
        stop = StopSignals()
        with contextlib.closing(open_clip(source, lambda: bool(stop.asked))) as clip:
            paths = self._result_paths(clip.path if isinstance(source, Stream) else Path(path))
            for line in clip.lines:
                self.log.info(line)
            self.find_people.prepare(*pictures_and_size(clip))
            make_folder(self.folder)
            self.predictor.warm_up()
            self.clock.begin()
            tracker = PoseTracker(tracking_sigmas(self.skeleton), settings)
            smoother = make_smoother(clip.rate) if make_smoother else None
            drawing = TrackDrawing(self.skeleton, trail, self.style)
            table = paths["jsonl"].with_suffix(".csv").name
            inputs = (None if isinstance(source, Stream) else path, self.find_people.path)
            self._extras = ExtraResults(self.extra, self.folder, table, self.skeleton, inputs)
            with TrackResults(paths, clip, self.skeleton, drawing) as results, self._extras, stop:
                self._follow(clip, tracker, smoother, results, stop)
            self._conclude(clip, results, [*paths.values(), *self._extras.paths])
        if stop.asked and not clip.live:
            raise stopped(f"interrupted after {self.frames} frames, which are saved", stop.asked)
        return self.problems

    def time_line(self) -> str:
        """Where the time went, in words."""
        said = self.clock.line(PARTS, self.frames)
        return f"=> milliseconds per frame, after a warm-up: {said} ({self.frames} frames)"

    def _follow(
        self, clip: Video, tracker: PoseTracker, smoother: PoseSmoother | None, results: TrackResults,
        stop: StopSignals,
    ) -> None:
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(progress_bar(clip.count or None, clip.path.name))

            def stage(items: Iterator[Seen]) -> Iterator[Seen]:
                return items if clip.live else stack.enter_context(ahead(items))

            found = stage(self._detected(stage(self._read(clip, stop))))
            for seen in stage(self._tracked(found, tracker, smoother)):
                with self.clock.part("draw"):
                    picture = results.drawing.draw(seen.frame.image, seen.people, seen.joints, seen.shown)
                with self.clock.part("write"):
                    results.write(seen, picture)
                    self._extras.add(
                        clip.path.stem, seen.frame, seen.people, seen.position - 1, seen.seconds, seen.joints
                    )
                self.frames += 1
                bar.update()

    def _read(self, clip: Video, stop: StopSignals) -> Iterator[Seen]:
        while not stop.asked:
            with self.clock.part("read"):
                image = clip.read()
            if image is None:
                return
            frame = frame_of(clip, image)
            self.depth.look(frame)
            yield Seen(frame, clip.position, clip.seconds)

    def _detected(self, every: Iterator[Seen]) -> Iterator[Seen]:
        for number, seen in enumerate(every):
            if number % self.detect_every == 0:
                with self.clock.part("boxes"):
                    try:
                        seen.people = self.find_people(seen.frame)
                    except (UserError, RunError) as error:  # the frame goes through with carried boxes only
                        self._bad_frames.append(error)
            yield seen

    def _tracked(
        self, every: Iterator[Seen], tracker: PoseTracker, smoother: PoseSmoother | None
    ) -> Iterator[Seen]:
        threshold, expected = tracker.settings.joint_threshold, 0
        for seen in every:
            for _ in range(expected, seen.position - 1):
                tracker.skip()
            expected = seen.position
            seen.people, scores = follow(tracker, self.predictor, seen.frame.image, seen.people)
            self.watch.add(scores)
            seen.joints, seen.shown = seen.people.keypoints, seen.people.scores >= threshold
            if smoother:
                seen.joints = smoother.smooth(seen.people.track_ids, seen.joints, seen.shown, seen.seconds)
            yield seen

    def _result_paths(self, path: Path) -> dict[str, Path]:
        name = path.resolve().name if path.is_dir() else path.stem
        paths = {kind: self.folder / f"{name}_track.{kind}" for kind in ("mp4", "jsonl", "json")}
        inputs = [path, self.find_people.path]
        for result in paths.values():
            if result.resolve() in [Path(given).resolve() for given in inputs if given]:
                raise UserError(f"{result} is one of the inputs: choose another --output")
        return paths

    def _conclude(self, clip: Video, results: TrackResults, paths: Sequence[Path]) -> None:
        people = pluralize(results.people, "person", "people")
        names = ", ".join(map(str, paths))
        self.log.info(f"=> {clip.path.name}: {self.frames} frames, {people}, saving {names}")
        if self._bad_frames:
            self._report(f"{pluralize(len(self._bad_frames), 'frame', 'frames')} of {clip.path}: {self._bad_frames[0]}")
        for note in (*results.notes, *clip.notes()):
            self.log.info(f"=> {clip.path.name}: {note}")
        for problem in filter(None, [clip.loss_line(), clip.problem]):
            self._report(problem)
        if results.other_sizes:
            self._report(
                f"{clip.path}: {results.other_sizes} of its frames not of the first one's size, "
                f"{clip.size[0]}x{clip.size[1]}; drawn, they are scaled to it"
            )
        for remark in (*self.find_people.remarks(), *self.watch.lines()):
            self.log.info(remark)
        for complaint in (self.find_people.warning(), self._unused_boxes()):
            if complaint:
                self._report(complaint)
                break

    def _unused_boxes(self) -> str:
        used = self.find_people.used
        count = self.find_people.count
        if used >= count or self.detect_every > 1:  # those of the frames in between are not asked for
            return ""
        return f"{count - used} of {count} boxes of {self.find_people.path} are of no frame here"

    def _report(self, problem: str) -> None:
        self.problems += 1
        self.log.info(f"problem: {problem}")


def run_tracking(
    app: TrackApp, lines: Sequence[str], path: str | os.PathLike[str], settings: TrackerSettings, **options: Any
) -> None:
    """Runs a TrackApp as a script does: says `lines`, then the time, and exits with 1 where there were problems."""
    for line in lines:
        app.log.info(line)
    try:
        problems = app.run(path, settings, **options)
    finally:
        if app.frames:
            app.log.info(app.time_line())
    if problems:
        app.log.info(f"=> {pluralize(problems, 'problem', 'problems')}")
        sys.exit(1)
