"""What the bytes of a JPEG or PNG tell without decoding, and without Pillow, which deployment lacks: size and end."""

import re
import struct

# the markers of a JPEG's frame header; C4, C8 and CC are of other segments
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# a JPEG's markers; not those that stand among the compressed data: FF 00 (a byte FF) and FF D0 to D7 (restarts)
MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
JPEG_SCAN, JPEG_END, NEXT_PICTURE = 0xDA, 0xD9, 0xD8


def header_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) as the header of a JPEG or PNG says; None for other formats and damaged headers."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith(b"\x89PNG"):
            return struct.unpack_from(">II", data, 16)
    except (struct.error, IndexError):  # it ends too early
        pass
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    offset = 2
    while True:
        if data[offset] != 0xFF:
            return None
        marker = data[offset + 1]
        if marker in FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, offset + 5)
            return width, height
        if marker == 0xFF:  # a byte to fill up
            offset += 1
        elif 0xD0 <= marker <= 0xD9 or marker == 1:  # without a length
            offset += 2
        else:
            offset += 2 + struct.unpack_from(">H", data, offset + 2)[0]


def has_jpeg_end(data: bytes) -> bool:
    """Whether a JPEG has its own end marker: not that of a thumbnail inside it, nor one in the bytes behind it.

    A clip (motion photo), a second picture (MPO) or zeros may follow. Only headers are looked at in a file that ends
    with the marker; otherwise the compressed data are searched for the next one, in about 3% of the decoder's time.
    """
    offset = 2
    while found := MARKER.search(data, offset):
        offset, kind = found.end(), data[found.end() - 1]
        if kind == JPEG_END or (kind == JPEG_SCAN and data.endswith(b"\xff\xd9")):
            return True
        if kind == NEXT_PICTURE:  # begins before this one has ended
            return False
        offset += int.from_bytes(data[offset : offset + 2], "big")
    return False


def has_whole_chunks(data: bytes) -> bool:
    """Whether each chunk of a PNG, up to its last, is as long as it says: OpenCV takes the memory before it looks."""
    offset = 8
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        offset += 12 + length
        if kind == b"IEND":
            return offset <= len(data)
    return False
