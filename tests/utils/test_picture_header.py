"""A picture's size from its header is that of the decoded picture, and enormous ones are refused undecoded."""

import struct

import cv2
import numpy as np
import pytest

from lib.utils import image as image_module
from lib.utils.errors import UserError
from lib.utils.image import LONGEST_SIDE, picture_size, read_image
from lib.utils.pictures.picture_header import has_jpeg_end, header_size

PICTURE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def encoded(suffix, *flags, picture=PICTURE):
    return cv2.imencode(suffix, picture, list(flags))[1].tobytes()


@pytest.mark.parametrize(
    ("suffix", "flags"),
    [
        (".jpg", ()), (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".png", ()),
    ],
)  # fmt: skip
def test_the_size_is_that_of_the_decoded_picture(suffix, flags):
    assert header_size(encoded(suffix, *flags)) == (53, 37)


def test_filling_bytes_and_segments_before_the_size_are_skipped():
    jpeg = encoded(".jpg")
    assert header_size(jpeg[:2] + b"\xff\xff\xe1\0\4ab" + jpeg[2:]) == (53, 37)  # with a byte to fill up, a segment


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8no markers", b"<html>", b"\x89PNG", b"RIFF____WAVEfmt ", encoded(".bmp")]
)
def test_what_says_no_size_says_none(data):
    assert header_size(data) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_header_that_is_cut_off_says_none_or_its_size(suffix):
    data = encoded(suffix)
    for length in range(0, min(len(data), 700), 7):
        assert header_size(data[:length]) in (None, (53, 37))


def enormous(width, height):
    """A PNG file of a header only."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + bytes(8) + b"IEND" + bytes(4)


@pytest.mark.parametrize("size", [(20000, 20000), (LONGEST_SIDE + 1, 10), (10, LONGEST_SIDE + 1)])
def test_an_enormous_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch, size):
    (tmp_path / "x.png").write_bytes(enormous(*size))
    monkeypatch.setattr(image_module.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(UserError, match=rf"x\.png has {size[0]}x{size[1]} pixels; the most are"):
        read_image(tmp_path / "x.png")


def test_a_picture_whose_header_is_not_read_is_refused_when_it_is_decoded(tmp_path):
    data = encoded(".ras", picture=np.zeros((1, LONGEST_SIDE + 1, 3), np.uint8))
    assert header_size(data) is None
    (tmp_path / "x.ras").write_bytes(data)
    with pytest.raises(UserError, match=rf"x\.ras has {LONGEST_SIDE + 1}x1 pixels; the most are"):
        read_image(tmp_path / "x.ras")


def test_what_opencv_refuses_by_itself_is_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise cv2.error("over a limit")

    (tmp_path / "x.jpg").write_bytes(encoded(".jpg"))
    monkeypatch.setattr(image_module.cv2, "imdecode", refuse)
    with pytest.raises(UserError, match=r"x\.jpg cannot be decoded"):
        read_image(tmp_path / "x.jpg")


# -- where a JPEG ends -------------------------------------------------------------------------------------------------

PROGRESSIVE, RESTARTS = cv2.IMWRITE_JPEG_PROGRESSIVE, cv2.IMWRITE_JPEG_RST_INTERVAL
KINDS = {"baseline": (), "progressive": (PROGRESSIVE, 1), "restarts": (RESTARTS, 1)}
CLIP = b"\0\0\0\x18ftypmp42" + b"\xff\xd9 in the clip, then \xff\xda and \xff\xd8 \xff\xc0" + bytes(range(256))


@pytest.fixture(params=KINDS)
def jpeg(request):
    return encoded(".jpg", *KINDS[request.param])


@pytest.mark.parametrize(
    "behind", [b"", CLIP, bytes(1000), b"\r\n", encoded(".jpg"), encoded(".jpg")[:-9]],
    ids=["nothing", "clip", "zeros", "line end", "second picture", "second picture cut off"],
)  # fmt: skip
def test_a_whole_jpeg_has_its_end_whatever_is_behind_it(jpeg, behind):
    assert has_jpeg_end(jpeg + behind)


@pytest.mark.parametrize("behind", [b"", bytes(1000)], ids=["nothing", "zeros"])
def test_a_jpeg_that_ends_early_has_none_wherever_it_ends(jpeg, behind):
    assert not any(has_jpeg_end(jpeg[:length] + behind) for length in range(2, len(jpeg) - 1))


def test_the_end_of_a_thumbnail_is_not_the_pictures(jpeg):
    thumbnail = encoded(".jpg", picture=PICTURE[:8, :8])
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    whole = jpeg[:2] + segment + jpeg[2:]
    assert has_jpeg_end(whole) and has_jpeg_end(whole + CLIP)
    for length in (2 + len(segment), 2 + len(segment) - 1, 2 + len(segment) + 300, len(whole) - 2):
        assert not has_jpeg_end(whole[:length])


def test_filling_bytes_and_an_end_within_a_table_are_no_end(jpeg):
    table = b"\xff\xfe\0\6\xff\xd9\xff\xff\xff\xe2\0\4\xff\xd9"  # a comment, filling bytes, APP2
    cut = jpeg[: len(jpeg) // 2]
    assert has_jpeg_end(jpeg[:2] + table + jpeg[2:] + CLIP) and not has_jpeg_end(cut[:2] + table + cut[2:])


def test_a_picture_within_one_that_is_cut_off_does_not_end_it(jpeg):
    assert not has_jpeg_end(jpeg[:-40] + encoded(".jpg") + bytes(9))


def test_a_motion_photo_is_read_as_the_photo(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encoded(".jpg"))
    (tmp_path / "motion.jpg").write_bytes(encoded(".jpg") + CLIP)
    np.testing.assert_array_equal(read_image(tmp_path / "motion.jpg"), read_image(tmp_path / "photo.jpg"))
    assert picture_size(tmp_path / "motion.jpg") == (53, 37)
