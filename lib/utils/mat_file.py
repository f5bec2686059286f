"""Reads MATLAB files of version 5 to 7, such as MPII's ground truth and pred.mat.

SciPy reads them too, but on some damaged ones it ends the whole process (a segmentation fault). Of all that such a file
may hold this reads what those two do: arrays of numbers, and cells of text. MathWorks' "MAT-File Format" has the form.
"""
from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

LARGEST = 2**30  # bytes of a variable: MPII's ground truth has a few million
ENDS = {b"IM": "<", b"MI": ">"}
MATRIX, COMPRESSED = 14, 15  # kinds of elements; the others hold numbers or text
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
TEXT = {16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}", 4: "utf-16-{}", 2: "latin-1", 1: "latin-1"}
CELL, CHARACTERS = 1, 4  # classes of arrays
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x0800


def read_mat(path: str | os.PathLike[str]) -> dict[str, Any]:
    """{name: array} of the file's arrays of numbers, in MATLAB's shape, and {name: list of str} of its cells of text.

    Variables of other kinds are left out. Raises OSError, and ValueError where the file is damaged or of another kind.
    """
    data = Path(path).read_bytes()
    order = ENDS.get(data[126:128])
    if order is None:
        raise ValueError("not of MATLAB's version 5 to 7 (save -v7)")
    variables = {}
    try:
        for kind, content in _elements(data[128:], order):
            if kind == COMPRESSED:
                ((kind, content),) = _elements(_decompress(content), order)
            if kind == MATRIX:
                name, value = _variable(content, order)
                if value is not None:
                    variables[name] = value
    except (struct.error, zlib.error, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"damaged ({type(error).__name__})") from error
    return variables


def _decompress(content: bytes) -> bytes:
    unpacked = zlib.decompressobj().decompress(content, LARGEST + 1)
    if len(unpacked) > LARGEST:
        raise ValueError(f"a variable of more than {LARGEST >> 30} GB")
    return unpacked


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of the elements that follow one another in `data`."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        start = place + 8
        if kind >> 16:  # a small one: kind and size share a word, and the content takes the other
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            place += 8
        else:
            place = start + size + (-size % 8 if kind != COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError("cut off")
        yield kind, data[start : start + size]


def _variable(content: bytes, order: str) -> tuple[str, Any]:
    """(name, value) of a matrix element; a value of None where it is neither numbers nor cells of text."""
    (_, head), (_, sides), (_, title), *parts = _elements(content, order)
    (flags,) = struct.unpack_from(f"{order}I", head)
    kind, shape = flags & 0xFF, struct.unpack(f"{order}{len(sides) // 4}i", sides)
    name = title.decode("latin-1")
    if min(shape, default=0) < 0:
        raise ValueError(f"{name[:40]} has the shape {shape[:8]}")
    if kind in NUMBERS and not flags & COMPLEX:
        ((stored, values),) = parts
        array = np.frombuffer(values, order + STORED[stored]) if values else np.zeros(0)
        return name, array.astype(NUMBERS[kind]).reshape(shape, order="F")
    if kind == CELL and len(parts) == math.prod(shape):
        return name, [_text(cell, order) for _, cell in parts]
    return name, None


def _text(content: bytes, order: str) -> str:
    """The text in a cell."""
    (_, flags), _, _, (stored, letters) = _elements(content, order)
    if struct.unpack_from(f"{order}I", flags)[0] & 0xFF != CHARACTERS:
        raise ValueError("a cell that is no text")
    return letters.decode(TEXT[stored].format("le" if order == "<" else "be"))
