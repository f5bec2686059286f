"""Exceptions that are reported to the user in one line, and what a GPU's errors mean."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

# What Paddle, CUDA and ONNX Runtime say (the words are those of reports of Paddle's users): what it means, what to do
GPU_PROBLEMS = (
    (
        r"out of memory error on gpu|cudaErrorMemoryAllocation|CUDA error\(2\)|CUDA failure 2\b"
        r"|(?:CUDNN|CUBLAS)_STATUS_ALLOC_FAILED",
        "the GPU is out of memory",
    ),
    (
        r"cannot load cudnn|libcudnn[\w.]*:? ?(?:cannot open|is not|\))|\(libcudnn[\w.]*\)",
        "cuDNN was not found: install the requirements that make setup chooses (they bring it along; for CUDA 11.8 see "
        "docs/gpu.md)",
    ),
    (
        r"no kernel image|cudaErrorNoKernelImageForDevice|CUDA error\(209\)|invalid device function",
        "this Paddle has no code for this GPU: make setup chooses one that has, see docs/gpu.md",
    ),
    (
        r"driver version is insufficient|CUDA error\(35\)|cudaErrorInsufficientDriver|CUDA error\(803\)",
        "the NVIDIA driver is too old for this CUDA: update the driver, or run make setup again, which chooses by it",
    ),
    (
        r"no CUDA-capable device|CUDA error\(100\)|cudaErrorNoDevice|invalid device ordinal|CUDA error\(101\)",
        "CUDA finds no GPU: look at nvidia-smi and at CUDA_VISIBLE_DEVICES; a container needs --gpus all",
    ),
    (
        r"busy or unavailable|CUDA error\(46\)|cudaErrorDevicesUnavailable",
        "another process has the GPU for itself: nvidia-smi shows which",
    ),
    (
        r"(?:CUDNN|CUBLAS)_STATUS_NOT_INITIALIZED",
        "cuDNN or cuBLAS cannot start: the GPU's memory is full (nvidia-smi shows by whom), or they are not the "
        "versions that this Paddle needs (docs/gpu.md)",
    ),
    (
        r"lib(?:cublas|cudart|cuda|cufft|curand|cusolver|cusparse|nvrtc)[\w.]*:? ?(?:cannot open|is not|\))",
        "a library of CUDA was not found: install the requirements that make setup chooses (for CUDA 11.8 see "
        "docs/gpu.md)",
    ),
    (r"CUDA error\(\d+\)[^.\n]*", "CUDA failed"),
)
OUT_OF_MEMORY = GPU_PROBLEMS[0][1]
# of Paddle's allocator
MEMORY = re.compile(
    r"Cannot allocate (\S+) memory on GPU \d+, (\S+) memory has been allocated and available memory is only (\S+?)\.?\s"
)


MAX_REASON = 800  # characters of a library's message that a line quotes


class UserError(ValueError):
    """Bad input: a file, option or value. The message says what was wrong, what was expected and what to do."""


class RunError(RuntimeError):
    """A failure while working on good input: a full disk, a loss that is not finite."""


class ItemError(RunError):
    """A failure with one picture or video: others can still go well, which they cannot on a full disk."""


def whole_reason(error: object) -> str:
    """What a library says, in one line and to its end, where many have the reason; of a long one without the middle."""
    text = " ".join(str(error).split())
    if len(text) <= MAX_REASON:
        return text
    return f"{text[: MAX_REASON // 3]} ... {text[-2 * MAX_REASON // 3 :]}"


def gpu_problem(error: object) -> str:
    """What an error of Paddle, CUDA or ONNX Runtime means and what to do, in one line; '' if it is no GPU's error."""
    text = " ".join(str(error).split())
    for pattern, meaning in GPU_PROBLEMS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            memory = MEMORY.search(text + " ")
            if meaning == OUT_OF_MEMORY and memory:
                wanted, taken, free = memory.groups()
                return f"{meaning} ({wanted} more were asked for; {taken} are taken, {free} free)"
            return f"{meaning} ({found[0][:150]})" if meaning == "CUDA failed" else meaning
    return ""


@contextlib.contextmanager
def explaining_memory(what: str, remedy: str) -> Iterator[None]:
    """Makes a GPU's lack of memory in the block a RunError that names what needed it and what to change."""
    try:
        yield
    except Exception as error:  # Paddle raises RuntimeError, MemoryError and classes of its own
        problem = gpu_problem(error)
        if not problem.startswith(OUT_OF_MEMORY):
            raise
        raise RunError(f"{problem} in {what}: {remedy}") from error


@contextlib.contextmanager
def explaining_packages(what: str, remedy: str) -> Iterator[None]:
    """Makes a package that is not installed, but for our own, a UserError that says what needs it and what to do."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("", "lib", __name__.partition(".")[0]):
            raise
        raise UserError(f"{what} needs the package {error.name}, which is not installed: {remedy}") from error
