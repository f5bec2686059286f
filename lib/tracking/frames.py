"""The frames of a video, a stream or a folder of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..utils.errors import UserError
from ..utils.image import read_image
from ..utils.media import (
    Frame,
    Stream,
    Video,
    is_video,
    left_out_lines,
    open_video,
    refuse_picture,
    sort_out,
)


class FrameFolder(Video):
    """The Video of a folder's pictures, in natural order of their names: frame_2 comes before frame_10.

    Each is turned as its EXIF orientation says. lines: what was left out of the folder. Raises UserError where the
    folder has no picture, or none that can be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        files, reasons = sort_out(self.path / name for name in os.listdir(path))
        self._files = [file for file in files if not is_video(file)]
        films = [file.name for file in files if is_video(file)]
        if films:
            reasons["a video among the frames"] = films
        self.lines = left_out_lines(reasons)
        self.count = len(self._files)
        if not self._files:
            raise UserError(f"the folder {path} has no frames: expected pictures such as 000000.jpg")
        self._first = self._next()
        if self._first is None:
            raise UserError(f"the folder {path} has no frame that can be read, of {self.count}")
        self.size = self._first.shape[1::-1]

    @property
    def file(self) -> Path:
        """The path of the frame that was read last."""
        return self._files[self.position - 1]

    @property
    def files(self) -> list[Path]:
        """The paths of all frames."""
        return list(self._files)

    def read(self) -> np.ndarray | None:
        """The next frame as a BGR picture, or None at the end. Those that cannot be read are left out."""
        image, self._first = self._first, None
        return self._next() if image is None else image

    def missing(self) -> int:
        """At the end: how many frames were left out."""
        return self.skipped

    def _next(self) -> np.ndarray | None:
        while self.position < self.count:
            self.position += 1
            try:
                image = read_image(self._files[self.position - 1], use_orientation=True)
            except UserError:
                self.skipped += 1
            else:
                self.seconds = (self.position - 1) / self.rate
                return image
        return None


def open_clip(source: str | os.PathLike[str] | Stream, asked_to_stop: Callable[[], bool] = lambda: False) -> Video:
    """The Video of a file, a folder of frames or a Stream. Raises UserError where it is none, or has no frames."""
    if isinstance(source, Stream):
        return open_video(source, asked_to_stop)
    if not str(source):
        raise UserError("the name of the video is empty: give a video or a folder of frames")
    if os.path.isdir(source):
        return FrameFolder(source)
    if not os.path.isfile(source):
        raise UserError(f"there is no video and no folder of frames {source}")
    refuse_picture(source)
    return open_video(source)


def frame_of(clip: Video, image: np.ndarray) -> Frame:
    """The Frame that a clip has read last: a video's has a number, a folder's its own file."""
    if isinstance(clip, FrameFolder):
        return Frame(image, clip.file, None, clip.seconds)
    return Frame(image, clip.path, clip.position - 1, clip.seconds)


def pictures_and_size(clip: Video) -> tuple[list[Path], tuple[int, int] | None]:
    """(files of a folder's frames, (width, height) of a video's frames), of the other none."""
    return (clip.files, None) if isinstance(clip, FrameFolder) else ([], clip.size)
