"""Reading pictures (whole or not, in folders and archives) and turning them into the network's input."""

import struct
import zipfile

import cv2
import numpy as np
import pytest

from lib.core.transforms import get_affine_transform
from lib.utils.errors import UserError
from lib.utils.image import (
    MEAN,
    STD,
    crop_person,
    crops_to_input,
    normalization,
    peak_of_16_bits,
    picture_size,
    read_image,
)


def picture(height=40, width=60, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image, suffix=".jpg"):
    return cv2.imencode(suffix, image)[1].tobytes()


def with_segment(jpeg, payload):
    """The JPEG with an APP1 segment put behind its start marker."""
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def test_a_picture_is_read_as_bgr_bytes(tmp_path):
    image = picture()
    (tmp_path / "a.png").write_bytes(encoded(image, ".png"))
    read = read_image(tmp_path / "a.png")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


def test_a_grey_picture_gets_three_channels(tmp_path):
    grey = picture()[..., 0]
    (tmp_path / "a.png").write_bytes(encoded(grey, ".png"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_a_picture_of_16_bits_is_read_as_its_upper_8_and_tells_its_peak(tmp_path, suffix):
    values = np.linspace(0, 4095, 60 * 40).astype(np.uint16).reshape(40, 60)
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), values)
    cv2.imwrite(str(tmp_path / f"usual{suffix}"), (values // 16).astype(np.uint8))
    assert np.abs(read_image(tmp_path / f"deep{suffix}")[..., 0] - values / 256).max() < 1
    assert peak_of_16_bits(tmp_path / f"deep{suffix}") == 4095
    assert peak_of_16_bits(tmp_path / f"usual{suffix}") is None


def test_a_member_of_an_archive_reads_as_the_file_does(tmp_path):
    data = encoded(picture())
    (tmp_path / "a.jpg").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("images/a.jpg", data)
    np.testing.assert_array_equal(
        read_image(f"{tmp_path}/images.zip@images/a.jpg"), read_image(tmp_path / "a.jpg")
    )


def test_exif_orientation_is_ignored(tmp_path):
    image = picture()
    orientation_6 = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + orientation_6 + struct.pack("<I", 0)
    turned = with_segment(encoded(image), exif)
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (60, 40, 3)  # OpenCV would turn it
    (tmp_path / "a.jpg").write_bytes(turned)
    assert read_image(tmp_path / "a.jpg").shape == (40, 60, 3)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nobody\.jpg"):
        read_image(tmp_path / "nobody.jpg")


def test_a_missing_member_of_an_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("images/a.jpg", b"")
    with pytest.raises(UserError, match=r"images\.zip@images/nobody\.jpg"):
        read_image(f"{tmp_path}/images.zip@images/nobody.jpg")


def test_a_broken_archive_is_named(tmp_path):
    (tmp_path / "broken.zip").write_bytes(b"this is no archive")
    with pytest.raises(UserError, match=r"broken\.zip"):
        read_image(f"{tmp_path}/broken.zip@a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_refused_and_named(tmp_path, suffix, share):
    data = encoded(picture(200, 300), suffix)
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=f"cut{suffix} is truncated"):
        read_image(path)


@pytest.mark.parametrize("kind", [b"IHDR", b"iTXt", b"IEND"])
def test_a_png_with_a_piece_longer_than_the_file_is_refused_before_it_is_decoded(tmp_path, monkeypatch, kind):
    data, path = encoded(picture(), ".png"), tmp_path / "a.png"
    start, long = 8 if kind == b"IHDR" else 33, b"\xff\xff\x40\x00" + kind  # OpenCV would take 4 GB for it
    path.write_bytes(data[:start] + long + data[start:])
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(UserError, match=r"a\.png is truncated"):
        read_image(path)


def test_a_png_with_bytes_behind_its_end_is_read(tmp_path):
    image = picture()
    (tmp_path / "a.png").write_bytes(encoded(image, ".png") + bytes(10_000))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)
    assert picture_size(tmp_path / "a.png") == image.shape[1::-1]


def test_a_truncated_jpeg_is_refused_although_its_thumbnail_is_whole(tmp_path):
    whole = with_segment(encoded(picture(200, 300)), b"Exif\0\0" + encoded(picture(8, 8)))
    (tmp_path / "whole.jpg").write_bytes(whole)
    assert read_image(tmp_path / "whole.jpg").shape == (200, 300, 3)
    (tmp_path / "cut.jpg").write_bytes(whole[: int(len(whole) * 0.8)])
    with pytest.raises(UserError, match=r"cut\.jpg is truncated"):
        read_image(tmp_path / "cut.jpg")


def test_8_bits_and_jpegs_have_no_peak_of_16(tmp_path):
    for suffix in (".png", ".jpg"):
        (tmp_path / f"a{suffix}").write_bytes(encoded(picture(), suffix))
        assert peak_of_16_bits(tmp_path / f"a{suffix}") is None


def test_a_jpeg_with_bytes_behind_its_end_is_read(tmp_path):
    data = encoded(picture())
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "b.jpg").write_bytes(data + b"\0" * 10_000)
    np.testing.assert_array_equal(read_image(tmp_path / "b.jpg"), read_image(tmp_path / "a.jpg"))


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>"])
def test_a_file_that_is_no_picture_is_refused_and_named(tmp_path, data):
    (tmp_path / "page.jpg").write_bytes(data)
    with pytest.raises(UserError, match=r"page\.jpg cannot be decoded"):
        read_image(tmp_path / "page.jpg")


@pytest.mark.parametrize("pixel_scale", [255.0, 1.0])
def test_normalisation_is_the_published_formula(pixel_scale):
    crops = picture().reshape(1, 40, 60, 3)
    values = crops_to_input(crops, pixel_scale)
    assert values.shape == (1, 3, 40, 60) and values.dtype == np.float32 and values.flags.c_contiguous
    expected = (crops.astype(np.float64) / pixel_scale - MEAN) / STD
    np.testing.assert_allclose(values, expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-4)


def test_the_first_channel_takes_the_published_constants_without_swapping_colours():
    factor, offset = normalization()
    blue = np.full((1, 1, 1, 3), (255, 0, 0), dtype=np.uint8)
    values = crops_to_input(blue)[0, :, 0, 0]
    np.testing.assert_allclose(values, [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-5)
    assert factor.dtype == offset.dtype == np.float32
    np.testing.assert_allclose(255 * factor + offset, (1 - np.array(MEAN)) / STD, atol=1e-5)  # white


def test_a_crop_is_width_by_height_and_black_outside_the_picture():
    image = np.full((50, 50, 3), 200, dtype=np.uint8)
    crop = crop_person(image, get_affine_transform((0, 25), 0.5, 0, (48, 64)), (48, 64))  # the left half is outside
    assert crop.shape == (64, 48, 3)
    assert (crop[:, :22] == 0).all()
    assert (crop[20:44, 26:] == 200).all()


def test_a_crop_is_bgr_and_rgb_with_colour_rgb():
    blue, matrix = np.full((9, 9, 3), (250, 20, 3), dtype=np.uint8), np.eye(2, 3)
    assert crop_person(blue, matrix, (9, 9))[4, 4].tolist() == [250, 20, 3]
    assert crop_person(blue, matrix, (9, 9), color_rgb=True)[4, 4].tolist() == [3, 20, 250]


def test_colour_rgb_reverses_the_channels_of_the_crop():
    image = picture()
    matrix = get_affine_transform((30, 20), 0.2, 20, (32, 32))
    bgr, rgb = (crop_person(image, matrix, (32, 32), flag) for flag in (False, True))
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])
    assert rgb.flags.c_contiguous and not np.array_equal(rgb, bgr)


def test_a_member_that_leaves_the_archives_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("../a.jpg", encoded(picture()))
    with pytest.raises(UserError, match=r"\.\./a\.jpg: its name leaves the archive's folder"):
        read_image(f"{tmp_path}/images.zip@../a.jpg")


def test_a_member_that_grows_without_end_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.utils.image.MAX_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(10_001))
    with pytest.raises(UserError, match=r"a\.jpg: it has more than"):
        read_image(f"{tmp_path}/images.zip@a.jpg")


@pytest.mark.parametrize(
    ("place", "value"), [(6, b"\x01"), (8, b"\x63"), (40, b"\xff\xff")], ids=["encrypted", "unknown kind", "damaged"]
)
def test_a_member_that_cannot_be_unpacked_is_named(tmp_path, place, value):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", encoded(picture()))
    content = bytearray(path.read_bytes())
    central = content.rfind(b"PK\x01\x02")
    for start in (place, *((central + place + 2,) if place < 30 else ())):
        content[start : start + len(value)] = value
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"cannot read the picture .*a\.jpg"):
        read_image(f"{path}@a.jpg")
