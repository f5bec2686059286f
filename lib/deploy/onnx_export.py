"""Exports a Paddle pose network to ONNX, with metadata, and compares both. Needs onnx."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..config.config import dump_config
from ..core.heatmap import heatmap_size_of
from ..core.predictor import predict_heatmaps
from ..utils.errors import RunError
from .model_metadata import ModelMetadata
from .onnx_graph import write_graph
from .onnx_network import OnnxRun
from .onnx_writer import network_graph

if TYPE_CHECKING:
    import paddle

    from ..config.schema import Config
    from ..core.predictor import Run
    from .onnx_graph import Graph

TOLERANCE = 1e-4  # of the heatmaps' maximum


@dataclass(frozen=True)
class ExportSettings:
    """What an exported file is besides its network.

    config: the experiment's Config; fixed: one picture of the experiment's size, nothing else; flip_merged: the graph
    holds the flip test.
    """

    config: Config
    fixed: bool = False
    flip_merged: bool = False

    def shapes(self) -> tuple[list[int | str], list[int | str]]:
        """(input shape, heatmaps' shape): sizes, and names where a size is left open."""
        model = self.config.model
        if self.fixed:
            (width, height), (columns, rows) = model.image_size, model.extra.heatmap_size
            return [1, 3, height, width], [1, model.num_joints, rows, columns]
        return (
            ["batch", 3, "height", "width"],
            ["batch", model.num_joints, "heatmap_height", "heatmap_width"],
        )

    def metadata(self) -> ModelMetadata:
        """The ModelMetadata of the file."""
        model, test, data = self.config.model, self.config.test, self.config.dataset
        return ModelMetadata(
            self.config.skeleton,
            model.image_size,
            color_rgb=data.color_rgb,
            pixel_scale=data.pixel_scale,
            decode=test.decoder,
            sigma=model.extra.sigma,
            unbiased=test.udp,
            shift_heatmap=test.shift,
            flip_merged=self.flip_merged,
            config_digest=hashlib.sha256(dump_config(self.config).encode()).hexdigest(),
        )


def exported_graph(network: paddle.nn.Layer, style: str, opset: int) -> Graph:
    """The Graph of a PoseResNet with the weights that it has; style: MODEL.STYLE."""
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return network_graph(weights, style, opset)


def write_model(graph: Graph, settings: ExportSettings, path: str | os.PathLike[str]) -> None:
    """Writes a Graph as an ONNX file with its metadata."""
    write_graph(graph, settings.metadata(), path, *settings.shapes())


def trial_sizes(settings: ExportSettings) -> list[tuple[int, tuple[int, int]]]:
    """[(pictures, (width, height)), ...] that a file is tried with: other numbers, and another shape where it may."""
    width, height = settings.config.model.image_size
    sizes = [(1, (width, height)), (3, (width, height))]
    return sizes if settings.fixed else [*sizes, (2, (width + 32, height + 64))]


def largest_difference(path: str | os.PathLike[str], run: Run, settings: ExportSettings) -> float:
    """The largest difference between a file's heatmaps and those of `run`, as a share of the latter's maximum.

    run: the PaddleRun of the same network. With flip_merged it is asked for the flip test. Pictures are noise, seeded.
    """
    config, noise = settings.config, np.random.default_rng(0)
    flip_pairs = config.skeleton.flip_pairs if settings.flip_merged else None
    largest = 0.0
    for count, size in trial_sizes(settings):
        crops = noise.integers(0, 256, (count, size[1], size[0], 3), dtype=np.uint8)
        expected = predict_heatmaps(run, crops, flip_pairs, config.test.shift)
        exported = open_exported(path, config, size)(crops)
        share = np.abs(exported - expected).max() / np.abs(expected).max()
        largest = max(largest, share) if np.isfinite(share) else np.inf
    return float(largest)


def open_exported(path: str | os.PathLike[str], config: Config, image_size: tuple[int, int] | None = None) -> OnnxRun:
    """The OnnxRun of an exported file on the CPU; image_size: (width, height), the experiment's where it is None."""
    size = image_size or config.model.image_size
    columns, rows = heatmap_size_of(size, config.model.extra.num_deconv_layers)
    return OnnxRun(path, size, (config.model.num_joints, rows, columns), config.dataset.pixel_scale, gpu=None)


def check_difference(share: float, limit: float = TOLERANCE) -> None:
    """Raises RunError where a file differs from Paddle by `limit` or more, as a share of the maximum."""
    if not share < limit:
        raise RunError(
            f"the exported network differs from Paddle's by {share:.1e} of the maximum, which must be under "
            f"{limit:.0e}: nothing is written"
        )
