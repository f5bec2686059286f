"""Reads videos and animated pictures, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from . import ffmpeg
from .decoding import USUAL_RATE, Clock, Decoder, clock_of, rate_of, refuse_huge, shown_count
from .webp import WebPFrames

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FEW_FRAMES = 0.01  # the share by which the number of frames in a video's header may be wrong


class Video:
    """Frames, one after the other; close it when done.

    rate: frames a second, on average; size: (width, height) of the first frame, upright; count: how many there should
    be, 0 where nobody says; position: frames so far, those left out too; skipped: those left out.
    seconds: the time of the last frame read, since the first; held: how long it is shown, 0.0 where it does not say;
    time_base: of all times, in seconds; pixel_aspect: a pixel's width over its height.
    live: of a stream, which ends by Ctrl-C; lines: what is said before it begins; problem: why it ended by itself
    where it should not have.
    """

    path = Path()
    rate = USUAL_RATE
    size = (0, 0)
    count = position = skipped = 0
    seconds = held = 0.0
    time_base = Fraction(1, 1000)
    pixel_aspect = Fraction(1)
    live = False
    lines: Sequence[str] = ()
    problem = ""

    def read(self) -> np.ndarray | None:
        """The next frame as an (H, W, 3) uint8 BGR picture, or None at the end. Damaged ones are left out."""
        raise NotImplementedError

    def missing(self) -> int:
        """At the end: how many frames were left out, or are in the file's table of frames but not in the file."""
        short = self.count - self.position
        return self.skipped + (short if short > max(1, FEW_FRAMES * self.count) else 0)

    def loss_line(self) -> str:
        """At the end: what is said of frames that are missing; '' where none is."""
        missing, every = self.missing(), max(self.count, self.position)
        return f"{self.path}: {missing} of its {every} frames could not be read" if missing else ""

    def notes(self) -> list[str]:
        """At the end: what is worth a line and no problem."""
        return []

    def sound_source(self) -> tuple[Path, Fraction] | None:
        """(the file that has the sound, the time in seconds there of our first frame); None where there is none."""
        return None

    def close(self) -> None:
        """Gives back what is open."""


class DecodedVideo(Video):
    """What the Videos of files and streams share."""

    _decoder: Any
    _clock: Clock
    _lost = 0  # of the decoder's, that are counted

    def _next(self) -> np.ndarray | None:
        """The next frame's picture. May raise av.FFmpegError, as Decoder does."""
        frame = self._decoder.next()
        self._count_lost()
        if frame is None:
            return None
        self.position += 1
        refuse_huge(self.path, frame.width, frame.height)
        self.seconds = float(self._clock.of(frame.dts if frame.pts is None else frame.pts) * self._clock.time_base)
        self.held = float((frame.duration or 0) * self._clock.time_base)
        return self._decoder.upright(frame)

    def _count_lost(self, more: int = 0) -> None:
        lost = self._decoder.lost - self._lost + more
        self._lost = self._decoder.lost
        self.skipped += lost
        self.position += lost


class VideoFile(DecodedVideo):
    """The Video of a file. Raises UserError where it cannot be read as a video, or has no frames."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        av = ffmpeg.load_av()
        try:
            self._container = ffmpeg.open_file(path)
        except (av.FFmpegError, ValueError) as error:
            raise UserError(self._unreadable(f" ({ffmpeg.reason_of(error)})")) from error
        try:
            self._start(self._container)
        except UserError:
            self.close()
            raise

    def _start(self, container: InputContainer) -> None:
        stream = ffmpeg.film_of(container)
        if stream is None:
            raise UserError(self._unreadable(""))
        refuse_huge(self.path, stream.width, stream.height)
        self._decoder, self._clock = Decoder(container, stream), clock_of(container, stream)
        self.rate, self.time_base = rate_of(stream), self._clock.time_base
        self.count, self._listed = shown_count(container, stream), 0
        if container.format.name == "avi":
            self._listed = self.count
        self._first = self._next()
        if self._first is None:
            raise UserError(self._unreadable(""))
        self.size = self._first.shape[1::-1]
        self.pixel_aspect = _pixel_aspect(stream, self.size)

    def _unreadable(self, reason: str) -> str:
        return f"the video {self.path} has no frames that can be read{reason}: is it a video, and whole?"

    def read(self) -> np.ndarray | None:
        image, self._first = self._first, None
        return self._next() if image is None else image

    def _next(self) -> np.ndarray | None:
        av = ffmpeg.load_av()
        try:
            image = super()._next()
        except av.FFmpegError:  # the disk or the network: what follows is missing
            self._count_lost(1 - bool(self.count))
            return None
        if image is not None and self._listed:  # an .avi counts the places of frames that are left out, too
            self.count = self._listed - max(0, self._clock.ticks // self._clock.step + 1 - self.position)
        return image

    def sound_source(self) -> tuple[Path, Fraction] | None:
        if not self._container.streams.audio:
            return None
        return self.path, (self._clock.origin or 0) * self.time_base

    def close(self) -> None:
        ffmpeg.let_go(self._container)


class AnimatedWebP(Video):
    """The Video of an animated WebP, which FFmpeg does not decode. Raises UserError where OpenCV does not either."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._frames = WebPFrames(self.path)
        self.size, self.count = self._frames.size, len(self._frames.starts)
        self.rate = self._frames.rate

    def read(self) -> np.ndarray | None:
        image = self._frames.read(self.position)
        if image is not None:
            self.seconds = self._frames.starts[self.position] / 1000
            self.held = self._frames.durations[self.position] / 1000
            self.position += 1
        return image


def _pixel_aspect(stream: VideoStream, size: tuple[int, int]) -> Fraction:
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect <= 0:
        return Fraction(1)
    is_turned = size != (stream.width, stream.height) and size == (stream.height, stream.width)
    return 1 / aspect if is_turned else aspect
