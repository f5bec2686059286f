"""Image size from the file's header, without decoding and without Pillow."""

import re
import struct

# the markers of a JPEG's frame header; C4, C8 and CC are of other segments
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# .pbm, .pgm and .ppm: P1 to P6 and two numbers, with white space and comments between them
PNM_HEADER = rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s"
WIDTH_TAG, HEIGHT_TAG, SHORT = 256, 257, 3  # of TIFF


def header_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the header of a JPEG, PNG, WebP, BMP, GIF, TIFF or PNM says; None where it is none of them."""
    readers = {b"\xff\xd8": _jpeg_size, b"\x89PNG": _png_size, b"RIFF": _webp_size, b"BM": _bmp_size,
               b"GIF8": _gif_size, b"II*\0": _tiff_size, b"MM\0*": _tiff_size}  # fmt: skip
    for start, reader in readers.items():
        if data.startswith(start):
            try:
                return reader(data)
            except (struct.error, IndexError, KeyError):  # it ends too early
                return None
    pnm = re.match(PNM_HEADER, data)
    return (int(pnm[1]), int(pnm[2])) if pnm else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    place = 2
    while True:
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        if marker == 0xFF:  # a byte to fill up
            place += 1
        elif 0xD0 <= marker <= 0xD9 or marker == 1:  # without a length
            place += 2
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _png_size(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">II", data, 16)


def has_whole_chunks(data: bytes) -> bool:
    """Whether each chunk of a PNG, up to its last, is as long as it says: OpenCV takes the memory before it looks."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        place += 12 + length
        if kind == b"IEND":
            return place <= len(data)
    return False


def _bmp_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # below 0: the rows are stored from the top


def _gif_size(data: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", data, 6)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    chunk = data[12:16]
    if chunk == b"VP8X":
        width, height = (1 + int.from_bytes(data[start : start + 3], "little") for start in (24, 27))
        return width, height
    if chunk == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        return tuple(side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    return None


def _tiff_size(data: bytes) -> tuple[int, int]:
    order = "<" if data[:1] == b"I" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, start)
    sides = {}
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in (WIDTH_TAG, HEIGHT_TAG):
            (sides[tag],) = struct.unpack_from(order + ("H" if kind == SHORT else "I"), data, place + 8)
    return sides[WIDTH_TAG], sides[HEIGHT_TAG]
