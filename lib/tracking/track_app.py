"""The application behind track.py, and --track of infer.py and deploy.py.

Three files come of a clip: <name>_track.mp4, drawn; <name>_track.jsonl, a line a frame, written as it goes; and
<name>_track.json in PoseTrack18's form. Nothing of the clip is kept in memory but the tracker's queue and the trails.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..dataset.posetrack_form import annotation_entry, write_form
from ..inference.person_boxes import NOBODY
from ..utils.errors import RunError, UserError
from ..utils.files import pluralize, without_nan
from ..utils.media import video_writer
from ..utils.progress import progress_bar
from ..utils.runtime import make_folder
from ..utils.stop import StopSignals, stopped
from ..visualization.tracks import TRAIL_LENGTH, TrackDrawing
from .frames import frame_of, open_clip
from .similarity import tracking_sigmas
from .tracker import PoseTracker

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..core.predictor import PosePredictor
    from ..core.skeletons import Skeleton
    from ..inference.person_boxes import PeopleFinder
    from ..utils.media import Frame, VideoFile
    from .frames import FrameFolder
    from .smoothing import PoseSmoother
    from .tracker import Tracked, TrackerSettings

PARTS = ("read", "boxes", "flow", "preprocess", "network", "decode", "match", "draw", "write")


class TrackApp:
    """Follows the people of clips and saves what comes of it.

    find_people: a PeopleFinder; skeleton: the predictor's; folder: where the results go; log: a logger.
    """

    def __init__(
        self, predictor: PosePredictor, find_people: PeopleFinder, skeleton: Skeleton, folder: str | os.PathLike[str],
        log: logging.Logger,
    ) -> None:
        self.predictor, self.find_people, self.skeleton = predictor, find_people, skeleton
        self.folder, self.log, self.clock = Path(folder), log, predictor.clock
        self.problems = self.frames = 0
        self._bad_frames: list[Exception] = []

    def run(
        self, place: str | os.PathLike[str], settings: TrackerSettings,
        make_smoother: Callable[[float], PoseSmoother] | None = None, trail: int = TRAIL_LENGTH,
    ) -> int:
        """Works through a video, or a folder of frames, and returns the number of problems.

        settings: TrackerSettings; make_smoother: called with the frames' rate, returns a PoseSmoother; None: joints as
        they are; trail: its length in frames. Ctrl-C and SIGTERM end it after the frame at hand, all results
        whole, by KeyboardInterrupt. Raises UserError where the clip cannot be read, or a result would replace it.
        """
        with contextlib.closing(open_clip(place)) as clip:
            paths = self._result_paths(Path(place))
            make_folder(self.folder)
            self.predictor.warm_up()
            tracker = PoseTracker(tracking_sigmas(self.skeleton), settings)
            smoother = make_smoother(clip.rate) if make_smoother else None
            drawing = TrackDrawing(self.skeleton, trail)
            with _Results(paths, clip, self.skeleton, drawing) as results, StopSignals() as stop:
                self._follow(clip, tracker, smoother, results, stop)
            self._conclude(clip, results, paths)
        if stop.asked:
            raise stopped(f"interrupted after {self.frames} frames, which are saved", stop.asked)
        return self.problems

    def time_line(self) -> str:
        """Where the time went, in words."""
        seconds = self.clock.seconds
        parts = [f"{part} {1000 * seconds[part] / max(1, self.frames):.1f}" for part in PARTS if part in seconds]
        return f"=> milliseconds per frame, after a warm-up: {', '.join(parts)} ({self.frames} frames)"

    def _follow(
        self, clip: VideoFile | FrameFolder, tracker: PoseTracker, smoother: PoseSmoother | None, results: _Results,
        stop: StopSignals,
    ) -> None:
        threshold, expected = tracker.settings.joint_threshold, 0
        with progress_bar(clip.count or None, clip.path.name) as bar:
            for frame in self._read(clip, stop):
                for _ in range(expected, clip.place - 1):
                    tracker.skip()
                expected = clip.place
                tracked = self._track(frame, tracker)
                joints, shown = tracked.keypoints, tracked.scores >= threshold
                if smoother:
                    joints = smoother.smooth(tracked.identities, joints, shown)
                with self.clock.part("draw"):
                    picture = results.drawing.draw(frame.image, tracked, joints, shown)
                with self.clock.part("write"):
                    results.write(frame, picture, tracked, joints, shown)
                self.frames += 1
                bar.update()

    def _read(self, clip: VideoFile | FrameFolder, stop: StopSignals) -> Iterator[Frame]:
        while not stop.asked:
            with self.clock.part("read"):
                image = clip.read()
            if image is None:
                return
            yield frame_of(clip, image)

    def _track(self, frame: Frame, tracker: PoseTracker) -> Tracked:
        with self.clock.part("boxes"):
            try:
                detected = self.find_people(frame)
            except (UserError, RunError) as error:  # the frame goes through with carried boxes only
                detected = NOBODY
                self._bad_frames.append(error)
        with self.clock.part("flow"):
            people = tracker.propose(frame.image, detected)
        (poses,) = self.predictor.predict_many([frame.image], [people.boxes])
        with self.clock.part("match"):
            return tracker.update(people, poses.keypoints, poses.scores)

    def _result_paths(self, place: Path) -> dict[str, Path]:
        name = place.resolve().name if place.is_dir() else place.stem
        paths = {kind: self.folder / f"{name}_track.{kind}" for kind in ("mp4", "jsonl", "json")}
        inputs = [place, self.find_people.path]
        for path in paths.values():
            if path.resolve() in [Path(given).resolve() for given in inputs if given]:
                raise UserError(f"{path} is one of the inputs: choose another --output")
        return paths

    def _conclude(self, clip: VideoFile | FrameFolder, results: _Results, paths: Mapping[str, Path]) -> None:
        people = pluralize(results.people, "person", "people")
        names = ", ".join(str(path) for path in paths.values())
        self.log.info(f"=> {clip.path.name}: {self.frames} frames, {people}, saving {names}")
        if self._bad_frames:
            self._report(f"{pluralize(len(self._bad_frames), 'frame', 'frames')} of {clip.path}: {self._bad_frames[0]}")
        if clip.missing():
            self._report(f"{clip.path}: {clip.missing()} of its {clip.count} frames could not be read")
        if results.other_sizes:
            self._report(
                f"{clip.path}: {results.other_sizes} of its frames not of the first one's size, "
                f"{clip.size[0]}x{clip.size[1]}; drawn, they are scaled to it"
            )
        for complaint in (self.find_people.warning(), self._unused_boxes()):
            if complaint:
                self._report(complaint)
                break

    def _unused_boxes(self) -> str:
        used = self.find_people.used
        count = self.find_people.count
        if used >= count:
            return ""
        return f"{count - used} of {count} boxes of {self.find_people.path} are of no frame here"

    def _report(self, problem: str) -> None:
        self.problems += 1
        self.log.info(f"problem: {problem}")


def run_tracking(
    app: TrackApp, lines: Sequence[str], place: str | os.PathLike[str], settings: TrackerSettings, **options: Any
) -> None:
    """Runs a TrackApp as a script does: says `lines`, then the time, and exits with 1 where there were problems."""
    for line in lines:
        app.log.info(line)
    try:
        problems = app.run(place, settings, **options)
    finally:
        if app.frames:
            app.log.info(app.time_line())
    if problems:
        app.log.info(f"=> {pluralize(problems, 'problem', 'problems')}")
        sys.exit(1)


class _Results(contextlib.ExitStack):
    """The three files of a clip. people: how many there were; other_sizes: frames not of the clip's size."""

    def __init__(
        self, paths: Mapping[str, Path], clip: VideoFile | FrameFolder, skeleton: Skeleton, drawing: TrackDrawing
    ) -> None:
        super().__init__()
        self.paths, self.clip, self.skeleton, self.drawing = paths, clip, skeleton, drawing
        self.people = self.other_sizes = self._annotations = 0

    def __enter__(self) -> Self:
        super().__enter__()
        self._lines = self.enter_context(open(self.paths["jsonl"], "w", encoding="utf-8"))
        self.callback(self._write_form)
        self._video = self.enter_context(video_writer(self.paths["mp4"], self.clip.rate, self.clip.size))
        return self

    def write(self, frame: Frame, picture: np.ndarray, tracked: Tracked, joints: np.ndarray, shown: np.ndarray) -> None:
        """Adds a frame: the drawn picture, and the Tracked people with the joints (N, K, 2) to save."""
        if picture.shape[1::-1] != self.clip.size:
            self.other_sizes += 1
            picture = cv2.resize(picture, self.clip.size)
        self._video.write(picture)
        number = self.clip.place - 1
        annotations = []
        for row, identity in enumerate(tracked.identities.tolist()):
            self._annotations += 1
            person = {
                "identity": identity, "joints": joints[row], "shown": shown[row], "scores": tracked.scores[row],
                "box": tracked.boxes[row], "score": tracked.box_scores[row],
            }  # fmt: skip
            annotations.append(annotation_entry(number, self._annotations, person, self.skeleton))
        self.people = max([self.people, *tracked.identities.tolist()])
        height, width = frame.image.shape[:2]
        name = frame.path.name if frame.number is None else f"{frame.path.stem}/{number:06d}.jpg"
        image = {
            "id": number, "frame_id": number, "file_name": name, "width": width, "height": height, "is_labeled": True,
        }  # fmt: skip
        line = {"frame": number, "seconds": round(number / self.clip.rate, 3)}
        text = json.dumps(without_nan({**line, "image": image, "annotations": annotations}))
        try:
            self._lines.write(text + "\n")
            self._lines.flush()  # it is there for whoever reads along
        except OSError as error:
            raise RunError(f"cannot write {self.paths['jsonl']}: {error.strerror or error}") from error

    def _write_form(self) -> None:
        self._lines.flush()
        write_form(self.paths["json"], self._records, self.skeleton)

    def _records(self) -> Iterator[Any]:
        with open(self.paths["jsonl"], encoding="utf-8") as lines:
            yield from map(json.loads, lines)
