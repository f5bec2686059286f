"""The sound of a video, beside the pictures that are drawn over it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from . import ffmpeg

if TYPE_CHECKING:
    from .reader import Video

COPIED = frozenset(("aac", "mp3", "opus", "ac3", "eac3", "alac"))  # what an .mp4 holds as it is; others become AAC
AAC_RATES = frozenset((8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000))
USUAL_SOUND_RATE = 48000
BEFORE = 0.1  # seconds before the first frame: a decoder of sound needs some to begin with


class Sound:
    """Puts a source's first sound track into an .mp4, as far as the pictures have come.

    note: why there is no sound in spite of a track, or why it ends early; '' where nothing is to be said.
    """

    def __init__(self) -> None:
        self.note, self._began = "", False
        self._packets: Iterator[Any] = iter(())
        self._source: Any = None
        self._waiting: Any = None
        self._stream: Any = None
        self._target: Any = None

    @classmethod
    def of(cls, source: Video | None, target: Any) -> Sound:
        """The Sound of a Video (none has none) for an open .mp4 to which nothing has been written."""
        sound = cls()
        place = source.sound_source() if source else None
        if place:
            try:
                sound._begin(*place, target)
            except Exception as error:  # a video without sound is better than none
                sound._fail(error)
        return sound

    def _begin(self, path: Any, origin: Fraction, target: Any) -> None:
        self._source, self._target = ffmpeg.open_file(path), target
        track = self._source.streams.audio[0]
        codec = track.codec_context
        if codec is None or codec.sample_rate <= 0 or codec.layout.nb_channels <= 0:  # no .mp4 could be begun with it
            raise ValueError("its kind is not known")
        if track.codec_context.name.removesuffix("float") in COPIED:
            self._stream = target.add_stream_from_template(track)
            packets = _shifted(self._plain(track), round(origin / track.time_base))
        else:
            self._stream = _aac_stream(track, target)
            packets = self._encoded(track, origin)
        self._packets = _in_order(packets)
        self._waiting = None

    def until(self, seconds: float) -> None:
        """Writes the sound up to a time since the first frame."""
        av: Any = ffmpeg.load_av() if self._source else None
        while self._source:
            try:
                packet = self._waiting or next(self._packets, None)
                if packet is None or float((packet.dts or 0) * packet.time_base) > seconds:
                    self._waiting = packet
                    if packet is None:
                        self.close()
                    return
                self._waiting = None
                packet.stream = self._stream
                self._target.mux(packet)
                self._began = True
            except OSError:  # the disk
                raise
            except (av.FFmpegError, ValueError, IndexError) as error:
                self._fail(error)

    def close(self) -> None:
        """Gives back what is open."""
        if self._source:
            self._source.close()
            self._source = None

    def _fail(self, error: BaseException) -> None:
        self.note = f"its sound could not be {'finished' if self._began else 'taken over'}: {ffmpeg.reason_of(error)}"
        self.close()

    def _plain(self, track: Any) -> Iterator[Any]:
        """The track's packets, those that are whole, as an .mp4 has them: AAC of a broadcast has a header in each."""
        av: Any = ffmpeg.load_av()
        codec = track.codec_context
        convert: Any = None
        if codec.name == "aac" and not codec.extradata:
            convert = av.bitstream.BitStreamFilterContext("aac_adtstoasc", track)
        for packet in self._source.demux(track):
            if packet.dts is None or packet.pts is None or packet.is_corrupt or not packet.size:
                continue
            try:
                yield from convert.filter(packet) if convert else [packet]
            except av.error.InvalidDataError:  # a gap of some milliseconds
                convert.flush()

    def _encoded(self, track: Any, origin: Fraction) -> Iterator[Any]:
        """The track's sound as packets of AAC."""
        av: Any = ffmpeg.load_av()
        codec = self._stream.codec_context
        resampler = av.AudioResampler(format=codec.format, layout=codec.layout, rate=codec.sample_rate, frame_size=1024)
        for frame in self._decoded(track):
            at = ((frame.pts or 0) * frame.time_base - origin) if frame.time_base else Fraction(0)
            if frame.pts is None or at + Fraction(frame.samples, frame.sample_rate) < 0:
                continue
            frame.pts, frame.time_base = round(at * frame.sample_rate), Fraction(1, frame.sample_rate)
            for part in resampler.resample(frame):
                yield from self._stream.encode(part)
        for part in resampler.resample(None):
            yield from self._stream.encode(part)
        yield from self._stream.encode(None)

    def _decoded(self, track: Any) -> Iterator[Any]:
        av: Any = ffmpeg.load_av()
        for packet in self._source.demux(track):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:  # a gap of some milliseconds
                continue


def _shifted(packets: Iterator[Any], shift: int) -> Iterator[Any]:
    """Packets that are earlier by `shift` ticks, without those that are long over at 0."""
    for packet in packets:
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        if (packet.pts + (packet.duration or 0)) * packet.time_base >= -BEFORE:
            yield packet


def _in_order(packets: Iterator[Any]) -> Iterator[Any]:
    """Packets, each after the one before: an .mp4 takes no others, and damaged files have some."""
    before = None
    for packet in packets:
        if before is None or packet.dts > before:
            before, packet.pts = packet.dts, max(packet.pts, packet.dts)
            yield packet


def _aac_stream(track: Any, target: Any) -> Any:
    codec = track.codec_context
    rate = codec.sample_rate if codec.sample_rate in AAC_RATES else USUAL_SOUND_RATE
    stream = target.add_stream("aac", rate=rate)
    stream.codec_context.layout = "mono" if codec.layout.nb_channels == 1 else "stereo"
    stream.codec_context.format = "fltp"
    stream.codec_context.open()
    return stream
