"""Pictures and videos: what a path means, the names of results, frames in and out."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import SIZE, write_other_video, write_video
from disk import full_disk

from lib.utils.errors import ItemError, RunError, UserError
from lib.utils.media import (
    PROBE,
    VideoFile,
    find_media,
    image_id_of,
    is_video,
    refuse_replacing,
    result_names,
    video_writer,
    writable_rate,
    write_picture,
)

# -- what a path means -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "c.mp4", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "d.webp").touch()
    return tmp_path


def test_a_file_is_itself_whatever_its_name(folder):
    assert find_media(str(folder / "notes.txt")) == [folder / "notes.txt"]


def test_a_folder_is_its_pictures_and_videos_by_name(folder):
    assert [path.name for path in find_media(folder)] == ["a.PNG", "b.jpg", "c.mp4"]


def test_a_pattern_is_what_it_matches(folder):
    assert [path.name for path in find_media(f"{folder}/*.jpg")] == ["b.jpg"]
    assert [path.name for path in find_media(f"{folder}/**/*.[wj]*")] == ["b.jpg", "d.webp"]


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    (tmp_path / "a[1].jpg").touch()
    assert find_media(tmp_path / "a[1].jpg") == [tmp_path / "a[1].jpg"]


def test_a_member_of_an_archive_is_a_picture():
    assert find_media("images.zip@a.jpg") == [Path("images.zip@a.jpg")]


@pytest.mark.parametrize("place", ["nowhere.jpg", "*.gif", "empty"])
def test_where_nothing_is_there_is_an_error_that_names_it(folder, monkeypatch, place):
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=place.replace("*", r"\*")):
        find_media(place)


@pytest.mark.parametrize(("name", "video"), [("a.mp4", True), ("a.MOV", True), ("a.jpg", False), ("mp4", False)])
def test_a_video_is_told_by_its_ending(name, video):
    assert is_video(Path(name)) is video


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000000000785.jpg", 785), ("COCO_val2014_000000000785.jpg", 785), ("785.png", 785), ("IMG_785.jpg", "IMG_785"),
        ("a.b.jpg", "a.b"),
    ],
)  # fmt: skip
def test_cocos_number_of_a_picture_is_in_its_name(name, expected):
    assert image_id_of(Path("folder") / name) == expected


def test_results_of_files_whose_names_are_alike_do_not_replace_each_other():
    paths = [Path(name) for name in ("x/a.jpg", "x/a.png", "y/a.png", "x/b.jpg")]
    assert list(result_names(paths).values()) == ["a", "a_png", "a_png_2", "b"]


def test_a_result_may_not_replace_an_input(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "a_pose.jpg"]
    with pytest.raises(UserError, match=r"a_pose\.jpg is one of the inputs: choose another --output"):
        refuse_replacing(paths, result_names(paths), tmp_path)
    refuse_replacing(paths, result_names(paths), tmp_path / "elsewhere")
    refuse_replacing(paths[:1], result_names(paths[:1]), tmp_path)
    for name in ("a_heatmaps.jpg", "a_pose.json"):  # of a second picture, of a file of boxes
        with pytest.raises(UserError, match=f"{name} is one of the inputs"):
            refuse_replacing(paths[:1], result_names(paths[:1]), tmp_path, tmp_path / name)


# -- videos ----------------------------------------------------------------------------------------------------------


def frames_of(path):
    video = VideoFile(path)
    frames = []
    while (frame := video.read()) is not None:
        frames.append((video.place - 1, frame))
    video.close()
    return video, frames


def test_a_videos_frames_come_in_order_and_all(tmp_path):
    video, frames = frames_of(write_video(tmp_path / "x.mp4"))
    assert (video.rate, video.count, video.size, video.missing()) == (10.0, 5, SIZE, 0)
    assert [number for number, _ in frames] == list(range(5))
    for number, frame in frames:
        assert frame.shape == (48, 64, 3) and abs(frame.mean() - 20 * number) < 4


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_a_file_that_is_no_video_is_one_line(tmp_path, capfd, content):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"the video .*x\.mp4 has no frames that can be read"):
        VideoFile(tmp_path / "x.mp4")
    assert capfd.readouterr() == ("", "")


def test_a_video_that_was_cut_off_is_one_line(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", count=50).read_bytes()
    (tmp_path / "x.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="no frames that can be read"):
        VideoFile(tmp_path / "x.mp4")


class Capture:
    """A cv2.VideoCapture of frames, None for one that cannot be decoded."""

    def __init__(self, frames, count, rate=25.0):
        self.frames, self.answers = list(frames), {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: count}

    def get(self, key):
        return self.answers[key]

    def read(self):
        image = self.frames.pop(0) if self.frames else None
        return image is not None, image

    def release(self):
        pass


FRAME = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("frames", "count", "numbers", "missing"),
    [
        ([FRAME] * 3, 3, [0, 1, 2], 0),
        ([FRAME, None, FRAME], 3, [0, 2], 1),
        ([None, FRAME], 2, [1], 1),
        ([FRAME] * 3, 0, [0, 1, 2], 0),  # the header does not say how many
        ([FRAME] * 3, -5, [0, 1, 2], 0),
        ([FRAME] * 3, 4, [0, 1, 2], 0),  # or is wrong by one
        ([FRAME] * 3, 10, [0, 1, 2], 7),
        ([FRAME] * 5, 3, [0, 1, 2, 3, 4], 0),
        ([FRAME], 1e9, [0], 10**9 - 1),
    ],
)
def test_frames_that_cannot_be_decoded_are_left_out_and_counted(monkeypatch, frames, count, numbers, missing):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture(frames, count))
    video, read = frames_of("x.mp4")
    assert [number for number, _ in read] == numbers
    assert video.missing() == missing


@pytest.mark.parametrize(
    ("frames", "count", "numbers", "missing"),
    [
        ([FRAME] * 3, 10, [0, 1, 2], 0),  # a guess of too many
        ([FRAME] * 3 + [None, None, FRAME], 2, [0, 1, 2, 5], 2),  # of too few
        ([FRAME, None, FRAME, None], 100, [0, 2], 1),
    ],
)
@pytest.mark.parametrize("name", ["x.mkv", "x.WEBM", "x.mpg"])
def test_without_a_table_of_frames_only_those_left_out_before_the_end_count(
    monkeypatch, name, frames, count, numbers, missing
):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture(frames, count))
    video, read = frames_of(name)
    assert [number for number, _ in read] == numbers
    assert video.missing() == missing


@pytest.mark.parametrize(("name", "encoder", "count"), [("x.wmv", "WMV2", 1), ("x.mpg", "MPG1", 50)])
def test_a_whole_video_whose_header_guesses_misses_nothing(tmp_path, name, encoder, count):
    path = write_other_video(tmp_path / name, encoder, count, rate=25 if count > 1 else 7)
    video, frames = frames_of(path)
    assert len(frames) == count and video.missing() == 0
    if name == "x.wmv":  # a hundred more than there are
        assert video.count > 100


@pytest.mark.parametrize("name", ["x.mkv", "x.avi"])
def test_a_broken_frame_in_the_middle_is_left_out_and_counted_in_every_kind_of_file(tmp_path, name):
    path = write_other_video(tmp_path / name, "MJPG", 10)
    data, start = bytearray(path.read_bytes()), -1
    for _ in range(6):
        start = data.index(b"\xff\xd8\xff", start + 1)
    data[start : start + 600] = bytes(600)
    path.write_bytes(data)
    video, frames = frames_of(path)
    assert [number for number, _ in frames] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert video.missing() == 1


@pytest.mark.parametrize("rate", [0.0, float("nan"), -1.0, 90000.0])
def test_a_rate_that_cannot_be_becomes_the_usual_one(monkeypatch, rate):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: Capture([FRAME], 1, rate))
    assert VideoFile("x.mp4").rate == 25.0


def test_a_video_that_failed_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), video_writer(tmp_path / "x.mp4", 10, SIZE) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_a_video_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    closed = type("Closed", (), {"isOpened": lambda self: False, "release": lambda self: None})
    monkeypatch.setattr(cv2, "VideoWriter", lambda *_: closed())
    said = r"x\.mp4 cannot be written: this OpenCV has no encoder for \.mp4"
    with pytest.raises(ItemError, match=said), video_writer(tmp_path / "x.mp4", 10, SIZE):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("rate", [0.001, 1 / 3, 24000 / 1001, 30000 / 1001, 29.97002997, 60, 119.997, 999.99, 1000])
def test_every_rate_is_written_as_nearly_as_mpeg_4_can(tmp_path, rate):
    video = VideoFile(write_video(tmp_path / "x.mp4", rate=rate))
    assert video.count == 5
    # three decimals, and where the numerator has no room for them, five digits
    assert video.rate == pytest.approx(writable_rate(rate), rel=1e-6) == pytest.approx(rate, abs=0.00101, rel=5e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 48), (63, 47), (64, 47), (63, 48)])
def test_odd_sides_lose_nothing_and_gain_a_copy_of_the_last_row_or_column(tmp_path, size):
    width, height = size
    video, frames = frames_of(write_video(tmp_path / "x.mp4", count=3, size=size))
    assert video.size == (width + width % 2, height + height % 2) and len(frames) == 3
    picture = np.zeros((height, width, 3), np.uint8)
    picture[-1:, -1:] = 200
    with video_writer(tmp_path / "corner.mp4", 10, size) as writer:
        writer.write(picture)
    ((_, frame),) = frames_of(tmp_path / "corner.mp4")[1]
    assert frame[-1, -1].mean() > 100


def test_pictures_too_large_for_an_mp4_are_one_line_that_says_so(tmp_path, capfd):
    with video_writer(tmp_path / "good.mp4", 10, (8190, 16)) as writer:
        writer.write(np.zeros((16, 8190, 3), np.uint8))
    said = r"x\.mp4 cannot be written: an \.mp4 has at most 8190 pixels on a side, these are 8191x16"
    with pytest.raises(ItemError, match=said), video_writer(tmp_path / "x.mp4", 10, (8191, 16)):
        pass
    assert os.listdir(tmp_path) == ["good.mp4"] and capfd.readouterr() == ("", "")


def test_a_picture_of_another_size_than_the_first_is_in_the_video_too(tmp_path):
    with video_writer(tmp_path / "x.mp4", 10, SIZE) as writer:
        for side in (48, 30):
            writer.write(np.full((side, 64, 3), 100, np.uint8))
    video, frames = frames_of(tmp_path / "x.mp4")
    assert len(frames) == 2 and video.size == SIZE


@pytest.mark.skipif(os.name != "posix", reason="the limit of a file's size is of POSIX")
@pytest.mark.parametrize("room", [0, 2 * PROBE])
def test_a_full_disk_is_no_fault_of_the_video(tmp_path, room):
    noise = np.random.default_rng(0).integers(0, 256, (10, 256, 256, 3), dtype=np.uint8)
    refused = pytest.raises(RunError, match=r"cannot write .*x\.mp4")
    with refused as caught, full_disk(room), video_writer(tmp_path / "x.mp4", 10, (256, 256)) as writer:
        for picture in noise:
            writer.write(picture)
    assert not isinstance(caught.value, ItemError) and os.listdir(tmp_path) == []


# -- pictures --------------------------------------------------------------------------------------------------------


def test_a_picture_is_written_whole_or_not_at_all(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    write_picture(image, tmp_path / "a.png")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.png")), image)
    with pytest.raises(RunError, match="nowhere"):
        write_picture(image, tmp_path / "nowhere" / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]
