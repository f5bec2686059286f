"""Pictures and videos in, drawn pictures and videos out. No Paddle here."""

import contextlib
import glob
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.utils.errors import RunError, UserError
from lib.utils.runtime import replacing

PICTURE_ENDINGS = frozenset((".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2"))
VIDEO_ENDINGS = frozenset((".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv"))
RESULT_ENDINGS = ("_pose.jpg", "_pose.json", "_pose.mp4", "_pose.jsonl", "_heatmaps.jpg", "_heatmaps.mp4")
USUAL_RATE = 25.0  # frames a second where a video does not say
ATTEMPTS = 100  # at a frame that cannot be decoded, before the video is taken to be at its end
FEW_FRAMES = 0.01  # the share by which the number of frames in a video's header may be wrong

# FFmpeg reads it when the first video is opened: what is wrong is said here, in one line
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


@dataclass(frozen=True)
class Frame:
    """A picture to look at: image (H, W, 3) uint8 BGR, the file it is from, and its place in a video, from 0."""

    image: np.ndarray
    path: Path
    number: int | None = None


def is_video(path):
    """Whether a file is a video, by its name's ending."""
    return path.suffix.lower() in VIDEO_ENDINGS


def image_id_of(path):
    """COCO's number of a picture by its name (000000000785.jpg, COCO_val2014_000000000785.jpg), otherwise the name."""
    number = re.fullmatch(r"(?:COCO_\w+_)?(\d+)", path.stem, re.ASCII)
    return int(number[1]) if number else path.stem


def find_media(place):
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
    endings = PICTURE_ENDINGS | VIDEO_ENDINGS
    paths = sorted(file for file in found if file.suffix.lower() in endings and file.is_file())
    if not paths:
        raise UserError(f"{place}: no picture or video is there")
    return paths


def result_names(paths):
    """{path: the name its results begin with}: the file's without its ending, made different where two are alike."""
    names, taken = {}, set()
    for path in paths:
        candidates = [path.stem, path.name.replace(".", "_")]
        candidates += [f"{candidates[1]}_{number}" for number in range(2, len(paths) + 2)]
        names[path] = next(name for name in candidates if name not in taken)
        taken.add(names[path])
    return names


def refuse_replacing(paths, names, folder, box_file=None):
    """Raises UserError where a result in `folder`, named as `result_names` says, would be one of the inputs itself."""
    inputs = {Path(path).resolve() for path in (*paths, *([box_file] if box_file else []))}
    for name in names.values():
        for ending in RESULT_ENDINGS:
            result = folder / f"{name}{ending}"
            if result.resolve() in inputs:
                raise UserError(f"{result} is one of the inputs: choose another --output")


class VideoFile:
    """A video's frames, one after the other; close it when done.

    rate: frames a second; size: (width, height); count: how many its header says there are, 0 where it does not.
    Raises UserError where the file cannot be read as a video, or has no frames.
    """

    def __init__(self, path):
        self.path, self.place, self.skipped = path, 0, 0
        self.capture = cv2.VideoCapture(str(path))
        rate, count = (self.capture.get(key) for key in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT))
        self.rate = rate if math.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE
        self.count = int(count) if math.isfinite(count) and count > 0 else 0
        self._first = self._next()
        if self._first is None:
            self.close()
            raise UserError(f"the video {path} has no frames that can be read: is it a video, and whole?")
        self.size = self._first.shape[1::-1]

    def read(self):
        """The next frame as a BGR picture, or None at the end. Those that cannot be decoded are left out."""
        image, self._first = self._first, None
        return self._next() if image is None else image

    def _next(self):
        for skipped in range(min(ATTEMPTS, max(1, self.count - self.place))):
            done, image = self.capture.read()
            if done:
                self.skipped += skipped
                self.place += skipped + 1
                return image
        return None

    def missing(self):
        """At the end: how many frames were left out, or are in the header but not in the file."""
        short = self.count - self.place
        return self.skipped + (short if short > max(1, FEW_FRAMES * self.count) else 0)

    def close(self):
        self.capture.release()


@contextlib.contextmanager
def video_writer(path, rate, size):
    """A cv2.VideoWriter of an .mp4 of `size` (width, height), which is there whole when the block ends well."""
    with replacing(path, ending=".part.mp4") as temporary:
        writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"mp4v"), rate, size)
        try:
            if not writer.isOpened():
                raise RunError(f"{path} cannot be written: this OpenCV has no encoder for .mp4")
            yield writer
        finally:
            writer.release()


def write_picture(image, path):
    """Writes a picture whole or not at all."""
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise RunError(f"{path} cannot be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
