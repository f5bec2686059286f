"""Animated WebP: OpenCV decodes it, FFmpeg's libraries do not."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import UserError

CHUNK_BYTES = 2**27  # of decoded frames at a time
LEAST_DURATION = 10  # milliseconds: browsers show shorter frames for longer
CV_NEEDED = "an animated WebP needs OpenCV 4.11 or newer: pip install -U opencv-python-headless"


def is_webp(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a WebP."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"


class WebPFrames:
    """The frames of an animated WebP. size: (width, height).

    starts, durations: milliseconds, when and how long each is shown.
    Raises UserError where the file is none, or OpenCV does not decode it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not hasattr(cv2, "imreadanimation"):
            raise UserError(f"{path}: {CV_NEEDED}")
        self.durations = list(_durations(path))
        self.starts = list(accumulate(self.durations, initial=0))[:-1]
        self.rate = 1000 * len(self.starts) / max(1, sum(self.durations))
        self._first, self._chunk = 0, list[np.ndarray]()
        self._together = 1
        first = self.read(0)
        if first is None:
            raise UserError(f"the video {path} has no frames that can be read: is it a video, and whole?")
        self.size = first.shape[1::-1]
        self._together = max(1, CHUNK_BYTES // first.nbytes)

    def read(self, number: int) -> np.ndarray | None:
        """The frame of a number as an (H, W, 3) uint8 BGR picture, None after the last; damaged ones end it."""
        if number >= len(self.starts):
            return None
        if not self._first <= number < self._first + len(self._chunk):
            with _silence():
                done, animation = cv2.imreadanimation(str(self.path), number, self._together)
            self._first, self._chunk = number, list(animation.frames) if done else []
        place = number - self._first
        if place >= len(self._chunk):
            return None
        image = self._chunk[place]
        return np.ascontiguousarray(image[..., :3])


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """OpenCV says nothing in the block: what is wrong with a file is said by us, in one line."""
    module: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 5's place, or 4's
    level = module.setLogLevel(0)
    try:
        yield
    finally:
        module.setLogLevel(level)


def _durations(path: Path) -> Iterator[int]:
    """The milliseconds of each frame, by the file's chunks."""
    with open(path, "rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = struct.unpack("<4sI", head)
            if kind == b"ANMF":
                milliseconds = int.from_bytes(file.read(16)[12:15], "little")
                yield max(LEAST_DURATION, milliseconds)
                length -= 16
            file.seek(max(0, length + length % 2), os.SEEK_CUR)
