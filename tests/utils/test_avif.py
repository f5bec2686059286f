"""AVIF pictures are turned as viewers show them: OpenCV leaves their own boxes out."""

import struct

import cv2
import numpy as np
import pytest

from lib.utils.image import UprightPath, picture_header, read_image, stored_size
from lib.utils.pictures.avif import avif_orientation


def box(kind, *parts):
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def avif(properties, wide=False):
    """The boxes of an AVIF whose item 2, the primary one, has `properties`; item 1 has the first alone."""
    numbers = [bytes([0x80, 1]) if wide else b"\x81"]
    numbers += [struct.pack(">H", 0x8000 + number) if wide else bytes([number]) for number in range(2, 9)]
    used = numbers[: len(properties)]
    code = ">IB" if wide else ">HB"
    count = struct.pack(">I", 2)
    items = struct.pack(code, 1, 1) + numbers[0] + struct.pack(code, 2, len(used)) + b"".join(used)
    association = box(b"ipma", bytes([1 if wide else 0, 0, 0, 1 if wide else 0]), count, items)
    lists = box(b"iprp", box(b"ipco", *properties), association)
    primary = box(b"pitm", bytes(4), struct.pack(">H", 2))
    return box(b"ftyp", b"avif", bytes(4), b"avifmif1") + box(b"meta", bytes(4), primary, lists) + box(b"mdat", b"x")


SIZE = box(b"ispe", bytes(12))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    ("turns", "mirror", "orientation"),
    [(None, None, 1), (3, None, 6), (1, None, 8), (2, None, 3), (None, 0, 4), (None, 1, 2), (1, 0, 5), (3, 0, 7)],
)
def test_its_own_boxes_say_how_it_is_turned(wide, turns, mirror, orientation):
    boxes = [box(kind, bytes([value])) for kind, value in ((b"irot", turns), (b"imir", mirror)) if value is not None]
    data = avif([SIZE, *boxes], wide)
    assert avif_orientation(data) == orientation
    assert all(1 <= avif_orientation(data[:end]) <= 8 for end in range(len(data)))


@pytest.mark.parametrize("data", [b"", b"\x89PNG" * 9, avif([]), avif([box(b"irot", b"\3")])[:60], b"\0" * 99])
def test_what_says_nothing_is_as_it_is_stored(data):
    assert avif_orientation(data) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_read_as_the_same_picture_with_exif_is_shown(tmp_path, orientation):
    from PIL import Image, ImageOps, features

    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :16] = 255  # in one corner, longer in one direction
    exif, picture = Image.Exif(), Image.fromarray(stored)
    exif[274] = orientation
    path = tmp_path / "a.avif"
    picture.save(path, exif=exif, quality=90)
    if not cv2.haveImageReader(str(path)):
        pytest.skip(f"OpenCV {cv2.__version__} reads no AVIF")
    picture.info["exif"] = exif.tobytes()
    picture.getexif()[274] = orientation
    shown = np.array(ImageOps.exif_transpose(picture)).astype(int)
    np.testing.assert_allclose(read_image(path, use_orientation=True), shown, atol=30)
    np.testing.assert_allclose(read_image(path), stored, atol=30)
    assert stored_size(path) == ((64, 48), orientation)
    assert picture_header(UprightPath(path)) == (shown.shape[1::-1], False)
