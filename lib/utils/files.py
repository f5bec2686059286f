"""Reading JSON that a person gave. No Paddle here."""

import json

from lib.utils.errors import UserError


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
