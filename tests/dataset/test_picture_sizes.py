"""Annotation and picture are compared: sizes, EXIF orientations 1 to 8, and one rule for every reader."""

import numpy as np
import pytest
from PIL import Image

from lib.dataset.picture_sizes import compare_sizes
from lib.dataset.regions import read_region
from lib.utils.errors import UserError
from lib.utils.image import UprightPath, picture_header, picture_size, read_image
from lib.utils.pictures.exif import EXCHANGING, exif_orientation

UPRIGHT = np.zeros((40, 24, 3), np.uint8)  # rows, columns: standing, with a white corner at the top left
UPRIGHT[:8, :8] = 255
# how a camera stores an upright picture so that the orientation turns it back (EXIF 2.3, table of Orientation)
STORED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, 1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image, -1),
}


@pytest.fixture
def picture(tmp_path):
    """Writes the upright picture as a camera with an orientation stores it; returns its path."""

    def picture(orientation, name="a.jpg"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = np.ascontiguousarray(STORED[orientation](UPRIGHT))
        Image.fromarray(stored).save(tmp_path / name, quality=95, exif=exif)
        return str(tmp_path / name)

    return picture


def compare(path, size, orientation="auto"):
    return compare_sizes({"a": path}, {"a": size}, orientation)


@pytest.mark.parametrize("orientation", STORED)
def test_the_orientation_is_read_and_the_picture_is_turned_by_every_reader(picture, orientation):
    path = picture(orientation)
    with open(path, "rb") as file:
        assert exif_orientation(file.read()) == orientation
    upright = UprightPath(path)
    assert np.abs(read_image(upright).astype(int) - UPRIGHT).max() <= 2
    region = read_region(upright, 2)
    assert region.picture_size == (24, 40) and np.array_equal(region.pixels, read_image(upright))
    assert picture_header(upright) == ((24, 40), False) and picture_size(upright) == (24, 40)
    lying = (40, 24) if orientation in EXCHANGING else (24, 40)
    assert picture_header(path) == (lying, True) and picture_size(path) == lying


@pytest.mark.parametrize("orientation", EXCHANGING)
def test_the_annotated_size_tells_whether_a_picture_was_turned(picture, orientation):
    path = picture(orientation)
    turned, stored = compare(path, (24, 40)), compare(path, (40, 24))
    assert turned.turned == {"a"} and turned.sizes == {"a": (24, 40)}
    assert turned.notes() == ["=> 1 picture is turned as the EXIF data say"]
    assert stored.turned == set() and stored.sizes == {"a": (40, 24)} and stored.notes() == []


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_where_both_sizes_are_alike_an_answer_is_asked_for(picture, orientation):
    path = picture(orientation)
    with pytest.raises(UserError, match=rf"a\.jpg \(EXIF orientation {orientation}\)\. Give DATASET\.OR"):
        compare(path, (24, 40))
    assert compare(path, (24, 40), "exif").turned == {"a"}
    assert compare(path, (24, 40), "stored").turned == set()


def test_without_an_annotated_size_an_orientation_is_asked_about(picture):
    with pytest.raises(UserError, match=r"a\.jpg \(EXIF orientation 6\)"):
        compare(picture(6), None)
    assert compare(picture(6), None, "exif").sizes == {"a": (24, 40)}
    assert compare(picture(6), None, "stored").sizes == {"a": (40, 24)}
    assert compare(picture(1), None).sizes == {"a": (24, 40)}


def test_exchanged_sides_are_mended_and_said(picture):
    found = compare(picture(1), (40, 24))
    assert found.sizes == {"a": (24, 40)}
    assert found.notes() == [
        "=> 1 picture has width and height exchanged in the annotation: the picture's own are taken (a.jpg is 24x40, "
        "the annotation says 40x24)"
    ]


def test_another_size_is_refused_with_both(picture):
    with pytest.raises(UserError, match=r": a\.jpg is 24x40, the annotation says 48x80\. Joints would"):
        compare(picture(1), (48, 80))
    assert compare(picture(1), (25, 40)).sizes == {"a": (24, 40)}  # some tools count from 1


def test_pictures_that_cannot_be_read_are_left_to_their_readers(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert compare(str(tmp_path / "a.jpg"), (24, 40)).sizes == {}
    assert compare(str(tmp_path / "none.jpg"), (24, 40)).sizes == {}


def test_of_many_pictures_some_are_looked_at_and_all_where_one_differs(picture, monkeypatch):
    monkeypatch.setattr("lib.dataset.picture_sizes.MOST", 3)
    straight, turned = picture(1), picture(6, "b.jpg")
    pictures = {number: straight for number in range(9)}
    sizes = dict.fromkeys(range(9), (24, 40))
    assert sorted(compare_sizes(pictures, sizes).sizes) == [0, 4, 8]
    pictures[8] = pictures[5] = turned
    assert compare_sizes(pictures, sizes).turned == {5, 8}


@pytest.mark.parametrize("place", [2, 20, 30, 40])
def test_damaged_exif_data_say_nothing(picture, place):
    with open(picture(6), "rb") as file:
        data = file.read()
    assert exif_orientation(data[:place]) == 1
    broken = bytearray(data)
    broken[12 : 12 + place] = b"\xff" * place
    assert 1 <= exif_orientation(bytes(broken)) <= 8
    assert exif_orientation(b"\x89PNG") == 1
