"""Predicts poses with one exported ONNX file. NumPy, OpenCV and ONNX Runtime, or OpenVINO, only."""
from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.predictor import PosePredictor, PoseSettings
from ..utils.errors import UserError
from ..utils.image import crops_to_input
from ..utils.progress import Stopwatch
from .model_metadata import ModelMetadata, read_metadata
from .runtimes import open_session
from .session import heatmap_output, no_heatmaps, picture_input, run_pictures, which_heatmaps

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from .session import Session


class OnnxPosePredictor(PosePredictor):
    """The joints of people in a picture (see PosePredictor.predict) by an ONNX file.

    size: (width, height) of the network's input where the file leaves it open, None for what it was trained at.
    flip_test: average with the mirrored picture; a file that does so by itself does it once.
    provider, precision: see `open_session`; batch_size: persons that go through the network at once.
    assumed: {field of ModelMetadata: value} of a file without metadata, the `skeleton` at least.
    Attributes: metadata; skeleton; lines, which say what was opened and where it runs.
    Raises UserError where the file is of another network, or contradicts its metadata or the arguments.
    """

    def __init__(
        self, path: str | os.PathLike[str], size: tuple[int | None, int | None] = (None, None), flip_test: bool = False,
        provider: str = "auto",
        assumed: Mapping[str, Any] | None = None,
        batch_size: int = 8, precision: str = "auto",
    ) -> None:
        session, clock = open_session(path, provider, precision=precision), Stopwatch()
        self.metadata = metadata = describe_model(session, path, size, assumed)
        self.skeleton = metadata.skeleton
        flips = flip_test and not metadata.flip_merged
        settings = PoseSettings(
            image_size=metadata.image_size,
            flip_pairs=self.skeleton.flip_pairs if flips else None,
            shift_heatmap=metadata.shift_heatmap,
            decode=metadata.decode,
            sigma=metadata.sigma,
            unbiased=metadata.unbiased,
            color_rgb=metadata.color_rgb,
            batch_size=batch_size,
            padding=metadata.padding,
        )
        super().__init__(OnnxHeatmaps(session, path, metadata, clock), settings, clock)
        width, height = metadata.image_size
        self.lines = [
            f"=> loaded {path}: {len(self.skeleton.joints)} joints ({self.skeleton.name}), input {width}x{height} "
            f"(width x height), runs on {session.runs_on}"
        ]
        self.lines += filter(None, [which_heatmaps(session, len(self.skeleton.joints))])
        if flip_test and metadata.flip_merged:
            self.lines.append("=> the flip test is in the model itself: --flip-test adds nothing")


def assumed_metadata(
    skeleton: Skeleton | None, mean: Sequence[float] | None = None, std: Sequence[float] | None = None,
    pixel_scale: float | None = None, rgb: bool | None = None,
) -> dict[str, Any]:
    """{field of ModelMetadata: value} of what is said of a file without metadata; None: nothing."""
    values = {"skeleton": skeleton, "mean": mean, "deviation": std, "pixel_scale": pixel_scale, "color_rgb": rgb}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items() if value}


def describe_model(
    session: Session, path: str | os.PathLike[str],
    size: tuple[int | None, int | None] = (None, None),
    assumed: Mapping[str, Any] | None = None,
) -> ModelMetadata:
    """The ModelMetadata of a session's file, its image_size the one that the network is to run at.

    Arguments as those of OnnxPosePredictor.
    """
    metadata = read_metadata(session, path)
    if metadata and assumed:
        raise UserError(
            f"{path} has metadata with its joints and the images it expects: remove --dataset, --mean, --std, "
            "--pixel-scale and --rgb"
        )
    if not metadata and "skeleton" not in (assumed or {}):
        raise UserError(f"{path} does not say what its joints are: give --dataset coco, mpii or a skeleton's JSON file")
    trained = metadata.image_size if metadata else (None, None)
    sides = picture_input(session, path).sides
    image_size = tuple(
        _choose_side(path, *values) for values in zip(("width", "height"), sides, size, trained, strict=True)
    )
    if metadata:
        return replace(metadata, image_size=image_size)
    return ModelMetadata(image_size=image_size, **(assumed or {}))


def _choose_side(
    path: str | os.PathLike[str], name: str, fixed: int | None, asked: int | None, trained: int
) -> int:
    """A side of the network's input; fixed: in the graph; asked: by the user; trained: by the metadata; or None."""
    if fixed and trained and fixed != trained:
        raise UserError(f"{path} contradicts its metadata: its input's {name} is {fixed}, image_size says {trained}")
    if fixed and asked and fixed != asked:
        raise UserError(f"{path} has an input of a fixed {name}, {fixed}, so --{name} {asked} cannot be had")
    if not (fixed or asked or trained):
        raise UserError(f"{path} leaves its input's {name} open and has no metadata: give --{name}")
    return fixed or asked or trained


class OnnxHeatmaps:
    """The `run` function (see lib.core.predictor) of a session whose pictures and joints are as its ModelMetadata says.

    A batch size fixed in the file is kept to: the last crop is repeated to fill it. Raises UserError for other outputs.
    """

    flip_merged = False  # OnnxPosePredictor knows from the metadata

    def __init__(
        self, session: Session, path: str | os.PathLike[str], metadata: ModelMetadata, clock: Stopwatch
    ) -> None:
        self.session, self.path, self.metadata, self.clock = session, path, metadata, clock
        self.runs_on = session.runs_on
        self.input, self.output = picture_input(session, path), self._choose_output()

    def _choose_output(self) -> str:
        joint_count = len(self.metadata.skeleton.joints)
        output = heatmap_output(self.session, joint_count)
        if output is not None:
            return output.name
        heatmaps = [output for output in self.session.outputs if len(output.shape) == 4]
        if heatmaps:
            self._refuse_joints(heatmaps[0].shape[1])
        raise no_heatmaps(self.session, self.path, joint_count)

    def _refuse_joints(self, found: int | str | None) -> None:
        skeleton = self.metadata.skeleton
        raise UserError(
            f"{self.path} makes heatmaps of {found} joints, but its skeleton ({skeleton.name}) has "
            f"{len(skeleton.joints)}"
        )

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        metadata = self.metadata
        with self.clock.part("preprocess"):
            images = crops_to_input(crops, metadata.pixel_scale, metadata.mean, metadata.deviation)
            images = self.input.arranged(images)
        heatmaps = run_pictures(self.session, self.path, self.input, self.output, images)
        if heatmaps.shape[1] != len(metadata.skeleton.joints):
            self._refuse_joints(heatmaps.shape[1])
        return self._cut(heatmaps)

    def _cut(self, heatmaps: np.ndarray) -> np.ndarray:
        """The heatmaps without the rows and columns that lie beyond the crop (see `covered_pixels`)."""
        kept = []
        for name, side, size in zip(("width", "height"), self.metadata.image_size, heatmaps.shape[:1:-1], strict=True):
            covered = covered_pixels(side, size)
            if not covered:
                raise UserError(f"{self.path}: of an input {side} pixels in {name} it makes heatmaps of {size}: give "
                                f"a --{name} that is a multiple of 32")  # fmt: skip
            if self.metadata.flip_merged and covered != size:
                raise UserError(f"{self.path} holds the flip test, which needs a --{name} that is a multiple of 32, "
                                f"got {side}")  # fmt: skip
            kept.append(covered)
        return heatmaps[..., : kept[1], : kept[0]]


def covered_pixels(side: int, size: int) -> int:
    """How many of a heatmap's `size` pixels lie over a crop of `side` pixels; 0 where the two do not belong together.

    A ResNet's last layer has a place for every 32 pixels, begun ones included, so the heatmap of 656 pixels is that of
    672; a pixel of it stands for a power of two of the crop's all the same.
    """
    if size >= side:
        return size if size % side == 0 else 0
    stride = 2 ** math.ceil(math.log2(side / size))
    return 0 if side % stride else side // stride
