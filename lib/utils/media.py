"""Finds, reads and writes images and videos."""
from __future__ import annotations

import contextlib
import glob
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .errors import ItemError, RunError, UserError
from .runtime import replacing

PICTURE_EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2")
)
COUNTED_EXTENSIONS = frozenset((".mp4", ".m4v", ".mov", ".avi"))  # of videos with a table of their frames
VIDEO_EXTENSIONS = COUNTED_EXTENSIONS | {".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv"}
RESULT_SUFFIXES = ("_pose.jpg", "_pose.json", "_pose.mp4", "_pose.jsonl", "_heatmaps.jpg", "_heatmaps.mp4")
USUAL_RATE = 25.0  # frames a second where a video does not say
ATTEMPTS = 100  # at a frame that cannot be decoded, before the video is taken to be at its end
FEW_FRAMES = 0.01  # the share by which the number of frames in a video's header may be wrong
LONGEST_VIDEO_SIDE = 8190  # MPEG-4 has 13 bits for a side, and our sides are even
PROBE = 2**16  # bytes, more than an empty video takes
MAX_TICKS = 2**16 - 1  # a second: MPEG-4 has 16 bits for them

# FFmpeg reads it when the first video is opened: what is wrong is said here, in one line
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True)
class Frame:
    """A picture to look at: image (H, W, 3) uint8 BGR, the file it is from, and its place in a video, from 0."""

    image: np.ndarray
    path: Path
    number: int | None = None


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name's ending."""
    return path.suffix.lower() in VIDEO_EXTENSIONS


def image_id_of(path: Path) -> int | str:
    """COCO's number of a picture by its name (000000000785.jpg, COCO_val2014_000000000785.jpg), otherwise the name."""
    number = re.fullmatch(r"(?:COCO_\w+_)?(\d+)", path.stem, re.ASCII)
    return int(number[1]) if number else path.stem


def find_media(place: Path | str) -> list[Path]:
    """The paths of the pictures and videos that `place` means: a file, a folder, or a pattern with * ? or [ ].

    Of a folder or a pattern, in the order of their names, files whose endings are those of pictures and videos.
    Raises UserError where there is none.
    """
    path = Path(place)
    if path.is_file() or ".zip@" in str(place):
        return [path]
    if path.is_dir():
        found = [file for file in path.iterdir() if not file.name.startswith(".")]
    elif glob.has_magic(str(place)):
        found = [Path(name) for name in glob.glob(str(place), recursive=True)]
    else:
        raise UserError(f"cannot read the picture {place}: there is no such file or folder")
    endings = PICTURE_EXTENSIONS | VIDEO_EXTENSIONS
    paths = sorted(file for file in found if file.suffix.lower() in endings and file.is_file())
    if not paths:
        raise UserError(f"{place}: no picture or video is there")
    return paths


def result_names(paths: Sequence[Path]) -> dict[Path, str]:
    """{path: the name its results begin with}: the file's without its ending, made different where two are alike."""
    names, taken = {}, set()
    for path in paths:
        candidates = [path.stem, path.name.replace(".", "_")]
        candidates += [f"{candidates[1]}_{number}" for number in range(2, len(paths) + 2)]
        names[path] = next(name for name in candidates if name not in taken)
        taken.add(names[path])
    return names


def refuse_replacing(
    paths: Sequence[Path], names: Mapping[Path, str], folder: Path, box_file: str | os.PathLike[str] | None = None
) -> None:
    """Raises UserError where a result in `folder`, named as `result_names` says, would be one of the inputs itself."""
    inputs = {Path(path).resolve() for path in (*paths, *([box_file] if box_file else []))}
    for name in names.values():
        for ending in RESULT_SUFFIXES:
            result = folder / f"{name}{ending}"
            if result.resolve() in inputs:
                raise UserError(f"{result} is one of the inputs: choose another --output")


class VideoFile:
    """A video's frames, one after the other; close it when done.

    rate: frames a second; size: (width, height); count: how many its header says there are, 0 where it does not;
    counted: whether that comes from a table of the frames; in .mkv, .webm, .mpg and others it is a guess.
    Raises UserError where the file cannot be read as a video, or has no frames.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.place = 0
        self.skipped = 0
        self.capture = cv2.VideoCapture(str(path))
        rate, count = (self.capture.get(key) for key in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE
        self.count = int(count) if math.isfinite(count) and count > 0 else 0
        self.counted = Path(path).suffix.lower() in COUNTED_EXTENSIONS
        self._first = self._next()
        if self._first is None:
            self.close()
            raise UserError(f"the video {path} has no frames that can be read: is it a video, and whole?")
        self.size = self._first.shape[1::-1]

    def read(self) -> np.ndarray | None:
        """The next frame as a BGR picture, or None at the end. Those that cannot be decoded are left out."""
        image, self._first = self._first, None
        return self._next() if image is None else image

    def _next(self) -> np.ndarray | None:
        left = max(1, self.count - self.place) if self.counted else ATTEMPTS
        for skipped in range(min(ATTEMPTS, left)):
            done, image = self.capture.read()
            if done:
                self.skipped += skipped
                self.place += skipped + 1
                return image
        return None

    def missing(self) -> int:
        """At the end: how many frames were left out, or are in the header's table of frames but not in the file."""
        short = self.count - self.place if self.counted else 0
        return self.skipped + (short if short > max(1, FEW_FRAMES * self.count) else 0)

    def close(self) -> None:
        self.capture.release()


class VideoWriter:
    """Writes pictures as an .mp4 of `size` (width, height) and `rate` frames a second; see `video_writer`.

    MPEG-4 wants even sides of at least 2 pixels: odd ones get a row or column more, a copy of the last.
    Raises ItemError where the size or the encoder does not allow it.
    """

    def __init__(self, path: str | os.PathLike[str], rate: float, size: tuple[int, int]) -> None:
        self.path, self.size, self.count = path, size, 0
        self.right, self.bottom = (side % 2 for side in size)
        if max(size) > LONGEST_VIDEO_SIDE:
            raise ItemError(f"an .mp4 has at most {LONGEST_VIDEO_SIDE} pixels on a side, these are {size[0]}x{size[1]}")
        full = size[0] + self.right, size[1] + self.bottom
        code = cv2.VideoWriter_fourcc(*"mp4v")  # type: ignore[attr-defined]  # missing in OpenCV's stubs
        self.writer = cv2.VideoWriter(str(path), code, writable_rate(rate), full)
        if not self.writer.isOpened():
            self.close()
            raise ItemError(f"this OpenCV has no encoder for .mp4 (MPEG-4) of {full[0]}x{full[1]} pixels")

    def write(self, picture: np.ndarray) -> None:
        """Adds an (H, W, 3) uint8 BGR picture; one of another size than the first is resized."""
        if picture.shape[1::-1] != tuple(self.size):  # OpenCV would leave it out and say nothing
            picture = cv2.resize(picture, self.size)
        if self.right or self.bottom:
            picture = cv2.copyMakeBorder(picture, 0, self.bottom, 0, self.right, cv2.BORDER_REPLICATE)
        self.writer.write(picture)
        self.count += 1

    def close(self) -> None:
        self.writer.release()

    def written(self) -> int:
        """After `close`: how many frames the file has; on a full disk OpenCV writes fewer and says nothing."""
        capture = cv2.VideoCapture(str(self.path))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        return count


def writable_rate(rate: float) -> float:
    """The frame rate next to `rate` that a cv2.VideoWriter takes for .mp4.

    OpenCV makes a decimal fraction of it, of at most three places, and MPEG-4 holds numerators up to MAX_TICKS:
    119.997 becomes 120, and 30000/1001 is 29.97, a second wrong in eleven days.
    """
    for unit in (1000, 100, 10, 1):
        ticks = round(rate * unit)
        if ticks <= MAX_TICKS:
            break
    return max(2, ticks) / unit  # OpenCV takes 0.001 for 0


@contextlib.contextmanager
def video_writer(path: str | os.PathLike[str], rate: float, size: tuple[int, int]) -> Iterator[VideoWriter]:
    """A VideoWriter of an .mp4 of `size` (width, height), which is there whole when the block ends well.

    Raises ItemError where a video of such pictures cannot be written, RunError where the disk does not take it.
    """
    with replacing(path, ending=".part.mp4") as temporary:
        temporary.write_bytes(bytes(PROBE))  # where that fails we learn the reason, which OpenCV keeps to itself
        try:
            writer = VideoWriter(temporary, rate, size)
        except ItemError as error:
            raise ItemError(f"{path} cannot be written: {error}") from error
        try:
            yield writer
        finally:
            writer.close()
        written = writer.written()
        if written < writer.count:
            raise RunError(f"cannot write {path}: {written} of {writer.count} frames arrived; is the disk full?")


def write_picture(image: np.ndarray, path: Path) -> None:
    """Writes a picture whole or not at all."""
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise ItemError(f"{path} cannot be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
