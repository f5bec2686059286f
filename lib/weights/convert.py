"""Reads weight files of other projects and renames their weights. NumPy only, but for PyTorch's files.

The original:     conv1.weight ... layer4.2.bn3.bias, deconv_layers.0.weight, final_layer.weight
mmpose 0.x, 1.x:  backbone.*, and keypoint_head.* or head.* with deconv_layers.*, final_layer.* or plain numbers
ImageNet ResNets: as the original without its head, with fc.*
The earlier Paddle port and ours: backbone.*, deconv_layers.*, final_layer.*; _mean and _variance
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..utils.errors import UserError
from ..utils.image import MEAN, STD
from .weight_record import Three
from .weights import read_weights

# What the weights of each kind expect of a picture: colour order, what pixels are divided by, mean, deviation
CAFFE_MEAN: Three = (103.939, 116.779, 123.68)  # of ImageNet's pixels, 0 to 255, in BGR
PICTURES = {
    "original": ("BGR", 255.0, MEAN, STD),
    "mmpose": ("RGB", 255.0, MEAN, STD),
    "torchvision": ("RGB", 255.0, MEAN, STD),
    "caffe": ("BGR", 1.0, CAFFE_MEAN, (1.0, 1.0, 1.0)),
    "paddle": ("BGR", 1.0, MEAN, STD),  # the earlier port forgot the division
    "paddle.vision": ("RGB", 255.0, MEAN, STD),
}
KIND_WORDS = {
    "original": "the original PyTorch code",
    "mmpose": "mmpose",
    "torchvision": "an ImageNet ResNet of torchvision's kind",
    "caffe": "an ImageNet ResNet of Caffe's kind",
    "paddle": "the earlier Paddle port; neither a record nor a config.yaml beside it says otherwise",
    "paddle.vision": "an ImageNet ResNet of paddle.vision's kind",
}
# Blocks of the four stages, and whether they are bottlenecks -> depth
DEPTHS = {
    (2, 2, 2, 2, False): 18, (3, 4, 6, 3, False): 34, (3, 4, 6, 3, True): 50, (3, 4, 23, 3, True): 101,
    (3, 8, 36, 3, True): 152,
}  # fmt: skip
BARE_BACKBONE = re.compile(r"(conv1|bn1|layer[1-4])\.")
MMPOSE_HEAD = re.compile(r"(?:keypoint_head|head)\.(?=deconv_layers\.|final_layer\.|\d+\.)")
NUMBERED = re.compile(r"(\d+)\.(.+)")
SAFETENSORS_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


def read_source(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: float32 array} of a weight file, by its ending: .safetensors, Paddle's, or else PyTorch's.

    What is no floating point number (BatchNorm's count of batches) is left out.
    Raises UserError where the file is missing, damaged, of another kind, or needs a package that is not installed.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"--source: {path} is a folder; expected a weight file")
    if not path.is_file():
        raise UserError(f"--source: there is no weight file {path}")
    if path.stat().st_size == 0:
        raise UserError(f"--source: {path} is empty: copy or download it again")
    if path.suffix == ".safetensors":
        arrays = _read_safetensors(path)
    elif path.suffix in (".pdparams", ".pdckpt"):
        arrays = read_weights(path)
    else:
        arrays = _read_pytorch(path)
    weights = {name: _as_float32(array) for name, array in arrays.items() if array.dtype.kind == "f" or _is_bf16(array)}
    if not weights:
        raise UserError(f"--source: {path} holds no weights: expected names and arrays")
    return weights


def _is_bf16(array: np.ndarray) -> bool:
    """Paddle's and our readers give bfloat16 as the 16 bits it is: NumPy has no such type, and weights no uint16."""
    return array.dtype == np.uint16


def _as_float32(array: np.ndarray) -> np.ndarray:
    if _is_bf16(array):  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        from safetensors import deserialize
    except ImportError:
        raise UserError(f"{path} needs safetensors: pip install -r requirements/convert.txt") from None
    try:
        tensors = deserialize(path.read_bytes())
    except Exception as error:  # whatever its reader makes of a file of another kind
        raise UserError(f"--source: {path} is not a .safetensors file, or is damaged ({error})") from error
    return {
        name: np.frombuffer(tensor["data"], SAFETENSORS_TYPES[tensor["dtype"]]).reshape(tensor["shape"])
        for name, tensor in tensors
        if tensor["dtype"] in SAFETENSORS_TYPES
    }


def _read_pytorch(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch checkpoint, bare or nested; the only place that imports PyTorch."""
    try:
        import torch
    except ImportError:
        raise UserError(f"{path} needs PyTorch to read it: pip install -r requirements/convert.txt") from None
    try:
        with torch.serialization.safe_globals(_harmless_globals()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # its unpickler lets through whatever it meets in a file of another kind
        raise UserError(_say_why_not_read(path, error)) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise UserError(f"--source: {path} is no checkpoint: expected names and arrays, got {type(state).__name__}")
    return {
        str(name): value.detach().float().numpy()  # NumPy has no bfloat16
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    }


class _Unread:
    """Stands for NumPy's numbers and arrays in a PyTorch checkpoint, which nobody asks for: nothing is made of them."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _harmless_globals() -> list[tuple[type, str]]:
    """The names of NumPy's numbers and arrays, which are read past. None of NumPy's code is run for them.

    The original's checkpoints hold the epoch's score as a number, mmpose's the joints' sigmas and colours as arrays.
    """
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2
    makers = [f"{module}.{name}" for module in modules for name in ("scalar", "_reconstruct")]
    return [(_Unread, name) for name in (*makers, "numpy.ndarray", "numpy.dtype")]


def _say_why_not_read(path: Path, error: BaseException) -> str:
    refused = re.search(r"GLOBAL (\S+)", str(error))
    if refused:
        return (
            f"--source: {path} is not read: besides arrays it holds {refused[1]}, which could run code. Where you "
            "trust it, open it in PyTorch and save its state_dict alone"
        )
    reason = " ".join(str(error).split())
    known = re.search(r"Unsupported operand \d+|failed finding central directory|Invalid magic number", reason)
    reason = known[0] if known else reason[:100]
    return (
        f"--source: {path} is not a PyTorch checkpoint, or is damaged ({reason or type(error).__name__}); it is read "
        "as arrays only, so that it cannot run code"
    )


def kind_of(names: Iterable[str], style: str) -> str:
    """The kind of weights, a key of PICTURES, from the names in the file and MODEL.STYLE."""
    names = [_without_wrapper(name) for name in names]
    has_head = any(name.startswith(("deconv_layers.", "final_layer.")) for name in names)
    has_backbone = any(name.startswith("backbone.") for name in names)
    if any(name.endswith("._mean") for name in names):
        return "paddle" if has_head or has_backbone else "paddle.vision"
    if has_head:
        return "original"
    if has_backbone or any(MMPOSE_HEAD.match(name) for name in names):
        return "mmpose"
    return "caffe" if style == "caffe" else "torchvision"


def rename(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{name: array} under our names; what has no place in a pose network keeps its own (fc.weight).

    Raises UserError where two names become one.
    """
    unwrapped = {name: _without_wrapper(name) for name in weights}
    numbers = [NUMBERED.match(MMPOSE_HEAD.sub("", name)) for name in unwrapped.values() if MMPOSE_HEAD.match(name)]
    last = max((int(number[1]) for number in numbers if number), default=None)
    renamed = {}
    for name, array in weights.items():
        new = _our_name(unwrapped[name], last)
        if new in renamed:
            raise UserError(f"two of the weights are {new}, one of them named {name}: is it one checkpoint?")
        renamed[new] = array
    return renamed


def depth_of(weights: Iterable[str]) -> int | None:
    """The MODEL.DEPTH of renamed weights, or None where they are no ResNet of the depths there are."""
    blocks = [len({name.split(".")[2] for name in weights if name.startswith(f"backbone.layer{stage}.")})
              for stage in (1, 2, 3, 4)]  # fmt: skip
    bottleneck = "backbone.layer1.0.conv3.weight" in weights
    first, second, third, fourth = blocks
    return DEPTHS.get((first, second, third, fourth, bottleneck))


def _without_wrapper(name: str) -> str:
    """Without what DataParallel puts before every name, once for each wrapping."""
    return re.sub(r"^(module\.)+", "", name)


def _our_name(name: str, last_number: int | None) -> str:
    """last_number: the final layer's, in a head that is one numbered sequence of layers."""
    name = re.sub(r"\.running_mean$", "._mean", re.sub(r"\.running_var$", "._variance", name))
    if BARE_BACKBONE.match(name):
        return f"backbone.{name}"
    if not MMPOSE_HEAD.match(name):
        return name
    name = MMPOSE_HEAD.sub("", name)
    if number := NUMBERED.match(name):
        return f"final_layer.{number[2]}" if int(number[1]) == last_number else f"deconv_layers.{name}"
    return re.sub(r"^final_layer\.0\.", "final_layer.", name)  # a sequence of one
