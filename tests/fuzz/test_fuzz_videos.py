"""Videos and animated pictures with other bytes than they should have: read, and written anew with their sound."""

import contextlib

import pytest
from clips import grey, write_film
from damage import changed_bytes
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib.utils.media import is_video, open_video, video_writer

KINDS = (
    ("a.mp4", "libx264", "aac", None), ("a.ts", "libx264", "aac", None), ("a.webm", "libvpx", None, None),
    ("a.avi", "mpeg4", "pcm_s16le", 10), ("a.mkv", "mjpeg", "libmp3lame", 10),
)  # fmt: skip
ANIMATED = ("gif", "png", "webp", "avif")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """The bytes of a video of each kind."""
    folder, films = tmp_path_factory.mktemp("films"), []
    for name, codec, sound, rate in KINDS:
        times = [number / 10 for number in range(6)]
        films.append(write_film(folder / name, times, codec, rate=rate, sound=sound).read_bytes())
    for ending in ANIMATED:
        frames = [Image.fromarray(grey(number)) for number in range(3)]
        frames[0].save(folder / f"a.{ending}", save_all=True, append_images=frames[1:], duration=50)
        films.append((folder / f"a.{ending}").read_bytes())
    return films


def copy(path, target):
    """Reads a video and writes it anew; its number of frames."""
    is_video(path)
    with contextlib.closing(open_video(path)) as video, video_writer(target, video.rate, video.size, video) as writer:
        while (picture := video.read()) is not None and writer.count < 50:
            writer.write(picture, video.seconds)
        video.loss_line()
    return writer.count


@given(data=st.data())
def test_videos(attempt, place, films, data):
    path = place / "a.video"
    path.write_bytes(data.draw(changed_bytes(films)))
    attempt("videos", copy, path, place / "copy.mp4")
