"""How viewers turn a stored AVIF picture: its irot and imir boxes, which OpenCV leaves out."""

from __future__ import annotations

import struct
from collections.abc import Iterator

# (quarter turns against the clock, then what is exchanged: None, 0 top and bottom, 1 left and right) -> EXIF's number
ORIENTATIONS = {
    (0, None): 1, (0, 0): 4, (0, 1): 2, (1, None): 8, (1, 0): 5, (1, 1): 7,
    (2, None): 3, (2, 0): 2, (2, 1): 4, (3, None): 6, (3, 0): 7, (3, 1): 5,
}  # fmt: skip
BRANDS = (b"avif", b"avis")


def is_avif(data: bytes) -> bool:
    """Whether a file that begins with these bytes is an AVIF picture."""
    return data[4:8] == b"ftyp" and any(brand in data[8:40] for brand in BRANDS)


def avif_orientation(data: bytes) -> int:
    """1 to 8 as EXIF counts them, of the primary picture; 1, as stored, where the bytes say nothing that can be."""
    try:
        return _of_primary(data) if is_avif(data) else 1
    except (struct.error, IndexError, KeyError):  # it ends too early, or contradicts itself
        return 1


def _of_primary(data: bytes) -> int:
    meta = dict(_boxes(dict(_boxes(data))[b"meta"][4:]))
    primary = meta[b"pitm"]
    (item,) = struct.unpack_from(">I" if primary[0] else ">H", primary, 4)
    properties = dict(_boxes(meta[b"iprp"]))
    known = list(_boxes(properties[b"ipco"]))
    turns, mirror = 0, None
    for number in _associations(properties[b"ipma"], item):
        kind, content = known[number - 1]
        if kind == b"irot":
            turns = content[0] & 3
        elif kind == b"imir":
            mirror = content[0] & 1
    return ORIENTATIONS[turns, mirror]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of the boxes that lie one after the other in `data`."""
    offset = 0
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        start = offset + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = offset + length if length else len(data)
        if end < start:
            return
        yield kind, data[start:end]
        offset = end


def _associations(data: bytes, item: int) -> list[int]:
    """The numbers, from 1, of an item's properties."""
    id_code, code, mask = "I" if data[0] else "H", *(("H", 0x7FFF) if data[3] & 1 else ("B", 0x7F))
    (count,) = struct.unpack_from(">I", data, 4)
    offset = 8
    for _ in range(count):
        number, amount = struct.unpack_from(f">{id_code}B", data, offset)
        offset += struct.calcsize(f">{id_code}B")
        values = struct.unpack_from(f">{amount}{code}", data, offset)
        offset += struct.calcsize(f">{amount}{code}")
        if number == item:
            return [value & mask for value in values]
    return []
