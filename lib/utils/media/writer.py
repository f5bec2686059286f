"""Writes pictures, and H.264 videos that browsers, chat programs and every system play."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import ItemError, RunError
from ..runtime import replacing
from . import ffmpeg
from .sound import Sound

if TYPE_CHECKING:
    from .reader import Video

ENCODERS = ("libx264", "libopenh264", "h264_videotoolbox", "h264_mf")  # whichever this PyAV has
# nearly as fast as OpenCV's MPEG-4, as small, and nearer to what was drawn (docs/benchmarks.md)
X264 = {"preset": "ultrafast", "crf": "23"}
FINEST = 90000  # ticks a second where the source does not say its own: television's
BT601, STUDIO_RANGE = 6, 1  # what OpenCV's conversion to YUV gives; players must be told


class VideoWriter:
    """Writes pictures as an H.264 .mp4 of `size` (width, height); see `video_writer`.

    yuv420p wants even sides: odd ones get a row or column more, a copy of the last.
    Raises ItemError where the size or the encoder does not allow it.
    """

    def __init__(
        self, path: str | os.PathLike[str], rate: float, size: tuple[int, int], source: Video | None = None
    ) -> None:
        av: Any = ffmpeg.load_av()
        self.path, self.size, self.count, self.rate = path, size, 0, rate
        self.time_base = source.time_base if source else Fraction(1 / rate).limit_denominator(FINEST)
        self.right, self.bottom = (side % 2 for side in size)
        self._source, self._waiting, self._ticks = source, None, -1
        self._last_duration = self._step = max(1, round(1 / (rate * self.time_base)))
        encoder = next((name for name in ENCODERS if name in av.codecs_available), None)
        if encoder is None:
            raise ItemError("this PyAV has no encoder for H.264: pip install --force-reinstall av")
        self._container = av.open(ffmpeg.ffmpeg_name(path), "w", format="mp4", options={"movflags": "+faststart"})
        try:
            self._stream = self._add_film(encoder, source)
            self.sound = Sound.of(source, self._container)
        except (av.FFmpegError, ValueError) as error:
            self.close()
            raise ItemError(f"H.264 of {size[0]}x{size[1]} pixels: {ffmpeg.reason_of(error)}") from error

    def _add_film(self, encoder: str, source: Video | None) -> Any:
        rate = Fraction(self.rate).limit_denominator(FINEST) or Fraction(1, FINEST)
        stream = self._container.add_stream(encoder, rate=rate, options=X264 if encoder == "libx264" else {})
        stream.width, stream.height = self.size[0] + self.right, self.size[1] + self.bottom
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.time_base, codec.colorspace, codec.color_range = self.time_base, BT601, STUDIO_RANGE
        if source and source.pixel_aspect != 1:
            codec.sample_aspect_ratio = source.pixel_aspect
        codec.open()
        return stream

    def write(self, picture: np.ndarray, seconds: float | None = None) -> None:
        """Adds an (H, W, 3) uint8 BGR picture; one of another size than the first is resized.

        seconds: when it is shown, later than the one before; None: 1 / rate after it.
        """
        av: Any = ffmpeg.load_av()
        if picture.shape[1::-1] != tuple(self.size):
            picture = cv2.resize(picture, self.size)
        if self.right or self.bottom:
            picture = cv2.copyMakeBorder(picture, 0, self.bottom, 0, self.right, cv2.BORDER_REPLICATE)
        ticks = self._ticks + self._step if seconds is None else round(seconds / self.time_base)
        self._ticks = max(ticks, self._ticks + 1) if self.count or seconds is not None else 0
        self._encode_waiting(until=self._ticks)
        # several times faster than FFmpeg's own conversion
        frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
        frame.pts, frame.time_base = self._ticks, self.time_base
        self._waiting = frame  # the last one is held as long as the source says
        self.count += 1

    def _encode_waiting(self, until: int) -> None:
        if self._waiting is not None:
            self._encode(self._waiting)
            self.sound.until(float(until * self.time_base))

    def _encode(self, frame: Any) -> None:
        with self._naming_faults():
            for packet in self._stream.encode(frame):
                if packet.pts == self._ticks:  # of the last one; what others take is the time to the next
                    packet.duration = self._last_duration
                self._container.mux(packet)

    @contextlib.contextmanager
    def _naming_faults(self) -> Iterator[None]:
        av: Any = ffmpeg.load_av()
        try:
            yield
        except OSError:  # the disk: `replacing` says it
            raise
        except av.FFmpegError as error:
            raise ItemError(f"{self.path}: the encoder fails: {ffmpeg.reason_of(error)}") from error

    def finish(self) -> None:
        """Writes what is left, and the table of frames."""
        if self.count:
            held = round(self._source.held / self.time_base) if self._source else 0
            self._last_duration = held or self._step
            self._encode_waiting(self._ticks + self._last_duration)
            self._encode(None)
        else:
            self._container.start_encoding()  # a file without frames, but a file
        with self._naming_faults():
            self.close()

    def close(self) -> None:
        """Gives back what is open; without `finish` before, the file is not whole."""
        if hasattr(self, "sound"):
            self.sound.close()
        self._container.close()

    def written(self) -> int:
        """After `finish`: how many frames the file has."""
        av: Any = ffmpeg.load_av()
        try:
            with ffmpeg.open_file(self.path) as container:
                return container.streams.video[0].frames
        except (av.FFmpegError, IndexError):
            return 0


@contextlib.contextmanager
def video_writer(
    path: str | os.PathLike[str], rate: float, size: tuple[int, int], source: Video | None = None
) -> Iterator[VideoWriter]:
    """A VideoWriter of an .mp4 of `size` (width, height), which is there whole when the block ends well.

    source: the Video that it is drawn over, whose time base, shape of pixels and sound it gets.
    Raises ItemError where a video of such pictures cannot be written, RunError where the disk does not take it.
    """
    with replacing(path, ending=".part.mp4") as temporary:
        try:
            writer = VideoWriter(temporary, rate, size, source)
        except ItemError as error:
            raise ItemError(f"{path} cannot be written: {error}") from error
        try:
            yield writer
        except BaseException:
            with contextlib.suppress(Exception):  # what ended the block is said
                writer.close()
            raise
        writer.finish()
        if writer.written() < writer.count:
            raise RunError(f"cannot write {path}: {writer.written()} of {writer.count} frames arrived")


def write_picture(image: np.ndarray, path: Path) -> None:
    """Writes a picture whole or not at all."""
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise ItemError(f"{path} cannot be encoded")
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())
