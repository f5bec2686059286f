"""Names of a model in tables and folders."""

from __future__ import annotations

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
