"""Opens whatever has frames."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..errors import UserError
from .kinds import PICTURE, kind_of
from .live import LiveVideo
from .reader import AnimatedWebP, Video, VideoFile
from .sources import Stream
from .webp import is_webp


def open_video(source: str | os.PathLike[str] | Stream, asked_to_stop: Callable[[], bool] = lambda: False) -> Video:
    """The Video of a file or a Stream; asked_to_stop: see LiveVideo. Raises UserError where it is none."""
    if isinstance(source, Stream):
        return LiveVideo(source, asked_to_stop)
    return AnimatedWebP(source) if is_webp(source) else VideoFile(source)


def refuse_picture(path: str | os.PathLike[str]) -> None:
    """Raises UserError for a still picture where a video is wanted."""
    if kind_of(path)[0] == PICTURE:
        raise UserError(f"{path} is one picture: give a video or a folder of frames; infer.py finds poses in pictures")
