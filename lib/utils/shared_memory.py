"""Checks the shared memory that worker processes need."""

from __future__ import annotations

import os
import sys
import tempfile

from .errors import UserError

SHARED_MEMORY = "/dev/shm"
NEEDED = 2**20  # bytes: the loader's processes share locks there and nothing else


def check_shared_memory(folder: str | os.PathLike[str] = SHARED_MEMORY) -> None:
    """Raises UserError where processes cannot share memory, which would else be a traceback or a bus error later."""
    if not sys.platform.startswith("linux"):
        return
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, NEEDED)
    except OSError as error:
        raise UserError(
            f"loader processes need {NEEDED // 2**20} MB of shared memory in {folder}: {error.strerror or error}; give "
            "the container more (docker run --shm-size=1g), or load in the main process (WORKERS 0)"
        ) from error
