"""DATASET.CACHE crops: the image regions of all persons, decoded once, in one memory-mapped file.

In the folder cache/ of the data set, <set>_<key>.bin holds the pixels and <set>_<key>.npz says where they lie. The
second is written when the first is whole and on the disk: a .bin alone is never read.
"""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...utils.errors import UserError
from ...utils.files import readable_size
from ..regions import Region
from .plan import KEY_LENGTH, cache_key
from .writer import write_cache

if TYPE_CHECKING:
    from ..joints_dataset import JointsDataset
    from ..synthetic.people import Person


class CropCache:
    """cache[person] is the Region that a person's crops are made of.

    path: of the .npz file. Raises UserError where it or the .bin file beside it cannot be read.
    A copy in another process maps the file for itself; only its name is handed over.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            with np.load(self.path, allow_pickle=False) as index:
                self._block_of, self._blocks, total = index["block_of"], index["blocks"], int(index["total"])
            pixels = np.memmap(self.path.with_suffix(".bin"), np.uint8, "r")
            if len(pixels) != total:
                raise ValueError(f"{len(pixels)} bytes of {total}")
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"the cache {self.path} cannot be read ({error}): delete it, and it is written anew"
            ) from error
        self._pixels = np.asarray(pixels)  # a plain array: slices of it are made faster

    def __reduce__(self) -> tuple[type[CropCache], tuple[Path]]:
        return CropCache, (self.path,)

    def __len__(self) -> int:
        return len(self._block_of)

    def __getitem__(self, person: Person) -> Region:
        start, left, top, right, bottom, reduction, width, height = self._blocks[self._block_of[person]].tolist()
        rows, columns = bottom - top, right - left
        pixels = self._pixels[start : start + rows * columns * 3].reshape(rows, columns, 3)
        return Region(pixels, left, top, (width, height), reduction)

    @property
    def line(self) -> str:
        """One line for the log."""
        return f"=> cache: {self.path.with_suffix('.bin')}, {readable_size(len(self._pixels))}"


def open_cache(
    dataset: JointsDataset, root: str | os.PathLike[str], name: str, workers: int, say: Callable[[str], None]
) -> CropCache:
    """The CropCache of a JointsDataset, written first where there is none for these persons, pictures and settings.

    root: the data folder; name: of the set; workers: processes that write it, 0 for this one; say: called with lines.
    Raises UserError for a picture that cannot be read or a folder that cannot be written to, RunError for a disk that
    is too small.
    """
    folder, name = Path(root) / "cache", name.replace("/", "_")
    index = folder / f"{name}_{cache_key(dataset, root)}.npz"
    if not index.is_file():
        older = [path for path in _caches(folder, name) if path.stem != index.stem]
        if older:
            files = ", ".join(f"{path} ({readable_size(os.stat(path).st_blocks * 512)})" for path in older)
            say(f"=> there are caches of other settings or pictures; where no other run reads them, delete {files}")
        write_cache(dataset, index, workers, say)
    return CropCache(index)


def _caches(folder: Path, name: str) -> list[Path]:
    """Those of a set, whole or not."""
    return sorted(folder.glob(glob.escape(name) + "_" + "[0-9a-f]" * KEY_LENGTH + ".bin"))
