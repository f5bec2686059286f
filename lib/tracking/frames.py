"""The frames of a video or of a folder of images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..utils.errors import UserError
from ..utils.image import read_image
from ..utils.media import PICTURE_EXTENSIONS, USUAL_RATE, Frame, VideoFile


class FrameFolder:
    """The pictures of a folder in the order of their names, as frames; what VideoFile is of a video.

    Each is turned as its EXIF orientation says. rate: frames a second; size: (width, height) of the first; count: how
    many there are. Raises UserError where the folder has no picture, or none that can be read.
    """

    def __init__(self, path: str | os.PathLike[str], rate: float = USUAL_RATE) -> None:
        self.path, self.rate, self.place, self.skipped = Path(path), rate, 0, 0
        found = (file for file in self.path.iterdir() if not file.name.startswith("."))
        self._files = sorted(file for file in found if file.suffix.lower() in PICTURE_EXTENSIONS)
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
        return self._files[self.place - 1]

    def read(self) -> np.ndarray | None:
        """The next frame as a BGR picture, or None at the end. Those that cannot be read are left out."""
        image, self._first = self._first, None
        return self._next() if image is None else image

    def missing(self) -> int:
        """At the end: how many frames were left out."""
        return self.skipped

    def close(self) -> None:
        """There is nothing to close."""

    def _next(self) -> np.ndarray | None:
        while self.place < self.count:
            self.place += 1
            try:
                return read_image(self._files[self.place - 1], use_orientation=True)
            except UserError:
                self.skipped += 1
        return None


def open_clip(place: str | os.PathLike[str]) -> VideoFile | FrameFolder:
    """The VideoFile or FrameFolder at `place`. Raises UserError where it is neither, or has no frames."""
    path = Path(place)
    if path.is_dir():
        return FrameFolder(path)
    if not path.is_file():
        raise UserError(f"there is no video and no folder of frames {place}")
    return VideoFile(path)


def frame_of(clip: VideoFile | FrameFolder, image: np.ndarray) -> Frame:
    """The Frame that a clip has read last: a video's has a number, a folder's its own file."""
    if isinstance(clip, FrameFolder):
        return Frame(image, clip.file)
    return Frame(image, clip.path, clip.place - 1)
