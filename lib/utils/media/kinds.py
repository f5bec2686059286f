"""What a file is, by what it holds: a picture, a video (an animated picture is one), or neither."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2

from ..errors import UserError
from . import ffmpeg

# they say what a file should be whose content says nothing
PICTURE_EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2",
     ".gif", ".avif")
)  # fmt: skip
VIDEO_EXTENSIONS = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".m2ts", ".3gp", ".asf",
     ".ogv")
)  # fmt: skip
PICTURE, VIDEO = "picture", "video"
START = 64  # bytes that tell an animated picture
PNG_START, BMP_START = b"\x89PNG\r\n\x1a\n", b"BM"
BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))  # bytes: two letters alone may be those of a text
HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
NEITHER = "neither a picture nor a video"


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a video or an animated picture, by its content; by its name's ending where that tells nothing.

    So a file that is damaged, or missing, is what its name says.
    """
    kind, _ = kind_of(path)
    return kind == VIDEO or (not kind and Path(path).suffix.lower() in VIDEO_EXTENSIONS)


def kind_of(path: str | os.PathLike[str]) -> tuple[str, str]:
    """(PICTURE, VIDEO or "", the reason where it is neither) of a file, by its content."""
    if ".zip@" in str(path):
        return PICTURE, ""
    try:
        with open(path, "rb") as file:
            start = file.read(START)
        if not start:
            return "", "an empty file"
        if is_animated(path, start):
            return VIDEO, ""
    except OSError as error:
        return "", f"it cannot be read ({error.strerror or error})"
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return "", "a HEIC picture, which is not read: convert it to JPEG"
    if cv2.haveImageReader(str(path)) and (not start.startswith(BMP_START) or _is_bmp(start)):
        return PICTURE, ""
    return _film_kind(path)


def _film_kind(path: str | os.PathLike[str]) -> tuple[str, str]:
    try:
        av = ffmpeg.load_av()
    except UserError as error:
        return "", f"no picture; {error}"
    try:
        with ffmpeg.open_file(path) as container:
            if ffmpeg.film_of(container) is not None:
                return VIDEO, ""
            name = container.format.name
    except (av.FFmpegError, ValueError):  # ValueError: a null in the name
        return "", NEITHER
    if name.endswith("_pipe"):
        return "", f"a picture of a kind that is not read ({name.removesuffix('_pipe')}): convert it to PNG"
    return "", NEITHER


def _is_bmp(start: bytes) -> bool:
    return len(start) >= 18 and struct.unpack_from("<I", start, 14)[0] in BMP_HEADERS


def is_animated(path: str | os.PathLike[str], start: bytes) -> bool:
    """Whether a file whose first bytes are `start` is a GIF, PNG, WebP or AVIF of several frames. May raise OSError."""
    if start[4:8] == b"ftyp":
        return start[8:12] == b"avis" or b"avis" in start[16 : int.from_bytes(start[:4], "big")]
    if start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X":
        return bool(start[20] & 2) if len(start) > 20 else False
    if start.startswith((b"GIF87a", b"GIF89a")):
        return _gif_frames(Path(path).read_bytes()) > 1
    return start.startswith(PNG_START) and _png_frames(path) > 1


def _png_frames(path: str | os.PathLike[str]) -> int:
    """The frames that a PNG's acTL chunk says, which stands before the first pixels; 1 without."""
    with open(path, "rb") as file:
        file.seek(len(PNG_START))
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"acTL":
                return int.from_bytes(file.read(4), "big")
            if kind in (b"IDAT", b"IEND"):
                break
            file.seek(length + 4, os.SEEK_CUR)
    return 1


def _gif_frames(data: bytes) -> int:
    """How many frames a GIF has: 0, 1, or 2 for several."""
    offset, frames = 13 + _color_table(data, 10), 0
    while frames < 2 and offset < len(data):
        kind = data[offset]
        if kind == 0x2C:  # a frame
            frames += 1
            offset += 10 + _color_table(data, offset + 9) + 1
        elif kind == 0x21:  # an extension
            offset += 2
        else:  # the end, or damage
            break
        while offset < len(data) and data[offset]:  # blocks, each with its length in front
            offset += 1 + data[offset]
        offset += 1
    return frames


def _color_table(data: bytes, offset: int) -> int:
    """The bytes of the colour table that the flags at `offset` announce."""
    flags = data[offset] if offset < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
