"""PyAV, which has FFmpeg's libraries: imported when the first video is met, as pictures do without."""

from __future__ import annotations

import gc
import os
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import UserError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MISSING = "PyAV, which reads and writes videos, is not installed: pip install 'av>=17,<19'"
# FFmpeg opens these too, but they are no film: text, and lists of other files
NO_FILMS = frozenset(("tty", "concat", "hls", "dash", "image2", "ico", "bin", "xbin", "adf", "idf"))


def load_av() -> ModuleType:
    """PyAV. Raises UserError, with what to install, where it is not there."""
    try:
        import av
    except ImportError as error:
        raise UserError(MISSING) from error
    return av


def ffmpeg_name(path: str | os.PathLike[str]) -> str:
    """A file's name for FFmpeg, which takes the part before a colon for a protocol."""
    return f"file:{os.fspath(path)}"


def reason_of(error: BaseException) -> str:
    """What FFmpeg says, without its error numbers."""
    if type(error).__name__ == "ExitError":  # our own time limit
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error)


def open_file(path: str | os.PathLike[str]) -> InputContainer:
    """The open file, which reads no other ones. Raises UserError without PyAV, av.FFmpegError where it is no media."""
    av: Any = load_av()
    return av.open(ffmpeg_name(path), container_options={"protocol_whitelist": "file"}, metadata_errors="replace")


def let_go(container: InputContainer) -> None:
    """Closes a file that was read, and gives its memory back: PyAV's objects hold each other, and some 20 MB."""
    container.close()
    gc.collect()


def film_of(container: InputContainer) -> VideoStream | None:
    """The video of an open file: the longest, and no cover picture of a song; None where there is none."""
    if container.format.name in NO_FILMS or container.format.name.endswith("_pipe"):
        return None
    from av.stream import Disposition

    try:
        stream: Any = container.streams.best("video")
    except IndexError:  # FFmpeg means one that came up after PyAV made its list
        stream = next(iter(container.streams.video), None)
    if stream is None or not stream.codec_context or stream.width <= 0 or stream.height <= 0:
        return None
    return None if stream.disposition & Disposition.attached_pic else stream
