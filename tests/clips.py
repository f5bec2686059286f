"""Small videos."""

from fractions import Fraction

import av
import numpy as np

from lib.utils.media import video_writer

SIZE = (64, 48)
TICKS = Fraction(1, 90000)


def write_video(path, count=5, size=SIZE, rate=10.0):
    """Writes a video whose frame number n is a grey of 20 * n, modulo 256, with our own writer."""
    with video_writer(path, rate, size) as writer:
        for number in range(count):
            writer.write(grey(number, size))
    return path


def grey(number, size=SIZE):
    """The (H, W, 3) picture of a frame's number."""
    return np.full((size[1], size[0], 3), 20 * number % 256, np.uint8)


def write_film(
    path, times=None, codec="libx264", size=SIZE, time_base=TICKS, rate=None, sound=None, pictures=None, start=0.0,
    **film,
):
    """Writes a video with PyAV alone, of the kind that the ending says.

    times: seconds of each frame, as `grey` has them, or of `pictures`; start: added to all in the file; sound: a codec
    for a second of a tone for each second; film: options of the encoder.
    """
    times = [number / 10 for number in range(5)] if times is None else times
    options = {key: str(value) for key, value in film.items()}
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = stream.codec_context.codec.video_formats[0].name if codec in ("mjpeg", "gif") else "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate) if rate else time_base
        tone = file.add_stream(sound, rate=44100) if sound else None
        packets = []
        for number, seconds in enumerate(times):
            picture = grey(number, size) if pictures is None else pictures[number]
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(seconds / frame.time_base)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in packets:
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        packets += _tone(tone, times[-1]) if tone else []
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            file.mux(packet)
    return path


def _tone(stream, seconds):
    codec = stream.codec_context
    codec.open()
    part = codec.frame_size or 1024
    packets, wave = [], np.sin(np.arange(int(44100 * (seconds + 0.2))) / 16)
    for start in range(0, len(wave) - part, part):
        samples = (wave[start : start + part] * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None].repeat(codec.layout.nb_channels, 0), "s16p", codec.layout.name)
        frame.sample_rate, frame.time_base, frame.pts = 44100, Fraction(1, 44100), start
        for resampled in av.AudioResampler(codec.format, codec.layout, 44100).resample(frame):
            resampled.pts = start
            packets += stream.encode(resampled)
    return packets + stream.encode(None)


def turn(path, matrix):
    """Writes (a, b, c, d) into the display matrix of an .mp4: a player shows x' = a x + c y, y' = b x + d y."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 44
    a, b, c, d = (np.array(value << 16, ">i4").tobytes() for value in matrix)
    data[start : start + 8], data[start + 12 : start + 20] = a + b, c + d
    path.write_bytes(data)
    return path


def look_at(path):
    """(codec, pixel format, (width, height), seconds of the frames since the first, duration, sound's codec)."""
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        times = [frame.pts * frame.time_base for frame in file.decode(stream)]
        sound = file.streams.audio[0].codec_context.name if file.streams.audio else None
        duration = float(stream.duration * stream.time_base) if stream.duration else None
        codec = stream.codec_context
        seconds = [float(time - times[0]) for time in times]
        return codec.name, codec.pix_fmt, (stream.width, stream.height), seconds, duration, sound
