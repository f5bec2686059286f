"""Videos in: every frame, upright, at its time."""

import cv2
import numpy as np
import pytest
from clips import SIZE, grey, turn, write_film, write_video
from PIL import Image

from lib.utils.errors import UserError
from lib.utils.media import decoding, open_video

VARIABLE = [0.0, 0.033, 0.067, 0.1, 0.3, 0.5, 0.501]


def read(path):
    """(video, numbers, seconds, pictures) of all its frames."""
    video = open_video(path)
    numbers, seconds, pictures = [], [], []
    while (picture := video.read()) is not None:
        numbers.append(video.position - 1)
        seconds.append(video.seconds)
        pictures.append(picture)
    video.close()
    return video, numbers, seconds, pictures


def at(rate, count=8):
    return [number / rate for number in range(count)]


@pytest.mark.parametrize(
    ("name", "codec", "times", "options"),
    [
        ("a.mp4", "libx264", at(25), {}), ("a.mov", "libx264", at(30000 / 1001), {}),
        ("a.mkv", "libx264", at(60000 / 1001), {}), ("a.mp4", "libx264", VARIABLE, {}),
        ("a.mp4", "libx264", at(25), {"start": 3.0}), ("a.ts", "libx264", at(25), {}),
        ("a.webm", "libvpx", VARIABLE, {}),  # neither rate nor number of frames
        ("a.wmv", "wmv2", at(25), {"rate": 25}), ("a.avi", "mpeg4", at(25), {"rate": 25}),
        ("a.3gp", "libx264", at(25), {}), ("a.mpg", "mpeg1video", at(25), {"rate": 25}),
        ("notes.txt", "libx264", VARIABLE, {}),
    ],
)  # fmt: skip
def test_each_frame_comes_with_its_own_time_whatever_the_kind(tmp_path, name, codec, times, options):
    path = tmp_path / name
    if name == "notes.txt":
        write_film(tmp_path / "b.mp4", times, codec, **options).rename(path)
    else:
        write_film(path, times, codec, **options)
    video, numbers, seconds, pictures = read(path)
    assert numbers == list(range(len(times))) and video.size == SIZE
    assert (video.missing(), video.loss_line()) == (0, "")
    np.testing.assert_allclose(seconds, times, atol=1e-3)
    for number, picture in enumerate(pictures):
        assert abs(picture.astype(int) - grey(number)).mean() < 6


@pytest.mark.parametrize(
    ("ending", "options"), [("gif", {}), ("png", {}), ("webp", {"lossless": True}), ("avif", {"quality": 90})]
)
def test_an_animated_picture_is_a_video_of_all_its_frames(tmp_path, ending, options):
    frames = [Image.fromarray(grey(number)) for number in range(5)]
    path = tmp_path / f"dance.{ending}"
    durations = [100, 200, 100, 50, 400]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, **options)
    if ending == "webp" and not hasattr(cv2, "imreadanimation"):
        pytest.skip("needs OpenCV 4.11")
    video, numbers, seconds, pictures = read(path)
    np.testing.assert_allclose(seconds, [0, 0.1, 0.3, 0.4, 0.45], atol=1e-3)
    assert video.held == pytest.approx(0.4)
    for number, picture in enumerate(pictures):
        assert abs(picture.astype(int) - grey(number)).mean() < 6


def test_a_long_animated_webp_is_read_part_by_part(tmp_path, monkeypatch):
    if not hasattr(cv2, "imreadanimation"):
        pytest.skip("needs OpenCV 4.11")
    monkeypatch.setattr("lib.utils.media.webp.CHUNK_BYTES", 3 * grey(0).nbytes)
    frames = [Image.fromarray(grey(number)) for number in range(8)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=40, lossless=True)
    _, numbers, _, pictures = read(tmp_path / "a.webp")
    assert numbers == list(range(8))
    assert [int(picture[0, 0, 0]) for picture in pictures] == [20 * number for number in range(8)]


def test_frames_that_an_edit_list_hides_are_not_shown_and_not_missed(tmp_path):
    path = write_film(tmp_path / "cut.mp4", at(10, 12), start=-0.4, bf=0)  # the first four are before the beginning
    video, numbers, seconds, pictures = read(path)
    assert (numbers, video.count, video.missing()) == (list(range(8)), 8, 0)
    np.testing.assert_allclose(seconds, at(10), atol=1e-3)
    assert abs(pictures[0].mean() - 80) < 4


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)), ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image)), ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    ],
    ids=["90", "180", "270", "mirrored"],
)  # fmt: skip
def test_frames_are_turned_as_a_player_shows_them(tmp_path, matrix, turned):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :16] = 220
    path = turn(write_film(tmp_path / "a.mp4", [0.0, 0.1], pictures=[picture] * 2), matrix)
    video, _, _, pictures = read(path)
    expected = turned(picture)
    assert video.size == expected.shape[1::-1]
    assert abs(pictures[0].astype(int) - expected).mean() < 8


def test_a_video_that_was_cut_off_says_one_number(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), dtype=np.uint8)
    whole = write_film(tmp_path / "a.mp4", at(10, 30), pictures=noise).read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    video, numbers, _, pictures = read(path)
    assert 5 < len(numbers) < 28 and video.count == 30
    assert video.missing() == 30 - len(pictures)
    assert video.loss_line() == f"{path}: {30 - len(pictures)} of its 30 frames could not be read"


@pytest.mark.parametrize("name", ["x.mkv", "x.avi"])
def test_a_damaged_frame_in_the_middle_is_left_out_and_counted_once(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3), dtype=np.uint8)
    path = write_film(tmp_path / name, at(10, 10), "mjpeg", rate=10, pictures=noise)
    data, start = bytearray(path.read_bytes()), -1
    for _ in range(6):
        start = data.index(b"\xff\xd8\xff", start + 1)
    data[start : start + 600] = bytes(600)
    path.write_bytes(data)
    video, numbers, seconds, _ = read(path)
    assert numbers == [0, 1, 2, 3, 4, 6, 7, 8, 9] and seconds[5] == pytest.approx(0.6, abs=1e-3)
    assert video.loss_line() == f"{path}: 1 of its 10 frames could not be read"


def test_a_name_with_a_colon_is_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "12:30.mp4")
    assert len(read("12:30.mp4")[1]) == 5


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_a_file_that_is_no_video_is_one_line(tmp_path, capfd, content):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"the video .*x\.mp4 has no frames that can be read"):
        open_video(tmp_path / "x.mp4")
    assert capfd.readouterr() == ("", "")


def test_a_video_whose_table_is_missing_is_one_line(tmp_path):
    whole = write_film(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "x.mkv").write_bytes(whole[:300])
    with pytest.raises(UserError, match=r"x\.mkv has no frames that can be read"):
        open_video(tmp_path / "x.mkv")


def test_frames_too_large_for_memory_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = write_video(tmp_path / "x.mp4")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1000)
    with pytest.raises(UserError, match=r"x\.mp4 has frames of 64x48 pixels; the most are"):
        open_video(path)


def test_without_pyav_a_video_is_one_line_that_names_it(tmp_path, monkeypatch):
    path = write_video(tmp_path / "x.mp4")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UserError, match=r"PyAV, which reads and writes videos, is not installed: pip install"):
        open_video(path)


# -- times -----------------------------------------------------------------------------------------------------------


def clock(jumps=False):
    return decoding.Clock(decoding.Fraction(1, 100), 10.0, jumps)


@pytest.mark.parametrize(
    ("stamps", "jumps", "ticks"),
    [
        ([500, 510, 520], False, [0, 10, 20]),
        ([None, None, None], False, [0, 10, 20]),
        ([0, 10, 10, 9, 30], False, [0, 10, 11, 12, 30]),  # each is later than the one before
        ([90000, 90010, 5, 15], True, [0, 10, 20, 30]),  # the clock of a broadcast begins anew
        ([90000, 90010, 5, 15], False, [0, 10, 20, 30]),
        ([0, 10, 5000, 5010], True, [0, 10, 20, 30]),
        ([0, 10, 5000, 5010], False, [0, 10, 5000, 5010]),  # a picture that stands for 50 seconds
    ],
)
def test_times_only_rise_and_clocks_that_jump_do_not_tear_holes(stamps, jumps, ticks):
    of = clock(jumps).of
    assert [of(stamp) for stamp in stamps] == ticks
