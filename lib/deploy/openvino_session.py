"""Opens an ONNX file in OpenVINO on the processor, in the requested precision. Imports OpenVINO late."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..utils.errors import UserError
from .session import Port

# {name: (OpenVINO's element type, its name among a processor's capabilities)}
PRECISIONS = {"float32": ("f32", "FP32"), "bfloat16": ("bf16", "BF16"), "float16": ("f16", "FP16")}
TYPES = {"f32": "float", "f16": "float16", "f64": "double", "i32": "int32", "i64": "int64", "u8": "uint8"}  # in ONNX
EIGHT_BITS = {"i8", "u8"}
MANY = 8  # inputs that came with others, before a second compilation for them is worth its time
NOISE = re.compile(r"Exception from |Check '.*' failed at |FrontEnd API failed with ")  # lines about its own source


class OpenVinoSession:
    """A Session (see `session`) of OpenVINO, on the processor.

    One picture takes all cores. Of many, several run at the same time, each on a core or a few: for that `run_each`
    compiles the network a second time, when it has been given MANY (some tenths of a second; the weights are in memory
    once more).
    """

    # 1, 2 and 4 are equally fast at depth 50 and 256x256; at depth 18 and 96x96 a person of 4 takes a quarter less
    pictures_at_once = 4

    def __init__(self, openvino: ModuleType, core: Any, model: Any, options: Mapping[str, str]) -> None:
        self._openvino, self._core, self._model, self._options = openvino, core, model, options
        self.metadata: Mapping[str, str] = _metadata(model)
        compiled = self._compiled("LATENCY")
        self._request = compiled.create_infer_request()
        self._queue: Any = None
        self._turn = threading.Lock()  # a request and the queue take one caller at a time
        self._given = 0
        self.inputs = [_port(port, port.get_any_name()) for port in compiled.inputs]
        self.outputs = [_port(port, _output_name(port)) for port in compiled.outputs]
        self.precision = _name_of(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        version = openvino.__version__.partition("-")[0]  # without that of its source
        self.runs_on = f"OpenVINO {version} in {self.precision}{_in_eight_bits(compiled)}"

    def _compiled(self, hint: str) -> Any:
        return self._core.compile_model(self._model, "CPU", {**self._options, "PERFORMANCE_HINT": hint})

    def run(self, names: Sequence[str], values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """See `Session`."""
        try:
            with self._turn:
                found = self._request.infer(dict(values))
        except Exception as error:  # its exception classes have no common one of their own
            raise RuntimeError(said(error)) from error
        return [found[name] for name in names]

    def run_each(self, names: Sequence[str], feeds: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """See `Session`."""
        self._given += len(feeds) if len(feeds) > 1 else 0
        if len(feeds) < 2 or self._given < MANY:
            return [self.run(names, values) for values in feeds]
        found: list[list[np.ndarray]] = [[] for _ in feeds]

        def keep(request: Any, index: int) -> None:
            found[index] = [np.array(request.get_tensor(name).data) for name in names]

        try:
            with self._turn:
                if self._queue is None:
                    self._queue = self._openvino.AsyncInferQueue(self._compiled("THROUGHPUT"))
                self._queue.set_callback(keep)
                for index, values in enumerate(feeds):
                    self._queue.start_async(dict(values), index)
                self._queue.wait_all()
        except Exception as error:  # as above
            self._queue = None  # it would say the same of every later one
            raise RuntimeError(said(error)) from error
        return found


def import_openvino() -> ModuleType:
    """OpenVINO. At its import it would tell Google Analytics that it was imported, and keep a number for that in the
    home folder; without the package `openvino_telemetry`, which it then does not find, it does not.
    """
    sends = "openvino_telemetry"
    if "openvino" in sys.modules or sends in sys.modules:
        import openvino
    else:
        sys.modules[sends] = None  # type: ignore[assignment]  # Python's way to say that there is none
        try:
            import openvino
        finally:
            del sys.modules[sends]
    return openvino


def open_in_openvino(path: str | os.PathLike[str], precision: str = "auto") -> OpenVinoSession:
    """Opens a file that exists; precision and what is raised: see `runtimes.open_session`."""
    try:
        openvino = import_openvino()
    except ImportError as error:
        raise UserError(
            f"--provider openvino needs OpenVINO: pip install -r requirements/openvino.txt; the import says: {error}"
        ) from error

    core = openvino.Core()
    options = options_for(core, precision)
    try:  # by the reader of ONNX: core.read_model tries all kinds of files, which write to stderr about this one
        reader = openvino.frontend.FrontEndManager().load_by_framework("onnx")
        model = reader.convert(reader.load(str(path)))
        if not model.outputs:
            raise RuntimeError("the file is empty")
        session = OpenVinoSession(openvino, core, model, options)
    except Exception as error:  # as above
        raise UserError(f"{path} cannot be opened by OpenVINO: {said(error)}") from error
    if precision not in ("auto", session.precision):
        raise UserError(f"--precision {precision}: OpenVINO would take {session.precision} for {path}")
    return session


def options_for(core: Any, precision: str) -> dict[str, str]:
    """What OpenVINO is told for a precision. Raises UserError for one that this processor does not have."""
    if precision == "auto":
        return {}
    has = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    kind, capability = PRECISIONS[precision]
    if capability not in has:  # it would take another one and not say so
        known = ", ".join(name for name, (_, other) in PRECISIONS.items() if other in has)
        name = core.get_property("CPU", "FULL_DEVICE_NAME").strip()
        raise UserError(f"--precision {precision}: on this processor ({name}) OpenVINO has {known}: give one of them")
    return {"INFERENCE_PRECISION_HINT": kind}


def _metadata(model: Any) -> dict[str, str]:
    """An ONNX file's own metadata, which OpenVINO keeps under `framework`."""
    if not model.has_rt_info(["framework"]):
        return {}
    return {key: str(value) for key, value in model.get_rt_info(["framework"]).value.items()}


def _port(port: Any, name: str) -> Port:
    kind = port.get_element_type().get_type_name()
    sides = port.get_partial_shape()
    return Port(name, f"tensor({TYPES.get(kind, kind)})", [None if side.is_dynamic else len(side) for side in sides])


def _output_name(port: Any) -> str:
    """The name of an output in the file: where a node only hands on a value, the port has the names of both."""
    name = port.node.get_friendly_name().partition("/sink_port")[0]
    return name if name in port.get_names() else port.get_any_name()


def _name_of(kind: str) -> str:
    return next((name for name, (own, _) in PRECISIONS.items() if own == kind), kind)


def _in_eight_bits(compiled: Any) -> str:
    """Which convolutions of a compiled network run in 8 bits, in words; '' for none."""
    layers = [node.get_rt_info() for node in compiled.get_runtime_model().get_ops()]
    kinds = [layer["runtimePrecision"].value for layer in layers if layer["layerType"].value == "Convolution"]
    count = sum(kind.lower() in EIGHT_BITS for kind in kinds)
    return f", {count} of {len(kinds)} convolutions in 8 bits" if count else ""


def said(error: BaseException) -> str:
    """What OpenVINO says, in one line, without the places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join([line for line in lines if not NOISE.match(line)] or lines)[:200]
