"""Finds the pictures that annotations name: tools write other separators, folders, cases, extensions and addresses."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote, urlsplit


class PictureNames:
    """The names in a folder or archive. A folder's are listed once; those below it only where a name is not in it.

    folder: with a / at its end; members: names in an archive below `folder`, None for a folder on the disk.
    """

    def __init__(self, folder: str, members: Collection[str] | None = None) -> None:
        self.folder = folder
        self._top = set(_names_in(folder) if members is None else members)
        self._all: set[str] | None = None if members is None else self._top
        self._loose: dict[str, set[str]] = {}
        self._bases: dict[str, list[str]] = {}

    def find(self, name: str) -> str:
        """The name below the folder that `name` of an annotation means; `name`, with / for \\, where none is there.

        In this order: as it stands, without the folders in front; then in another case, with another extension or in a
        folder below, if only one is such.
        """
        if name in self._top or not self._top:
            return name
        if "://" in name:
            name = unquote(urlsplit(name).path)
        name = os.path.normpath(name.replace("\\", "/")).replace(os.sep, "/")
        base = name.rpartition("/")[2]
        exact = self._below()
        for candidate in (name, base):
            if candidate in exact:
                return candidate
        for candidate in (name, base):
            alike = self._alike(candidate)
            if len(alike) == 1:
                return next(iter(alike))
        below = self._below_by_base().get(base, [])
        return below[0] if len(below) == 1 else name

    def _below(self) -> set[str]:
        if self._all is None:
            self._all = set(_files_below(self.folder))
        return self._all

    def _below_by_base(self) -> dict[str, list[str]]:
        if not self._bases:
            for member in self._below():
                self._bases.setdefault(member.rpartition("/")[2], []).append(member)
        return self._bases

    def _alike(self, name: str) -> set[str]:
        """The names that are `name` but for case and extension."""
        if not self._loose:
            for member in self._below():
                self._loose.setdefault(_loosely(member), set()).add(member)
        return self._loose.get(_loosely(name), set())


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # who reads the pictures says so
        return []


def _files_below(folder: str) -> list[str]:
    """Paths of all files below a folder, relative to it, with /; none where it cannot be read."""
    found = []
    for place, _, names in os.walk(folder):
        below = os.path.relpath(place, folder).replace(os.sep, "/")
        found += names if below == "." else [f"{below}/{name}" for name in names]
    return found


def _loosely(name: str) -> str:
    return str(Path(name).with_suffix("")).replace(os.sep, "/").lower()
