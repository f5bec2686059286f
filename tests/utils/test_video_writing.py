"""Videos out: H.264 that every player plays, at the source's times, with its sound; and pictures."""

import os
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from clips import SIZE, grey, look_at, write_film, write_video
from disk import full_disk

from lib.utils.errors import ItemError, RunError
from lib.utils.media import open_video, video_writer, write_picture

VARIABLE = [0.0, 0.033, 0.067, 0.1, 0.3, 0.5, 0.501]


def copy(source, target):
    """Writes a video's frames anew, and returns what is said of its sound."""
    video = open_video(source)
    with video_writer(target, video.rate, video.size, video) as writer:
        while (picture := video.read()) is not None:
            writer.write(picture, video.seconds)
    video.close()
    return writer.sound.note


@pytest.mark.parametrize(
    ("name", "codec", "options"), [("a.mp4", "libx264", {}), ("a.webm", "libvpx", {}), ("a.ts", "libx264", {})]
)
def test_a_video_gets_the_times_of_its_source(tmp_path, name, codec, options):
    write_film(tmp_path / name, VARIABLE, codec, **options)
    copy(tmp_path / name, tmp_path / "b.mp4")
    codec, pixels, size, seconds, duration, _ = look_at(tmp_path / "b.mp4")
    assert (codec, pixels, size) == ("h264", "yuv420p", SIZE)
    np.testing.assert_allclose(seconds, VARIABLE, atol=1e-3)
    assert 0.501 <= duration < 0.75


def test_the_last_frame_is_shown_as_long_as_the_source_says(tmp_path):
    pytest.importorskip("PIL")
    from PIL import Image

    frames = [Image.fromarray(grey(number)) for number in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 100, 800])
    copy(tmp_path / "a.gif", tmp_path / "b.mp4")
    assert look_at(tmp_path / "b.mp4")[4] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("rate", [0.5, 24000 / 1001, 25, 30000 / 1001, 60000 / 1001, 119.997])
def test_every_rate_is_written_as_it_is(tmp_path, rate):
    _, _, _, seconds, duration, _ = look_at(write_video(tmp_path / "x.mp4", rate=rate))
    np.testing.assert_allclose(seconds, np.arange(5) / rate, atol=1e-4)
    assert duration == pytest.approx(5 / rate, abs=1e-3)


def test_the_table_of_frames_stands_first_for_players_on_the_web(tmp_path):
    data = write_video(tmp_path / "x.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    ("name", "codec", "sound", "expected"),
    [
        ("a.mp4", "libx264", "aac", "aac"), ("a.ts", "libx264", "aac", "aac"),
        ("a.mkv", "libx264", "libmp3lame", "mp3float"),
        ("a.mov", "libx264", "pcm_s16le", "aac"), ("a.mkv", "libx264", "flac", "aac"),
    ],
)  # fmt: skip
def test_sound_is_copied_or_where_an_mp4_does_not_hold_it_encoded(tmp_path, name, codec, sound, expected):
    times = [number / 10 for number in range(20)]
    write_film(tmp_path / name, times, codec, sound=sound)
    assert copy(tmp_path / name, tmp_path / "b.mp4") == ""
    assert look_at(tmp_path / "b.mp4")[5] == expected
    with av.open(str(tmp_path / "b.mp4")) as file:
        parts = [frame.to_ndarray() for frame in file.decode(file.streams.audio[0])]
        begins = file.streams.audio[0].start_time or 0
    samples = np.concatenate(parts, 1)
    assert 1.8 * 44100 < samples.shape[1] < 2.4 * 44100 and np.abs(samples).max() > 0.2
    assert abs(begins) < 0.1 * 44100


def test_sound_that_cannot_be_taken_over_is_said_and_the_video_is_there(tmp_path, monkeypatch):
    write_film(tmp_path / "a.mp4", sound="aac")
    monkeypatch.setattr("lib.utils.media.sound.COPIED", frozenset())
    monkeypatch.setattr("lib.utils.media.sound._aac_stream", lambda *_: 1 / 0)
    assert copy(tmp_path / "a.mp4", tmp_path / "b.mp4") == "its sound could not be taken over: division by zero"
    assert len(look_at(tmp_path / "b.mp4")[3]) == 5


def test_damaged_sound_leaves_a_gap_and_the_video_whole(tmp_path):
    path = write_film(tmp_path / "a.ts", [number / 10 for number in range(20)], sound="aac")
    data = bytearray(path.read_bytes())
    places = [place for place in range(len(data) - 1) if data[place] == 0xFF and data[place + 1] & 0xF6 == 0xF0]
    for place in places[5:15]:
        data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    copy(path, tmp_path / "b.mp4")
    assert len(look_at(tmp_path / "b.mp4")[3]) == 20 and look_at(tmp_path / "b.mp4")[5] == "aac"


@pytest.mark.parametrize("size", [(1, 1), (1, 48), (63, 47), (64, 47), (63, 48)])
def test_odd_sides_lose_nothing_and_gain_a_copy_of_the_last_row_or_column(tmp_path, size):
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[-1:, -1:] = 200
    with video_writer(tmp_path / "corner.mp4", 10, size) as writer:
        writer.write(picture)
    video = open_video(tmp_path / "corner.mp4")
    assert video.size == (width + width % 2, height + height % 2)
    assert video.read()[-1, -1].mean() > 100
    video.close()


def test_colours_come_back(tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :20], picture[:, 20:40], picture[:, 40:] = (200, 30, 30), (30, 200, 30), (30, 30, 200)
    with video_writer(tmp_path / "a.mp4", 10, SIZE) as writer:
        writer.write(picture)
    back = open_video(tmp_path / "a.mp4").read().astype(int)
    for x in (10, 30, 50):
        assert np.abs(back[24, x] - picture[24, x]).max() < 12


def test_pixels_that_are_no_squares_stay_so(tmp_path):
    with av.open(str(tmp_path / "b.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        for packet in (*stream.encode(av.VideoFrame.from_ndarray(grey(3), format="bgr24")), *stream.encode(None)):
            file.mux(packet)
    copy(tmp_path / "b.mp4", tmp_path / "c.mp4")
    assert open_video(tmp_path / "c.mp4").pixel_aspect == open_video(tmp_path / "b.mp4").pixel_aspect != 1


def test_a_name_with_a_colon_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("out:1")
    write_video("out:1/12:30.mp4")
    assert os.listdir("out:1") == ["12:30.mp4"] and len(look_at("file:out:1/12:30.mp4")[3]) == 5


def test_pictures_too_large_for_the_encoder_are_one_line_that_says_so(tmp_path, capfd):
    said = r"x\.mp4 cannot be written: H\.264 of 40001x16 pixels: "
    with pytest.raises(ItemError, match=said), video_writer(tmp_path / "x.mp4", 10, (40001, 16)):
        pass
    assert os.listdir(tmp_path) == [] and capfd.readouterr() == ("", "")


def test_a_pyav_without_an_encoder_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.utils.media.writer.ENCODERS", ("of_nobody",))
    said = r"x\.mp4 cannot be written: this PyAV has no encoder for H\.264"
    with pytest.raises(ItemError, match=said), video_writer(tmp_path / "x.mp4", 10, SIZE):
        pass
    assert os.listdir(tmp_path) == []


def test_a_video_that_failed_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), video_writer(tmp_path / "x.mp4", 10, SIZE) as writer:
        writer.write(grey(0))
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_picture_of_another_size_than_the_first_is_in_the_video_too(tmp_path):
    with video_writer(tmp_path / "x.mp4", 10, SIZE) as writer:
        for side in (48, 30):
            writer.write(np.full((side, 64, 3), 100, np.uint8))
    _, _, size, seconds, _, _ = look_at(tmp_path / "x.mp4")
    assert len(seconds) == 2 and size == SIZE


@pytest.mark.skipif(os.name != "posix", reason="the limit of a file's size is of POSIX")
@pytest.mark.parametrize("room", [0, 2**17])
def test_a_full_disk_is_no_fault_of_the_video(tmp_path, room):
    noise = np.random.default_rng(0).integers(0, 256, (10, 256, 256, 3), dtype=np.uint8)
    refused = pytest.raises(RunError, match=r"cannot write .*x\.mp4")
    with refused as caught, full_disk(room), video_writer(tmp_path / "x.mp4", 10, (256, 256)) as writer:
        for picture in noise:
            writer.write(picture)
    assert not isinstance(caught.value, ItemError) and os.listdir(tmp_path) == []


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    write_picture(image, tmp_path / "a.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), image)
    with pytest.raises(RunError, match="nowhere"):
        write_picture(image, tmp_path / "nowhere" / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]
