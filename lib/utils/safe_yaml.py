"""Reads YAML safely: plain values only, and a bounded number of them."""
from __future__ import annotations

import os
from typing import Any

import yaml

from .errors import UserError

LARGEST_TEXT = 2**20  # characters
MAX_VALUES = 20_000  # with those that aliases repeat: nine lists of nine aliases each stand for 387 million


def parse_yaml(text: str) -> dict:
    """The value of a YAML text. Raises ValueError, in one line, where it is none or is enormous."""
    if len(text) > LARGEST_TEXT:
        raise ValueError(f"it has {len(text)} characters; the most are {LARGEST_TEXT}")
    try:
        return yaml.load(text, _BoundedLoader)  # noqa: S506 - a SafeLoader
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    # besides its own error and ValueError (2024-02-30) these come from explicit tags of impossible values (!!int "")
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def read_yaml(path: str | os.PathLike[str], what: str) -> Any:
    """The value of a YAML file; what: it is, for messages. Raises UserError where it cannot be read or is not YAML."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse_yaml(file.read(LARGEST_TEXT + 1))
    except OSError as error:
        raise UserError(f"cannot read the {what} {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error


class _BoundedLoader(yaml.SafeLoader):
    """A SafeLoader that counts values, an alias as all that it stands for, and refuses one that stands for itself."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._count = 0
        self._sizes: dict[yaml.Node | None, int] = {}

    def compose_node(
        self, parent: yaml.Node | None, index: Any
    ) -> yaml.Node | None:
        is_alias, before = self.check_event(yaml.AliasEvent), self._count
        node = super().compose_node(parent, index)
        if is_alias and node not in self._sizes:
            raise ValueError("an alias stands for what it is a part of")
        self._count += self._sizes[node] if is_alias else 1
        if self._count > MAX_VALUES:
            raise ValueError(f"it has more than {MAX_VALUES} values, with those that its aliases repeat")
        if not is_alias:
            self._sizes[node] = self._count - before
        return node
