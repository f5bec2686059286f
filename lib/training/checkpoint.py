"""Saves and loads weights and checkpoints."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle

from ..utils.errors import UserError
from ..utils.runtime import replacing
from ..weights.checksum import NO_RUN, is_changed, run_of, seal
from ..weights.fill import fill_network
from ..weights.weights import DamagedError, read_content, weights_in

if TYPE_CHECKING:
    from .ema import WeightAverage

CHECKPOINT_NAME, PREVIOUS_NAME = "checkpoint.pdckpt", "checkpoint_previous.pdckpt"
BEST_NAME = "model_best.pdparams"
FINAL_NAME = "final_state.pdparams"


def save_atomically(state: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Writes `state`, with a checksum, beside `path`, then renames: a reader sees the old file or the new one.

    Raises RunError where the disk does not take it; the old file is whole then.
    """
    with _written(state, path):
        pass


@contextlib.contextmanager
def _written(state: dict[str, Any], path: str | os.PathLike[str], run: bytes = NO_RUN) -> Iterator[None]:
    """`state` is on the disk in the block, and at `path` after it."""
    with replacing(path) as temporary:
        paddle.save(state, str(temporary))
        seal(temporary, run)
        yield


def _parameter_names(network: paddle.nn.Layer) -> dict[str, str]:
    """{Paddle's own name: ours} of the parameters; Paddle numbers its names (conv2d_0.w_0) through a whole process."""
    return {parameter.name: name for name, parameter in network.named_parameters()}


def _rename(optimizer_state: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The state of an optimizer with the parameters in its keys (conv2d_0.w_0_moment1_0) under other names."""
    renamed = {}
    for key, value in optimizer_state.items():
        parameter = max((name for name in names if key.startswith(f"{name}_")), key=len, default=None)
        renamed[key if parameter is None else names[parameter] + key.removeprefix(parameter)] = value
    return renamed


def save_checkpoint(
    folder: str | os.PathLike[str], network: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer,
    progress: dict[str, Any],
    average: WeightAverage | None = None,
) -> None:
    """Everything to go on with, in `folder`/checkpoint.pdckpt; the one before it stays as checkpoint_previous.pdckpt.

    progress: plain values to get back from `load_checkpoint` (next epoch, best score, history, training settings).
    average: a WeightAverage that is saved too.
    Raises RunError where the disk does not take it; both files are whole then.
    """
    path, run = Path(folder) / CHECKPOINT_NAME, _run_name(progress)
    optimizer_state = _rename(optimizer.state_dict(), _parameter_names(network))
    state = {"network": network.state_dict(), "optimizer": optimizer_state, "progress": progress}
    if average:
        state["average"] = {"state": average.state, "step": average.step}
    with _written(state, path, run):
        _keep_previous(path, run)


def _run_name(progress: dict[str, Any]) -> bytes:
    """What tells this run from another one in the same folder: its first epoch's figures; NO_RUN before they are there.

    So a run that goes on is the same run, and one that begins anew with the same figures may as well be.
    """
    first = progress.get("history", [])[:1]
    return hashlib.sha256(json.dumps(first).encode()).digest()[: len(NO_RUN)] if first else NO_RUN


def _keep_previous(path: Path, run: bytes) -> None:
    """Gives the checkpoint at `path` its second name, where it is whole and of this run; `path` is there throughout."""
    previous = path.with_name(PREVIOUS_NAME)
    if run != NO_RUN and run_of(path) == run and not is_changed(path):
        with replacing(previous) as temporary:
            temporary.unlink(missing_ok=True)  # of a killed process with this one's number
            try:
                os.link(path, temporary)
            except OSError:  # a file system without links
                os.replace(path, temporary)
    elif run_of(previous) != run:
        previous.unlink(missing_ok=True)


def has_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Whether there is something to go on from in a run folder: a checkpoint, or the one before it."""
    return any((Path(folder) / name).is_file() for name in (CHECKPOINT_NAME, PREVIOUS_NAME))


def load_checkpoint(
    path: str | os.PathLike[str], network: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer,
    average: WeightAverage | None = None, warn: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Restores network, optimizer (with its schedule) and average from a run folder or checkpoint file.

    warn: called with one line where the checkpoint is damaged or gone and the one before it is taken.
    Returns `progress`. A run that begins to average now starts from the checkpoint's weights.
    Raises UserError where there is none or it is of another network.
    """
    path, state = _load_newest(Path(path), warn)
    weights = weights_in(state, path)
    progress = state.get("progress")
    if not isinstance(state.get("optimizer"), dict) or not isinstance(progress, dict):
        raise UserError(f"--resume_model: {path} holds weights only; give it as MODEL.PRETRAINED to start from them")
    if average is None and "average" in state:
        raise UserError(
            f"--resume_model: {path} averages its weights; give TRAIN.EMA too, or start from it with MODEL.PRETRAINED"
        )
    saved = state.get("average", {"state": weights, "step": 0})
    _check_progress(progress, saved, weights, path)
    fill_network(network, weights, path)
    ours = {name: paddles for paddles, name in _parameter_names(network).items()}
    try:
        optimizer.set_state_dict(_rename(state["optimizer"], ours))
    except Exception as error:  # whatever Paddle makes of moments that are none
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"--resume_model: {path}: its optimizer's state does not fit ({reason})") from error
    if average:
        average.restore(saved["state"], saved["step"])
    return progress


def _load_newest(path: Path, warn: Callable[[str], None]) -> tuple[Path, Any]:
    """(path, content) of a checkpoint, or of the one before it where it is damaged or gone."""
    if path.is_dir():
        path = path / CHECKPOINT_NAME
    previous = path.with_name(PREVIOUS_NAME)
    try:
        if not path.is_file():
            raise DamagedError(f"--resume_model: there is no checkpoint {path}")
        return path, read_content(path)
    except DamagedError as error:
        if path.name != CHECKPOINT_NAME or not previous.is_file():
            raise
        state = read_content(previous)
        warn(f"=> WARNING: {error}. resuming from the checkpoint before it, {previous}")
        return previous, state


def _check_progress(
    progress: dict[str, Any], average: Mapping[str, Any], weights: Mapping[str, np.ndarray],
    path: Path,
) -> None:
    """Raises UserError where a file that looks like a checkpoint does not hold what ours do."""
    epoch, best, history = progress.get("epoch"), progress.get("best"), progress.get("history", [])
    try:
        json.dumps(progress)  # of plain values, nested no deeper than history.json may be
        if type(epoch) is not int or epoch < 0 or not isinstance(best, (float, int, type(None))):
            raise ValueError(f"epoch {epoch!r} and best score {best!r}")
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise ValueError("a history that is no list of epochs")
        if not isinstance(progress.get("train", {}), dict):
            raise ValueError("training settings that are none")
        if _shapes(average["state"]) != _shapes(weights):
            raise ValueError("an average of other weights")
        if type(average["step"]) is not int or average["step"] < 0:
            raise ValueError(f"an average of {average['step']!r} steps")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"--resume_model: {path} is no checkpoint of ours: it holds {error}") from error


def _shapes(arrays: Mapping[str, np.ndarray]) -> dict[Any, Any] | dict[str, tuple[int, int] | tuple[int]]:
    return {name: np.shape(array) for name, array in arrays.items()}
