"""A pose network as an ONNX graph, from its weights alone: only onnx is needed, no Paddle.

The network is convolutions with folded BatchNorm, ReLU, one pooling, sums, deconvolutions and a last convolution
(section 2 of the paper, on a ResNet); its sizes follow from the shapes of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx.helper import make_node

from ..utils.errors import UserError
from .model_metadata import DEFAULT_OPSET
from .onnx_graph import INPUT, OUTPUT, Graph, write_graph

if TYPE_CHECKING:
    import os

    from onnx import NodeProto

    from .model_metadata import ModelMetadata

EPSILON = 1e-5  # of BatchNorm
DECONVOLUTIONS = {4: (1, 0), 3: (1, 1), 2: (0, 0)}  # kernel -> (padding, output padding), so that sides double


class _Writer:
    """Collects nodes and constants. Its layers are added behind the value `source` and return their result's name."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def weight(self, name: str) -> np.ndarray:
        if name not in self.weights:
            raise UserError(f"the weights lack {name}: they are of another network")
        return np.asarray(self.weights[name], dtype=np.float32)

    def node(self, kind: str, sources: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(make_node(kind, sources, [name], **attributes))
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants[name] = np.ascontiguousarray(values, dtype=np.float32)
        return name

    def convolution(self, source: str, name: str, norm: str, stride: int = 1, transposed: bool = False) -> str:
        """A convolution or deconvolution, with the BatchNorm `norm` folded into it where there is one."""
        weight = self.weight(f"{name}.weight").astype(np.float64)
        channels = weight.shape[1 if transposed else 0]
        has_bias = f"{name}.bias" in self.weights
        bias = self.weight(f"{name}.bias").astype(np.float64) if has_bias else np.zeros(channels)
        if norm:
            variance = self.weight(f"{norm}._variance").astype(np.float64)
            factor = self.weight(f"{norm}.weight") / np.sqrt(variance + EPSILON)
            bias = (bias - self.weight(f"{norm}._mean")) * factor + self.weight(f"{norm}.bias")
            weight = weight * factor.reshape((1, -1, 1, 1) if transposed else (-1, 1, 1, 1))
        side = weight.shape[2]
        inputs = [source, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        if not transposed:
            pads = [side // 2] * 4
            return self.node("Conv", inputs, name, kernel_shape=[side, side], strides=[stride] * 2, pads=pads)
        if side not in DECONVOLUTIONS:
            raise UserError(f"{name}.weight is a deconvolution of {side}x{side}; expected 2, 3 or 4")
        padding, output_padding = DECONVOLUTIONS[side]
        return self.node(
            "ConvTranspose", inputs, name, kernel_shape=[side, side], strides=[2, 2], pads=[padding] * 4,
            output_padding=[output_padding] * 2,
        )  # fmt: skip

    def relu(self, source: str) -> str:
        return self.node("Relu", [source], f"{source}.relu")

    def block(self, source: str, name: str, stride: int, caffe: bool) -> str:
        """A residual block, basic or bottleneck; the stride is on the first convolution of Caffe's bottlenecks."""
        count = 3 if f"{name}.conv3.weight" in self.weights else 2
        strided = 1 if count == 2 or caffe else 2
        value = source
        for number in range(1, count + 1):
            own_stride = stride if number == strided else 1
            value = self.convolution(value, f"{name}.conv{number}", f"{name}.bn{number}", own_stride)
            value = self.relu(value) if number < count else value
        shortcut = source
        if f"{name}.downsample.0.weight" in self.weights:
            shortcut = self.convolution(source, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return self.relu(self.node("Add", [value, shortcut], f"{name}.sum"))

    def network(self, caffe: bool) -> None:
        """All of the network."""
        value = self.relu(self.convolution(INPUT, "backbone.conv1", "backbone.bn1", 2))
        value = self.node("MaxPool", [value], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        for stage in (1, 2, 3, 4):
            number = 0
            while f"backbone.layer{stage}.{number}.conv1.weight" in self.weights or number == 0:
                stride = 2 if stage > 1 and number == 0 else 1
                value = self.block(value, f"backbone.layer{stage}.{number}", stride, caffe)
                number += 1
        number = 0
        while f"deconv_layers.{number}.weight" in self.weights or number == 0:
            name, norm = f"deconv_layers.{number}", f"deconv_layers.{number + 1}"
            value = self.relu(self.convolution(value, name, norm, transposed=True))
            number += 3  # convolution, BatchNorm, ReLU
        self.convolution(value, "final_layer", "")
        self.nodes[-1].output[0] = OUTPUT


def network_graph(weights: Mapping[str, np.ndarray], style: str = "pytorch", opset: int = DEFAULT_OPSET) -> Graph:
    """The graph of a pose network, for batches and pictures of any size.

    weights: {name: array} under our names, see `lib.weights.convert.rename`; style: MODEL.STYLE.
    Raises UserError where weights are missing.
    """
    writer = _Writer(weights)
    writer.network(style == "caffe")
    return Graph(writer.nodes, writer.constants, opset)


def write_network(
    weights: Mapping[str, np.ndarray], metadata: ModelMetadata, path: str | os.PathLike[str], style: str = "pytorch"
) -> None:
    """Writes the ONNX file of a pose network; weights, style and what is raised: see network_graph.

    metadata: what the file says of itself; UserError where its skeleton has another number of joints.
    """
    graph = network_graph(weights, style)
    joints, wanted = len(weights["final_layer.weight"]), len(metadata.skeleton.joints)
    if joints != wanted:
        raise UserError(f"the weights are of {joints} joints, the skeleton has {wanted}")
    heatmaps: list[int | str] = ["batch", joints, "heatmap_height", "heatmap_width"]
    write_graph(graph, metadata, path, ["batch", 3, "height", "width"], heatmaps)
