"""Rewritten graphs give what they gave before: with the flip test, without deconvolutions, in 8 bits."""

import numpy as np
import pytest

from lib.config.schema import Config
from lib.core.heatmap import heatmap_size_of
from lib.core.predictor import predict_heatmaps
from lib.core.skeletons import MPII
from lib.core.transforms import mirrored_order
from lib.utils.errors import RunError, UserError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from lib.deploy.onnx_graph import INPUT, OUTPUT, Graph, merge_flip  # noqa: E402
from lib.deploy.onnx_int8 import quantize, split_deconvolutions  # noqa: E402
from lib.deploy.onnx_network import OnnxRun, check_metadata  # noqa: E402

FLOAT = onnx.TensorProto.FLOAT
OPEN_INPUT, OPEN_OUTPUT = ["batch", 3, "height", "width"], ["batch", 16, "rows", "columns"]
GEOMETRY = {4: (1, 0), 3: (1, 1), 2: (0, 0)}  # kernel -> padding, output padding of lib.models.pose_resnet
PAIRS = MPII.flip_pairs


class Sketch:
    """Makes a Graph, a node after the other, with random weights."""

    def __init__(self, seed=0):
        self.random, self.nodes, self.arrays, self.value = np.random.default_rng(seed), [], {}, INPUT

    def normal(self, *shape):
        name = f"constant_{len(self.arrays)}"
        values = self.random.normal(size=shape) / max(1, np.prod(shape[1:])) ** 0.5
        self.arrays[name] = values.astype(np.float32)
        return name

    def add(self, kind, *constants, **attributes):
        """A node of the value so far and constants; its output is the value from now on."""
        source, self.value = self.value, f"value_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, [source, *constants], [self.value], **attributes))
        return self

    def deconvolution(self, kernel, inputs=8, outputs=12, bias=False, **attributes):
        padding, extra = GEOMETRY[kernel]
        given = {"strides": [2, 2], "pads": [padding] * 4, "output_padding": [extra] * 2, **attributes}
        constants = [self.normal(inputs, outputs, kernel, kernel), *([self.normal(outputs)] if bias else [])]
        return self.add("ConvTranspose", *constants, **given)

    def graph(self, opset=17):
        self.nodes[-1].output[0] = OUTPUT
        return Graph(self.nodes, self.arrays, opset)


def sketch_network(kernel=4, opset=17, seed=0):
    """Convolution, deconvolution and final convolution: (N, 3, h, w) -> (N, 16, h, w)."""
    sketch = Sketch(seed)
    sketch.add("Conv", sketch.normal(8, 3, 3, 3), pads=[1] * 4, strides=[2, 2]).add("Relu")
    sketch.deconvolution(kernel, bias=True).add("Relu")
    return sketch.add("Conv", sketch.normal(16, 12, 1, 1), sketch.normal(16)).graph(opset)


def model_of(graph, output=OPEN_OUTPUT):
    return graph.to_model(OPEN_INPUT, output)


def run(model, images):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (heatmaps,) = session.run(None, {session.get_inputs()[0].name: images})
    return heatmaps


def pictures(count=2, height=16, width=20, seed=1):
    return np.random.default_rng(seed).normal(size=(count, 3, height, width)).astype(np.float32)


def kinds(graph):
    return [node.op_type for node in graph.nodes]


def assert_close(found, expected, share=1e-6):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


# -- the flip test ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("opset", [13, 17, 18])
def test_the_merged_flip_test_is_that_of_the_predictor(shift, opset):
    graph = sketch_network(opset=opset)
    plain = model_of(graph)
    merge_flip(graph, mirrored_order(16, PAIRS), shift)
    merged = model_of(graph)

    def of_crops(crops):  # (N, h, w, 3), as the predictor has them
        return run(plain, np.ascontiguousarray(np.moveaxis(crops, -1, 1)))

    for images in (pictures(3), pictures(1, 8, 32)):
        expected = predict_heatmaps(of_crops, np.moveaxis(images, 1, -1), PAIRS, shift)
        assert_close(run(merged, images), expected)


def test_the_merged_flip_test_holds_the_weights_once():
    graph = sketch_network()
    before = len(model_of(graph).SerializeToString())
    merge_flip(graph, mirrored_order(16, PAIRS), shift=True)
    merged = model_of(graph)
    assert kinds(graph).count("Conv") == 2
    assert len(merged.SerializeToString()) - before < 3000  # nodes and their small constants


# -- deconvolutions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", GEOMETRY)
def test_a_deconvolution_is_exactly_a_convolution_and_a_rearrangement(kernel):
    graph = sketch_network(kernel)
    model = model_of(graph)
    assert split_deconvolutions(graph) == 1
    cut = [] if kernel == 2 else ["Slice"]
    assert kinds(graph) == ["Conv", "Relu", "Conv", "Relu", "Conv", "DepthToSpace", *cut]
    split = model_of(graph)
    for images in (pictures(), pictures(1, 2, 6), pictures(3, 2, 2)):
        assert_close(run(split, images), run(model, images))


def test_two_in_a_row_before_a_final_convolution_of_3x3():
    sketch = Sketch()
    sketch.deconvolution(4, inputs=3, outputs=5).add("Relu")
    sketch.deconvolution(3, inputs=5, outputs=6, bias=True).add("Relu")
    graph = sketch.add("Conv", sketch.normal(16, 6, 3, 3), sketch.normal(16), pads=[1] * 4).graph()
    model = model_of(graph)
    assert split_deconvolutions(graph) == 2
    assert kinds(graph) == ["Conv", "Relu", "DepthToSpace", "Slice"] * 2 + ["Conv"]
    assert_close(run(model_of(graph), pictures()), run(model, pictures()))


@pytest.mark.parametrize("kernel", GEOMETRY)
def test_without_bias_and_relu_too(kernel):
    graph, output = Sketch().deconvolution(kernel, inputs=3, outputs=5).graph(), ["batch", 5, "r", "c"]
    model = model_of(graph, output)
    assert split_deconvolutions(graph) == 1 and "Relu" not in kinds(graph)
    assert_close(run(model_of(graph, output), pictures()), run(model, pictures()))


@pytest.mark.parametrize("attributes", [{"pads": [0] * 4}, {"strides": [1, 1]}, {"pads": [1, 1, 0, 0]}])
def test_a_deconvolution_of_another_geometry_stays(attributes):
    graph = Sketch().deconvolution(4, inputs=3, **attributes).graph()
    assert split_deconvolutions(graph) == 0 and kinds(graph) == ["ConvTranspose"]


# -- 8 bits ----------------------------------------------------------------------------------------------------------


def test_weights_and_values_are_of_8_bits_but_for_the_last_convolution():
    graph = sketch_network()
    split_deconvolutions(graph)
    crops = np.random.default_rng(0).integers(0, 256, (24, 16, 20, 3), dtype=np.uint8)
    plain = model_of(graph)
    small = Graph.of_model(quantize(model_of(graph), crops))
    weights = {node.output[0]: node.input[0] for node in small.nodes if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in small.nodes if node.op_type == "Conv"]
    kind = [small.arrays[weights.get(node.input[1], node.input[1])].dtype for node in convolutions]
    assert kind == [np.int8, np.int8, np.float32]
    assert kinds(small)[-3:] == ["Conv", "DepthToSpace", "Slice"]  # nothing rounds the heatmaps

    model = model_of(small)
    from lib.utils.image import crops_to_input

    images = crops_to_input(crops[:3])
    found, expected = run(model, images), run(plain, images)
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert np.abs(found - expected).max() > 0
    # the flip test goes around it as around any other
    merge_flip(small, mirrored_order(16, PAIRS), shift=True)
    mirrored = run(model, np.ascontiguousarray(images[..., ::-1]))[:, mirrored_order(16, PAIRS), :, ::-1]
    shifted = np.concatenate([mirrored[..., :1], mirrored[..., :-1]], axis=3)
    assert_close(run(model_of(small), images), (found + shifted) / 2)


# -- what the file says of itself ------------------------------------------------------------------------------------


def config_of(dataset=None, test=None):
    """A Config of the sketch's network: pictures of 64x64, one deconvolution."""
    extra = {"NUM_DECONV_LAYERS": 1, "NUM_DECONV_FILTERS": (12,), "NUM_DECONV_KERNELS": (4,), "HEATMAP_SIZE": (4, 4)}
    return Config.model_validate(
        {"MODEL": {"IMAGE_SIZE": (64, 64), "EXTRA": extra}, "DATASET": dataset or {}, "TEST": test or {}}
    )


@pytest.fixture
def write(paddle, tmp_path):
    """Writes an exported file of a graph that makes heatmaps of a 16th, and returns its path."""
    from lib.deploy.onnx_export import ExportSettings, write_model

    def write(config=None, **settings):
        sketch = Sketch()
        sketch.add("Conv", sketch.normal(16, 3, 4, 4), strides=[16, 16])
        path = tmp_path / "x.onnx"
        write_model(sketch.graph(), ExportSettings(config or config_of(), **settings), path)
        return path

    return write


def opened(path):
    return OnnxRun(path, (64, 64), (16, 4, 4), gpu=None)


def test_a_file_carries_its_metadata_and_names_its_ends(write):
    exported = opened(write(config_of({"COLOR_RGB": True, "PIXEL_SCALE": 1}, {"UDP": True}), flip_merged=True))
    metadata = exported.metadata
    assert exported.flip_merged and metadata.flip_merged and metadata.unbiased and not metadata.shift_heatmap
    assert (metadata.color_rgb, metadata.pixel_scale, metadata.image_size) == (True, 1.0, (64, 64))
    assert metadata.skeleton.joints == MPII.joints and metadata.skeleton.flip_pairs == PAIRS
    assert len(metadata.config_digest) == 64
    assert (exported.input.name, exported.output.name) == (INPUT, OUTPUT)
    assert exported.input.shape == OPEN_INPUT


def test_a_fixed_file_takes_one_picture_of_its_size(write):
    exported = opened(write(fixed=True))
    assert exported.input.shape == [1, 3, 64, 64] and exported.output.shape == [1, 16, 4, 4]
    assert exported(np.zeros((3, 64, 64, 3), np.uint8)).shape == (3, 16, 4, 4)


def test_metadata_that_agrees_is_one_line(write):
    path = write()
    assert check_metadata(opened(path), config_of()) == (
        "=> its metadata agrees with the experiment: 16 joints, BGR pictures divided by 255"
    )
    line = check_metadata(opened(write(flip_merged=True)), config_of())
    assert line.endswith("; it holds the flip test")


@pytest.mark.parametrize(
    ("dataset", "test", "said"),
    [
        ({"COLOR_RGB": True}, {}, "BGR pictures divided by 255 (says its metadata): give DATASET.COLOR_RGB false"),
        ({"PIXEL_SCALE": 1}, {}, "give DATASET.PIXEL_SCALE 255.0"),
        ({}, {"FLIP_TEST": True}, "holds the flip test itself: give --no-flip-test"),
        ({"SKELETON": {"NAME": "mine", "JOINTS": tuple(f"joint{n}" for n in range(16))}}, {}, "those of mine (joint0"),
    ],
)
def test_metadata_of_another_experiment_is_refused(write, dataset, test, said):
    run = opened(write(flip_merged=True))
    with pytest.raises(UserError) as caught:
        check_metadata(run, config_of(dataset, test))
    assert said in str(caught.value) and str(run.path) in str(caught.value)


def test_metadata_that_cannot_be_read_is_one_line(write):
    path = write()
    model = onnx.load(str(path))
    model.metadata_props[0].value = "{"
    onnx.save(model, str(path))
    with pytest.raises(UserError, match=r"x\.onnx: the model's metadata cannot be read .*; export it again"):
        opened(path)


# -- the comparison --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1.0002])
def test_a_difference_from_the_network_is_found(write, factor):
    from lib.deploy.onnx_export import ExportSettings, check_difference, largest_difference

    config, path = config_of(), write()
    settings = ExportSettings(config, fixed=True)

    def other(crops):
        return np.float32(factor) * opened(path)(crops)

    share = largest_difference(path, other, settings)
    if factor == 1:
        assert share == 0
        check_difference(share)
    else:
        with pytest.raises(RunError, match=r"differs from Paddle's by .* nothing is written"):
            check_difference(share)


def test_heatmap_sizes_of_the_trial_are_the_networks():
    assert heatmap_size_of((96, 128)) == (24, 32)  # multiples of 32, as the trial's sizes are
