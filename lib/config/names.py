"""Names that an experiment implies: of a model in tables and folders, and of files of annotations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .schema import ModelConfig


def architecture_name(model: ModelConfig) -> str:
    """The table's first column, such as 256x256_pose_resnet_50_d256d256d256 (height x width)."""
    width, height = model.image_size
    return f"{height}x{width}_{model_name(model)}_" + "".join(f"d{count}" for count in model.extra.num_deconv_filters)


def model_name(model: ModelConfig) -> str:
    """pose_resnet_50: the model's part of the output folder."""
    return f"{model.name}_{model.depth}"


def annotation_path(root: str | os.PathLike[str], image_set: str) -> Path:
    """COCO's person_keypoints_<set>.json, or image_info_<set>.json without ground truth, whichever is there."""
    folder = Path(root) / "annotations"
    path, without_truth = folder / f"person_keypoints_{image_set}.json", folder / f"image_info_{image_set}.json"
    return without_truth if without_truth.is_file() and not path.is_file() else path
