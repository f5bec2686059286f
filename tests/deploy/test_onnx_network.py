"""ONNX files of any layout run as the network they hold, others are one line, and valid.py scores them."""

import json
import math

import numpy as np
import pytest
import scipy.io
import toy

from lib.config.config import read_config
from lib.deploy.onnx_network import OnnxRun
from lib.utils.errors import RunError, UserError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

JOINTS, SIDE = 16, 64  # heatmaps of a quarter of the side
WEIGHTS = np.random.default_rng(0).normal(size=(JOINTS, 3, 4, 4)).astype(np.float32)
FLOAT = onnx.TensorProto.FLOAT


def value(name, shape, kind=FLOAT):
    return onnx.helper.make_tensor_value_info(name, kind, shape)


def heatmaps_of(crops, pixel_scale=255.0):
    """What the network of `write_network` gives, by its definition."""
    images = (crops / pixel_scale - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    patches = images.reshape(len(crops), SIDE // 4, 4, SIDE // 4, 4, 3)  # (N, row, y in it, column, x in it, channel)
    return np.einsum("nrycxi,kiyx->nkrc", patches, WEIGHTS)


def write_network(path, inputs=None, outputs=None, channels_last=False, weights_as_inputs=False):
    """Writes the ONNX file of one convolution (4x4, stride 4): pictures (N, 3, 64, 64) -> heatmaps (N, 16, 16, 16).

    inputs, outputs: {name: shape} in place of its own; besides the heatmaps there may be an output `mean`.
    """
    make = onnx.helper.make_node
    inputs = inputs or {"pictures": ["N", SIDE, SIDE, 3] if channels_last else ["N", 3, SIDE, SIDE]}
    outputs = outputs or {"heatmaps": ["N", JOINTS, SIDE // 4, SIDE // 4]}
    first = next(iter(inputs))
    nodes = [make("Transpose", [first], ["planes"], perm=[0, 3, 1, 2])] if channels_last else []
    nodes += [
        make("Conv", ["planes" if channels_last else first, "weights"], ["heatmaps"], strides=[4, 4]),
        make("ReduceMean", ["heatmaps"], ["mean"], axes=[2, 3], keepdims=0),
    ]
    given = [value(name, shape) for name, shape in inputs.items()]
    if weights_as_inputs:  # as files of the first ONNX versions have it
        given.append(value("weights", WEIGHTS.shape))
    graph = onnx.helper.make_graph(
        nodes, "poses", given, [value(name, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(WEIGHTS, "weights")],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def open_run(path, image_size=(SIDE, SIDE), joint_count=JOINTS, **options):
    return OnnxRun(path, image_size, (joint_count, SIDE // 4, SIDE // 4), **options)


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(1).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)


# -- files that run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", ["N", None, 1, 4, 6, 9])
@pytest.mark.parametrize("channels_last", [False, True])
def test_any_layout_and_batch_size_gives_what_the_network_is_defined_to_give(tmp_path, crops, batch, channels_last):
    shape = [batch, SIDE, SIDE, 3] if channels_last else [batch, 3, SIDE, SIDE]
    path = write_network(
        tmp_path / "x.onnx", {"data": shape}, {"heatmaps": [batch, JOINTS, 16, 16]}, channels_last=channels_last
    )
    run = open_run(path)
    for count in (6, 1):
        heatmaps = run(crops[:count])
        assert heatmaps.shape == (count, JOINTS, 16, 16) and heatmaps.dtype == np.float32
        np.testing.assert_allclose(heatmaps, heatmaps_of(crops[:count]), atol=1e-4)


def test_sides_that_the_file_leaves_open_are_those_of_the_crops(tmp_path, crops):
    path = write_network(tmp_path / "x.onnx", {"x": ["N", 3, "h", "w"]}, {"heatmaps": ["N", "K", "H", "W"]})
    np.testing.assert_allclose(open_run(path)(crops), heatmaps_of(crops), atol=1e-4)


def test_of_several_outputs_the_heatmaps_are_taken(tmp_path, crops):
    outputs = {"mean": ["N", JOINTS], "heatmaps": ["N", JOINTS, 16, 16]}
    run = open_run(write_network(tmp_path / "x.onnx", outputs=outputs))
    np.testing.assert_allclose(run(crops), heatmaps_of(crops), atol=1e-4)


def test_weights_listed_among_the_inputs_are_no_pictures(tmp_path, crops):
    run = open_run(write_network(tmp_path / "x.onnx", weights_as_inputs=True))
    np.testing.assert_allclose(run(crops), heatmaps_of(crops), atol=1e-4)


def test_the_pixels_scale_counts(tmp_path, crops):
    run = open_run(write_network(tmp_path / "x.onnx"), pixel_scale=1.0)
    np.testing.assert_allclose(run(crops), heatmaps_of(crops, 1.0), rtol=1e-3, atol=0.05)


def test_its_line_says_what_was_opened(tmp_path):
    path = write_network(tmp_path / "x.onnx")
    line = open_run(path).line
    assert line == (
        f"=> loaded {path}: pictures pictures ['N', 3, 64, 64], heatmaps heatmaps ['N', 16, 16, 16], "
        "CPUExecutionProvider"
    )


def test_the_gpu_by_its_number_comes_before_the_processor_where_there_is_cuda(tmp_path, monkeypatch):
    path, asked, original = write_network(tmp_path / "x.onnx"), [], onnxruntime.InferenceSession
    there = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession",
        lambda file, options, providers: asked.append(providers) or original(file, options, providers=there[2:]),
    )  # fmt: skip
    open_run(path, gpu=1)
    open_run(path)
    assert asked == [[("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"], ["CPUExecutionProvider"]]


# -- files that do not -----------------------------------------------------------------------------------------------


def refusal(path, kind=UserError, crops=None, **options):
    """The one line with which a file is refused, on opening or, where crops are given, on running."""
    with pytest.raises(kind) as caught:
        run = open_run(path, **options)
        assert crops is not None, "it opened"
        run(crops)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and len(message) < 500
    return message


@pytest.mark.parametrize(
    "inputs",
    [
        {"pictures": ["N", 3, SIDE, SIDE], "boxes": ["N", 4]},
        {"pictures": ["N", 3, SIDE]},
        {"pictures": ["N", 1, SIDE, SIDE]},
        {"pictures": ["N", SIDE, SIDE, 4]},
    ],
)
def test_a_file_with_other_inputs_is_refused_with_what_it_has(tmp_path, inputs):
    nodes = [onnx.helper.make_node("Identity", ["pictures"], ["heatmaps"])]
    path = write_graph(tmp_path / "x.onnx", nodes, [value(name, shape) for name, shape in inputs.items()], None)
    message = refusal(path)
    assert "expected one of float pictures, (N, 3, height, width)" in message
    for name, shape in inputs.items():
        assert f"{name} tensor(float) {shape}" in message


def test_a_file_of_whole_numbers_is_refused(tmp_path):
    kind = onnx.TensorProto.UINT8
    nodes = [onnx.helper.make_node("Identity", ["pictures"], ["heatmaps"])]
    path = write_graph(tmp_path / "x.onnx", nodes, [value("pictures", ["N", 3, SIDE, SIDE], kind)], None, kind)
    assert "pictures tensor(uint8)" in refusal(path)


def write_graph(path, nodes, inputs, shape, kind=FLOAT):
    graph = onnx.helper.make_graph(nodes, "other", inputs, [value("heatmaps", shape, kind)])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def test_pictures_of_another_size_are_refused_with_both_sizes(tmp_path):
    message = refusal(write_network(tmp_path / "x.onnx"), image_size=(192, 256))
    assert "takes pictures of 64x64 (width x height), but MODEL.IMAGE_SIZE is [192, 256]" in message


def test_width_and_height_are_not_exchanged(tmp_path):
    path = write_network(tmp_path / "x.onnx", {"x": ["N", 3, 64, 96]}, {"heatmaps": ["N", JOINTS, 16, 24]})
    assert "pictures of 96x64 (width x height)" in refusal(path, image_size=(64, 96))
    assert OnnxRun(path, (96, 64), (JOINTS, 16, 24)).input.name == "x"


def test_another_number_of_joints_is_refused(tmp_path, crops):
    said = refusal(write_network(tmp_path / "x.onnx"), joint_count=17)
    assert "the outputs heatmaps ['N', 16, 16, 16]; expected heatmaps (N, 17, height, width)" in said
    # one that shows when it has run: as many of three channels as pixels are high, which only a picture tells
    make = onnx.helper.make_node
    nodes = [
        make("Shape", ["pictures"], ["height"], start=2, end=3),
        make("Constant", [], ["zero"], value_ints=[0]),
        make("Constant", [], ["one"], value_ints=[1]),
        make("Slice", ["pictures", "zero", "height", "one"], ["heatmaps"]),
    ]
    path = write_graph(tmp_path / "open.onnx", nodes, [value("pictures", ["N", 3, "h", "w"])], ["N", "K", "h", "w"])
    said = refusal(path, joint_count=17, crops=crops)
    assert "makes heatmaps of (3, 64, 64)" in said and "MODEL.NUM_JOINTS" in said and "(17, 16, 16)" in said


def test_a_file_without_heatmaps_is_refused(tmp_path):
    path = write_network(tmp_path / "x.onnx", outputs={"mean": ["N", JOINTS]})
    assert "the outputs mean ['N', 16]; expected heatmaps" in refusal(path)


def test_heatmaps_of_another_size_are_refused(tmp_path, crops):
    path = write_network(tmp_path / "x.onnx")
    run = OnnxRun(path, (SIDE, SIDE), (JOINTS, 32, 32))
    with pytest.raises(UserError, match=r"makes heatmaps of \(16, 16, 16\).*HEATMAP_SIZE say \(16, 32, 32\)"):
        run(crops)


def test_a_network_that_cannot_run_is_one_line(tmp_path, crops):
    # a reshape that no batch fits
    shape = onnx.helper.make_node("Constant", [], ["s"], value_ints=[7, JOINTS, 16, 16])
    nodes = [shape, onnx.helper.make_node("Reshape", ["pictures", "s"], ["heatmaps"])]
    path = write_graph(tmp_path / "x.onnx", nodes, [value("pictures", ["N", 3, "h", "w"])], ["N", JOINTS, 16, 16])
    assert "cannot be run: " in refusal(path, RunError, crops)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 20, bytes(range(256)) * 4])
def test_a_file_of_another_kind_is_one_line(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    assert "cannot be opened by ONNX Runtime" in refusal(tmp_path / "x.onnx")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_one_line(tmp_path, share):
    content = write_network(tmp_path / "whole.onnx").read_bytes()
    (tmp_path / "x.onnx").write_bytes(content[: int(len(content) * share)])
    assert "cannot be opened by ONNX Runtime" in refusal(tmp_path / "x.onnx")


def test_a_missing_file_or_a_folder_is_one_line(tmp_path):
    assert "there is no model file" in refusal(tmp_path / "nowhere.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "there is no model file" in refusal(tmp_path / "folder.onnx")


# -- valid.py --------------------------------------------------------------------------------------------------------


@pytest.fixture
def valid(paddle, tmp_path, run_main):
    """Runs valid.py on the toy; returns its exit code, what it printed, and its folder."""
    experiment = toy.write_experiment(tmp_path, toy.draw_data(tmp_path))

    def valid(*words):
        code, out, err = run_main("valid", "--cfg", experiment, *words)
        return code, out + err, tmp_path / toy.RUN_FOLDER

    valid.experiment = experiment
    return valid


@pytest.mark.parametrize(
    ("gpus", "complaint"),
    [
        ("cpu", ""),
        ("abc", "--gpus abc: expected numbers such as 0, or cpu"),
        ("0", "GPU 0 was asked for, but the network would run on CPUExecutionProvider"),
    ],
)
def test_a_gpu_that_was_asked_for_is_used_or_is_an_error(valid, tmp_path, monkeypatch, gpus, complaint):
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    code, out, folder = valid("--model-file", write_network(tmp_path / "x.onnx"), "--gpus", gpus)
    assert ("CPUExecutionProvider" in out) == (gpus != "abc")
    if complaint:
        assert code == 2 and out.startswith(f"error: {complaint}") and out.count("\n") == 1
    else:
        assert not code and (folder / "results.json").is_file()


def test_a_runtime_of_onnx_files_is_not_for_weights(valid):
    code, out, _ = valid("--model-file", "w.pdparams", "--provider", "cpu")
    assert code == 2 and out.startswith("error: --provider and --precision are for .onnx files: w.pdparams is none")


class Quiet(list):
    info = list.append


@pytest.mark.parametrize("flip_test", [True, False])
def test_valid_py_scores_an_onnx_file_as_the_same_network_in_paddle(paddle, valid, tmp_path, flip_test):
    from lib.dataset.build import build_dataset, build_loader
    from lib.evaluation.build import build_evaluator, validation_settings
    from lib.evaluation.validation import validate
    from lib.models.paddle_network import PaddleRun

    path = write_network(tmp_path / "x.onnx")
    code, out, folder = valid("--model-file", path, "--flip-test" if flip_test else "--no-flip-test")
    assert not code and f"=> loaded {path}: pictures pictures" in out, out

    network = paddle.nn.Conv2D(3, JOINTS, 4, stride=4, bias_attr=False)
    network.weight.set_value(WEIGHTS)
    config = read_config(valid.experiment, {"TEST.FLIP_TEST": flip_test})
    dataset = build_dataset(config, training=False)
    predictions, scores, loss, _ = validate(
        validation_settings(config), build_loader(config, dataset, training=False), PaddleRun(network), Quiet()
    )
    np.testing.assert_allclose(scipy.io.loadmat(folder / "pred.mat")["preds"] - 1, predictions, atol=0.01)
    report = json.loads((folder / "results.json").read_text())
    expected = build_evaluator(config, dataset.persons).evaluate(predictions, scores)
    shown = {name: None if math.isnan(figure) else figure for name, figure in expected.items()}
    assert report["results"] == shown and 0 < expected["true_mean_at_0.1"] + expected["Mean"] < 200
    assert report["conditions"]["loss"] == pytest.approx(loss, rel=1e-4)
    assert report["conditions"]["model_file"] == str(path)


def test_valid_py_says_in_one_line_that_an_onnx_file_is_of_another_network(valid, tmp_path):
    path = write_network(tmp_path / "x.onnx", outputs={"mean": ["N", JOINTS]})
    code, out, _ = valid("--model-file", path)
    assert code == 2
    assert out.startswith(f"error: {path} has the outputs mean") and out.count("\n") == 1
