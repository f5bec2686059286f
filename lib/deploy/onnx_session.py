"""Opens an ONNX file in ONNX Runtime with the requested provider."""
from __future__ import annotations

import contextlib
import ctypes
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..utils.errors import UserError
from .session import Port, reason_of

if TYPE_CHECKING:
    import onnxruntime

EXECUTION_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
AUTOMATIC = ("cuda", "cpu")  # TensorRT builds its engine for minutes: only where it is asked for


class OnnxRuntimeSession:
    """A Session (see `session`) of ONNX Runtime; runs_on: the execution provider that really runs it."""

    pictures_at_once = None

    def __init__(self, opened: onnxruntime.InferenceSession) -> None:
        self._opened = opened
        self.inputs = [Port(item.name, item.type, item.shape) for item in opened.get_inputs()]
        self.outputs = [Port(item.name, item.type, item.shape) for item in opened.get_outputs()]
        self.metadata: Mapping[str, str] = opened.get_modelmeta().custom_metadata_map
        self.runs_on: str = opened.get_providers()[0]

    def run(self, names: Sequence[str], values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """See `Session`."""
        return self._opened.run(list(names), dict(values))

    def run_each(self, names: Sequence[str], feeds: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """See `Session`: one after the other, as each takes all cores."""
        return [self.run(names, values) for values in feeds]


def open_in_onnx_runtime(
    path: str | os.PathLike[str], provider: str = "auto", gpu: int | None = None
) -> OnnxRuntimeSession:
    """Opens a file that exists; provider, gpu and what is raised: see `runtimes.open_session`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"{path} needs ONNX Runtime: pip install onnxruntime (or onnxruntime-gpu); the import says: {error}"
        ) from error

    present = onnxruntime.get_available_providers()
    if provider != "cpu" and EXECUTION_PROVIDERS["cuda"] in present and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find; CUDA then does not start
            onnxruntime.preload_dlls()  # CUDA and cuDNN of pip's packages, which ONNX Runtime finds in no other way
    wanted = [EXECUTION_PROVIDERS[name] for name in (AUTOMATIC if provider == "auto" else (provider,))]
    if provider != "auto" and wanted[0] not in present:
        raise UserError(f"--provider {provider}: this ONNX Runtime has {', '.join(present)}, not {wanted[0]}")
    chosen: list[Any] = [name for name in wanted if name in present]
    if gpu is not None:
        chosen = [(name, {"device_id": gpu}) if name == EXECUTION_PROVIDERS["cuda"] else name for name in chosen]
    onnxruntime.set_default_logger_severity(4)  # else a CUDA that does not start writes several lines of its own
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its errors come as exceptions
    # threads that wait for work in a loop take the cores from the other network, and from decoding and drawing
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = OnnxRuntimeSession(onnxruntime.InferenceSession(str(path), options, providers=chosen))
    except Exception as error:  # its exception classes have no common one of their own
        raise UserError(f"{path} cannot be opened by ONNX Runtime: {reason_of(error)}") from error
    if provider != "auto" and session.runs_on != wanted[0]:
        missing = f" ({reason})" if (reason := missing_library(wanted[0])) else ""
        raise UserError(
            f"--provider {provider}: {wanted[0]} cannot be started here{missing}, ONNX Runtime would take "
            f"{session.runs_on}"
        )
    return session


def missing_library(provider: str) -> str:
    """Which library a provider of ONNX Runtime does not find, as the system says it; '' if it finds all."""
    import onnxruntime

    name = provider.removesuffix("ExecutionProvider").lower()
    path = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{name}.so"
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        return str(error) if path.is_file() and "cannot open shared object" in str(error) else ""
    return ""
