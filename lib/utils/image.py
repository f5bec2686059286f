"""Reads images, and prepares them for the network in one way everywhere."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import cv2
import numpy as np

from .errors import UserError
from .pictures.avif import avif_orientation
from .pictures.exif import EXCHANGING, exif_orientation, turned
from .pictures.picture_header import has_jpeg_end, has_whole_chunks, header_size

# Mean and deviation of ImageNet in the order the original code applies them: to the channels as OpenCV reads them (BGR)
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
MAX_PIXELS = 2**28  # of a picture, decoded: 0.8 GB
MAX_BYTES = 2**30  # of a picture, as it is stored
LONGEST_SIDE = 2**15 - 2  # OpenCV cannot warp longer ones
HEADER_BYTES = 2**14  # that mostly hold a picture's size; a thumbnail before it may be larger
FEW_BITS = 2**14  # 16-bit pictures whose values stay below it hold 14 bits or fewer: at most a quarter of white
JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
REDUCED_FLAGS = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}


@lru_cache(maxsize=8)
def _open_archive(path: str | os.PathLike[str], _process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def open_archive(path: str | os.PathLike[str]) -> zipfile.ZipFile:
    """The zip archive at `path`, opened once in each process: workers must not share a file position."""
    try:
        return _open_archive(str(path), os.getpid())
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot open the picture archive {path}: {error}") from error


class UprightPath(str):
    """The path of a picture that every reader here turns as its EXIF orientation says."""


def read_bytes(path: str | os.PathLike[str], most: int = -1) -> bytes:
    """The bytes of a picture, or the first `most` of them; `archive.zip@member` reads a member of an archive.

    Raises UserError where there is no such file.
    """
    path = str(path)
    archive, separator, member = path.partition(".zip@")
    try:
        if separator:
            return _read_member(open_archive(archive + ".zip"), member, most)
        with open(path, "rb") as file:
            return file.read(most)
    # zipfile: RuntimeError for a member that is encrypted or compressed in a way it does not know
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"cannot read the picture {path}: {error}") from error


def _read_member(archive: zipfile.ZipFile, member: str, most: int) -> bytes:
    if ".." in PurePosixPath(member).parts:
        raise ValueError("its name leaves the archive's folder")
    if archive.getinfo(member).file_size > MAX_BYTES:  # a small archive may hold a terabyte of zeros
        raise ValueError(f"it has more than {MAX_BYTES >> 30} GB")
    with archive.open(member) as file:
        return file.read(most)


def _is_cut_off(data: bytes) -> bool:
    """True for a JPEG or PNG that ends before its end marker: OpenCV would fill the rest with grey and say nothing."""
    if data[:2] == JPEG_START:
        return not has_jpeg_end(data)
    if data[:8] == PNG_START:
        return not has_whole_chunks(data)
    return False


def read_image(path: str | os.PathLike[str], use_orientation: bool = False) -> np.ndarray:
    """An (H, W, 3) uint8 BGR picture from a file or `archive.zip@member`.

    use_orientation: turn the picture as its EXIF orientation says, as viewers do. Data sets are read without:
    their annotations are in the stored pixels, as in the original, but for an UprightPath.
    Raises UserError for a missing, truncated, unreadable or enormous picture and names it.
    """
    if use_orientation or isinstance(path, UprightPath):
        return decode_upright(path, read_bytes(path))
    return _decode(path, _whole_bytes(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


def decode_upright(name: str | os.PathLike[str], data: bytes) -> np.ndarray:
    """The (H, W, 3) uint8 BGR picture of a file's bytes, turned as its EXIF orientation says; raises as `read_image`.

    name: for messages.
    """
    _refuse_damaged(name, data)
    orientation = avif_orientation(data)  # which OpenCV does not know
    if orientation == 1:
        return _decode(name, data, cv2.IMREAD_COLOR)
    return turned(_decode(name, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION), orientation)


def peak_of_16_bits(path: str | os.PathLike[str]) -> int | None:
    """The largest value of a picture of 16 bits a channel (PNG, TIFF, PNM); None for 8 bits. Raises as `read_image`.

    `read_image` keeps the upper 8 bits, value // 256: what was stored as 12 bits comes out nearly black.
    """
    start = read_bytes(path, 32)
    is_deep_png = start.startswith(PNG_START) and start[24:25] == b"\x10"
    if not is_deep_png and not start.startswith((b"II*\0", b"MM\0*", b"P2", b"P3", b"P5", b"P6")):
        return None
    image = _decode(path, _whole_bytes(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return int(image.max()) if image.dtype == np.uint16 else None


def few_bits_line(path: str | os.PathLike[str], peak: int) -> str:
    """What is said of a picture of 16 bits a channel whose largest value is `peak`, below FEW_BITS."""
    return (
        f"{path} has 16 bits a channel, but no value above {peak}: it is read as value / 256, so nothing in it is "
        f"brighter than {peak // 256} of 255; stretch the values to 16 bits, or store 8"
    )


def read_reduced(path: str | os.PathLike[str], reduction: int) -> tuple[np.ndarray, int, tuple[int, int]]:
    """A data set's picture, a JPEG decoded at 1/2, 1/4 or 1/8 of its size, which costs a fraction of the time.

    Returns the (H, W, 3) uint8 BGR picture, its reduction and the (width, height) of the whole picture. The reduction
    is 1 for an UprightPath, and where the picture is no JPEG or its size cannot be told beforehand. Pixel x of a
    picture of reduction r is about the mean of the pixels r * x to r * x + r - 1; its size is the whole one's divided
    by r, rounded up.
    Raises UserError as `read_image` does.
    """
    if isinstance(path, UprightPath):
        image = read_image(path)
        return image, 1, image.shape[1::-1]
    data = _whole_bytes(path)
    size = header_size(data)
    if reduction > 1 and size and data.startswith(JPEG_START):
        image = _decode(path, data, REDUCED_FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
        if image.shape[1::-1] == reduced_size(size, reduction):
            return image, reduction, size
    image = _decode(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return image, 1, image.shape[1::-1]


def reduced_size(size: tuple[int, int], reduction: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` that is decoded at 1/reduction."""
    width, height = size
    return -(-width // reduction), -(-height // reduction)


def _whole_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture that is neither truncated nor, as far as its header tells, enormous."""
    data = read_bytes(path)
    _refuse_damaged(path, data)
    return data


def _refuse_damaged(name: str | os.PathLike[str], data: bytes) -> None:
    """Raises UserError for the bytes of a picture that are not all there, or whose header says that it is enormous."""
    if _is_cut_off(data):
        raise UserError(f"the picture {name} is truncated ({len(data)} bytes): copy or download it again")
    _refuse_huge(name, *(header_size(data) or (0, 0)))


def _decode(path: str | os.PathLike[str], data: bytes, flags: int) -> np.ndarray:
    image = None
    if data:
        with contextlib.suppress(cv2.error):  # beyond a limit of its own
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        raise UserError(f"the picture {path} cannot be decoded ({len(data)} bytes): is it a picture?")
    _refuse_huge(path, *image.shape[1::-1])  # of a kind whose header is not read
    return image


def _refuse_huge(path: str | os.PathLike[str], width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > LONGEST_SIDE:
        raise UserError(
            f"the picture {path} has {width}x{height} pixels; the most are {LONGEST_SIDE} on a side and "
            f"{MAX_PIXELS // 10**6} million in all: make it smaller"
        )


def picture_header(path: str | os.PathLike[str]) -> tuple[tuple[int, int], bool]:
    """((width, height), whether `read_reduced` can reduce it) of a data set's picture, from its first bytes mostly.

    Raises UserError as `read_image` does, but looks for no truncated pictures.
    """
    size, data = _size_and_start(path)
    if size is None:
        return read_image(path).shape[1::-1], False
    _refuse_huge(path, *size)
    if isinstance(path, UprightPath):
        return (size[::-1] if exif_orientation(data) in EXCHANGING else size), False
    return size, data.startswith(JPEG_START)


def stored_size(path: str | os.PathLike[str]) -> tuple[tuple[int, int], int]:
    """((width, height) as stored, EXIF orientation) of a picture, from its header. Raises as `picture_size`."""
    size, data = _size_and_start(path)
    return size or picture_size(path), exif_orientation(data)


def _size_and_start(path: str | os.PathLike[str]) -> tuple[tuple[int, int] | None, bytes]:
    """(size in the header of a JPEG or PNG, None of other pictures; the bytes that it is in, or all)."""
    data = read_bytes(path, HEADER_BYTES)
    size = header_size(data)
    if size is None:
        data = read_bytes(path)
        size = header_size(data)
    return size, data


def picture_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(width, height) of a picture file or `archive.zip@member`, from its header: nothing is decoded.

    EXIF orientation counts for an UprightPath alone, as in `read_image`. Raises UserError for a missing, truncated or
    unreadable picture.
    """
    from PIL import Image  # here, so that deployment does without Pillow

    try:
        with io.BytesIO(read_bytes(path)) if ".zip@" in str(path) else open(path, "rb") as file:
            start = file.read(8)
            file.seek(max(0, file.seek(0, os.SEEK_END) - 64))
            end = file.read()
            # of most pictures the ends tell; the whole is read where they do not
            tells = end.endswith(b"\xff\xd9") if start.startswith(JPEG_START) else b"IEND" in end
            if start.startswith((JPEG_START, PNG_START)) and not tells and _is_cut_off(read_bytes(path)):
                raise UserError(f"the picture {path} is truncated: copy or download it again")
            with Image.open(file) as picture:
                size = picture.size
            return picture_header(path)[0] if isinstance(path, UprightPath) else size
    except UserError:
        raise
    except Exception as error:  # Pillow lets through whatever a damaged header makes it meet
        raise UserError(f"the picture {path} cannot be read: {type(error).__name__}") from error


def normalization(
    pixel_scale: float = 255.0, mean: tuple[float, float, float] = MEAN,
    deviation: tuple[float, float, float] = STD,
) -> tuple[np.ndarray, np.ndarray]:
    """(factor, offset), each (3,) float32: normalised = pixel * factor + offset, per channel.

    The same as (pixel / pixel_scale - mean) / deviation. The earlier Paddle port used a pixel_scale of 1.
    """
    means = np.array(mean, dtype=np.float64)
    deviations = np.array(deviation, dtype=np.float64)
    return (1 / (pixel_scale * deviations)).astype(np.float32), (-means / deviations).astype(np.float32)


def is_usual_normalization(mean: Sequence[float], deviation: Sequence[float]) -> bool:
    """Whether a network expects ImageNet's mean and standard deviation, the only ones that experiments can give it."""
    return bool(np.allclose([mean, deviation], [MEAN, STD], rtol=0, atol=1e-3))


def crop_person(
    image: np.ndarray, matrix: np.ndarray, output_size: tuple[int, int], color_rgb: bool = False
) -> np.ndarray:
    """A person's crop (h, w, 3) uint8 of an (H, W, 3) BGR picture: bilinear, black outside the picture.

    matrix: from `get_affine_transform`; output_size: (width, height); color_rgb: return RGB instead of BGR.
    """
    crop = cv2.warpAffine(image, matrix, tuple(int(side) for side in output_size), flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(crop[..., ::-1]) if color_rgb else crop


def crops_to_input(
    crops: np.ndarray, pixel_scale: float = 255.0, mean: tuple[float, float, float] = MEAN,
    deviation: tuple[float, float, float] = STD,
) -> np.ndarray:
    """uint8 crops (N, h, w, 3) in the network's colour order -> its input (N, 3, h, w) float32."""
    factor, offset = normalization(pixel_scale, mean, deviation)
    count, height, width, channels = crops.shape
    planes = np.empty((count, channels, height, width), np.float32)
    for channel in range(channels):  # one after the other: ten times faster than to turn floats round
        np.multiply(crops[..., channel], factor[channel], out=planes[:, channel], dtype=np.float32)
        planes[:, channel] += offset[channel]
    return planes
