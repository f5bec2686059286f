"""Frames of an open video: decoded, counted, turned upright, and their times."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import UserError
from ..image import LONGEST_SIDE, MAX_PIXELS

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

USUAL_RATE = 25.0  # frames a second where a video does not say
HIGHEST_RATE = 1000
READ_FAULTS = 100  # in a row, before a file is taken to be at its end
TS_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT: of formats whose clock may jump, as on television
BACK, AHEAD = -1.0, 10.0  # seconds; jumps beyond are of the clock and not of the film


class Decoder:
    """The frames of a stream in the order they are shown; at the end `next` returns None. `upright` makes pictures.

    lost: packets before the frame that came last that are damaged; `next` leaves them out. A damaged packet is one
    that the file marks so, or that the decoder refuses. We decode without frame threads: with them FFmpeg drops whole
    frames beside a damaged one, and says nothing. After the last frame before a fault of the disk or the network,
    `next` raises av.FFmpegError.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.lost, self.stream, self.upright = 0, stream, Upright()
        stream.thread_type = "SLICE"
        self._container, self._damaged = container, list[int]()
        self._failure: Exception | None = None
        self._frames = self._decoded()

    def next(self) -> VideoFrame | None:
        frame = next(self._frames, None)
        if frame is None:
            self._count_until(None)
        return frame

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            for frame in self._frames_of(packet):
                if frame.is_corrupt:
                    self._note(frame.pts)
                    continue
                self._count_until(frame.pts)
                yield frame
        if self._failure is not None:
            self._count_until(None)
            raise self._failure

    def _packets(self) -> Iterator[Packet | None]:
        """The stream's packets, then None, which asks the decoder for what it still holds."""
        import av

        faults = 0
        while faults < READ_FAULTS:
            try:
                for packet in self._container.demux(self.stream):
                    faults = 0
                    if packet.size:
                        yield packet
                break
            # the rest may be read all the same; IndexError: a packet of a track that came up after PyAV made its list
            except (av.error.InvalidDataError, IndexError):
                faults += 1
            except av.FFmpegError as error:  # the disk or the network
                self._failure = error
                break
        yield None

    def _frames_of(self, packet: Packet | None) -> list[VideoFrame]:
        import av

        if packet is None or not packet.is_corrupt:
            try:
                return self.stream.codec_context.decode(packet)
            except av.FFmpegError:
                pass
        if packet is not None and not packet.is_discard:
            self._note(packet.pts)
        return []

    def _note(self, pts: int | None) -> None:
        heapq.heappush(self._damaged, -(2**63) if pts is None else pts)

    def _count_until(self, pts: int | None) -> None:
        """Counts the damaged packets that would have been shown before `pts`, or all."""
        while self._damaged and (pts is None or self._damaged[0] < pts):
            heapq.heappop(self._damaged)
            self.lost += 1


class Clock:
    """The times of frames in ticks of `time_base` since the first, each later than the one before.

    jumps: whether the format's clock may jump. pts: None where a frame does not say; it is 1 / rate later then.
    """

    def __init__(self, time_base: Fraction, rate: float, jumps: bool = False) -> None:
        self.time_base, self.jumps = time_base, jumps
        self.step = max(1, round(1 / (rate * time_base)))
        self.ticks = -1
        self.origin: int | None = None  # the pts of tick 0

    def of(self, pts: int | None) -> int:
        following = self.ticks + self.step if self.ticks >= 0 else 0
        if pts is None:
            self.ticks = following
            return following
        if self.origin is None:
            self.origin = pts - following
        jump = (pts - self.origin - self.ticks) * self.time_base
        if jump < BACK or (self.jumps and jump > AHEAD):
            self.origin = pts - following
        self.ticks = max(pts - self.origin, self.ticks + 1)
        return self.ticks

    def go_to(self, seconds: float) -> None:
        """The next frame comes so late at the earliest, whatever its pts: after a break."""
        self.origin = None
        self.ticks = max(self.ticks, round(seconds / self.time_base) - self.step)


def rate_of(stream: VideoStream) -> float:
    """The frames a second of a stream, on average; USUAL_RATE where it does not say a possible one."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate < HIGHEST_RATE:
            return float(rate)
    return USUAL_RATE


def clock_of(container: InputContainer, stream: VideoStream) -> Clock:
    """The Clock of an open video."""
    jumps = bool(int(container.format.flags) & TS_DISCONTINUOUS)
    return Clock(stream.time_base or Fraction(1, 90000), rate_of(stream), jumps)


class Upright:
    """Called with frames, returns (H, W, 3) uint8 BGR pictures, turned as their display matrix says. Without alpha."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()  # one for all: each would make tables of its own
        self._rotation: int | None = None
        self._turn: tuple[bool, int | None] = (False, None)

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        image: np.ndarray = self._reformatter.reformat(frame, format="bgr24").to_ndarray()
        if frame.rotation != self._rotation:  # rarely, as a frame that was asked for its matrix stays in memory
            self._rotation, self._turn = frame.rotation, _turn_of(frame)
        exchange, flip = self._turn
        if exchange:
            image = cv2.transpose(image)
        return image if flip is None else cv2.flip(image, flip)


def _turn_of(frame: VideoFrame) -> tuple[bool, int | None]:
    """(whether sides are exchanged, then cv2.flip's code or None) by a frame's display matrix."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, None
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()  # x' = a x + c y, y' = b x + d y
    exchange = abs(b) > abs(a)
    right, down = (c, b) if exchange else (a, d)
    return exchange, {(True, False): 1, (False, True): 0, (True, True): -1}.get((right < 0, down < 0))


def refuse_huge(path: object, width: int, height: int) -> None:
    """Raises UserError for frames beyond what pictures may have: a header of a few bytes could ask for any memory."""
    if width * height > MAX_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UserError(
            f"the video {path} has frames of {width}x{height} pixels; the most are {LONGEST_SIDE} on a side and "
            f"{MAX_PIXELS // 10**6} million in all: make it smaller"
        )


def shown_count(container: InputContainer, stream: VideoStream) -> int:
    """How many frames the file's own table says are shown; 0 where it has none.

    .mp4 and its kin list every frame, and which an edit list hides; .avi says the number.
    """
    if "mp4" in container.format.name.split(","):
        return sum(not entry.is_discard for entry in stream.index_entries)
    return stream.frames if container.format.name == "avi" else 0


