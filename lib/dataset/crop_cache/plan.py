"""Layout and key of a crop cache.

N persons, M pictures, B blocks: parts of pictures that one or several persons' crops are made of.
"""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ...utils.errors import UserError
from ...utils.image import UprightPath, open_archive, picture_header
from ...utils.progress import progress_bar
from ..regions import pixel_box

if TYPE_CHECKING:
    from ..joints_dataset import JointsDataset

FORMAT = 1  # of the files and of what `Reach` puts into them; another one is another cache
KEY_LENGTH = 12


@dataclass(frozen=True)
class Plan:
    """Where each block lies.

    pictures: M paths; picture_size (M, 2): width and height; block_of (N,): each person's block; picture_of (B,): each
    block's picture, ascending; box (B, 4): left, top, right, bottom, exclusive, in pixels of the picture decoded at
    1/reduction (B,); offset (B,): bytes from the beginning of the file.
    """

    pictures: list
    picture_size: np.ndarray
    block_of: np.ndarray
    picture_of: np.ndarray
    box: np.ndarray
    reduction: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """(B,) bytes of each block."""
        return (self.box[:, 2:] - self.box[:, :2]).astype(np.int64).prod(axis=1) * 3

    @property
    def offset(self) -> np.ndarray:
        return np.cumsum(self.sizes) - self.sizes

    @property
    def total(self) -> int:
        """Bytes of the file, which is never empty: such a one cannot be mapped."""
        return max(1, int(self.sizes.sum()))

    @property
    def picture_bytes(self) -> np.ndarray:
        """(M,) bytes of each picture's blocks."""
        return np.bincount(self.picture_of, self.sizes, len(self.pictures)).astype(np.int64)


def cache_key(dataset: JointsDataset, root: str | os.PathLike[str]) -> str:
    """Hexadecimal digits of everything that the pixels of a JointsDataset's cache depend on.

    root: the data folder; pictures count by their path in it, so that it may be moved as a whole.
    """
    persons, reach = dataset.persons, dataset.reach
    settings = {"format": FORMAT, "opencv": cv2.__version__, "size": list(reach.image_size), "reduce": reach.reduce}
    augmentation = asdict(reach.augmentation) if reach.augmentation else {}
    augmentation.pop("flip", None)  # what mirrored crops are made of is there anyway
    digest = hashlib.sha256(json.dumps(settings | augmentation, sort_keys=True).encode())
    arrays = [persons.center, persons.scale]
    if augmentation.get("half_body"):
        arrays += [persons.joints, persons.visible, np.array(reach.upper_body)]
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
    stamps = {}
    for picture in persons.pictures:
        if picture not in stamps:
            turned = " turned" if isinstance(picture, UprightPath) else ""
            stamps[picture] = f"{picture.removeprefix(str(root))} {_stamp(picture)}{turned}\n"
        digest.update(stamps[picture].encode())
    return digest.hexdigest()[:KEY_LENGTH]


def _stamp(picture: str) -> str:
    """What changes when a picture is replaced by another one."""
    archive, separator, member = picture.partition(".zip@")
    try:
        if separator:
            entry = open_archive(archive + ".zip").getinfo(member)
            return f"{entry.file_size} {entry.CRC}"
        status = os.stat(picture)
        return f"{status.st_size} {status.st_mtime_ns}"
    except (OSError, KeyError) as error:
        raise UserError(f"cannot read the picture {picture}: {error}") from error


def make_plan(dataset: JointsDataset) -> Plan:
    """The Plan of a JointsDataset's persons; reads the header of each picture.

    Where the regions of a picture's persons overlap so much that one block of all of them is smaller, they share it.
    """
    persons, reach = dataset.persons, dataset.reach
    pictures = list(dict.fromkeys(persons.pictures))
    number_of = {picture: number for number, picture in enumerate(pictures)}
    headers = []
    with progress_bar(len(pictures), "picture sizes") as bar:
        for picture in pictures:
            headers.append(picture_header(picture))
            bar.update()
    groups: dict[tuple[int, int], list[tuple[int, Any]]] = {}  # {(picture, reduction): [(person, box)]}
    for row, picture in enumerate(persons.pictures):
        person = persons.annotation(row)
        size, can_reduce = headers[number_of[picture]]
        reduction = reach.reduction(*person) if can_reduce else 1
        box = pixel_box(reach.box(*person), size, reduction)
        groups.setdefault((number_of[picture], reduction), []).append((row, box))
    found: list[Any] = []
    block_of = np.zeros(len(persons), np.int32)
    for (number, reduction), members in sorted(groups.items()):
        rows, boxes = zip(*members, strict=True)
        for block_rows, box in _blocks_of(rows, boxes):
            block_of[block_rows] = len(found)
            found.append((number, *box, reduction))
    blocks = np.array(found, dtype=np.int32)
    sizes = np.array([size for size, _ in headers], dtype=np.int32)
    return Plan(pictures, sizes, block_of, blocks[:, 0], blocks[:, 1:5], blocks[:, 5])


def _blocks_of(rows: Sequence[int], boxes: Sequence[Any]) -> list[tuple[list[int], Any]]:
    """[(rows, box)]: one block of all the boxes (left, top, right, bottom) where that is smaller than one for each."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    around = min(lefts), min(tops), max(rights), max(bottoms)
    if _area(around) <= sum(map(_area, boxes)):
        return [(list(rows), around)]
    return [([row], box) for row, box in zip(rows, boxes, strict=True)]


def _area(box: Sequence[Any]) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
