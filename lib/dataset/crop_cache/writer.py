"""Writes a crop cache with several processes; a killed run is continued."""
from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ...utils.errors import RunError, UserError
from ...utils.files import readable_size
from ...utils.progress import progress_bar
from ...utils.runtime import make_folder, replacing
from ..loader import BatchLoader
from ..regions import read_region
from .plan import make_plan

if TYPE_CHECKING:
    from ..joints_dataset import JointsDataset
    from .plan import Plan

PICTURES_AT_ONCE = 4  # handed to a process
SECONDS_BETWEEN_RECORDS = 5.0
KEPT_FREE = 2**28  # bytes of the disk


class PictureWriter:
    """Writes pictures' blocks to their places: `writer[number]` decodes a picture and returns its number.

    plan: see `Plan`; path: of the file, which is there. A data set for BatchLoader, whose processes do the work.
    Raises UserError for a picture that cannot be read, RunError where the disk does not take it.
    """

    def __init__(self, plan: Plan, path: str | os.PathLike[str]) -> None:
        self.plan, self.path = plan, path
        self._offset = plan.offset

    def __getitem__(self, number: int) -> int:
        plan, picture = self.plan, self.plan.pictures[number]
        first, end = np.searchsorted(plan.picture_of, [number, number + 1])
        region = None
        for block in range(first, end):
            reduction = int(plan.reduction[block])
            if region is None or region.reduction != reduction:
                region = read_region(picture, reduction)
                if (region.reduction, region.picture_size) != (reduction, tuple(plan.picture_size[number].tolist())):
                    raise UserError(f"the picture {picture} has a header that does not match its content: re-encode it")
            left, top, right, bottom = plan.box[block]
            self._write(int(self._offset[block]), region.pixels[top:bottom, left:right])
        return number

    def _write(self, offset: int, pixels: np.ndarray) -> None:
        try:
            with open(self.path, "rb+") as file:
                file.seek(offset)
                file.write(np.ascontiguousarray(pixels).data)
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error

    def collate(self, numbers: list[int]) -> list[int]:
        return numbers


class Journal:
    """The numbers of the pictures whose blocks are on the disk, in a file that only grows.

    A number is noted when the pixels have been flushed, so that it may be believed after a crash as well.
    """

    def __init__(self, path: Path, data_file: BinaryIO) -> None:
        self.path, self.data_file = path, data_file
        self._waiting: list[int] = []
        self._last = time.monotonic()

    def read(self, count: int) -> set[int]:
        """Those noted of `count` pictures, as a set; a damaged end does not count."""
        content = self.path.read_bytes() if self.path.exists() else b""
        numbers = np.frombuffer(content[: len(content) // 4 * 4], "<u4")
        good = (numbers >= 1) & (numbers <= count)  # from 1: a block that a crash left empty reads as zeros
        return {int(number) - 1 for number in numbers[: len(good) if good.all() else good.argmin()]}

    def add(self, numbers: list[int]) -> None:
        self._waiting += numbers
        if time.monotonic() - self._last >= SECONDS_BETWEEN_RECORDS:
            self.flush()

    def flush(self) -> None:
        os.fsync(self.data_file.fileno())
        with open(self.path, "ab") as file:
            file.write((np.array(self._waiting, "<u4") + 1).astype("<u4").tobytes())
            file.flush()
            os.fsync(file.fileno())
        self._waiting = []
        self._last = time.monotonic()


def write_cache(dataset: JointsDataset, index: Path, workers: int, say: Callable[[str], None]) -> None:
    """Writes the .bin file of a JointsDataset's cache and then `index`, its .npz. Arguments as of `open_cache`.

    Of several runs that want the same cache one writes it and the others wait.
    """
    make_folder(index.parent)
    path, lock = index.with_suffix(".bin"), index.with_suffix(".lock")
    with _locked(lock, path, say):
        if not index.is_file():  # else another run wrote it while this one waited
            plan = make_plan(dataset)
            try:
                _write_data(plan, path, workers, say)
            except OSError as error:
                raise RunError(f"cannot write {path}: {error.strerror or error}") from error
            _write_index(plan, index)
        for left_over in (index.with_suffix(".journal"), lock):
            left_over.unlink(missing_ok=True)  # whoever waits for the lock finds the index


@contextlib.contextmanager
def _locked(lock: Path, path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """The block runs in one process at a time; a lock ends with its process, however that ends."""
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(open(lock, "wb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"=> cache: another run is writing {path}; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise RunError(f"cannot lock {lock}: {error.strerror or error}") from error
        yield


def _write_data(plan: Plan, path: Path, workers: int, say: Callable[[str], None]) -> None:
    with open(path, "ab") as file:
        journal = Journal(path.with_suffix(".journal"), file)
        if os.fstat(file.fileno()).st_size != plan.total:  # the journal, if any, is of a file that is gone
            journal.path.unlink(missing_ok=True)
        done = journal.read(len(plan.pictures))
        _check_space(plan, done, path, say)
        file.truncate(plan.total)
        _write_pictures(PictureWriter(plan, path), done, journal, workers)


def _check_space(
    plan: Plan, done: set[Any] | set[int], path: Path, say: Callable[[str], None]
) -> None:
    """Says how large the file will be; raises RunError where the disk is too small for it."""
    sizes, free = plan.picture_bytes, shutil.disk_usage(path.parent).free
    missing = plan.total - int(sizes[list(done)].sum())
    begun = f", of which {100 * (1 - missing / plan.total):.0f}% are there" if done else ""
    whom = f"{len(plan.block_of)} persons in {len(plan.pictures)} pictures"
    say(f"=> cache: writing {path}, {readable_size(plan.total)} for {whom}{begun}; {readable_size(free)} are free")
    if free < missing + KEPT_FREE:
        raise RunError(
            f"the disk of {path.parent} is too small for the cache: it has {readable_size(free)} free, and "
            f"{readable_size(missing + KEPT_FREE)} are needed; DATASET.CACHE none does without, and with "
            "DATASET.DECODE_REDUCED true it is smaller"
        )


def _write_pictures(writer: PictureWriter, done: set[Any] | set[int], journal: Journal, workers: int) -> None:
    missing = [number for number in range(len(writer.plan.pictures)) if number not in done]
    batches = [missing[start : start + PICTURES_AT_ONCE] for start in range(0, len(missing), PICTURES_AT_ONCE)]
    loader = BatchLoader(writer, batches, workers)
    try:
        with progress_bar(len(missing), "cache: pictures") as bar:
            for numbers in loader:
                journal.add(numbers)
                bar.update(len(numbers))
    finally:
        loader.close()
        journal.flush()


def _write_index(plan: Plan, index: Path) -> None:
    blocks = np.column_stack([plan.offset, plan.box, plan.reduction, plan.picture_size[plan.picture_of]])
    with replacing(index, ending=".npz") as temporary:
        np.savez(temporary, block_of=plan.block_of, blocks=blocks, total=plan.total)
