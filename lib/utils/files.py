"""JSON: reading what a person gave, checking its numbers, writing results; sizes in words. No Paddle here."""

import json
import math
import sys

from lib.utils.errors import UserError
from lib.utils.runtime import replacing

MAXIMUM_PIXELS = 1e6


def read_json(path, where_from="", hook=None):
    """The content of a JSON file.

    where_from: a sentence that says where such a file comes from, for the message when it is not there.
    hook: called with the (key, value) pairs of each object; returns what stands for it.
    Raises UserError where the file is missing or is not JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file, object_pairs_hook=hook)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}. {where_from}".rstrip()) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error


def what_is_wrong(error):
    """A KeyError, TypeError or ValueError of reading a record, in words."""
    return f"no {error}" if isinstance(error, KeyError) else error


def finite(value, what):
    """A number of a JSON file as a float; ValueError, naming `what` it is, where it is none or not finite."""
    if not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{what} of {value!r}; expected a finite number")
    return float(value)


def checked_box(value):
    """A box of a JSON file as four floats; ValueError where it cannot be one."""
    good = isinstance(value, list) and len(value) == 4
    if not good or not all(isinstance(number, (int, float)) and abs(number) < MAXIMUM_PIXELS for number in value):
        raise ValueError(f"a box of {value!r}; expected x, y, width, height in finite pixels below a million")
    return [float(number) for number in value]


def readable_size(count):
    """Bytes as people read them: 3.6 MB, 13.1 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def without_nan(value):
    """A copy of nested lists and mappings with None for what is no finite number: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(value, path, indent=1):
    """Writes `value` as JSON, whole or not at all, NaN as null; indent None: on one line."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(without_nan(value), indent=indent) + "\n", encoding="utf-8")
