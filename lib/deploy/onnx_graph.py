"""A network as an ONNX graph that is written, rewritten and read again: nodes, constants, the flip test.

Needs onnx; no Paddle.
"""
from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.helper import make_node, make_opsetid, make_tensor_value_info
from onnx.numpy_helper import from_array, to_array

from .. import __version__ as PRODUCER_VERSION
from .model_metadata import METADATA_KEY

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from .model_metadata import ModelMetadata

INPUT, OUTPUT = "input", "heatmaps"
PRODUCER = "paddle-simple-baselines"
PAST_THE_FIRST = -(2**31)  # where a Slice ends that runs backwards: the first element is in it


class Graph:
    """The nodes of a network from INPUT to OUTPUT, in order, and its constants {name: array}; opset: their version."""

    def __init__(self, nodes: Sequence[NodeProto], arrays: Mapping[str, np.ndarray], opset: int) -> None:
        self.nodes, self.arrays, self.opset = list(nodes), dict(arrays), opset

    @classmethod
    def of_model(cls, model: ModelProto) -> Graph:
        """The graph of a model that `to_model` made, or that was made of such a one."""
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        arrays = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
        return cls([copy.deepcopy(node) for node in model.graph.node], arrays, opset)

    def rename(self, old: str, new: str) -> None:
        """Gives a value of the graph another name."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == old:
                        names[index] = new

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

    def to_model(self, input_shape: Sequence[int | str], output_shape: Sequence[int | str]) -> ModelProto:
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
        opset = make_opsetid("", self.opset)
        model = onnx.helper.make_model(
            graph, opset_imports=[opset], producer_name=PRODUCER, producer_version=PRODUCER_VERSION
        )
        # the newest version of the file's form would shut out runtimes that know these operators
        model.ir_version = onnx.helper.find_min_ir_version_for([opset])
        onnx.checker.check_model(model)
        return model


def write_graph(
    graph: Graph,
    metadata: ModelMetadata,
    path: str | os.PathLike[str],
    input_shape: Sequence[int | str],
    output_shape: Sequence[int | str],
) -> None:
    """Writes an ONNX file that says in its metadata what pictures it expects; shapes: see Graph.to_model."""
    model = graph.to_model(input_shape, output_shape)
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    Path(path).write_bytes(model.SerializeToString())


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or `default`."""
    return next((onnx.helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def set_attribute(node: NodeProto, name: str, value: int) -> None:
    """Gives a node's attribute another value, or the node another attribute."""
    others = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*others, onnx.helper.make_attribute(name, value)])


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
