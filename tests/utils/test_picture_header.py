"""A picture's size from its header is that of the decoded picture, and enormous ones are refused undecoded."""

import struct

import cv2
import numpy as np
import pytest

from lib.utils import image as image_module
from lib.utils.errors import UserError
from lib.utils.image import LONGEST_SIDE, read_image
from lib.utils.picture_header import header_size

PICTURE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def encoded(suffix, *flags, picture=PICTURE):
    return cv2.imencode(suffix, picture, list(flags))[1].tobytes()


@pytest.mark.parametrize(
    ("suffix", "flags"),
    [
        (".jpg", ()), (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".png", ()), (".bmp", ()), (".tiff", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 50)), (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ],
)  # fmt: skip
def test_the_size_is_that_of_the_decoded_picture(suffix, flags):
    assert header_size(encoded(suffix, *flags)) == (53, 37)


def test_the_size_of_other_kinds_comes_from_their_headers_too():
    assert header_size(b"GIF89a" + struct.pack("<HH", 53, 37) + bytes(9)) == (53, 37)
    extended = b"RIFF" + bytes(4) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\x34\0\0\x24\0\0"
    assert header_size(extended) == (53, 37)
    entries = struct.pack(">HHIHH", 256, 3, 1, 53, 0) + struct.pack(">HHII", 257, 4, 1, 37)
    assert header_size(b"MM\0*" + struct.pack(">IH", 8, 2) + entries) == (53, 37)
    jpeg = encoded(".jpg")
    assert header_size(jpeg[:2] + b"\xff\xff\xe1\0\4ab" + jpeg[2:]) == (53, 37)  # with a byte to fill up, a segment


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8no markers", b"<html>", b"\x89PNG", b"RIFF____WAVEfmt "])
def test_what_says_no_size_says_none(data):
    assert header_size(data) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
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


@pytest.mark.parametrize("suffix", [".pbm", ".pgm", ".ppm"])
def test_the_size_of_a_pnm_is_in_its_first_words(suffix):
    assert header_size(encoded(suffix, picture=PICTURE if suffix == ".ppm" else PICTURE[..., 0])) == (53, 37)
    assert header_size(b"P5 # grey\n#by a camera\n 53\n37 255\n" + bytes(9)) == (53, 37)
    for data in (b"P5", b"P5 53", b"P7\n53 37\n", b"P5 x 37\n", b"P553 37\n"):
        assert header_size(data) is None


def test_an_enormous_pgm_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(image_module.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    (tmp_path / "x.pgm").write_bytes(b"P5\n20000 20000\n255\n" + bytes(1000))
    (tmp_path / "whole.pgm").write_bytes(encoded(".pgm", picture=np.zeros((1, LONGEST_SIDE + 1), np.uint8)))
    for name, size in (("x.pgm", "20000x20000"), ("whole.pgm", f"{LONGEST_SIDE + 1}x1")):
        with pytest.raises(UserError, match=rf"{name} has {size} pixels; the most are"):
            read_image(tmp_path / name)


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
