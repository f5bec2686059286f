"""Rewrites an ONNX graph: folds BatchNorm into convolutions, adds the flip test.

Needs onnx, which export.py alone does; no Paddle.
"""
from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.helper import make_node, make_tensor_value_info
from onnx.numpy_helper import from_array, to_array
from onnx.reference import ReferenceEvaluator

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


INPUT, OUTPUT = "input", "heatmaps"
# What paddle2onnx leaves between a constant and its use. Not DequantizeLinear: weights of 8 bits are to stay such
FOLDED = ("Constant", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Cast")
PAST_THE_FIRST = -(2**31)  # where a Slice ends that runs backwards: the first element is in it


class Graph:
    """The nodes of a model with one input and one output, in order, and its constants {name: array}.

    Input and output are renamed to INPUT and OUTPUT; `to_model` makes a model of what the graph has become.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model, self.nodes = model, []
        self.arrays = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type in FOLDED and all(name in self.arrays for name in node.input):
                given = {name: self.arrays[name] for name in node.input}
                results: Any = ReferenceEvaluator(node).run(None, given)
                self.arrays.update(zip(node.output, results, strict=True))
            else:
                self.nodes.append(copy.deepcopy(node))
        # files of the first ONNX versions list weights among the inputs
        (picture,) = [item.name for item in model.graph.input if item.name not in self.arrays]
        (heatmaps,) = [item.name for item in model.graph.output]
        self._drop_identities(heatmaps)
        self.rename(picture, INPUT)
        self.rename(heatmaps, OUTPUT)

    def _drop_identities(self, output: str) -> None:
        for node in [node for node in self.nodes if node.op_type == "Identity"]:
            self.nodes.remove(node)
            old, new = node.output[0], node.input[0]
            self.rename(*((new, old) if old == output else (old, new)))

    @property
    def opset(self) -> int:
        """The version of ONNX's own operators that the nodes are of."""
        return next(entry.version for entry in self.model.opset_import if entry.domain in ("", "ai.onnx"))

    def rename(self, old: str, new: str) -> None:
        """Gives a value of the graph another name."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for place, name in enumerate(names):
                    if name == old:
                        names[place] = new

    def number_names(self) -> None:
        """Names values by the places of their nodes: Paddle's count on through a process, so files would differ."""
        names = {"": "", INPUT: INPUT, OUTPUT: OUTPUT}
        for number, node in enumerate(self.nodes):
            for place, name in enumerate(node.input):
                if name in self.arrays:
                    names.setdefault(name, f"{node.op_type}_{number}_constant_{place}")
            for place, name in enumerate(node.output):
                names.setdefault(name, f"{node.op_type}_{number}_{place}")
            node.input[:] = [names[name] for name in node.input]
            node.output[:] = [names[name] for name in node.output]
        self.arrays = {names[name]: array for name, array in self.arrays.items() if name in names}

    def constant(self, name: str, values: npt.ArrayLike) -> str:
        """Adds a constant and returns its name."""
        self.arrays[name] = np.asarray(values)
        return name

    def readers(self, name: str) -> list[NodeProto]:
        """The nodes that read a value."""
        return [node for node in self.nodes if name in node.input]

    def slice(
        self, source: str, target: str, ends: tuple[int, int], axes: Sequence[int] = (3,), step: int = 1
    ) -> NodeProto:
        """A Slice node; ends: (start, end), the same on each of `axes`."""
        start, end = ends
        bounds = [
            self.constant(f"{target}_{part}", np.full(len(axes), value, dtype=np.int64))
            for part, value in (("starts", start), ("ends", end))
        ]
        places = np.asarray(axes, dtype=np.int64)
        steps = np.full(len(axes), step, dtype=np.int64)
        rest = [self.constant(f"{target}_axes", places), self.constant(f"{target}_steps", steps)]
        return make_node("Slice", [source, *bounds, *rest], [target])

    def to_model(
        self, input_shape: list[int | str] | list[int], output_shape: list[int | str] | list[int]
    ) -> ModelProto:
        """A checked ModelProto; shapes: lists of sizes, and of names where a size is left open."""
        kind = onnx.TensorProto.FLOAT
        for number, node in enumerate(self.nodes):
            node.name = f"{node.op_type}_{number}"
        used = {name for node in self.nodes for name in node.input}
        graph = onnx.helper.make_graph(
            self.nodes, "pose_network",
            [make_tensor_value_info(INPUT, kind, input_shape)], [make_tensor_value_info(OUTPUT, kind, output_shape)],
            [from_array(array, name) for name, array in self.arrays.items() if name in used],
        )  # fmt: skip
        model = onnx.helper.make_model(graph, opset_imports=self.model.opset_import)
        model.ir_version = self.model.ir_version  # the newest would shut out runtimes that know these operators
        onnx.checker.check_model(model)
        return model


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or `default`."""
    return next((onnx.helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def set_attribute(node: NodeProto, name: str, value: int) -> None:
    """Gives a node's attribute another value, or the node another attribute."""
    others = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*others, onnx.helper.make_attribute(name, value)])


# -- BatchNorm -------------------------------------------------------------------------------------------------------


def fold_batch_norms(graph: Graph) -> int:
    """Folds BatchNorm, and a bias added for itself, into the (transposed) convolution before it.

    Returns how many BatchNorms were folded; one behind anything else stays as it is.
    """
    convolutions: dict[str, Any] = {}
    kept = []
    folded = 0
    for node in graph.nodes:
        source, factor, shift = _channel_operation(node, graph.arrays)
        convolution = convolutions.get(source)
        if convolution is None or len(graph.readers(source)) > 1:
            kept.append(node)
            if node.op_type in ("Conv", "ConvTranspose") and attribute(node, "group", 1) == 1:
                convolutions[node.output[0]] = node
            continue
        _scale(convolution, factor, shift, graph)
        convolution.output[0] = node.output[0]
        convolutions[node.output[0]] = convolution
        folded += node.op_type == "BatchNormalization"
    graph.nodes = kept
    return folded


def _channel_operation(
    node: NodeProto, arrays: Mapping[str, np.ndarray]
) -> tuple[Any, Any, Any]:
    """(source, factor, shift) of a node that makes factor * source + shift of each channel; else (None, 1, 0)."""
    constants = [name for name in node.input if name in arrays]
    if node.op_type == "BatchNormalization" and len(constants) == 4:
        scale, shift, mean, variance = (arrays[name].astype(np.float64) for name in constants)
        factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        return node.input[0], factor, shift - mean * factor
    if node.op_type == "Add" and len(constants) == 1:
        shift = arrays[constants[0]]
        if shift.ndim in (3, 4) and shift.shape == (1,) * (shift.ndim - 3) + (shift.size, 1, 1):
            return next(name for name in node.input if name not in arrays), 1.0, shift.astype(np.float64).ravel()
    return None, 1.0, 0.0


def _scale(convolution: NodeProto, factor: Any, shift: np.ndarray, graph: Graph) -> None:
    """Weights and bias of a convolution that gives factor * what it gave + shift."""
    weight = graph.arrays[convolution.input[1]].astype(np.float64)  # (out, in, h, w), or (in, out, h, w) if transposed
    axis = 0 if convolution.op_type == "Conv" else 1
    factor, shift = (np.broadcast_to(values, weight.shape[axis]) for values in (factor, shift))
    bias = graph.arrays[convolution.input[2]].astype(np.float64) if len(convolution.input) > 2 else 0.0
    weight = weight * np.expand_dims(factor, [place for place in range(4) if place != axis])
    name = convolution.output[0]
    convolution.input[1:] = [
        graph.constant(f"{name}_weight", weight.astype(np.float32)),
        graph.constant(f"{name}_bias", (bias * factor + shift).astype(np.float32)),
    ]


# -- the flip test ---------------------------------------------------------------------------------------------------


def merge_flip(graph: Graph, order: np.ndarray, shift: bool) -> None:
    """Puts the flip test into the graph: pictures and mirrored ones go through the network as one batch.

    As lib.core.predictor.predict_heatmaps. order: (K,) the joint that takes each joint's place in the mirrored picture
    (see mirrored_order); shift: whether the mirrored heatmaps move right by one pixel.
    """
    graph.rename(INPUT, "both_pictures")
    graph.rename(OUTPUT, "both_heatmaps")
    halves: dict[str, Any] = {"num_outputs": 2} if graph.opset >= 18 else {}
    before = [
        graph.slice(INPUT, "mirrored_pictures", (-1, PAST_THE_FIRST), step=-1),
        make_node("Concat", [INPUT, "mirrored_pictures"], ["both_pictures"], axis=0),
    ]
    after = [
        make_node("Split", ["both_heatmaps"], ["straight", "of_mirrored"], axis=0, **halves),
        graph.slice("of_mirrored", "mirrored_back", (-1, PAST_THE_FIRST), step=-1),
        make_node("Gather", ["mirrored_back", graph.constant("order", np.int64(order))], ["exchanged"], axis=1),
    ]
    if shift:
        after += [
            graph.slice("exchanged", "first_column", (0, 1)),
            graph.slice("exchanged", "but_the_last", (0, -1)),
            make_node("Concat", ["first_column", "but_the_last"], ["shifted"], axis=3),
        ]
    after += [
        make_node("Add", ["straight", "shifted" if shift else "exchanged"], ["sum"]),
        make_node("Mul", ["sum", graph.constant("half", np.float32(0.5))], [OUTPUT]),
    ]
    graph.nodes = [*before, *graph.nodes, *after]
