"""What a name means: pictures, videos and streams, by what they hold; and the names of results."""

import os
from pathlib import Path

import cv2
import pytest
from clips import grey, write_video
from PIL import Image

from lib.utils.errors import UserError
from lib.utils.media import Stream, find_media, image_id_of, is_video, refuse_replacing, result_names, stream_of
from lib.utils.media.sources import MOST_NAMES

# -- what a path means -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("b.jpg", "a.PNG", "more/d.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), grey(3))
    write_video(tmp_path / "c.mp4", count=2)
    (tmp_path / "notes.txt").write_text("words")
    for name in (".hidden.jpg", "b_pose.json", "c_pose.jsonl", "c_track.json"):
        (tmp_path / name).touch()
    return tmp_path


def names_of(found):
    return [path.name for path in found.sources]


def test_a_file_is_itself_whatever_its_name(folder):
    (folder / "b.jpg").rename(folder / "b.txt")
    assert find_media(str(folder / "b.txt")).sources == [folder / "b.txt"]


def test_a_file_that_is_neither_is_refused_unless_its_name_says_what_it_should_be(folder):
    with pytest.raises(UserError, match=r"notes\.txt: neither a picture nor a video"):
        find_media(folder / "notes.txt")
    (folder / "notes.txt").rename(folder / "notes.jpg")
    assert find_media(folder / "notes.jpg").sources == [folder / "notes.jpg"]


def test_a_folder_is_its_pictures_and_videos_and_what_is_neither_is_named(folder):
    found = find_media(folder)
    assert names_of(found) == ["a.PNG", "b.jpg", "c.mp4"]
    assert found.lines == ["=> left out: notes.txt (neither a picture nor a video)"]


def test_a_pattern_is_what_it_matches(folder):
    assert names_of(find_media(f"{folder}/*.jpg")) == ["b.jpg"]
    assert names_of(find_media(f"{folder}/**/*.[wj]*")) == ["b.jpg", "d.webp"]
    assert find_media(f"{folder}/*.[tj]*").lines == ["=> left out: notes.txt (neither a picture nor a video)"]


def test_many_files_that_are_left_out_make_one_line(folder):
    for number in range(MOST_NAMES + 5):
        (folder / f"label_{number}.txt").write_text("0 0.5 0.5 1 1")
    (line,) = find_media(folder).lines
    assert "label_0.txt, label_1.txt, label_2.txt" in line
    assert line.endswith("and 6 more (neither a picture nor a video)")


def test_pictures_are_told_by_what_they_hold(tmp_path):
    """One of each kind, under an ending that says nothing; and those that lie."""
    picture = Image.fromarray(grey(3))
    endings = {"jpg": "jfif", "png": "PNG", "bmp": "dib", "webp": "x", "tiff": "dat", "ppm": "", "gif": "gif"}
    for real, given in endings.items():
        picture.save(tmp_path / f"a.{real}")
        (tmp_path / f"a.{real}").rename(tmp_path / f"{real}.{given}")
    picture.save(tmp_path / "b.jpg", "MPO")
    (tmp_path / "b.jpg").rename(tmp_path / "b.mpo")
    write_video(tmp_path / "a.mp4", count=2).rename(tmp_path / "film.jpg")
    found = find_media(tmp_path)
    assert len(found.sources) == 9 and not found.lines
    films = [path.name for path in found.sources if is_video(path)]
    assert films == (["film.jpg"] if cv2.haveImageReader(str(tmp_path / "gif.gif")) else ["film.jpg", "gif.gif"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"BM is how it begins", "neither a picture nor a video"),
        ("a.txt", b"", "an empty file"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture, which is not read: convert it to JPEG"),
        ("a.ffconcat", b"ffconcat version 1.0\nfile 'c.mp4'\n", "neither a picture nor a video"),
        ("a.m3u8", b"#EXTM3U\n#EXTINF:1,\nc.ts\n", "neither a picture nor a video"),
        ("a.psd", b"8BPS\0\1" + bytes(400), "a picture of a kind that is not read (psd): convert it to PNG"),
    ],
)
def test_what_is_neither_is_left_out_with_the_reason(folder, name, content, reason):
    (folder / "notes.txt").unlink()
    (folder / name).write_bytes(content)
    found = find_media(folder)
    assert names_of(found) == ["a.PNG", "b.jpg", "c.mp4"] and found.lines == [f"=> left out: {name} ({reason})"]


def test_a_film_without_pictures_is_none(folder):
    from clips import write_film

    write_film(folder / "song.mkv", [0.0, 0.1], sound="aac")
    import av

    with av.open(str(folder / "song.mkv")) as source, av.open(str(folder / "song.m4a"), "w", format="mp4") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    (folder / "song.mkv").unlink()
    assert "song.m4a" in find_media(folder).lines[0]


def test_numbers_in_names_count_as_numbers(tmp_path):
    for name in ("frame_10.jpg", "frame_9.jpg", "frame_100.jpg", "a2b10.jpg", "a2b9.jpg", "a10b1.jpg", "x.jpg"):
        cv2.imwrite(str(tmp_path / name), grey(1))
    expected = ["a2b9.jpg", "a2b10.jpg", "a10b1.jpg", "frame_9.jpg", "frame_10.jpg", "frame_100.jpg", "x.jpg"]
    assert names_of(find_media(tmp_path)) == names_of(find_media(f"{tmp_path}/*.jpg")) == expected


def test_a_name_with_brackets_is_a_file_first(tmp_path):
    (tmp_path / "a[1].jpg").touch()
    assert find_media(tmp_path / "a[1].jpg").sources == [tmp_path / "a[1].jpg"]


def test_a_member_of_an_archive_is_a_picture():
    assert find_media("images.zip@a.jpg").sources == [Path("images.zip@a.jpg")]


@pytest.mark.parametrize("place", ["nowhere.jpg", "*.gif", "empty"])
def test_where_nothing_is_there_is_an_error_that_names_it(folder, monkeypatch, place):
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=place.replace("*", r"\*")):
        find_media(place)


@pytest.mark.parametrize(("name", "video"), [("a.mp4", True), ("a.MOV", True), ("a.jpg", False), ("mp4", False)])
def test_a_damaged_file_is_what_its_name_says(tmp_path, name, video):
    (tmp_path / name).write_bytes(b"damaged")
    assert is_video(tmp_path / name) is is_video(tmp_path / "nowhere" / name) is video


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


def test_an_empty_name_is_not_the_folder_one_is_in(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="the name of the picture is empty"):
        find_media("")


def test_a_name_that_is_too_long_is_one_line():
    with pytest.raises(UserError, match="there is no such file"):
        find_media("n" * 300)


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("0", "camera_0", "0"), ("/dev/video2", "camera_2", "/dev/video2"),
        ("rtsp://me:secret@10.0.0.1:554/live", "rtsp_10_0_0_1_554_live", "rtsp://10.0.0.1:554/live"),
        ("HTTP://host/a.m3u8?key=1", "HTTP_host_a_m3u8", "HTTP://host/a.m3u8?key=1"),
    ],
)  # fmt: skip
def test_a_stream_is_an_address_or_a_cameras_number(text, name, shown):
    (stream,) = find_media(text).sources
    assert (stream, stream.name, str(stream)) == (Stream(text), name, shown)


def test_a_file_of_a_number_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("0")
    Path("12").touch()
    assert stream_of("0") is stream_of("12") is stream_of("x.mp4") is stream_of("file://x.mp4") is None
