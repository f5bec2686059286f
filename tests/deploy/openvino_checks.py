"""OpenVINO runs exported files as ONNX Runtime does, says what runs, and refuses what it does not have."""

import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest
import toy

from lib.deploy import openvino_session
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.deploy.runtimes import open_session
from lib.deploy.session import picture_input, run_pictures
from lib.inference.detector import PersonDetector
from lib.utils.errors import RunError, UserError
from lib.utils.image import crops_to_input

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("ml_dtypes")
onnx_toy = pytest.importorskip("onnx_toy")
try:
    CORE = openvino_session.import_openvino().Core()
except ImportError:
    pytest.skip("needs requirements/openvino.txt", allow_module_level=True)

SPOTS = [(60, 70), (90, 50), (40, 110)]
IMAGES = crops_to_input(np.random.default_rng(3).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8))
VERSION = r"OpenVINO \d+\.\d+\.\d+"


@pytest.fixture(scope="module")
def files(seeded_network, tmp_path_factory):
    """{"float", "int8": path} of a network of depth 18 with three joints, as export.py writes it."""
    from lib.deploy.onnx_export import exported_graph
    from lib.deploy.onnx_graph import Graph, write_graph
    from lib.deploy.onnx_int8 import quantize, split_deconvolutions

    folder, shapes = tmp_path_factory.mktemp("files"), (["n", 3, "h", "w"], ["n", 3, "y", "x"])
    network = seeded_network(18, 3, 5)
    network.eval()
    graph = exported_graph(network, "pytorch", 17)
    write_graph(graph, onnx_toy.metadata(), folder / "float.onnx", *shapes)
    split_deconvolutions(graph)
    crops = np.random.default_rng(4).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    quantized = Graph.of_model(quantize(graph.to_model(*shapes), crops))
    write_graph(quantized, onnx_toy.metadata(), folder / "int8.onnx", *shapes)
    return {name: folder / f"{name}.onnx" for name in ("float", "int8")}


def heatmaps(path, images, provider, precision="float32"):
    session = open_session(path, provider, precision=precision)
    return run_pictures(session, path, picture_input(session, path), "heatmaps", images)


def share_off(found, expected):
    assert found.shape == expected.shape and found.dtype == np.float32
    return np.abs(found - expected).max() / np.abs(expected).max()


# -- the same heatmaps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [IMAGES[:1], IMAGES[:3, :, :, :32], IMAGES], ids=["one", "few", "side by side"])
def test_heatmaps_are_onnx_runtimes_for_any_number_and_size(files, images):
    assert share_off(heatmaps(files["float"], images, "openvino"), heatmaps(files["float"], images, "cpu")) < 1e-5


def test_later_batches_side_by_side_are_not_mixed_up(files):
    session = open_session(files["float"], "openvino", precision="float32")
    source = picture_input(session, files["float"])
    expected = heatmaps(files["float"], IMAGES, "cpu")
    for part in (slice(0, 33), slice(5, 7), slice(39, 40), slice(0, 40)):
        found = run_pictures(session, files["float"], source, "heatmaps", IMAGES[part])
        assert share_off(found, expected[part]) < 1e-5


def test_a_batch_size_that_the_file_fixes_is_kept_to(tmp_path):
    path = onnx_toy.write_pose_network(tmp_path / "x.onnx", shape=(4, 3, 64, 64))
    assert share_off(heatmaps(path, IMAGES[:6], "openvino"), heatmaps(path, IMAGES[:6], "cpu")) < 1e-5


@pytest.mark.skipif("BF16" not in CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES"), reason="needs bfloat16")
def test_bfloat16_is_another_network_within_two_percent(files):
    expected = heatmaps(files["float"], IMAGES[:4], "cpu")
    assert 1e-4 < share_off(heatmaps(files["float"], IMAGES[:4], "openvino", "bfloat16"), expected) < 0.02


def test_a_file_of_8_bits_runs_in_8_bits(files):
    session = open_session(files["int8"], "openvino", precision="float32")
    said = re.fullmatch(f"{VERSION} in float32, (\\d+) of (\\d+) convolutions in 8 bits", session.runs_on)
    assert 0 < int(said[1]) == int(said[2]) - 1  # the last one stays in float, see lib.deploy.onnx_int8
    assert re.fullmatch(f"{VERSION} in float32", open_session(files["float"], "openvino", precision="float32").runs_on)
    expected = heatmaps(files["int8"], IMAGES[:4], "cpu")
    off = share_off(heatmaps(files["int8"], IMAGES[:4], "openvino"), expected)
    assert off < 0.05 and off < share_off(heatmaps(files["float"], IMAGES[:4], "cpu"), expected)


def test_outputs_have_the_names_of_the_file_and_its_metadata_is_there(tmp_path):
    node, value = onnx_toy.onnx.helper.make_node, onnx_toy.value
    nodes = [node("Relu", ["x"], ["a"]), node("Identity", ["a"], ["heatmaps"]), node("ReduceMean", ["a"], ["b"])]
    shape = ["N", 3, "h", 8]
    outputs = [value("heatmaps", shape), value("b", [1, 1, 1, 1])]
    path = onnx_toy.save(tmp_path / "x.onnx", nodes, [value("x", shape)], outputs, onnx_toy.metadata().to_json())
    sessions = [open_session(path, provider) for provider in ("openvino", "cpu")]
    assert [port.name for port in sessions[0].outputs] == ["heatmaps", "b"]
    assert sessions[0].inputs[0].shape == [None, 3, None, 8] and sessions[0].inputs[0].type == "tensor(float)"
    assert dict(sessions[0].metadata) == dict(sessions[1].metadata) != {}


def test_a_detector_finds_the_same_people_in_float32(tmp_path, shared):
    picture = cv2.imread(str(sorted((shared / "data" / "coco4" / "images" / "val2017").iterdir())[0]))
    for name in ("rtmdet-nano.onnx", "yolox_nano.onnx"):
        detectors = [PersonDetector(shared / "data" / name, provider=provider) for provider in ("openvino", "cpu")]
        assert re.search(f"runs on {VERSION} in float32;", detectors[0].line)
        found, expected = (detector.detect(picture) for detector in detectors)
        assert len(expected[0]) > 0
        for values, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(values, right, rtol=1e-3, atol=1e-2)


def test_a_detectors_whole_numbers_are_read(tmp_path):
    path = onnx_toy.write_detector(tmp_path / "d.onnx", [[2, 4, 20, 30, 0.9], [1, 1, 9, 9, 0.8]], labels=[0, 7])
    boxes, scores = PersonDetector(path, provider="openvino").detect(np.zeros((320, 320, 3), np.uint8))
    np.testing.assert_allclose(boxes, [[2, 4, 18, 26]], atol=1e-4)
    np.testing.assert_allclose(scores, [0.9], atol=1e-6)


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_precision_that_the_processor_does_not_have_is_an_error_that_says_what_it_has(monkeypatch):
    class Core:
        def get_property(self, device, name):
            return {"OPTIMIZATION_CAPABILITIES": ["FP32", "BF16", "INT8"], "FULL_DEVICE_NAME": "A 1000 "}[name]

    told = r"^--precision float16: on this processor \(A 1000\) OpenVINO has float32, bfloat16: give one of them$"
    with pytest.raises(UserError, match=told):
        openvino_session.options_for(Core(), "float16")
    assert openvino_session.options_for(Core(), "bfloat16") == {"INFERENCE_PRECISION_HINT": "bf16"}
    assert openvino_session.options_for(Core(), "auto") == {}


def test_a_precision_that_does_not_run_is_an_error(files, monkeypatch):
    monkeypatch.setattr(openvino_session, "options_for", lambda *_: {"INFERENCE_PRECISION_HINT": "f32"})
    with pytest.raises(UserError, match="^--precision bfloat16: OpenVINO would take float32 for "):
        open_session(files["float"], "openvino", precision="bfloat16")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 20, "half"])
def test_a_file_of_another_kind_is_one_line(files, tmp_path, capfd, content):
    whole = files["float"].read_bytes()
    (tmp_path / "x.onnx").write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(UserError, match=r"x\.onnx cannot be opened by OpenVINO: (Model can|the file is)") as caught:
        open_session(tmp_path / "x.onnx", "openvino")
    assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("count", [1, 40])
def test_what_fails_while_running_is_one_line_and_the_next_run_works(files, count):
    session = open_session(files["float"], "openvino", precision="float32")
    source = picture_input(session, files["float"])
    four_channels = np.zeros((count, 4, 64, 64), np.float32)
    with pytest.raises(RunError, match=r"float\.onnx cannot be run: (?!Exception).*4, 64, 64") as caught:
        run_pictures(session, files["float"], source, "heatmaps", four_channels)
    assert "\n" not in str(caught.value)
    assert run_pictures(session, files["float"], source, "heatmaps", IMAGES[:count]).shape == (count, 3, 16, 16)


def test_nothing_is_kept_in_the_home_folder_nobody_is_told_and_onnx_runtime_is_not_needed(files, tmp_path):
    code = "import sys; sys.modules['onnxruntime'] = None; "
    code += "from lib.deploy.runtimes import open_session; open_session(sys.argv[1], 'openvino'); "
    code += "print([name for name in sys.modules if 'openvino_telemetry' in name])"
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(toy.ROOT)}
    command = [sys.executable, "-c", code, files["float"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n" and not [*tmp_path.iterdir()]


# -- the scripts -----------------------------------------------------------------------------------------------------


def test_deploy_py_finds_the_same_joints(run_main, tmp_path):
    model = onnx_toy.write_pose_network(tmp_path / "posenet.onnx", onnx_toy.metadata())
    cv2.imwrite(str(tmp_path / "spots.png"), onnx_toy.spotted_picture(SPOTS))
    found = []
    for provider in ("openvino", "cpu"):
        words = ["--img", tmp_path / "spots.png", "--model", model, "--output", tmp_path / provider]
        words += ["--bbox", 20, 30, 90, 100, "--provider", provider, "--precision", "float32"]
        code, out, err = run_main("deploy", *words)
        assert (code, err) == (0, "")
        assert bool(re.search(f"runs on {VERSION} in float32$", out.splitlines()[0])) == (provider == "openvino")
        found.append(json.loads((tmp_path / provider / "spots_pose.json").read_text())[0]["keypoints"])
    np.testing.assert_allclose(*found, atol=1e-2)


def test_the_python_class_takes_provider_and_precision(files):
    predictor = OnnxPosePredictor(files["float"], provider="openvino", precision="float32")
    assert re.search(f"runs on {VERSION} in float32$", predictor.lines[0])


def test_valid_py_scores_as_with_onnx_runtime_and_keeps_what_ran(paddle, run_main, tmp_path):
    weights = np.random.default_rng(0).normal(size=(16, 3, 4, 4)).astype(np.float32)
    path = onnx_toy.write_pose_network(tmp_path / "x.onnx", shape=("N", 3, 64, 64), weights=weights)
    experiment = toy.write_experiment(tmp_path, toy.draw_data(tmp_path))
    reports = []
    for words in (["--provider", "openvino", "--precision", "float32"], ["--provider", "cpu"]):
        code, out, err = run_main("valid", "--cfg", experiment, "--model-file", path, *words)
        assert code == 0, err
        reports.append(json.loads((tmp_path / toy.RUN_FOLDER / "results.json").read_text()))
    assert re.fullmatch(f"{VERSION} in float32", reports[0]["conditions"].pop("runs_on"))
    assert reports[1]["conditions"].pop("runs_on") == "CPUExecutionProvider"
    losses = [report["conditions"].pop("loss") for report in reports]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert reports[0] == reports[1]
