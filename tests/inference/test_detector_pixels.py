"""What a detector gets of a picture: where it lies in the input, what is around it, and the values of its pixels."""

import numpy as np
import pytest

from lib.inference.detectors import pixels
from lib.inference.detectors.pixels import Pixels, prepare


@pytest.mark.parametrize(
    ("placing", "picture", "size", "inner", "canvas", "corner"),
    [
        ("LETTERBOX", (640, 480), (320, 320), (320, 240), (320, 320), (0, 0)),
        ("LETTERBOX", (100, 200), (320, 320), (160, 320), (320, 320), (0, 0)),
        ("CENTERED", (640, 480), (320, 320), (320, 240), (320, 320), (0, 40)),
        ("CENTERED", (100, 200), (320, 320), (160, 320), (320, 320), (80, 0)),
        ("CENTERED", (320, 317), (320, 320), (320, 317), (320, 320), (0, 1)),  # an odd rest: one more below
        ("SQUASHED", (640, 480), (320, 320), (320, 320), (320, 320), (0, 0)),
        ("UNBOXED", (640, 480), (320, 320), (320, 320), (320, 320), (0, 0)),  # the file allows no other size
        ("PADDED", (640, 480), (320, 320), (320, 240), (320, 320), (0, 0)),
    ],
)
def test_a_picture_in_an_input_of_fixed_size(placing, picture, size, inner, canvas, corner):
    placed = getattr(pixels, placing).place(picture, size)
    assert (placed.inner, placed.canvas, placed.corner) == (inner, canvas, corner)


@pytest.mark.parametrize(
    ("placing", "picture", "inner", "canvas"),
    [
        ("UNBOXED", (640, 480), (640, 480), (640, 480)),
        ("UNBOXED", (4000, 2000), (1333, 667), (1333, 667)),  # no larger than the network itself would use
        ("PADDED", (640, 480), (1067, 800), (1088, 800)),  # the short side 800
        ("PADDED", (480, 640), (800, 1067), (800, 1088)),
        ("PADDED", (1000, 100), (1333, 133), (1344, 160)),  # the long side 1333
    ],
)
def test_a_picture_in_an_input_without_a_size(placing, picture, inner, canvas):
    most = {"UNBOXED": (1333, 1333), "PADDED": (1333, 800)}[placing]
    placed = getattr(pixels, placing).place(picture, most, is_fixed=False)
    assert (placed.inner, placed.canvas, placed.corner) == (inner, canvas, (0, 0))


@pytest.mark.parametrize("placing", ["LETTERBOX", "CENTERED", "SQUASHED", "UNBOXED", "PADDED"])
@pytest.mark.parametrize("picture", [(1, 1000), (1000, 1), (1, 1), (637, 211)])
@pytest.mark.parametrize("is_fixed", [True, False])
def test_the_pictures_corners_lie_at_those_of_the_inner_one_whatever_its_shape(placing, picture, is_fixed):
    placed = getattr(pixels, placing).place(picture, (64, 32), is_fixed)
    low, high = np.array(placed.corner), np.array(placed.corner) + placed.inner
    assert (low >= 0).all() and (high <= placed.canvas).all() and min(placed.inner) >= 1
    corners = np.concatenate([low, high])[None].astype(float)
    np.testing.assert_allclose(placed.to_picture(corners), [[0, 0, *picture]])


def test_around_the_picture_is_grey_or_nothing():
    picture = np.full((10, 20, 3), 7, np.uint8)
    placed = pixels.CENTERED.place((20, 10), (20, 20))
    values = prepare(picture, placed, pixels.AS_THEY_ARE)
    assert values.shape == (1, 3, 20, 20) and (values[:, :, 5:15] == 7).all()
    assert (values[:, :, :5] == 114).all() and (values[:, :, 15:] == 114).all()
    np.testing.assert_allclose(prepare(picture, placed, pixels.OVER_255)[0, 0, 0, 0], 114 / 255, rtol=1e-6)
    values = prepare(picture, placed, pixels.CAFFE, fill=None)
    assert (values[:, :, :5] == 0).all()  # after the mean
    np.testing.assert_allclose(values[0, :, 10, 10], (7 - 102.9801, 7 - 115.9465, 7 - 122.7717), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),  # of blue 10, green 20, red 30
    [
        ("AS_THEY_ARE", (10, 20, 30)),
        ("RTMDET", ((10 - 103.53) / 57.375, (20 - 116.28) / 57.12, (30 - 123.675) / 58.395)),
        ("OVER_255", (30 / 255, 20 / 255, 10 / 255)),
        ("CAFFE", (10 - 102.9801, 20 - 115.9465, 30 - 122.7717)),
        ("IMAGENET", ((30 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (10 / 255 - 0.406) / 0.225)),
    ],
)
def test_the_values_of_a_pixel(name, expected):
    picture = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    values = prepare(picture, pixels.SQUASHED.place((4, 4), (8, 8)), getattr(pixels, name))
    np.testing.assert_allclose(values[0, :, 3, 3], expected, rtol=1e-5)


def test_options_change_what_they_name_and_a_mean_follows_its_colour():
    assert pixels.RTMDET.changed(None, None, None) == pixels.RTMDET
    assert pixels.RTMDET.changed(True, None, None).mean == (123.675, 116.28, 103.53)
    assert pixels.OVER_255.changed(None, [1, 2, 3], None) == Pixels(True, (1, 2, 3), (255.0, 255.0, 255.0))
    assert pixels.OVER_255.changed(False, None, [1, 2, 3]) == Pixels(False, (0.0, 0.0, 0.0), (1, 2, 3))


def test_pixels_in_words():
    assert str(pixels.AS_THEY_ARE) == "BGR 0-255 as they are" and str(pixels.OVER_255) == "RGB over 255"
    assert str(pixels.CAFFE) == "BGR minus (102.98, 115.947, 122.772)"
    assert str(Pixels(True, std=(1, 2, 3))) == "RGB over (1, 2, 3)"
