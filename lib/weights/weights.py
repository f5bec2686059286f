"""Reads weight files as names and arrays, and matches them with a network."""
from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..utils.errors import UserError, whole_reason
from .checksum import is_changed
from .weight_file import read_paddle


class DamagedError(UserError):
    """A file that is not what was once written."""


def read_content(path: str | os.PathLike[str]) -> dict | int | list:
    """What is in a weight file or checkpoint of ours, see `read_paddle`.

    Raises DamagedError where it is neither or not what was written, another UserError where it is missing or refused.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no model file {path}")
    try:
        if is_changed(path):
            raise DamagedError(f"{path} is damaged: its checksum is not that of what was written; copy it again")
        return read_paddle(path)
    except pickle.UnpicklingError as error:
        reason = f"({whole_reason(error)}){_foreign(path)}"
        raise DamagedError(f"{path} is not a Paddle weight file, or is damaged {reason}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def _foreign(path: str | os.PathLike[str]) -> str:
    """What to do with a file that another project's ending tells apart."""
    is_foreign = Path(path).suffix in (".pth", ".pt", ".tar", ".bin", ".safetensors")
    return "; weights of other projects are converted first: pose_estimation/convert.py" if is_foreign else ""


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} from a .pdparams file or one of our checkpoints. Raises UserError where it is neither.

    Of a checkpoint with averaged weights (TRAIN.EMA) it is these: they were validated.
    """
    state = read_content(path)
    average = state.get("average") if isinstance(state, dict) else None
    return weights_in(average if isinstance(average, dict) else state, path)


def weights_in(state: dict | int | list, path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} of what `read_content` gave; a checkpoint's own weights. Raises UserError where there are none."""
    for key in ("network", "state"):  # of a checkpoint, of its average
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        found = type(state).__name__
        raise UserError(f"{path} holds no weights: expected names and arrays, got {found}{_foreign(path)}")
    weights = {
        name: np.asarray(value)
        for name, value in state.items()
        if isinstance(value, (np.ndarray, np.generic)) and isinstance(name, str)
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


def match_weights(weights: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> Match:
    """The Match of {name: array} with a network's state_dict(): by name, then by shape."""
    matched = {
        name: weights[name]
        for name, tensor in expected.items()
        if name in weights and list(weights[name].shape) == list(tensor.shape)
    }
    mismatched = [name for name in expected if name in weights and name not in matched]
    missing = [name for name in expected if name not in weights]
    return Match(matched, mismatched, missing, [name for name in weights if name not in expected])
