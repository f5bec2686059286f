"""Reads a skeleton by its name or from a JSON file, for models without metadata."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.skeletons import SKELETONS, Skeleton, pair_problem
from ..utils.errors import UserError
from ..utils.files import describe_error, read_json, short_repr


def read_skeleton(name: str) -> Skeleton:
    """The Skeleton called `name`, or that of a JSON file: {"joints": [name, ...], "limbs": [[name, name], ...]}.

    Besides there may be "name" and "flip_pairs" (found by the names where it is absent), and the other keys of
    DATASET.SKELETON in an experiment, which only training and validation need. Raises UserError.
    """
    if name.lower() in SKELETONS:
        return SKELETONS[name.lower()]
    path = Path(name)
    if not path.is_file():
        raise UserError(f"there is no skeleton {name}: expected {', '.join(sorted(SKELETONS))}, or a JSON file")
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected an object with the joints' names, got a {type(content).__name__}")
    values = {key.lower(): value for key, value in content.items()}
    try:
        joints = _names(values["joints"], "joints")
        pairs = {key: _pairs(values[key], key, joints) for key in ("limbs", "flip_pairs") if key in values}
        problem = pair_problem(joints, pairs.get("flip_pairs", ())) if "flip_pairs" in pairs else ""
        if problem:
            raise ValueError(f"flip_pairs: {problem}")
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: {describe_error(error)}") from error
    return Skeleton(str(values.get("name") or path.stem), joints, pairs.get("limbs", ()), pairs.get("flip_pairs"))


def _names(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{key}: expected a list of names, got {short_repr(value)}")
    if len(set(value)) != len(value):
        raise ValueError(f"{key}: one of them is there twice")
    return tuple(value)


def _pairs(value: Any, key: str, joints: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list):
        raise ValueError(f"{key}: expected a list of pairs of names, got {short_repr(value)}")
    pairs = tuple(_names(pair, key) for pair in value)
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"{key}: expected pairs of names, got {list(pair)}")
        for name in pair:
            if name not in joints:
                nearest = difflib.get_close_matches(name, joints, n=1, cutoff=0)[0]
                raise ValueError(f"{key}: {short_repr(name)} is not among the joints; the nearest is {nearest!r}")
    return pairs
