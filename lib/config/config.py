"""Reads an experiment: YAML file -> checked, frozen configuration.

What may be said, and in which range, is in `lib.config.schema`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from ..utils.errors import UserError
from ..utils.files import short_repr
from ..utils.safe_yaml import parse_yaml, read_yaml
from .fields import Record
from .file_joints import with_joints_of_file
from .schema import Config

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Keys of the original's YAML files that have no use here: accepted with a warning
UNREAD_KEYS = frozenset(
    (
        "CUDNN.ENABLED", "DATASET.HYBRID_JOINTS_TYPE", "TEST.BBOX_THRE",
        "TEST.NMS_THRE", "TRAIN.CHECKPOINT", "TRAIN.GAMMA1", "TRAIN.GAMMA2", "TRAIN.RESUME",
    )
)  # fmt: skip
# What other projects call a key
SYNONYMS = {
    "LEARNINGRATE": "TRAIN.LR", "BASELR": "TRAIN.LR", "EPOCHS": "TRAIN.END_EPOCH", "NUMEPOCHS": "TRAIN.END_EPOCH",
    "WEIGHTDECAY": "TRAIN.WD", "NUMWORKERS": "WORKERS", "INPUTSIZE": "MODEL.IMAGE_SIZE",
    "NUMKEYPOINTS": "MODEL.NUM_JOINTS", "CHECKPOINT": "TEST.MODEL_FILE", "WEIGHTS": "TEST.MODEL_FILE", "DEVICE": "GPUS",
}  # fmt: skip
SETS_KEY = "DATASET.TRAIN_SET"  # a name, or a list of names
SKELETON_KEY = "DATASET.SKELETON"  # a name alone is short for the NAME of a section
LAYERS_KEY = "MODEL.EXTRA.NUM_LAYERS"  # the original's name of MODEL.DEPTH


def _fields(record: type[Record] = Config, prefix: str = "") -> dict[str, Any]:
    """{dotted key: type} of every value; a section's type is its Record."""
    fields = {}
    for field in record.model_fields.values():
        fields[f"{prefix}{field.alias}"] = field.annotation
        if isinstance(field.annotation, type) and issubclass(field.annotation, Record):
            fields |= _fields(field.annotation, f"{prefix}{field.alias}.")
    return fields


FIELDS = _fields()
KNOWN_KEYS = FIELDS.keys() | UNREAD_KEYS | {LAYERS_KEY}


def _nearest(dotted_key: str) -> str:
    keys = sorted(KNOWN_KEYS)
    name = dotted_key.upper().rpartition(".")[2]
    synonym = SYNONYMS.get(name.replace("_", ""))
    if synonym:
        return f"; the nearest valid key is {synonym}"
    close = difflib.get_close_matches(dotted_key.upper(), keys, n=1, cutoff=0.6)
    if not close:  # the right name in the wrong section
        close = [key for key in keys if key.rpartition(".")[2] == dotted_key.upper().rpartition(".")[2]]
    return f"; the nearest valid key is {close[0]}" if close else ""


def _say(error: ErrorDetails, source: str | os.PathLike[str]) -> str:
    """One line for pydantic's first complaint."""
    # besides keys, pydantic names places in lists (numbers) and the types it tried (with brackets)
    path = ".".join(part for part in map(str, error["loc"]) if part.isidentifier())
    if error["type"] == "extra_forbidden":
        return f"{source}: unknown key {path}{_nearest(path)}"
    message = error["msg"].removeprefix("Value error, ")
    if not path:  # a check across keys names its key itself
        return f"{source}: {message}"
    if isinstance(error["input"], dict):  # a check across a section's keys begins with the key
        return f"{source}: {path}.{message}"
    return f"{source}: {path}: {message[0].lower() + message[1:]}, got {short_repr(error['input'])}"


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping as {dotted key: value}."""
    flat = {}
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        flat.update(_flatten(value, dotted + ".") if isinstance(value, dict) and value else {dotted: value})
    return flat


def flat_values(config: Config) -> dict[str, Any]:
    """{dotted key: value} of a whole configuration, the values as JSON has them."""
    return _flatten(config.model_dump(by_alias=True, mode="json"))


def _nest(flat: Mapping[str, Any], source: str | os.PathLike[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for dotted, value in flat.items():
        *sections, key = dotted.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise UserError(f"{source}: {dotted}: {section} is a value and a section at once")
        node[key] = value
    return tree


def _read_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    tree = read_yaml(path, "experiment file")
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected KEY: value lines, got {type(tree).__name__}")
    return _flatten(tree)


def _first_value(section: str) -> str:
    return next(key for key in sorted(KNOWN_KEYS) if key.startswith(f"{section}."))


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """['TRAIN.END_EPOCH', '3'] -> {'TRAIN.END_EPOCH': 3}; values are read as YAML."""
    if len(words) % 2:
        raise UserError(f"overrides come as KEY VALUE pairs; {short_repr(words[-1])} has no value")
    values: dict[str, Any] = {}
    for key, word in zip(words[::2], words[1::2], strict=True):
        if key not in KNOWN_KEYS:
            raise UserError(f"command line: unknown key {key}{_nearest(key)}")
        is_list = key == SETS_KEY and word.startswith("[")
        if (FIELDS.get(key) is str or key == SKELETON_KEY) and not is_list:
            values[key] = word  # 2024, no or 1e3 may be a folder's name
            continue
        if any(known.startswith(f"{key}.") for known in KNOWN_KEYS):
            raise UserError(f"command line: {key} is a section; override its values, such as {_first_value(key)}")
        try:
            values[key] = parse_yaml(word)
        except ValueError as error:
            raise UserError(f"command line: {key}: {short_repr(word)} is not a YAML value") from error
    return values


def _long_form(flat: dict[str, Any]) -> dict[str, Any]:
    """`DATASET.SKELETON: coco` as `DATASET.SKELETON.NAME: coco`."""
    return {f"{key}.NAME" if key == SKELETON_KEY and isinstance(value, str) else key: value
            for key, value in flat.items()}  # fmt: skip


def _one_depth(flat: dict[str, Any], source: str | os.PathLike[str]) -> dict[str, Any]:
    """MODEL.DEPTH and the original's MODEL.EXTRA.NUM_LAYERS are one value, which goes on as MODEL.DEPTH."""
    layers, depth = flat.pop(LAYERS_KEY, None), flat.get("MODEL.DEPTH")
    if None not in (depth, layers) and depth != layers:
        raise UserError(f"{source}: MODEL.DEPTH is {depth} and {LAYERS_KEY} is {layers}: they are one value, give one")
    if layers is not None:
        flat["MODEL.DEPTH"] = layers
    return flat


def read_config(
    path: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None, warn: Callable[[str], None] = print
) -> Config:
    """The checked, frozen `Config` of a YAML file.

    overrides: {dotted key: value} that win over the file (see `parse_overrides`).
    warn: called with one line where the file holds keys that nothing reads.
    Raises UserError with the dotted key, the file, what was expected and the nearest valid key.
    """
    return config_of(_read_yaml(path), str(path), overrides, warn)


def config_of(
    values: Mapping[str, Any], name: str, overrides: Mapping[str, Any] | None = None,
    warn: Callable[[str], None] = print,
) -> Config:
    """The Config of {dotted key: value}; name: where they are from, for messages. Else as `read_config`."""
    flat, overrides = _long_form(dict(values)), overrides or {}
    if SKELETON_KEY in overrides:  # another skeleton by its name, not the file's under another name
        flat = {key: value for key, value in flat.items() if not key.startswith(f"{SKELETON_KEY}.")}
    overrides = _long_form(dict(overrides))
    if overrides.keys() & {"MODEL.DEPTH", LAYERS_KEY}:  # the command line says the depth, under either name
        flat = {key: value for key, value in flat.items() if key not in ("MODEL.DEPTH", LAYERS_KEY)}
    source = name if not overrides else f"{name} with the command line's overrides"
    flat = _one_depth({**flat, **overrides}, source)
    flat, line = with_joints_of_file(flat)
    if line:
        warn(line)
    if isinstance(flat.get("GPUS"), int):
        flat["GPUS"] = str(flat["GPUS"])
    unread = sorted(key for key in flat if key in UNREAD_KEYS)
    if unread:
        warn(f"=> {name}: not used here, ignored: {', '.join(unread)}")
    tree = _nest({key: value for key, value in flat.items() if key not in UNREAD_KEYS}, source)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UserError(_say(error.errors()[0], source)) from None


def dump_config(config: Config) -> str:
    """The full configuration as YAML text that `read_config` reads back."""
    return yaml.safe_dump(config.model_dump(by_alias=True, mode="json"), sort_keys=False)
