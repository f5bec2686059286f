"""Reads weight files of other projects and renames their weights. Neither PyTorch nor Paddle is needed.

The original:     conv1.weight ... layer4.2.bn3.bias, deconv_layers.0.weight, final_layer.weight
mmpose 0.x, 1.x:  backbone.*, and keypoint_head.* or head.* with deconv_layers.*, final_layer.* or plain numbers
ImageNet ResNets: as the original without its head, with fc.*
The earlier Paddle port and ours: backbone.*, deconv_layers.*, final_layer.*; _mean and _variance
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..utils.errors import UserError
from ..utils.image import MEAN, STD
from .torch_file import Opaque, Quantized, read_checkpoint
from .weights import read_weights

# What the weights of each kind expect of a picture: colour order, what pixels are divided by, mean, deviation
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of ImageNet's pixels, 0 to 255, in BGR
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
WRAPPERS = re.compile(r"^(?:(?:module|_orig_mod|model|net|network|architecture|student|teacher)\.)+")
STATE_KEYS = ("state_dict", "model_state_dict", "model", "network", "net", "weights", "module")
EMA_KEYS = ("state_dict_ema", "ema_state_dict", "model_ema", "ema")
FIRST, SECOND = "conv1.weight", "layer1.0.conv1.weight"  # names of every ResNet here
NUMBERED = re.compile(r"(\d+)\.(.+)")
SAFETENSORS_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


def read_source(
    path: str | os.PathLike[str], ema: bool = False, say: Callable[[str], None] = print
) -> dict[str, np.ndarray]:
    """{name: float32 array} of a weight file, by its ending: .safetensors, Paddle's, or else PyTorch's.

    What is no floating point number (BatchNorm's count of batches) is left out. ema: take the averaged weights of a
    checkpoint that has both; `say` gets the lines that tell which are taken.
    Raises UserError where the file is missing, damaged, of another kind, holds quantised weights or NaN, or needs a
    package that is not installed.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"--source: {path} is a folder; expected a weight file")
    if not path.is_file():
        raise UserError(f"--source: there is no weight file {path}")
    if path.stat().st_size == 0:
        raise UserError(f"--source: {path} is empty: copy or download it again")
    arrays: Mapping[Any, Any]
    if path.suffix == ".safetensors":
        arrays = _read_safetensors(path)
    elif path.suffix in (".pdparams", ".pdckpt"):
        arrays = read_weights(path)
    else:
        arrays = _choose_twin(_choose_state(read_checkpoint(path), path, ema, say), ema, say)
    quantized = [name for name, value in arrays.items() if isinstance(value, Quantized)]
    if quantized:
        raise UserError(f"--source: {path}: {quantized[0]} is quantised: convert the checkpoint in floating point")
    weights = {
        str(name): _as_float32(value)
        for name, value in arrays.items()
        if isinstance(value, np.ndarray) and (value.dtype.kind == "f" or _is_bf16(value))
    }
    if not weights:
        found = ", ".join(str(name) for name in list(arrays)[:5])
        besides = f", found {found}" if found else ""
        raise UserError(f"--source: {path} holds no weights: expected names and arrays{besides}")
    _check_numbers(weights, path)
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


def _choose_state(content: Any, path: Path, ema: bool, say: Callable[[str], None]) -> Mapping[Any, Any]:
    """The names and values of a checkpoint: what lies under one of STATE_KEYS, or under EMA_KEYS if `ema`."""
    if isinstance(content, Opaque):
        raise UserError(
            f"--source: {path} holds {content.about}, not names and arrays. A whole network is saved with its code, "
            "which is not run here: open it in PyTorch and save its state_dict()"
        )
    if not isinstance(content, dict):
        raise UserError(f"--source: {path} is no checkpoint: expected names and arrays, got {type(content).__name__}")
    own = next((key for key in STATE_KEYS if _has_arrays(content.get(key))), None)
    averaged = next((key for key in EMA_KEYS if _has_arrays(content.get(key))), None)
    if ema and averaged is None and not _names_start_with(content, "teacher."):
        raise UserError(f"--ema: {path} has no averaged weights: expected them under {', '.join(EMA_KEYS)} or teacher.")
    if own and averaged:
        taken, other = (averaged, own) if ema else (own, averaged)
        say(f"=> {path}: {taken} is taken, not {other} (--ema takes the averaged weights, {averaged})")
    key = averaged if ema and averaged else own or averaged or _only_state(content, path, say)
    state = content[key] if key else content
    if key and not any(_is_array(value) for value in state.values()):  # such as {"model": {"state_dict": ...}}
        return _choose_state(state, path, ema, say)
    return state


def _only_state(content: Mapping[Any, Any], path: Path, say: Callable[[str], None]) -> Any:
    """The key of the only dictionary of arrays in a checkpoint without any beside it, None where there is none."""
    found = [key for key, value in content.items() if _has_arrays(value)]
    if len(found) != 1 or any(map(_is_array, content.values())):
        return None
    say(f"=> {path}: the weights under {str(found[0])[:60]} are taken, the only ones")
    return found[0]


def _choose_twin(state: Mapping[Any, Any], ema: bool, say: Callable[[str], None]) -> Mapping[Any, Any]:
    """Of a student and its teacher, the running average of it, one."""
    if not (_names_start_with(state, "student.") and _names_start_with(state, "teacher.")):
        return state
    taken, other = ("teacher.", "student.") if ema else ("student.", "teacher.")
    say(f"=> the weights of {taken} are taken, not those of {other} (--ema takes the teacher, an average)")
    return {name: value for name, value in state.items() if not str(name).startswith(other)}


def _names_start_with(state: Any, prefix: str) -> bool:
    return isinstance(state, dict) and any(str(name).startswith(prefix) for name in state)


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, Quantized))


def _has_arrays(value: Any) -> bool:
    """Whether a dictionary holds arrays, or a dictionary of them."""
    if not isinstance(value, dict):
        return False
    inner = [item.values() if isinstance(item, dict) else (item,) for item in value.values()]
    return any(_is_array(item) for items in inner for item in items)


def _check_numbers(weights: Mapping[str, np.ndarray], path: Path) -> None:
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise UserError(f"--source: {path}: {name} is not finite (NaN or infinite): the run that saved it diverged")


def kind_of(names: Iterable[str], style: str) -> str:
    """The kind of weights, a key of PICTURES, from the names in the file and MODEL.STYLE."""
    names = list(_unwrapped(list(names)).values())
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
    unwrapped = _unwrapped(list(weights))
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


def _unwrapped(names: Sequence[str]) -> dict[str, str]:
    """{name: the same without what DataParallel, torch.compile, Lightning and others put before every name}.

    What stands before the only ResNet is taken off too, whatever it is.
    """
    plain = {name: WRAPPERS.sub("", name) for name in names}
    known = set(plain.values())
    before = {name.removesuffix(FIRST) for name in known if name.endswith(FIRST)}
    before = {prefix.removesuffix("backbone.") for prefix in before if f"{prefix}{SECOND}" in known}
    wrapper = before.pop() if len(before) == 1 else ""
    return {name: short.removeprefix(wrapper) for name, short in plain.items()}


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
