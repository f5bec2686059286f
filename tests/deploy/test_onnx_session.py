"""Opening ONNX files: the provider that was asked for runs, or the answer is one line."""

import numpy as np
import pytest

from lib.deploy import onnx_session
from lib.deploy.onnx_session import open_session, picture_input, run_pictures, running, running_on
from lib.utils.errors import RunError, UserError

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")


@pytest.fixture
def path(tmp_path):
    return onnx_toy.write_pose_network(tmp_path / "x.onnx")


def test_the_processor_that_was_asked_for_runs_the_file(path):
    session = open_session(path, "cpu")
    assert running_on(session) == "CPUExecutionProvider"
    assert session.run(None, {"pictures": np.ones((2, 3, 8, 8), np.float32)})[0].shape == (2, 3, 2, 2)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_that_is_not_there_is_an_error_that_says_what_is(path, monkeypatch, provider):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UserError, match=f"--provider {provider}: this ONNX Runtime has CPUExecutionProvider, not "):
        open_session(path, provider)


def test_a_provider_that_is_there_but_does_not_start_is_an_error_too(path, monkeypatch):
    class Silent:
        def __init__(self, *_, **options):
            assert options["providers"] == ["CUDAExecutionProvider"]

        def get_providers(self):
            return ["CPUExecutionProvider"]  # ONNX Runtime goes on with the processor and says nothing

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Silent)
    with pytest.raises(UserError, match="CUDAExecutionProvider cannot be started here"):
        open_session(path, "cuda")


def test_by_itself_it_takes_cuda_where_there_is_one_and_never_tensorrt(path, monkeypatch):
    asked = []

    class Recording:
        def __init__(self, *_, providers):
            asked.append(providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Recording)
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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no model file .*nowhere\.onnx"):
        open_session(tmp_path / "nowhere.onnx")


def test_without_onnx_runtime_the_line_says_what_to_install(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UserError, match="pip install onnxruntime"):
        open_session(path)


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

        def run(self, outputs, values):
            self.asked.append((outputs, values["x"][:, 0, 0, 0].tolist()))
            return [2 * values["x"]]

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
    def __init__(self, shape):
        self.shape, self.name, self.type = list(shape), "x", "tensor(float)"

    def get_inputs(self):
        return [self]


def test_every_provider_on_the_command_line_is_one_of_onnx_runtimes_names():
    assert set(onnx_session.PROVIDERS.values()) <= set(onnxruntime.get_all_providers())
