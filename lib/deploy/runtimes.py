"""Which runtime opens an ONNX file: ONNX Runtime with one of its providers, or OpenVINO."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ..utils.errors import UserError
from .onnx_session import EXECUTION_PROVIDERS, open_in_onnx_runtime
from .openvino_session import PRECISIONS, open_in_openvino
from .session import Session

PROVIDERS = ("auto", *EXECUTION_PROVIDERS, "openvino")
RUNTIME_FLAGS = (("provider", "TEST.PROVIDER"), ("precision", "TEST.PRECISION"))  # for lib.config.cli.config_from


def open_session(
    path: str | os.PathLike[str], provider: str = "auto", gpu: int | None = None, precision: str = "auto"
) -> Session:
    """A Session of an ONNX file.

    provider: one of PROVIDERS; auto: CUDA where ONNX Runtime has it and it starts, otherwise the CPU.
    gpu: the number of the GPU for CUDA, None for its first.
    precision: auto, or a key of PRECISIONS: of the numbers that are floats in the file. Only OpenVINO has others than
    float32; auto is what it takes by itself.
    Raises UserError where the file cannot be opened, or where the provider or precision that was asked for does not
    run it: the runtimes by themselves would go on with another one.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no model file {path}")
    if provider == "openvino":
        return open_in_openvino(path, precision)
    if precision not in ("auto", "float32"):
        raise UserError(f"--precision {precision} needs --provider openvino; ONNX Runtime has float32 alone here")
    return open_in_onnx_runtime(path, provider, gpu)


def add_runtime_options(parser: argparse.ArgumentParser, default: str | None = "auto") -> None:
    """Adds --provider and --precision. default: None where an experiment says what is meant without them."""
    auto = "auto: CUDA if ONNX Runtime has it, else the CPU"
    about = f"what runs an .onnx file ({auto}); openvino: requirements/openvino.txt"
    parser.add_argument("--provider", default=default, choices=PROVIDERS, help=about)
    about = "--provider openvino: numbers of the network (auto: what OpenVINO takes on this processor)"
    parser.add_argument("--precision", default=default, choices=("auto", *PRECISIONS), help=about)
