"""Quantizes an ONNX network to 8 bits with ONNX Runtime's tools. Needs onnx; no Paddle."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx.helper import make_node
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from ..utils.image import crops_to_input
from .onnx_graph import INPUT, OUTPUT, attribute, set_attribute

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from .onnx_graph import Graph

# (kernel, rows cut off before, and after) of the stride-2 deconvolutions that double their input exactly
DOUBLING = {(4, 1, 1), (3, 1, 0), (2, 0, 0)}
QUANTIZED = ("Conv", "Relu", "Add", "MaxPool", "DepthToSpace", "Slice")
CALIBRATION_BATCH = 8  # so many persons' values are in memory at once


def split_deconvolutions(graph: Graph) -> int:
    """Replaces each doubling deconvolution by a convolution, a depth-to-space and, but for kernel 2, a cut; exact.

    ONNX Runtime has no deconvolution of 8 bits. An output pixel 2 q + s - 1 (s 0 or 1) of a kernel of 4 sees the input
    at q - 1 and q alone: a convolution of 2x2 with border gives the two (in both directions: four) kinds of pixels as
    channels, for as many multiplications as the deconvolution has. What lies outside is cut off.
    Returns how many were replaced.
    """
    nodes, done, replaced = [], set(), 0
    for node in graph.nodes:
        if id(node) in done:
            continue
        weight = graph.arrays.get(node.input[1]) if node.op_type == "ConvTranspose" else None
        if weight is None or _cuts(node, weight.shape) not in DOUBLING:
            nodes.append(node)
            continue
        readers = graph.readers(node.output[0])
        # a ReLU goes before the rearrangement, where ONNX Runtime makes it one with the convolution
        relu = readers[0] if len(readers) == 1 and readers[0].op_type == "Relu" else None
        nodes += _replacement(graph, node, relu)
        done.add(id(relu))
        replaced += 1
    graph.nodes = nodes
    _delay_last_rearrangement(graph)
    return replaced


def _delay_last_rearrangement(graph: Graph) -> None:
    """Puts a final convolution of 1x1 before the rearrangement in front of it; exact, with fewer channels to rearrange.

    It sees the four kinds of pixels as four groups of channels, with the same weights for each.
    """
    *_, last = graph.nodes
    kinds = [node.op_type for node in graph.nodes[-3:]]
    count = 3 if kinds == ["DepthToSpace", "Slice", "Conv"] else 2 if kinds[-2:] == ["DepthToSpace", "Conv"] else 0
    if not count or graph.arrays[graph.nodes[-1].input[1]].shape[2:] != (1, 1):
        return
    *rearranging, last = graph.nodes[-count:]
    last.input[0], last.output[0] = rearranging[0].input[0], f"{OUTPUT}_4"
    for index, times in ((1, (4, 1, 1, 1)), (2, (4,)))[: len(last.input) - 1]:
        array = np.tile(graph.arrays[last.input[index]], times)
        last.input[index] = graph.constant(f"{last.input[index]}_of_parts", array)
    set_attribute(last, "group", 4)
    rearranging[0].input[0], rearranging[-1].output[0] = last.output[0], OUTPUT
    graph.nodes[-count:] = [last, *rearranging]


def _cuts(node: NodeProto, weight_shape: tuple[int, int, int, int]) -> tuple[int, int, int] | None:
    """(kernel, rows cut off before, after) where both directions are alike and the stride is 2; else None."""
    top, left, bottom, right = attribute(node, "pads", [0] * 4)
    down, across = attribute(node, "output_padding", [0] * 2)
    plain = attribute(node, "group", 1) == 1 and list(attribute(node, "dilations", [1, 1])) == [1, 1]
    plain &= list(attribute(node, "strides", [1, 1])) == [2, 2] and not attribute(node, "output_shape", [])
    vertical, horizontal = (weight_shape[2], top, bottom - down), (weight_shape[3], left, right - across)
    return vertical if plain and vertical == horizontal else None


def _replacement(graph: Graph, node: NodeProto, relu: NodeProto | None) -> list[NodeProto]:
    """The nodes that do what a deconvolution, and a ReLU behind it (or None), do."""
    weight = graph.arrays[node.input[1]]  # (in, out, kernel, kernel)
    inputs, outputs, kernel = weight.shape[:3]
    taps = 1 if kernel == 2 else 2
    padded = np.zeros((inputs, outputs, 2 * taps, 2 * taps), dtype=np.float32)
    padded[:, :, :kernel, :kernel] = weight
    # row 2 t + s of the kernel brings input row q - t to the pixels of kind s
    parts = padded.reshape(inputs, outputs, taps, 2, taps, 2)[:, :, ::-1, :, ::-1]
    name, end = node.output[0], (relu or node).output[0]
    given = [
        node.input[0],
        graph.constant(f"{name}_parts", parts.transpose(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, taps, taps)),
    ]
    if len(node.input) > 2:
        given.append(graph.constant(f"{name}_bias_of_parts", np.tile(graph.arrays[node.input[2]], 4)))
    made = [make_node("Conv", given, [f"{name}_4"], kernel_shape=[taps] * 2, pads=[taps - 1] * 4, strides=[1, 1])]
    if relu:
        made.append(make_node("Relu", [f"{name}_4"], [f"{name}_4r"]))
    whole = end if taps == 1 else f"{name}_uncut"
    made.append(make_node("DepthToSpace", [made[-1].output[0]], [whole], blocksize=2, mode="DCR"))
    return made if taps == 1 else [*made, graph.slice(whole, end, (1, -1), axes=(2, 3))]


class CropReader(CalibrationDataReader):
    """Hands uint8 crops (N, h, w, 3) to the calibration, a few at a time, as the network takes them."""

    def __init__(self, crops: np.ndarray, pixel_scale: float) -> None:
        self.crops, self.pixel_scale = crops, pixel_scale
        self.set_range(0, len(crops))

    def __len__(self) -> int:
        return len(self.crops)

    def set_range(self, start_index: int, end_index: int) -> None:
        """What is handed out next: the calibration keeps all values of the network for a range at once."""
        self.index, self.end = start_index, end_index

    def get_next(self) -> dict[str, np.ndarray] | None:
        """{input name: (n, 3, h, w) float32}, or None at the end of the range."""
        batch = self.crops[self.index : min(self.index + CALIBRATION_BATCH, self.end)]
        self.index += len(batch)
        return {INPUT: crops_to_input(batch, self.pixel_scale)} if len(batch) else None


def quantize(model: onnx.ModelProto, crops: np.ndarray, pixel_scale: float = 255.0) -> ModelProto:
    """A float network (a ModelProto) with weights and values of 8 bits, except its last convolution.

    crops: uint8 (N, h, w, 3), N a multiple of CALIBRATION_BATCH: what the ranges of values are taken from. The last
    convolution is a thousandth of the work and its values are the heatmaps, whose maxima decide: it stays in float,
    with what comes behind it. Weights have a scale for each channel, and 7 of the 8 bits: without VNNI a processor adds
    two products in 16 bits, which 8 and 8 overflow. Ranges are chosen by entropy: a few far values of the last
    deconvolution, which MinMax keeps, cost 4.7 points of PCKh where this costs 0.2 (docs/results.md).
    """
    last = max(index for index, node in enumerate(model.graph.node) if node.op_type == "Conv")
    in_float = [node.name for node in model.graph.node[last:]]
    # said by its own preparation; ours was the folding
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, str(source))
        with contextlib.redirect_stdout(io.StringIO()):
            quantize_static(
                str(source), str(target), CropReader(crops, pixel_scale), QuantFormat.QDQ, list(QUANTIZED),
                per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                nodes_to_exclude=in_float, calibrate_method=CalibrationMethod.Entropy,
                extra_options={"CalibStridedMinMax": CALIBRATION_BATCH},  # the step, whatever the method
            )  # fmt: skip
        return onnx.load(str(target))
