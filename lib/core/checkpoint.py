"""Saving and loading: weights for others, checkpoints to go on with."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import paddle

from lib.utils.errors import UserError
from lib.utils.runtime import replacing

CHECKPOINT_NAME = "checkpoint.pdckpt"
BEST_NAME = "model_best.pdparams"
FINAL_NAME = "final_state.pdparams"


def save_atomically(state, path):
    """Writes `state` with paddle.save beside `path`, then renames: a reader sees the old file or the new one."""
    with replacing(path) as temporary:
        paddle.save(state, str(temporary))


def _load(path):
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no model file {path}")
    try:
        return paddle.load(str(path), return_numpy=True)
    except Exception as error:  # paddle.load lets through whatever its unpickler meets in a file of another kind
        raise UserError(
            f"{path} is not a Paddle weight file, or is damaged ({type(error).__name__}){_foreign(path)}"
        ) from error


def _foreign(path):
    """What to do with a file that another project's ending tells apart."""
    is_foreign = Path(path).suffix in (".pth", ".pt", ".tar", ".bin", ".safetensors")
    return "; weights of other projects are converted first: pose_estimation/convert.py" if is_foreign else ""


def read_weights(path):
    """{name: array} from a .pdparams file or one of our checkpoints. Raises UserError where it is neither.

    Of a checkpoint with averaged weights (TRAIN.EMA) it is these: they were validated.
    """
    state = _load(path)
    average = state.get("average") if isinstance(state, dict) else None
    return _weights_in(average if isinstance(average, dict) else state, path)


def _weights_in(state, path):
    for key in ("network", "state"):  # of a checkpoint, of its average
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        found = type(state).__name__
        raise UserError(f"{path} holds no weights: expected names and arrays, got {found}{_foreign(path)}")
    weights = {
        name: np.asarray(value)
        for name, value in state.items()
        if isinstance(value, (np.ndarray, np.generic)) or hasattr(value, "numpy")
    }
    if not weights:
        raise UserError(f"{path} holds no weights: expected names and arrays{_foreign(path)}")
    return weights


class Match(NamedTuple):
    """How a file's weights fit a network: {name: array} of those that do, and the names of those that do not."""

    matched: dict
    mismatched: list
    missing: list
    unused: list


def match_weights(weights, expected):
    """The Match of {name: array} with a network's state_dict(): by name, then by shape."""
    matched = {
        name: weights[name]
        for name, tensor in expected.items()
        if name in weights and list(weights[name].shape) == list(tensor.shape)
    }
    mismatched = [name for name in expected if name in weights and name not in matched]
    missing = [name for name in expected if name not in weights]
    return Match(matched, mismatched, missing, [name for name in weights if name not in expected])


def load_weights(network, path, strict=True):
    """`fill_network` with the weights of a .pdparams file or of one of our checkpoints."""
    return fill_network(network, read_weights(path), path, strict)


def fill_network(network, weights, path, strict=True):
    """Puts {name: array} into a network and returns one line that says what was loaded.

    path: the file they are from, for the line.
    strict: every parameter of the network must be among them, with its shape; otherwise what is missing or of another
        shape keeps its initialisation (a head for another number of joints), and is named in the line.
    Raises UserError where nothing matches, and before anything is changed.
    """
    expected = network.state_dict()
    matched, mismatched, missing, unused = match_weights(weights, expected)
    if not matched:
        raise UserError(
            f"{path}: none of its {len(weights)} weights fits this network (it has names such as "
            f"{next(iter(weights))}): is it of another network?"
        )
    if strict and (missing or mismatched):
        raise UserError(
            f"{path} is of another network: {_example('missing', missing)}"
            f"{_example('of another shape', mismatched)}check MODEL.DEPTH, MODEL.NUM_JOINTS and MODEL.EXTRA"
        )
    network.set_state_dict({**expected, **matched})  # Paddle warns of each name that is left out
    return (
        f"=> loaded {len(matched)} of {len(expected)} weights from {path}; "
        f"{_example('missing', missing)}{_example('of another shape', mismatched)}{len(unused)} unused"
    )


def _example(what, names):
    return f"{len(names)} {what} (such as {names[0]}), " if names else ""


def _parameter_names(network):
    """{Paddle's own name: ours} of the parameters; Paddle numbers its names (conv2d_0.w_0) through a whole process."""
    return {parameter.name: name for name, parameter in network.named_parameters()}


def _rename(optimizer_state, names):
    """The state of an optimizer with the parameters in its keys (conv2d_0.w_0_moment1_0) under other names."""
    renamed = {}
    for key, value in optimizer_state.items():
        parameter = max((name for name in names if key.startswith(f"{name}_")), key=len, default=None)
        renamed[key if parameter is None else names[parameter] + key.removeprefix(parameter)] = value
    return renamed


def save_checkpoint(folder, network, optimizer, progress, average=None):
    """Everything to go on with, in `folder`/checkpoint.pdckpt.

    progress: plain values to get back from `load_checkpoint` (next epoch, best score, history, training settings).
    average: a WeightAverage that is saved too.
    """
    optimizer_state = _rename(optimizer.state_dict(), _parameter_names(network))
    state = {"network": network.state_dict(), "optimizer": optimizer_state, "progress": progress}
    if average:
        state["average"] = {"state": average.state, "step": average.step}
    save_atomically(state, Path(folder) / CHECKPOINT_NAME)


def load_checkpoint(path, network, optimizer, average=None):
    """Restores network, optimizer (with its schedule) and average from a run folder or checkpoint file.

    Returns `progress`. A run that begins to average now starts from the checkpoint's weights.
    Raises UserError where there is none or it is of another network.
    """
    path = Path(path)
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    if not path.is_file():
        raise UserError(f"--resume_model: there is no checkpoint {path}")
    state = _load(path)
    weights = _weights_in(state, path)
    if not isinstance(state.get("optimizer"), dict) or not isinstance(state.get("progress"), dict):
        raise UserError(f"--resume_model: {path} holds weights only; give it as MODEL.PRETRAINED to start from them")
    if average is None and "average" in state:
        raise UserError(
            f"--resume_model: {path} averages its weights; give TRAIN.EMA too, or start from it with MODEL.PRETRAINED"
        )
    fill_network(network, weights, path)
    ours = {name: paddles for paddles, name in _parameter_names(network).items()}
    optimizer.set_state_dict(_rename(state["optimizer"], ours))
    if average:
        saved = state.get("average", {"state": network.state_dict(), "step": 0})
        average.restore(saved["state"], saved["step"])
    return state["progress"]
