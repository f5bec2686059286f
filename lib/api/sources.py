"""What a source is: pictures in memory, files, folders, addresses, videos and cameras; and their frames."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..core.inputs import checked_picture
from ..tracking.frames import FrameFolder, frame_of
from ..utils.errors import UserError
from ..utils.image import MAX_BYTES, decode_upright, read_image
from ..utils.media import Frame, Stream, Video, find_media, is_video, open_video
from ..utils.media.kinds import PICTURE_EXTENSIONS

SECONDS = 30  # that a server may take to answer
IN_MEMORY = Path("picture")  # what a picture without a file is called
KINDS = "a picture (path, address, NumPy array, PIL picture), a list of them, a folder, a video or a camera's number"
NO_SOURCES = (bytes, bytearray, memoryview, dict, set, io.IOBase)  # what can be iterated over, and holds no pictures
# Pillow's kinds of pixels that its own conversion to RGB clips or has no white for
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L")


@dataclass(frozen=True)
class Frames:
    """Frames of a source, to be taken once. live: of a camera or stream; own: read by us, so that a thread may."""

    frames: Iterator[Frame]
    live: bool = False
    own: bool = True


def picture_of(source: Any, name: str = "source") -> Frame | None:
    """The Frame of a source that is one picture; None where it is a folder, a video, a stream or an iterator.

    name: the argument, for messages. Raises UserError for a picture that cannot be read, and for what is no source.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if not path:
            raise UserError(f"{name} is empty: expected {KINDS}")
        if is_picture_address(path):
            return Frame(download_picture(path), Path(Path(urlsplit(path).path).name))
        if os.path.isfile(path) or ".zip@" in path:
            find_media(path)  # raises where it is neither
            return None if is_video(path) else Frame(read_image(path, use_orientation=True), Path(path))
        return None
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return None
    if isinstance(source, np.ndarray) or source is None:
        return Frame(checked_picture(source, name), IN_MEMORY)
    if is_pil(source):
        return Frame(from_pil(source, name), Path(getattr(source, "filename", "") or IN_MEMORY))
    if isinstance(source, Iterable) and not isinstance(source, NO_SOURCES):
        return None
    raise UserError(f"{name} is a {type(source).__name__}: expected {KINDS}")


def frames_of(source: Any) -> Frames:
    """The Frames of any source. Raises UserError where there is none; what cannot be read of several is warned of."""
    one = picture_of(source)
    if one is None and not isinstance(source, (str, os.PathLike, int, np.integer)):
        return Frames(_of_iterable(source), own=False)
    if one:
        return Frames(iter([one]))
    found = find_media(str(source))
    if not found.sources:
        raise UserError("; ".join(line.removeprefix("=> ") for line in found.lines))
    for line in found.lines:
        warnings.warn(line.removeprefix("=> "), stacklevel=4)
    if len(found.sources) == 1:
        only = found.sources[0]
        if isinstance(only, Stream) or is_video(only):
            video = open_video(only)  # now, so that one that cannot be opened is an error here
            return Frames(_of_video(video), live=video.live)
    return Frames(_of_files(found.sources))


def clip_of(source: Any) -> Frames:
    """The Frames of one clip: as `frames_of`, but a folder is one clip of pictures, in natural order."""
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        return Frames(_of_video(FrameFolder(source)))
    return frames_of(source)


def _of_iterable(source: Iterable[Any]) -> Iterator[Frame]:
    for number, item in enumerate(source):
        yield numbered_picture(item, number)


def numbered_picture(source: Any, number: int) -> Frame:
    """The Frame of the picture source[number]; one without a file is called picture_<number>. Raises UserError."""
    frame = one_picture(source, f"source[{number}]")
    return replace(frame, path=Path(f"{IN_MEMORY}_{number}")) if frame.path == IN_MEMORY else frame


def one_picture(source: Any, name: str = "source") -> Frame:
    """The Frame of a source that must be one picture. Raises UserError."""
    frame = picture_of(source, name)
    if frame is None and isinstance(source, (str, os.PathLike)) and not os.path.exists(source):
        raise UserError(f"{name}: there is no such file {os.fspath(source)}")
    if frame is None:
        raise UserError(f"{name}: expected one picture, got {source!r:.80}; use frames() for videos and folders")
    return frame


def _of_files(sources: Sequence[Path | Stream]) -> Iterator[Frame]:
    for source in sources:
        try:
            if isinstance(source, Stream) or is_video(source):
                yield from _of_video(open_video(source))
            else:
                yield Frame(read_image(source, use_orientation=True), source)
        except UserError as error:
            if len(sources) == 1:
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)


def _of_video(video: Video) -> Iterator[Frame]:
    with contextlib.closing(video):
        while (image := video.read()) is not None:
            yield frame_of(video, image)
        for problem in filter(None, [video.loss_line(), video.problem]):
            warnings.warn(problem, stacklevel=2)


def is_pil(source: Any) -> bool:
    """Whether it is a Pillow picture; Pillow is not imported for that."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(source, pillow.Image)


def from_pil(picture: Any, name: str) -> np.ndarray:
    """The (H, W, 3) uint8 BGR picture of a Pillow picture of 8 bits a channel; alpha is left out.

    It is not turned by its EXIF orientation, as its pixels are what the caller has.
    """
    if picture.mode in DEEP_MODES:
        raise UserError(f"{name} is a PIL picture of mode {picture.mode}: convert its values to 8 bits first")
    return checked_picture(np.asarray(picture.convert("RGB"))[..., ::-1], name)


def is_picture_address(text: str) -> bool:
    """Whether it is the address of a picture: http and a picture's ending; other addresses are streams."""
    if not re.match(r"https?://", text, re.IGNORECASE):
        return False
    return Path(urlsplit(text).path).suffix.lower() in PICTURE_EXTENSIONS


def download_picture(address: str) -> np.ndarray:
    """The (H, W, 3) uint8 BGR picture at an address, upright. Raises UserError."""
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            data = answer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot download the picture {address}: {getattr(error, 'reason', error)}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"the picture {address} has more than {MAX_BYTES >> 30} GB")
    return decode_upright(address, data)
