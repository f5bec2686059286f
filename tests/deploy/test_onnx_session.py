"""Opening ONNX files: the provider that was asked for runs, or the answer is one line (OpenVINO: test_openvino)."""

from typing import get_args

import numpy as np
import pytest

from lib.config.schema import TestConfig
from lib.deploy.onnx_session import EXECUTION_PROVIDERS
from lib.deploy.openvino_session import PRECISIONS
from lib.deploy.runtimes import PROVIDERS, open_session
from lib.deploy.session import Port, heatmap_output, picture_input, run_pictures, running, which_heatmaps
from lib.utils.errors import RunError, UserError

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")


@pytest.fixture
def path(tmp_path):
    return onnx_toy.write_pose_network(tmp_path / "x.onnx")


def test_the_processor_that_was_asked_for_runs_the_file(path):
    session = open_session(path, "cpu")
    assert session.runs_on == "CPUExecutionProvider"
    assert session.run(["heatmaps"], {"pictures": np.ones((2, 3, 8, 8), np.float32)})[0].shape == (2, 3, 2, 2)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_is_an_error_that_says_what_is(path, monkeypatch, provider):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UserError, match=f"--provider {provider}: this ONNX Runtime has CPUExecutionProvider, not "):
        open_session(path, provider)


def test_a_provider_that_is_there_but_does_not_start_is_an_error_too(path, monkeypatch):
    opened = onnxruntime.InferenceSession

    def silent(*words, providers):  # ONNX Runtime goes on with the processor and says nothing
        assert providers == ["CUDAExecutionProvider"]
        return opened(*words, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", silent)
    with pytest.raises(UserError, match="CUDAExecutionProvider cannot be started here"):
        open_session(path, "cuda")


def test_by_itself_it_takes_cuda_where_there_is_one_and_never_tensorrt(path, monkeypatch):
    asked, opened = [], onnxruntime.InferenceSession

    def recording(*words, providers):
        asked.append(providers)
        return opened(*words, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "InferenceSession", recording)
    for present in (["TensorrtExecutionProvider", "CUDAExecutionProvider"], ["OpenVINOExecutionProvider"]):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda present=present: [*present, CPU])
        open_session(path)
    assert asked == [["CUDAExecutionProvider", CPU], [CPU]]


CPU = "CPUExecutionProvider"


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>" * 20])
def test_a_file_of_another_kind_is_one_line(tmp_path, content):
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.onnx cannot be opened by ONNX Runtime") as caught:
        open_session(tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ir_version": 99}, "Unsupported model IR version: 99, max supported IR version: "),
        ({"opset": 40}, "Opset 40 is under development .* support for domain ai.onnx is till opset "),
        ({"operator": "Nonsense"}, "No Op registered for Nonsense"),
    ],
)
def test_the_reason_that_onnx_runtime_gives_last_is_not_cut(tmp_path, change, reason):
    onnx, folder = pytest.importorskip("onnx"), tmp_path / ("a_long_name_of_a_folder" * 8)
    folder.mkdir()
    inputs, outputs = [onnx_toy.value("a", [1, 3, 4, 4])], [onnx_toy.value("b", [1, 3, 4, 4])]
    node = onnx.helper.make_node(change.get("operator", "Relu"), ["a"], ["b"])
    opset = onnx.helper.make_opsetid("", change.get("opset", 17))
    graph = onnx.helper.make_graph([node], "toy", inputs, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=change.get("ir_version", 8))
    (folder / "x.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=reason) as caught:
        open_session(folder / "x.onnx", "cpu")
    assert "onnxruntime_src" not in str(caught.value) and "\n" not in str(caught.value)


def test_of_two_outputs_that_can_be_heatmaps_the_one_that_is_taken_is_said(tmp_path):
    answers = {name: np.zeros((1, 3, 4, 4), np.float32) for name in ("first", "second")}
    answers["feature"] = np.zeros((1, 64, 4, 4), np.float32)
    session = open_session(onnx_toy.write_answers(tmp_path / "x.onnx", answers, {"input": (1, 3, 16, 16)}), "cpu")
    assert which_heatmaps(session, 3) == "=> the outputs first, second can all be heatmaps: first, the first, is taken"
    assert heatmap_output(session, 3).name == "first" and which_heatmaps(session, 64) == ""


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no model file .*nowhere\.onnx"):
        open_session(tmp_path / "nowhere.onnx")


def test_without_onnx_runtime_the_line_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        open_session(path)


def test_without_openvino_the_line_names_the_file_of_requirements(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(UserError, match="^--provider openvino needs OpenVINO: pip install -r requirements/openv"):
        open_session(path, "openvino")


def test_an_error_while_running_is_a_run_error_of_one_line():
    with pytest.raises(RunError, match=r"x\.onnx cannot be run: two lines$"), running("x.onnx"):
        raise ValueError("two\nlines")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (("N", 3, "h", "w"), (False, (None, None), None)),
        ((4, 3, 96, 64), (False, (64, 96), 4)),
        ((None, 3, 96, "w"), (False, (None, 96), None)),
        (("N", 96, 64, 3), (True, (64, 96), None)),
    ],
)
def test_the_input_is_read_with_its_open_sizes(path, shape, expected):
    found = picture_input(FakeSession(shape), path)
    assert (found.channels_last, found.sides, found.batch) == expected
    pictures = np.zeros((2, 3, 96, 64), np.float32)
    assert found.arranged(pictures).shape == ((2, 96, 64, 3) if found.channels_last else pictures.shape)


def test_a_batch_size_that_the_file_fixes_is_kept_to():
    class Doubling(FakeSession):
        asked = []

        def run_each(self, names, feeds):
            self.asked += [(names, values["x"][:, 0, 0, 0].tolist()) for values in feeds]
            return [[2 * values["x"]] for values in feeds]

    session = Doubling((4, 3, 2, 2))
    pictures = np.broadcast_to(np.arange(6, dtype=np.float32)[:, None, None, None], (6, 3, 2, 2))
    found = run_pictures(session, "x.onnx", picture_input(session, "x.onnx"), "y", pictures)
    np.testing.assert_array_equal(found, 2 * pictures)
    assert session.asked == [(["y"], [0, 1, 2, 3]), (["y"], [4, 5, 5, 5])]


@pytest.mark.parametrize("shape", [("N", 3, "h"), ("N", 1, "h", "w"), ("N", "c", "h", "w")])
def test_other_inputs_are_refused_with_what_they_are(path, shape):
    with pytest.raises(UserError, match=r"has the inputs x tensor\(float\).*expected one of float pictures"):
        picture_input(FakeSession(shape), path)


class FakeSession:
    pictures_at_once = None

    def __init__(self, shape):
        self.inputs = [Port("x", "tensor(float)", list(shape))]


def test_every_provider_on_the_command_line_is_one_of_onnx_runtimes_names():
    assert set(EXECUTION_PROVIDERS.values()) <= set(onnxruntime.get_all_providers())


def test_an_experiment_can_have_every_provider_and_precision():
    keys = TestConfig.model_fields
    assert get_args(keys["provider"].annotation) == PROVIDERS
    assert get_args(keys["precision"].annotation) == ("auto", *PRECISIONS)


@pytest.mark.parametrize(("precision", "taken"), [("auto", True), ("float32", True), ("bfloat16", False)])
def test_onnx_runtime_has_one_precision(path, precision, taken):
    if taken:
        assert open_session(path, "cpu", precision=precision).runs_on == "CPUExecutionProvider"
        return
    with pytest.raises(UserError, match="--precision bfloat16 needs --provider openvino"):
        open_session(path, "cpu", precision=precision)
