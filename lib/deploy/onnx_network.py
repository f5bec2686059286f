"""Runs a heatmap network in an ONNX file for an experiment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..utils.errors import UserError
from ..utils.image import crops_to_input, is_usual_normalization
from .model_metadata import read_metadata
from .runtimes import open_session
from .session import heatmap_output, no_heatmaps, picture_input, run_pictures, which_heatmaps

if TYPE_CHECKING:
    from ..config.schema import Config
    from .session import PictureInput, Port


class OnnxRun:
    """The `run` function of an ONNX file (see lib.core.predictor); `line` says what was opened, and
    `lines` besides which of several outputs is taken.

    The file has one picture input, (N, 3, h, w) or (N, h, w, 3), and an output of heatmaps (N, K, H, W), under whatever
    names; where several outputs could be heatmaps the first is taken.
    image_size: (width, height) of the crops; heatmap_shape: (K, H, W).
    gpu: number of the CUDA GPU, used where this ONNX Runtime can; None for the CPU. provider, precision: see
    `open_session`; auto: as gpu says. runs_on: what runs it, in words.
    A batch size fixed in the file is kept to: the last crop is repeated to fill it.
    metadata: the ModelMetadata of a file that export.py made, None for others; flip_merged: its graph holds the flip
    test.
    Raises UserError where the file cannot be opened or is of another network, RunError where it cannot run.
    """

    def __init__(
        self, path: str | os.PathLike[str], image_size: tuple[int, int], heatmap_shape: tuple[int, int, int],
        pixel_scale: float = 255.0, gpu: int | None = None, provider: str = "auto", precision: str = "auto",
    ) -> None:
        self.path, self.heatmap_shape, self.pixel_scale = Path(path), tuple(heatmap_shape), pixel_scale
        chosen = "cpu" if provider == "auto" and gpu is None else provider
        self.session = open_session(self.path, chosen, gpu, precision)
        self.runs_on = self.session.runs_on
        self.metadata = read_metadata(self.session, self.path)
        self.flip_merged = bool(self.metadata and self.metadata.flip_merged)
        self.input, self.output = self._choose_input(image_size), self._choose_output()
        self.line = (
            f"=> loaded {self.path}: pictures {self.input.name} {self.input.shape}, heatmaps {self.output.name} "
            f"{self.output.shape}, {self.runs_on}"
        )
        self.lines = [self.line, *filter(None, [which_heatmaps(self.session, heatmap_shape[0])])]

    def _choose_input(self, image_size: tuple[int, int]) -> PictureInput:
        found = picture_input(self.session, self.path)
        if any(fixed not in (None, side) for fixed, side in zip(found.sides, image_size, strict=True)):
            width, height = (fixed or "?" for fixed in found.sides)
            raise UserError(
                f"{self.path} takes pictures of {width}x{height} (width x height), but MODEL.IMAGE_SIZE is "
                f"{list(image_size)}"
            )
        return found

    def _choose_output(self) -> Port:
        joint_count = self.heatmap_shape[0]
        output = heatmap_output(self.session, joint_count)
        if output is None:
            raise no_heatmaps(self.session, self.path, joint_count)
        return output

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        images = self.input.arranged(crops_to_input(crops, self.pixel_scale))
        heatmaps = run_pictures(self.session, self.path, self.input, self.output.name, images)
        if heatmaps.shape[1:] != self.heatmap_shape:
            raise UserError(
                f"{self.path} makes heatmaps of {heatmaps.shape[1:]} (joints, height, width), but MODEL.NUM_JOINTS and "
                f"MODEL.EXTRA.HEATMAP_SIZE say {self.heatmap_shape}"
            )
        return heatmaps


def check_metadata(run: OnnxRun, config: Config) -> str | None:
    """A line that says that an exported file agrees with the experiment; None where the file says nothing of itself.

    run: an OnnxRun; config: a Config. Raises UserError where the file wants other pictures or has other joints, and
    where the flip test would be done twice.
    """
    metadata, skeleton, data = run.metadata, config.skeleton, config.dataset
    if metadata is None:
        return None
    order = "RGB" if metadata.color_rgb else "BGR"
    expects = f"{order} pictures divided by {metadata.pixel_scale:g}"
    if tuple(metadata.skeleton.joints) != tuple(skeleton.joints):
        raise UserError(
            f"{run.path} has the joints of {metadata.skeleton.name} ({', '.join(metadata.skeleton.joints[:3])} ...), "
            f"the experiment those of {skeleton.name} ({', '.join(skeleton.joints[:3])} ...)"
        )
    if not is_usual_normalization(metadata.mean, metadata.deviation):
        raise UserError(
            f"{run.path} expects {expects}, minus {list(metadata.mean)}, over {list(metadata.deviation)}, which no "
            "option gives them here"
        )
    own, given = ((source.color_rgb, source.pixel_scale) for source in (metadata, data))
    values = zip(("COLOR_RGB", "PIXEL_SCALE"), own, given, strict=True)
    wanted = [f"DATASET.{key} {str(wants).lower()}" for key, wants, has in values if wants != has]
    if wanted:
        raise UserError(f"{run.path} expects {expects} (says its metadata): give {' '.join(wanted)}")
    if metadata.flip_merged and config.test.flip_test:
        raise UserError(f"{run.path} holds the flip test itself: give --no-flip-test (TEST.FLIP_TEST false)")
    flip = "; it holds the flip test" if metadata.flip_merged else ""
    return f"=> its metadata agrees with the experiment: {len(skeleton.joints)} joints, {expects}{flip}"
