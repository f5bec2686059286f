"""Reads and writes JSON, checks its numbers, and puts values into words."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from reprlib import Repr
from typing import Any

import numpy as np

from .errors import UserError
from .runtime import replacing

MAX_PIXEL_COORDINATE = 1e6
LARGEST_FILE = 2**31  # bytes; COCO's largest annotation file has 0.46 GB
DEEPEST = 100  # lists and objects inside one another; COCO's annotations have 5
MAX_WORDS = 500  # characters of a message about a record: the record may be a megabyte
NO_BRACKET = bytes(set(range(256)) - set(b'"[]{}'))
_short = Repr()
_short.maxlevel, _short.maxstring, _short.maxother, _short.maxlong = 2, 60, 60, 40


def read_json(
    path: str | os.PathLike[str], where_from: str = "", hook: Callable | None = None
) -> dict | list | str | None:
    """The content of a JSON file.

    where_from: a sentence that says where such a file comes from, for the message when it is not there.
    hook: called with the (key, value) pairs of each object; returns what stands for it.
    Raises UserError where the file is missing, is not JSON, is enormous or nested too deep.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 30} GB: no annotations or boxes are")
        if _depth(data) > DEEPEST:
            raise UserError(f"{path} is nested deeper than {DEEPEST} lists and objects: expected a few")
        text = data.decode("utf-8-sig")  # some Windows programs write a mark first
        del data  # half a gigabyte of COCO's
        return json.loads(text, object_pairs_hook=hook)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}. {where_from}".rstrip()) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def _depth(data: bytes) -> int:
    """How deep lists and objects are inside one another in JSON, or where it is none, at least so deep."""
    data = data.replace(rb"\\", b"").replace(rb"\"", b"")  # so that each quote begins or ends a text
    marks = np.frombuffer(data.translate(None, NO_BRACKET), np.uint8)
    deepest = depth = quotes = 0
    for start in range(0, len(marks), 1 << 20):  # in parts: of a file of brackets alone it would take much memory
        part = marks[start : start + (1 << 20)]
        texts = np.cumsum(part == ord('"')) + quotes
        step = np.isin(part, bytearray(b"[{")).astype(np.int8) - np.isin(part, bytearray(b"]}"))
        depths = np.cumsum(step * (texts % 2 == 0), dtype=np.int64) + depth
        deepest, depth, quotes = max(deepest, int(depths.max())), int(depths[-1]), int(texts[-1])
    return deepest


def pairs_in(value: Any) -> list[list[Any]]:
    """The lists of two in a list, such as a skeleton's limbs; none of anything else."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, list) and len(item) == 2]


def short_repr(value: Any | None) -> str:
    """A value of a file for a message: short, however long or deep it is."""
    return _short.repr(value)


def describe_error(error: BaseException) -> str:
    """A KeyError, TypeError or ValueError of reading a record, in few words."""
    return (f"no {error}" if isinstance(error, KeyError) else str(error))[:MAX_WORDS]


def finite(value: Any, what: str) -> float:
    """A number of a JSON file as a float; ValueError, naming `what` it is, where it is none or not finite."""
    if not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{what} of {short_repr(value)}; expected a finite number")
    return float(value)


def checked_box(value: Any) -> list[float]:
    """A box of a JSON file as four floats; ValueError where it cannot be one."""
    good = isinstance(value, list) and len(value) == 4
    if not good or not all(isinstance(number, (int, float)) and abs(number) < MAX_PIXEL_COORDINATE for number in value):
        raise ValueError(f"a box of {short_repr(value)}; expected x, y, width, height in finite pixels below a million")
    return [float(number) for number in value]


def pluralize(amount: int, one: str, many: str) -> str:
    """An amount in words: 1 box, 2 boxes."""
    return f"{amount} {one if amount == 1 else many}"


def readable_size(count: int) -> str:
    """Bytes as people read them: 3.6 MB, 13.1 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def without_nan(value: Any) -> Any | None:
    """A copy of nested lists and mappings with None for what is no finite number: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(value: dict | list, path: str | os.PathLike[str], indent: int | None = 1) -> None:
    """Writes `value` as JSON, whole or not at all, NaN as null; indent None: on one line."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(without_nan(value), indent=indent) + "\n", encoding="utf-8")


def file_digest(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_version(values: Mapping[str, Any], known: int) -> None:
    """Raises UserError where the `version` of a file's record is none, or newer than the `known` one.

    A record without one is older than versions are.
    """
    version = values.get("version", known)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise UserError(f"a version of {short_repr(version)}; expected a whole number from 1 on")
    if version > known:
        raise UserError(f"version {version} is newer than what this release reads, {known}: update the project")


def could_be_name(text: str) -> bool:
    """Whether a word given for a file may be a name: no such file is there, and it has no ending and no folder."""
    return bool(re.fullmatch(r"\w+", text)) and not os.path.exists(text)  # of pathlib a long name is an error
