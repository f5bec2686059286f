"""MPII Human Pose (and data sets in its JSON form): annotations -> persons."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...core.transforms import PIXELS_PER_SCALE
from ...utils.errors import UserError
from ...utils.files import MAX_PIXEL_COORDINATE, describe_error, read_json, short_repr
from ..joints_dataset import Persons

LAYOUT = (
    "MPII's pictures come from its home page (MPII Human Pose Dataset, version 1), the annotations in JSON from the "
    "original repository; they go to data/mpii/images/*.jpg and data/mpii/annot/{train,valid}.json and gt_valid.mat. "
    "To try without them: unzip data/mpii.zip -d data/, or draw people: python -m lib.dataset.synthetic --output "
    "data/synthetic"
)
MAXIMUM_SCALE = MAX_PIXEL_COORDINATE / PIXELS_PER_SCALE
RANGES = "expected finite pixels below a million and a scale above 0"


def read_mpii(
    root: str | os.PathLike[str], image_set: str, joint_count: int = 16, data_format: str = "jpg",
    indices: tuple | tuple[int, int, int] = (),
) -> Persons:
    """The persons of `root`/annot/`image_set`.json, as `Persons`.

    image_set: train, valid or test (whose records have no joints; they come back as not visible).
    indices: where the joint_count joints stand in the records; empty: the records have these joints and no others.
    data_format: zip reads pictures from images.zip, anything else from the folder images/.
    As the original does, boxes grow so that limbs stay inside (center_y += 15 * scale, scale *= 1.25), and everything
    becomes 0-based.
    Raises UserError for a missing, empty or ill-formed file, naming the file and the record.
    """
    root = Path(root)
    path = root / "annot" / f"{image_set}.json"
    records = _read_records(root, path)
    images = f"{root}/images.zip@images/" if data_format == "zip" else f"{root}/images/"
    count = len(records)
    center, scale = np.zeros((count, 2)), np.zeros((count, 2))
    joints, visible = np.zeros((count, joint_count, 2)), np.zeros((count, joint_count))
    pictures = []
    for row, record in enumerate(records):
        try:
            name, center[row], scale[row] = record["image"], record["center"], record["scale"]
            if "joints" in record and image_set != "test":
                joints[row], visible[row] = _joints_of(record, joint_count, indices)
            if not isinstance(name, str) or not name:
                raise ValueError("'image' is not a file name")
            if not (np.abs(center[row]) < MAX_PIXEL_COORDINATE).all() or not 0 < scale[row, 0] < MAXIMUM_SCALE:
                values = short_repr(record["center"]), short_repr(record["scale"])
                raise ValueError("center {} or scale {} cannot be; {}".format(*values, RANGES))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{path}: person {row + 1} of {count}: {describe_error(error)}") from error
        pictures.append(images + name)

    boxes = np.column_stack([center - 1 - scale * PIXELS_PER_SCALE / 2, scale * PIXELS_PER_SCALE])
    boxed = center[:, 0] != -1
    center[boxed, 1] += 15 * scale[boxed, 1]
    scale[boxed] *= 1.25
    return Persons(pictures, center - 1, scale, joints, visible, boxes)


def _read_records(root: Path, path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    if not root.is_dir():
        raise UserError(f"there is no data folder {root} (DATASET.ROOT). {LAYOUT}")
    records = read_json(path, LAYOUT)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UserError(f"{path}: expected a list of persons as in MPII's JSON")
    if not records:
        raise UserError(f"{path}: the list of persons is empty")
    return records


def _joints_of(record: dict, joint_count: int, indices: tuple | tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    joints = np.array(record["joints"], dtype=np.float64)
    visible = np.array(record["joints_vis"], dtype=np.float64).reshape(-1)
    if len(indices) and joints.ndim == 2 and len(joints) == len(visible):
        found, last = len(joints), max(indices)
        if found <= last:
            raise ValueError(f"{found} joints, but DATASET.SKELETON.INDICES asks for {last}, counted from 0")
        joints, visible = joints[list(indices)], visible[list(indices)]
    if joints.shape != (joint_count, 2) or visible.shape != (joint_count,):
        raise ValueError(
            f"{len(record['joints'])} joints and {len(visible)} visibilities, expected {joint_count} (x, y) and "
            f"{joint_count} (picture {short_repr(record.get('image'))})"
        )
    if not (np.isin(visible, (0, 1)).all() and (np.abs(joints[visible > 0]) < MAX_PIXEL_COORDINATE).all()):
        raise ValueError(f"a visibility is neither 0 nor 1, or a visible joint cannot be; {RANGES}")
    return joints - 1, visible
