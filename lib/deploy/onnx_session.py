"""Opens an ONNX file in ONNX Runtime with the requested provider."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.errors import RunError, UserError

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
AUTOMATIC = ("cuda", "cpu")  # TensorRT builds its engine for minutes: only where it is asked for


def open_session(
    path: str | os.PathLike[str], provider: str = "auto", gpu: int | None = None
) -> onnxruntime.InferenceSession:
    """An InferenceSession of an ONNX file.

    provider: a key of PROVIDERS, or auto: CUDA where ONNX Runtime has it and it starts, otherwise the CPU.
    gpu: the number of the GPU for CUDA, None for its first.
    Raises UserError where the file cannot be opened, or where the provider that was asked for does not run it: ONNX
    Runtime by itself would go on with the CPU.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no model file {path}")
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"{path} needs ONNX Runtime: pip install onnxruntime (or onnxruntime-gpu); the import says: {error}"
        ) from error

    present = onnxruntime.get_available_providers()
    wanted = [PROVIDERS[name] for name in (AUTOMATIC if provider == "auto" else (provider,))]
    if provider != "auto" and wanted[0] not in present:
        raise UserError(f"--provider {provider}: this ONNX Runtime has {', '.join(present)}, not {wanted[0]}")
    chosen: list[Any] = [name for name in wanted if name in present]
    if gpu is not None:
        chosen = [(name, {"device_id": gpu}) if name == PROVIDERS["cuda"] else name for name in chosen]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors come as exceptions
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=chosen)
    except Exception as error:  # its exception classes have no common one of their own
        raise UserError(f"{path} cannot be opened by ONNX Runtime: {_short(error)}") from error
    if provider != "auto" and running_on(session) != wanted[0]:
        raise UserError(
            f"--provider {provider}: {wanted[0]} cannot be started here, ONNX Runtime would take {running_on(session)}"
        )
    return session


def running_on(session: onnxruntime.InferenceSession) -> str:
    """The name of the provider that a session really runs on."""
    return session.get_providers()[0]


@contextlib.contextmanager
def running(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes whatever ONNX Runtime says in the block a RunError of one line."""
    try:
        yield
    except Exception as error:  # as above
        raise RunError(f"{path} cannot be run: {_short(error)}") from error


@dataclass(frozen=True)
class PictureInput:
    """The one input of a network for pictures.

    shape: as the file says it; sides: (width, height), None where the file leaves them open; batch: None where it
    leaves it open.
    """

    name: str
    shape: list
    channels_last: bool
    sides: tuple
    batch: int | None

    def arranged(self, images: np.ndarray) -> np.ndarray:
        """Pictures (N, 3, h, w) in the layout that the file wants."""
        return np.ascontiguousarray(np.moveaxis(images, 1, -1)) if self.channels_last else images


def picture_input(session: onnxruntime.InferenceSession, path: str | os.PathLike[str]) -> PictureInput:
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
    return PictureInput(
        inputs[0].name, inputs[0].shape, channels_last, (_fixed(width), _fixed(height)), _fixed(batch)
    )


def _fixed(side: int | str | None) -> int | None:
    """A size of a graph, None where it is open: it is a name or None there."""
    return side if isinstance(side, int) and side > 0 else None


def heatmap_output(session: onnxruntime.InferenceSession, joint_count: int) -> onnxruntime.NodeArg | None:
    """The first output of a session that can be heatmaps (N, joint_count, H, W); None where none can.

    A size that the file leaves open is a name or None, and shows when the network has run.
    """
    for output in session.get_outputs():
        if len(output.shape) == 4 and (output.shape[1] == joint_count or not isinstance(output.shape[1], int)):
            return output
    return None


def no_heatmaps(session: onnxruntime.InferenceSession, path: str | os.PathLike[str], joint_count: int) -> UserError:
    """The UserError to raise where `heatmap_output` found none."""
    return UserError(
        f"{path} has the outputs {describe_outputs(session)}; expected heatmaps (N, {joint_count}, height, width)"
    )


def run_pictures(
    session: onnxruntime.InferenceSession, path: str | os.PathLike[str], source: PictureInput, output: str,
    images: np.ndarray,
) -> np.ndarray:
    """The output named `output` for pictures that are `arranged` as their PictureInput `source` says.

    A batch size fixed in the file is kept to: the last picture is repeated to fill it. Raises RunError.
    """
    size, parts = source.batch or len(images), []
    for start in range(0, len(images), size):
        part = images[start : start + size]
        count = len(part)
        if count < size:
            part = np.concatenate([part, np.repeat(part[-1:], size - count, axis=0)])
        with running(path):
            (found,) = session.run([output], {source.name: part})
        parts.append(found[:count])
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def describe_outputs(session: onnxruntime.InferenceSession) -> str:
    """The names and shapes of a session's outputs, for a message."""
    return ", ".join(f"{item.name} {item.shape}" for item in session.get_outputs())


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
