"""Opening an ONNX file in ONNX Runtime on the processor that was asked for. No Paddle here."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from lib.utils.errors import RunError, UserError

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
AUTOMATIC = ("cuda", "cpu")  # TensorRT builds its engine for minutes: only where it is asked for


def open_session(path, provider="auto"):
    """An InferenceSession of an ONNX file.

    provider: a key of PROVIDERS, or auto: CUDA where ONNX Runtime has it and it starts, otherwise the CPU.
    Raises UserError where the file cannot be opened, or where the provider that was asked for does not run it: ONNX
    Runtime by itself would go on with the CPU.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(f"ONNX Runtime cannot be imported ({error}): pip install onnxruntime") from error

    if not Path(path).is_file():
        raise UserError(f"there is no model file {path}")
    present = onnxruntime.get_available_providers()
    wanted = [PROVIDERS[name] for name in (AUTOMATIC if provider == "auto" else (provider,))]
    if provider != "auto" and wanted[0] not in present:
        raise UserError(f"--provider {provider}: this ONNX Runtime has {', '.join(present)}, not {wanted[0]}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors come as exceptions
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=[name for name in wanted if name in present]
        )
    except Exception as error:  # its exception classes have no common one of their own
        raise UserError(f"{path} cannot be opened by ONNX Runtime: {_short(error)}") from error
    if provider != "auto" and running_on(session) != wanted[0]:
        raise UserError(
            f"--provider {provider}: {wanted[0]} cannot be started here, ONNX Runtime would take {running_on(session)}"
        )
    return session


def running_on(session):
    """The name of the provider that a session really runs on."""
    return session.get_providers()[0]


@contextlib.contextmanager
def running(path):
    """Makes whatever ONNX Runtime says in the block a RunError of one line."""
    try:
        yield
    except Exception as error:  # as above
        raise RunError(f"{path} cannot be run: {_short(error)}") from error


@dataclass(frozen=True)
class PictureInput:
    """The one input of a network for pictures.

    sides: (width, height), None where the file leaves them open; batch: None where it leaves it open.
    """

    name: str
    channels_last: bool
    sides: tuple
    batch: int | None


def picture_input(session, path):
    """The PictureInput of a session; raises UserError where its file has other inputs."""
    inputs = session.get_inputs()
    described = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
    problem = f"{path} has the inputs {described}; expected one of float pictures, (N, 3, height, width)"
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        raise UserError(problem)
    batch, *rest = inputs[0].shape
    if 3 not in (rest[0], rest[2]):
        raise UserError(problem)
    channels_last = rest[2] == 3 and rest[0] != 3
    height, width = rest[:2] if channels_last else rest[1:]
    return PictureInput(inputs[0].name, channels_last, (_fixed(width), _fixed(height)), _fixed(batch))


def _fixed(side):
    """A size of a graph, None where it is open: it is a name or None there."""
    return side if isinstance(side, int) and side > 0 else None


def describe_outputs(session):
    """The names and shapes of a session's outputs, for a message."""
    return ", ".join(f"{item.name} {item.shape}" for item in session.get_outputs())


def _short(error):
    return " ".join(str(error).split())[:200]
