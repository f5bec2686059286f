"""How viewers turn a stored picture: the orientation in a JPEG's EXIF data, or in an AVIF's own boxes."""

import struct

import numpy as np

from .avif import avif_orientation

ORIENTATION, SHORT = 0x0112, 3
EXCHANGING = (5, 6, 7, 8)  # orientations that make a standing picture of a lying one


def exif_orientation(data: bytes) -> int:
    """1 to 8 as EXIF counts them, from a picture's first bytes; 1, as stored, where they say nothing that can be."""
    try:
        return _of_jpeg(data) if data.startswith(b"\xff\xd8") else avif_orientation(data)
    except (struct.error, IndexError):  # it ends too early
        return 1


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """A stored picture (H, W, 3) as viewers show it; orientation: 1 to 8 as EXIF counts them."""
    if orientation in EXCHANGING:
        image = image.transpose(1, 0, 2)
    top_down, left_right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(image[:: -1 if top_down else 1, :: -1 if left_right else 1])


def _of_jpeg(data: bytes) -> int:
    offset = 2
    while data[offset] == 0xFF and data[offset + 1] != 0xDA:  # a start of scan: the header is over
        if data[offset + 1] == 0xFF:  # a byte to fill up
            offset += 1
            continue
        (length,) = struct.unpack_from(">H", data, offset + 2)
        if data[offset + 1] == 0xE1 and data[offset + 4 : offset + 10] == b"Exif\0\0":
            return _of_tiff(data[offset + 10 : offset + 2 + length])
        offset += 2 + length
    return 1


def _of_tiff(data: bytes) -> int:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return 1
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for number in range(count):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", data, start + 2 + 12 * number)
        if tag == ORIENTATION and kind == SHORT:
            return value if 1 <= value <= 8 else 1
    return 1
