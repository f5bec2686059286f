"""A checksum at the end of our weight files and checkpoints, after the pickle, so that Paddle still reads them.

The last 36 bytes: a mark, the run that wrote the file, the length of what is before them, and the CRC-32 of that and of
the run. It finds what disks and copies do to a file, fast; against forgery it is no help, but see weight_file.
"""
from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    pass

MARK = b"POSE\x00CRC"
SEAL = struct.Struct(">8s16sQI")
BLOCK = 1 << 20
NO_RUN = bytes(16)


def seal(path: str | os.PathLike[str], run: bytes = NO_RUN) -> None:
    """Appends the checksum to a file and sees it to the disk. run: 16 bytes that are the same in all files of a run."""
    with open(path, "rb+") as file:
        length = file.seek(0, os.SEEK_END)
        file.write(SEAL.pack(MARK, run, length, _checksum(file, length, run)))
        file.flush()
        os.fsync(file.fileno())


def run_of(path: str | os.PathLike[str]) -> bytes | None:
    """The run that wrote a file, or None where there is none or it was written without a checksum."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        found = _read_seal(file)
        return found[0] if found else None
    return None


def is_changed(path: str | os.PathLike[str]) -> bool | None:
    """Whether a file differs from what was written; None where it has no checksum: Paddle's own, or an old one of ours.

    A file that lost its end lost its checksum too: that it is damaged shows when it is read.
    """
    with open(path, "rb") as file:
        found = _read_seal(file)
        if found is None:
            return None
        run, length, checksum = found
        return length != Path(path).stat().st_size - SEAL.size or checksum != _checksum(file, length, run)


def _read_seal(file: BinaryIO) -> tuple[bytes, int, int] | None:
    size = file.seek(0, os.SEEK_END)
    if size < SEAL.size:
        return None
    file.seek(size - SEAL.size)
    mark, run, length, checksum = SEAL.unpack(file.read(SEAL.size))
    return (run, length, checksum) if mark == MARK else None


def _checksum(file: BinaryIO, length: int, run: bytes) -> int:
    """Of the first `length` bytes of a file and of the run; leaves the file at their end."""
    checksum = file.seek(0)
    while length and (block := file.read(min(BLOCK, length))):
        checksum, length = zlib.crc32(block, checksum), length - len(block)
    return zlib.crc32(run, checksum)
