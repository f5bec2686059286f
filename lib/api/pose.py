"""Poses from Python: a Pose is opened once and called with pictures, folders, videos and cameras."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from ..core import poses as core
from ..core.inputs import checked_boxes, refuse_other_form
from ..inference.batches import posed
from ..inference.remarks import ScoreWatch
from ..tracking.similarity import tracking_sigmas
from ..tracking.tracker import PoseTracker, TrackerSettings, follow
from ..utils.errors import UserError
from ..utils.media import Frame
from ..utils.pipeline import ahead
from .arguments import naming_arguments
from .opening import NetworkOptions, open_detector, open_model
from .results import Poses
from .sources import Frames, clip_of, frames_of, numbered_picture, one_picture, picture_of

if TYPE_CHECKING:
    import PIL.Image

    from ..core.skeletons import Skeleton
    from ..inference.detector import PersonDetector

LOOKED_AT = 20  # people whose scores tell whether the network gets the pixels that it expects


class Pose:
    """Finds the joints of people: `Pose(model, detector=...)(source)`.

    model: an .onnx file of export.py; a name of the index, such as "coco_resnet50_256x192", whose ONNX file is fetched
        once; or weights (.pdparams, .pdckpt) with cfg=, the experiment's YAML file, which need Paddle.
    detector: whose boxes people get: an .onnx file, a name such as "yolox_tiny", or a PersonDetector; None: the whole
        picture is one person's box, where a call gives no boxes=. detector_threshold: its boxes count from this score;
        None: 0.3, and where people are tracked 0.5, as in the paper.
    flip_test: average with the mirrored picture; None: as the experiment says, else not.
    provider: what runs .onnx files: "auto" (CUDA if ONNX Runtime has it, else the CPU), "cpu", "cuda", "tensorrt" or
        "openvino"; precision: "auto", "float32", "bfloat16" or "float16", of "openvino".
    batch_size: people that go through the network at once (default 8).
    For .onnx files of other projects, which say nothing of themselves: skeleton= is needed, "coco", "mpii" or a
        skeleton's JSON file. pixel_scale=: pixels are divided by this first (default 255). mean=, std=: then of each
        channel (default ImageNet's). rgb=True: the network wants RGB (default BGR). size=(width, height): of an input
        whose size the file leaves open.
    Attributes: skeleton; lines, which say what was opened and where it runs.
    Raises UserError, in one line, for arguments and files that do not fit.
    One Pose may be called from several threads at once, except with weights of Paddle.
    """

    def __init__(
        self, model: str | os.PathLike[str], detector: str | os.PathLike[str] | PersonDetector | None = None, *,
        cfg: str | os.PathLike[str] | None = None, flip_test: bool | None = None, provider: str = "auto",
        precision: str = "auto", batch_size: int | None = None, detector_threshold: float | None = None,
        skeleton: Skeleton | str | None = None, mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None, pixel_scale: float | None = None, rgb: bool | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        options = NetworkOptions(
            cfg, skeleton, mean, std, pixel_scale, rgb, size, flip_test, provider, precision, batch_size
        )
        with naming_arguments():
            opened = open_model(model, options)
            self.detector = open_detector(detector, detector_threshold, provider)
        self._tracking = TrackerSettings()
        if detector_threshold is not None:
            self._tracking = TrackerSettings(box_threshold=detector_threshold)
        self._watch: ScoreWatch | None = ScoreWatch()
        self.predictor, self.skeleton, self._sure = opened.predictor, opened.skeleton, opened.sure
        whose = self.detector.line if self.detector else "=> no detector: the whole picture is one person's box"
        self.lines = (*opened.lines, whose)

    def __repr__(self) -> str:
        return "Pose: " + "; ".join(line.removeprefix("=> ") for line in self.lines)

    @overload
    def __call__(
        self, source: str | os.PathLike[str], boxes: npt.ArrayLike | None = None, track: bool = False
    ) -> Any: ...
    @overload
    def __call__(
        self, source: list[Any] | tuple[Any, ...], boxes: Sequence[npt.ArrayLike | None] | None = None,
        track: bool = False,
    ) -> list[Poses]: ...
    @overload
    def __call__(
        self, source: int | Iterator[Any], boxes: npt.ArrayLike | None = None, track: bool = False
    ) -> Generator[Poses, None, None]: ...
    @overload  # the last: where Pillow is not installed its pictures are Any
    def __call__(self, source: np.ndarray | PIL.Image.Image, boxes: npt.ArrayLike | None = None) -> Poses: ...

    def __call__(self, source: Any, boxes: Any = None, track: bool = False) -> Any:
        """The people in a source.

        One picture (a file, an address http://.../x.jpg, a NumPy array, a PIL picture) gives one Poses, with track=True
        an iterator of one; a list of pictures gives a list. A folder, a pattern, a video, a stream, a camera's number
        and an iterator of pictures give an iterator of Poses, which holds a few frames at a time. Files may be either,
        so that type checkers see Any: `picture` and `frames` have their types.

        boxes: people's boxes in place of the detector's, (N, 4) x, y, width, height in pixels; of a video the same in
        each frame. For a list of pictures a list with an entry for each: an array (N, 4), [] for nobody, or None for
        the detector.
        track: people keep a number, `track_ids`, from frame to frame, as track.py does it.
        Raises UserError for sources and boxes that cannot be meant, RunError where a network fails.
        """
        if isinstance(source, (list, tuple)):
            return self._list(source, boxes, track)
        if not isinstance(track, (bool, np.bool_)):
            raise UserError(f"track={track!r}: expected True or False")
        with naming_arguments():
            frame = None if track else picture_of(source)
        return self._one(frame, boxes) if frame else self.frames(source, boxes, track)

    def picture(
        self, source: str | os.PathLike[str] | np.ndarray | PIL.Image.Image, boxes: npt.ArrayLike | None = None
    ) -> Poses:
        """The people in one picture, see `__call__`; raises UserError for a folder or a video, too."""
        with naming_arguments():
            frame = one_picture(source)
        return self._one(frame, boxes)

    def frames(
        self, source: Any, boxes: npt.ArrayLike | None = None, track: bool = False
    ) -> Generator[Poses, None, None]:
        """The people in each picture or frame of a source, see `__call__`, as they are asked for.

        Files and streams are read and searched ahead in a thread, which ends when the iterator does; people of several
        frames go through the network in one batch, those of a live stream at once. What cannot be read of a folder or
        video is left out with a warning.
        """
        with naming_arguments():
            frames = clip_of(source) if track else frames_of(source)
        return self._run(frames, boxes, track)

    def _one(self, frame: Frame, boxes: Any) -> Poses:
        with naming_arguments():
            (found,) = self.predictor.predict_many([frame.image], [self._people(frame, boxes)])
        self._look_at(found.scores)
        return Poses.of(found, frame, self.skeleton, self._sure)

    def _list(self, source: Sequence[Any], boxes: Any, track: bool) -> list[Poses]:
        if boxes is None:
            boxes = [None] * len(source)
        elif len(boxes) != len(source) or not all(map(_are_of_one_picture, boxes)):
            raise UserError(
                f"boxes: for a list of {len(source)} pictures expected a list of as many: for each picture an array "
                "(N, 4), [] for nobody, or None for the detector"
            )
        with naming_arguments():
            return list(self._finished(self._each(source, boxes), False, track))

    def _each(self, source: Sequence[Any], boxes: Sequence[Any]) -> Iterator[tuple[Frame, core.Poses]]:
        for row, (item, given) in enumerate(zip(source, boxes, strict=True)):
            frame = numbered_picture(item, row)
            yield frame, self._people(frame, given, f"boxes[{row}]")

    def _run(self, frames: Frames, boxes: Any, track: bool) -> Generator[Poses, None, None]:
        found: Iterator[tuple[Frame, core.Poses]] = ((frame, self._people(frame, boxes)) for frame in frames.frames)
        with naming_arguments(), ExitStack() as stack:
            if frames.own and not frames.live:
                found = stack.enter_context(ahead(found))
            yield from self._finished(found, frames.live, track)

    def _people(self, frame: Frame, boxes: Any, name: str = "boxes") -> core.Poses:
        """The people whose joints are looked for, as boxes."""
        height, width = frame.image.shape[:2]
        if boxes is not None:
            checked = checked_boxes(boxes, (width, height), name)
            refuse_other_form(checked, (width, height), name)
            return core.Poses.in_boxes(checked)
        if self.detector:
            return core.Poses.in_boxes(*self.detector.detect(frame.image))
        return core.Poses.in_boxes([[0, 0, width, height]])

    def _finished(
        self, found: Iterator[tuple[Frame, core.Poses]], live: bool, track: bool
    ) -> Iterator[Poses]:
        done = self._tracked(found) if track else posed(self.predictor, found, live)
        for frame, people in done:
            self._look_at(people.scores)
            yield Poses.of(people, frame, self.skeleton, self._sure)

    def _look_at(self, scores: np.ndarray) -> None:
        """Warns once where the scores of the first people are low, as those of wrong pixels are."""
        watch = self._watch  # another thread may put it away
        if watch is None:
            return
        watch.add(scores)
        lines = watch.lines()
        if lines or watch.people >= LOOKED_AT:
            self._watch = None
        for line in lines:
            warnings.warn(f"{line.partition('WARNING: ')[2]} (mean=, std=, pixel_scale=, rgb=, size=)", stacklevel=3)

    def _tracked(self, found: Iterator[tuple[Frame, core.Poses]]) -> Iterator[tuple[Frame, core.Poses]]:
        tracker, expected = PoseTracker(tracking_sigmas(self.skeleton), self._tracking), 0
        for frame, people in found:
            if frame.number is not None:
                for _ in range(expected, frame.number):  # frames that could not be read
                    tracker.skip()
                expected = frame.number + 1
            yield frame, follow(tracker, self.predictor, frame.image, people)[0]


def _are_of_one_picture(boxes: Any) -> bool:
    return boxes is None or np.size(boxes) == 0 or np.ndim(boxes) == 2
