"""Filling a network with the weights of a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..utils.errors import UserError
from .weights import match_weights, read_weights

if TYPE_CHECKING:
    import paddle


def load_weights(network: paddle.nn.Layer, path: str | os.PathLike[str], strict: bool = True) -> str:
    """`fill_network` with the weights of a .pdparams file or of one of our checkpoints."""
    return fill_network(network, read_weights(path), path, strict)


def fill_network(
    network: paddle.nn.Layer, weights: Mapping[str, np.ndarray], path: str | os.PathLike[str], strict: bool = True
) -> str:
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


def _example(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what} (such as {names[0]}), " if names else ""
