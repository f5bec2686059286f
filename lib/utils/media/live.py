"""Cameras and streams: frames until Ctrl-C, across breaks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..files import pluralize
from . import ffmpeg
from .decoding import Clock, Decoder, rate_of, refuse_huge
from .reader import DecodedVideo
from .sources import CAMERA, Stream

OPEN_SECONDS, READ_SECONDS = 10, 5  # that a try to connect, and the wait for the next bytes, may take
PATIENCE = 60.0  # seconds of tries after a break
PAUSE = 1.0  # seconds between two tries
CAMERA_FORMATS = {"linux": "v4l2", "darwin": "avfoundation"}


class LiveVideo(DecodedVideo):
    """The Video of a Stream. A break is followed by new tries to connect for PATIENCE seconds.

    asked_to_stop: tells during a break that nobody waits any more; breaks: how many there were. A source of a known
    length, such as a film on a server, ends at its end.
    Raises UserError where the stream cannot be opened, or has no frames.
    """

    live = True
    time_base = Fraction(1, 90000)

    def __init__(self, stream: Stream, asked_to_stop: Callable[[], bool] = lambda: False) -> None:
        self.stream, self.path, self.asked_to_stop = stream, Path(stream.name), asked_to_stop
        self.breaks, self._began = 0, time.monotonic()
        self.lines = [f"=> {stream}: Ctrl-C ends it; after a break it is tried again for {PATIENCE:.0f} seconds"]
        self._container: Any = None
        av = ffmpeg.load_av()
        try:
            self._connect()
            self._first = self._next()
        except UserError:
            self.close()
            raise
        except (av.FFmpegError, ValueError) as error:
            self.close()
            raise UserError(f"cannot open the stream {stream}: {ffmpeg.reason_of(error)}") from error
        if self._first is None:
            self.close()
            raise UserError(f"the stream {stream} has no frames that can be read")
        self.size = self._first.shape[1::-1]
        self._began = time.monotonic()

    def read(self) -> np.ndarray | None:
        image, self._first = self._first, None
        av = ffmpeg.load_av()
        while image is None and not self.problem and self._container is not None:
            reason = ""
            try:
                image = self._next()
            except av.FFmpegError as error:
                reason = ffmpeg.reason_of(error)
            if image is not None:
                break
            if self._is_finite:
                self.problem = f"{self.stream}: the stream broke off ({reason})" if reason else ""
                break
            if not self._reconnected():
                break
        return image

    def missing(self) -> int:
        """None is expected of a stream; `notes` has what was left out."""
        return 0

    def notes(self) -> list[str]:
        breaks = pluralize(self.breaks, "break, after which it went on", "breaks, after which it went on each time")
        damaged = pluralize(self.skipped, "damaged frame was left out", "damaged frames were left out")
        return [breaks] * (self.breaks > 0) + [damaged] * (self.skipped > 0)

    def _connect(self) -> None:
        av: Any = ffmpeg.load_av()
        name, options = _address_of(self.stream)
        self._container = av.open(name, timeout=(OPEN_SECONDS, READ_SECONDS), **options)
        film = ffmpeg.film_of(self._container) or self._playlist_film()
        if film is None:
            raise UserError(f"the stream {self.stream} has no video ({self._container.format.name})")
        refuse_huge(self.stream, film.width, film.height)
        self._is_finite = bool(self._container.duration)
        self.rate = rate_of(film)
        self._decoder, self._lost = Decoder(self._container, film), 0
        self._clock = Clock(film.time_base or Fraction(1, 90000), self.rate, jumps=True)

    def _playlist_film(self) -> Any:
        """The video of an HLS or DASH playlist, which is one on a server alone: a local one names other files."""
        if self._container.format.name in ("hls", "dash"):
            return self._container.streams.best("video")
        return None

    def _reconnected(self) -> bool:
        av = ffmpeg.load_av()
        until = time.monotonic() + PATIENCE
        self.close()
        while time.monotonic() < until and not self.asked_to_stop():
            try:
                self._connect()
            except (av.FFmpegError, ValueError):  # UserError is one
                self.close()
                time.sleep(PAUSE)
                continue
            self.breaks += 1
            self._clock.go_to(max(self.seconds + 1 / self.rate, time.monotonic() - self._began))
            return True
        if not self.asked_to_stop():
            self.problem = f"{self.stream}: the stream broke off and was not there again within {PATIENCE:.0f} seconds"
        return False

    def close(self) -> None:
        if self._container is not None:
            container, self._container, self._decoder = self._container, None, None
            ffmpeg.let_go(container)


def _address_of(stream: Stream) -> tuple[str, dict[str, Any]]:
    """(FFmpeg's name, further arguments of av.open) of a Stream. Raises UserError where cameras have no number."""
    address = stream.address
    if not CAMERA.fullmatch(address):
        is_rtsp = address.lower().startswith("rtsp")
        return address, {"options": {"rtsp_transport": "tcp"} if is_rtsp else {}}
    form = CAMERA_FORMATS.get(sys.platform)
    if form is None:
        raise UserError(f"--img-file {address}: cameras are read on Linux and macOS; elsewhere give a stream's address")
    if form == "v4l2" and address.isdecimal():
        address = f"/dev/video{address}"
    return address, {"format": form}
