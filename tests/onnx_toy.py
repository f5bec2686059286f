"""Small ONNX files: a pose network of three joints that sees bright spots, and detectors that always say the same."""

import numpy as np
import onnx

from lib.core.skeletons import Skeleton
from lib.deploy.model_metadata import METADATA_KEY, ModelMetadata

# joint k is the brightest place of channel k of the input
SPOTS = Skeleton("spots", ("middle", "left_end", "right_end"), limbs=(("middle", "left_end"), ("middle", "right_end")))
SPOT_COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))  # BGR
WEIGHTS = np.eye(3, dtype=np.float32)[:, :, None, None] * np.full((1, 1, 4, 4), 1 / 16, np.float32)
BIAS = 5  # a heatmap whose highest value is not above 0 has no joint
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def metadata(**values):
    """The ModelMetadata of the spots' network, with other values."""
    return ModelMetadata(**{"skeleton": SPOTS, "image_size": (64, 64), **values})


def value(name, shape, kind=FLOAT):
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def save(path, nodes, inputs, outputs, about=None, constants=()):
    """Writes a graph as an ONNX file; about: the text of its metadata, or None."""
    graph = onnx.helper.make_graph(nodes, "toy", inputs, outputs, list(constants))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    if about is not None:
        onnx.helper.set_model_props(model, {METADATA_KEY: about})
    onnx.save(model, str(path))
    return path


def write_pose_network(path, about=None, shape=("N", 3, "h", "w"), weights=WEIGHTS, pads=(0, 0, 0, 0), joints=None):
    """Writes one convolution (4x4, stride 4, and BIAS): pictures of `shape` -> heatmaps of a quarter.

    about: ModelMetadata, text or None; pads: top, left, bottom, right; joints: what the file says of the heatmaps'
    channels.
    """
    text = about.to_json() if isinstance(about, ModelMetadata) else about
    inputs = ["pictures", "weights", "bias"]
    convolution = onnx.helper.make_node("Conv", inputs, ["heatmaps"], strides=[4, 4], pads=pads)
    outputs = [value("heatmaps", [shape[0], joints or len(weights), "H", "W"])]
    bias = np.full(len(weights), BIAS, np.float32)
    constants = [onnx.numpy_helper.from_array(weights, "weights"), onnx.numpy_helper.from_array(bias, "bias")]
    return save(path, [convolution], [value("pictures", list(shape))], outputs, text, constants)


def write_detector(path, dets, labels=None, names=("dets", "labels"), shape=(1, 3, "h", "w")):
    """Writes a detector that finds `dets` (M, 5) x1, y1, x2, y2, score, of its input, in every picture."""
    dets = np.array(dets, np.float32).reshape(1, -1, 5)
    labels = np.zeros(dets.shape[1], np.int64) if labels is None else np.array(labels, np.int64)
    return write_answers(path, dict(zip(names, (dets, labels.reshape(1, -1)), strict=True)), {"input": shape})


def write_answers(path, answers, inputs, shapes=None, kind=FLOAT):
    """Writes a graph that gives the same arrays `answers` {name: array} whatever it is fed.

    inputs: {name: shape}, of floats or another `kind`; shapes: {name: shape} that the file says of outputs, None for
    those of the arrays.
    """
    nodes, outputs = [], []
    for name, array in answers.items():
        shape = (shapes or {}).get(name, array.shape)
        nodes += _constant(name, array) if shape == array.shape else _of_open_size(name, array, shape, [*inputs][0])
        outputs.append(value(name, shape, onnx.helper.np_dtype_to_tensor_dtype(array.dtype)))
    return save(path, nodes, [value(name, list(shape), kind) for name, shape in inputs.items()], outputs)


def _constant(name, array):
    return [onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(array, name))]


def _of_open_size(name, array, shape, source):
    """An array whose open sizes ONNX Runtime cannot know beforehand: they are made of the input's values, times 0."""
    make, zeros = onnx.helper.make_node, [0 if isinstance(side, int) else 1 for side in shape]
    known = np.array([side if isinstance(side, int) else 0 for side in shape])
    return [
        *_constant(f"{name}_array", array), *_constant(f"{name}_known", known),
        *_constant(f"{name}_open", array.shape * np.array(zeros)), *_constant(f"{name}_zero", np.array(0)),
        make("ReduceSum", [source], [f"{name}_sum"], keepdims=0),
        make("Cast", [f"{name}_sum"], [f"{name}_whole"], to=INT64),
        make("Mul", [f"{name}_whole", f"{name}_zero"], [f"{name}_nothing"]),
        make("Add", [f"{name}_open", f"{name}_nothing"], [f"{name}_added"]),
        make("Add", [f"{name}_known", f"{name}_added"], [f"{name}_shape"]),
        make("Reshape", [f"{name}_array", f"{name}_shape"], [name]),
    ]  # fmt: skip


def spotted_picture(spots, size=(300, 200)):
    """A black picture of size (width, height) with a spot of 9x9 pixels for each joint: spots (K, 2) x, y."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for (x, y), color in zip(spots, SPOT_COLORS, strict=True):
        picture[y - 4 : y + 5, x - 4 : x + 5] += np.array(color, np.uint8)
    return picture
