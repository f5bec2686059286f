"""Persons -> training and validation samples, for every data set."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.heatmap import gaussian_vectors
from ..core.skeletons import Skeleton
from ..core.transforms import (
    PIXELS_PER_SCALE,
    affine_transform,
    crop_of_box,
    fliplr_joints,
    get_affine_transform,
)
from ..utils.errors import UserError
from ..utils.image import open_archive
from .augment import HALF_BODY_PADDING, Augmentation, sample_generator
from .regions import Reach, crop_region, read_region

if TYPE_CHECKING:
    from .regions import Region


@dataclass
class Persons:
    """N persons, as arrays: 0-based picture pixels throughout.

    pictures: N paths (or archive.zip@member); center (N, 2); scale (N, 2) of the crop, in units of 200 px;
    joints (N, K, 2); visible (N, K): 1 where the joint is annotated, 0 throughout for detected persons.
    boxes (N, 4): x, y, width, height as annotated or detected, before they grew to the crop.
    image_ids, category_ids (N,): COCO's, as Python's objects; box_scores (N,): the detector's, 1 for annotated boxes.
    left_out: {reason: ids of the annotation's records that were left out on reading}; note: lines for the log, such as
    how many were; may be empty.
    """

    pictures: list
    center: np.ndarray
    scale: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    boxes: np.ndarray | None = None
    image_ids: np.ndarray | None = None
    box_scores: np.ndarray | None = None
    category_ids: np.ndarray | None = None
    note: str = ""
    left_out: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    def annotation(self, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """center (2,), scale (2,), joints (K, 2) and visible (K,) of one person."""
        return self.center[row], self.scale[row], self.joints[row], self.visible[row]

    def choose(self, keep: np.ndarray) -> Persons:
        """The persons where the mask `keep` (N,) is True."""
        rows = np.flatnonzero(keep)
        arrays = {name: value[rows] for name, value in self.arrays().items()}
        return replace(self, pictures=[self.pictures[row] for row in rows], **arrays)

    def arrays(self) -> dict[str, Any]:
        """{field: array} of those with a row for each person, but for those that are None."""
        return {item.name: value for item in fields(self) if isinstance(value := getattr(self, item.name), np.ndarray)}


def join_persons(parts: Sequence[Persons]) -> Persons:
    """The persons of several sets of the same joints, one set after the other."""
    first, *others = parts
    if not others:
        return first
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in first.arrays()}
    reasons = dict.fromkeys(reason for part in parts for reason in part.left_out)
    left_out = {reason: [number for part in parts for number in part.left_out.get(reason, [])] for reason in reasons}
    pictures = [picture for part in parts for picture in part.pictures]
    return Persons(pictures, **arrays, note="\n".join(filter(None, (part.note for part in parts))), left_out=left_out)


def left_out_note(
    left_out: Mapping[str, Sequence[Any]], count: int, what: str
) -> str:
    """A line for the log: how many of `count` records were left out, by reason; empty if none were."""
    reasons = ", ".join(f"{len(ids)} {reason}" for reason, ids in left_out.items() if ids)
    return f"=> {sum(map(len, left_out.values()))} of {count} {what} left out: {reasons}" if reasons else ""


@dataclass(frozen=True)
class SampleSettings:
    """What a sample looks like. Sizes are (width, height); sigma is in heatmap pixels; unbiased: see heatmap.py.

    decode_reduced: JPEGs are decoded at half their size where a person's smallest crop is twice the image_size.
    """

    image_size: tuple = (256, 256)
    heatmap_size: tuple = (64, 64)
    sigma: float = 2.0
    color_rgb: bool = False
    augmentation: Augmentation | None = None
    seed: int = 0
    unbiased: bool = False
    decode_reduced: bool = False


@dataclass
class JointsDataset:
    """Crops and joints of annotated persons; `collate` adds the targets.

    `dataset[index]` or, for another epoch's augmentation, `dataset[epoch, index]` is a dict:
    crop (h, w, 3) uint8 in the network's colour order, joints (K, 2) float64 in crop pixels, visible (K,),
    center (2,) and scale (2,) of the crop in picture pixels, index.
    cache: gives cache[index], the Region of the picture that a person's crops are made of, such as a CropCache of these
    persons and settings; None reads the pictures. The samples are the same.
    Raises UserError where a picture is missing (on construction) or cannot be read (on access).
    """

    persons: Persons
    skeleton: Skeleton
    settings: SampleSettings = field(default_factory=SampleSettings)
    cache: Any = None  # a CropCache, which is above this module

    def __post_init__(self) -> None:
        check_pictures(self.persons.pictures)
        settings = self.settings
        upper_body = tuple(self.skeleton.indices_of(self.skeleton.upper_body))
        self._flip_pairs = self.skeleton.flip_pairs
        self.reach = Reach(settings.image_size, settings.augmentation, upper_body, settings.decode_reduced)

    def __len__(self) -> int:
        return len(self.persons)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, int | np.ndarray]:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        persons, settings = self.persons, self.settings
        center, scale, joints, visible = (values.copy() for values in persons.annotation(index))
        rotation, mirror = 0.0, False
        region = self._region(index)
        if settings.augmentation:
            generator = sample_generator(settings.seed, epoch, index)
            multiplier, rotation, mirror = settings.augmentation.draw(generator)
            half = settings.augmentation.draw_half_body(generator, joints, visible, self.reach.upper_body)
            if half is not None:
                center, scale = crop_of_box(half, settings.image_size, HALF_BODY_PADDING)
            scale *= multiplier
            if mirror:
                width = region.picture_size[0]
                joints, visible = fliplr_joints(joints, visible, width, self._flip_pairs)
                center[0] = width - center[0] - 1
        matrix = get_affine_transform(center, scale, rotation, settings.image_size, unbiased=settings.unbiased)
        seen = visible > 0
        joints[seen] = affine_transform(joints[seen], matrix)
        crop = crop_region(region, matrix, mirror, settings.image_size, settings.color_rgb)
        return {"crop": crop, "joints": joints, "visible": visible, "center": center, "scale": scale, "index": index}

    def _region(self, index: int) -> Region:
        if self.cache is not None:
            return self.cache[index]
        reduction = self.reach.reduction(*self.persons.annotation(index))
        return read_region(self.persons.pictures[index], reduction)

    def collate(self, samples: list[dict[str, Any]]) -> dict[str, np.ndarray]:
        """A batch of samples, small enough to hand from a worker to the trainer.

        crop (N, h, w, 3) uint8; horizontal (N, K, W), vertical (N, K, H) and target_weight (N, K, 1) float32, see
        `gaussian_vectors`; joints (N, K, 2) float32; index (N,) int64.
        """
        batch = {key: np.stack([sample[key] for sample in samples]) for key in ("crop", "joints", "visible")}
        settings = self.settings
        horizontal, vertical, target_weight = gaussian_vectors(
            batch["joints"], batch["visible"], settings.image_size, settings.heatmap_size, settings.sigma,
            settings.unbiased,
        )  # fmt: skip
        return {
            "crop": batch["crop"],
            "joints": batch["joints"].astype(np.float32),
            "horizontal": horizontal,
            "vertical": vertical,
            "target_weight": target_weight,
            "index": np.array([sample["index"] for sample in samples], dtype=np.int64),
        }


def missing_pictures(pictures: list[str]) -> list[str]:
    """Those of a list of paths and archive.zip@member names that are not there, each once; each folder is read once.

    All pictures of a folder or archive that is not there, or cannot be opened, are missing.
    """
    listings, missing = {}, []
    for picture in dict.fromkeys(pictures):
        archive, separator, member = picture.partition(".zip@")
        folder = archive + ".zip" if separator else os.path.dirname(picture)
        if folder not in listings:
            listings[folder] = _names_in(folder, bool(separator))
        if (member if separator else os.path.basename(picture)) not in listings[folder]:
            missing.append(picture)
    return missing


def check_pictures(pictures: list[str]) -> None:
    """Raises UserError naming the first missing picture of a list of paths and archive.zip@member names."""
    missing = missing_pictures(pictures)
    if missing:
        archive, separator, _ = missing[0].partition(".zip@")
        if separator and not Path(archive + ".zip").is_file():
            raise UserError(f"there is no picture archive {archive}.zip")
        if separator:
            open_archive(archive + ".zip")  # says what is wrong with one that cannot be opened
        raise UserError(
            f"{len(missing)} of {len(set(pictures))} pictures are missing, the first is {missing[0]}: "
            "complete the picture folder or remove these persons from the annotation"
        )


def _names_in(folder: str | os.PathLike[str], is_archive: bool) -> set[Any] | set[str]:
    try:
        return set(open_archive(folder).namelist() if is_archive else os.listdir(folder or "."))
    except (OSError, UserError):
        return set()


def select_data(persons: Persons) -> Persons:
    """Keeps persons whose joints lie where their box says (DATASET.SELECT_DATA; the original's rule).

    The similarity exp(-d^2 / (2 * 0.2^2 * area)) of the joints' mean to the box centre must exceed
    0.2 / 16 * (visible joints - 1) + 0.45.
    """
    seen = persons.visible > 0
    counts = seen.sum(axis=1)
    middle = (persons.joints * seen[..., None]).sum(axis=1) / np.maximum(counts, 1)[:, None]
    area = persons.scale.prod(axis=1) * PIXELS_PER_SCALE**2
    distance = np.linalg.norm(middle - persons.center, axis=1)
    similarity = np.exp(-(distance**2) / (2 * 0.2**2 * area))
    return persons.choose((counts > 0) & (similarity > 0.2 / 16 * counts + 0.45 - 0.2 / 16))
