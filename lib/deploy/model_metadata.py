"""Metadata of an exported model: all that a runtime needs to go from an image to keypoints. NumPy only.

It stands as JSON under one key of the ONNX file's own metadata. deploy.py reads it where there is no pydantic.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from ..core.heatmap import DECODERS
from ..core.skeletons import Skeleton, pair_problem
from ..utils.errors import UserError, whole_reason
from ..utils.files import check_version, short_repr
from ..utils.image import MEAN, STD

if TYPE_CHECKING:
    from .session import Session

METADATA_KEY = "simple_baselines_pose"
METADATA_VERSION = 1  # of docs/schemas/model-metadata.schema.json; docs/files.md says when it changes
OPSETS = range(13, 22)  # of exported files: from 13 on 8 bits per channel; up to 21 was tried
DEFAULT_OPSET = 17  # the newest that ONNX Runtime 1.12 and TensorRT 8.6 read; OpenCV 5.0 was tried and does


@dataclass(frozen=True)
class ModelMetadata:
    """A pose network's surroundings: normalised = (pixel / pixel_scale - mean) / deviation, per channel.

    image_size: (width, height) that the network was trained at; color_rgb: it wants RGB, not BGR; padding: how much a
    person's box grows; decode, sigma, unbiased, shift_heatmap: see lib.core.heatmap; flip_merged: the graph holds the
    flip test itself; config_digest: sha256 of the experiment it was exported with.
    """

    skeleton: Skeleton
    image_size: tuple
    color_rgb: bool = False
    pixel_scale: float = 255.0
    mean: tuple = MEAN
    deviation: tuple = STD
    padding: float = 1.25
    decode: str = "quarter"
    sigma: float = 2.0
    unbiased: bool = False
    shift_heatmap: bool = True
    flip_merged: bool = False
    config_digest: str = ""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise UserError(f"model metadata: {problem}")

    def _problem(self) -> str:
        for name in ("image_size", "mean", "deviation"):
            values, count = getattr(self, name), 2 if name == "image_size" else 3
            if len(values) != count or not all(_is_number(value) for value in values):
                return f"{name} is {short_repr(values)}, expected {count} finite numbers"
        if not all(isinstance(side, int) for side in self.image_size):
            return f"image_size is {short_repr(self.image_size)}, expected whole numbers"
        if min(self.image_size) < 1 or min(self.deviation) <= 0:
            return f"image_size {self.image_size} and deviation {self.deviation} must be above 0"
        for name in ("pixel_scale", "padding", "sigma"):
            if not _is_number(getattr(self, name)) or getattr(self, name) <= 0:
                return f"{name} is {short_repr(getattr(self, name))}, expected a number above 0"
        for name in ("color_rgb", "unbiased", "shift_heatmap", "flip_merged"):
            if not isinstance(getattr(self, name), bool):
                return f"{name} is {short_repr(getattr(self, name))}, expected true or false"
        if self.decode not in DECODERS:
            return f"decode is {short_repr(self.decode)}, expected one of {', '.join(DECODERS)}"
        return ""

    def to_json(self) -> str:
        """The metadata as text for `from_json`; pairs that follow from the joints' names are written out for others."""
        values, joints = asdict(self), self.skeleton.joints
        pairs = [(joints[first], joints[second]) for first, second in self.skeleton.flip_pairs]
        if self.skeleton.mirror_pairs is None:  # given ones keep their order: the left joint may stand first
            values["skeleton"]["mirror_pairs"] = pairs
        return json.dumps({"version": METADATA_VERSION, **values})


def from_json(text: str) -> ModelMetadata:
    """The ModelMetadata of a text, of no `version` or of ours. Raises UserError where it is none, and names the value
    that cannot be."""
    try:
        values = json.loads(text)
        check_version(values, METADATA_VERSION)
        parts = {key: _tuple(value) for key, value in values.pop("skeleton").items()}
        known = {field.name for field in fields(ModelMetadata)}
        settings = {key: _tuple(value) for key, value in values.items() if key in known}
        skeleton = Skeleton(**parts)
        skeleton.flip_pairs, skeleton.limb_indices  # noqa: B018 - they fail where names are not joints
        if any(len(pair) != 2 for pair in skeleton.flip_pairs):
            raise ValueError("mirror_pairs: expected pairs of joints")
        problem = pair_problem(skeleton.joints, skeleton.mirror_pairs or ())
        if problem and skeleton.mirror_pairs is not None:
            raise ValueError(f"mirror_pairs: {problem}")
        return ModelMetadata(skeleton, **settings)
    except UserError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {whole_reason(error)}"
        raise UserError(f"the model's metadata cannot be read ({reason})") from error


def read_metadata(session: Session, path: str | os.PathLike[str]) -> ModelMetadata | None:
    """The ModelMetadata of a session's file at `path`, None where it has none; raises as `from_json`."""
    text = session.metadata.get(METADATA_KEY)
    try:
        return from_json(text) if text else None
    except UserError as error:
        raise UserError(f"{path}: {error}; export it again") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
