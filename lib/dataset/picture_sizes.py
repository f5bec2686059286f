"""Compares what annotations say about their pictures with the pictures' headers: size, and EXIF orientation.

Phones store standing pictures lying and note how to turn them. Some annotation tools turn them, others do not; the
sizes tell which, so each picture is read as it was annotated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from ..utils.errors import UserError
from ..utils.files import pluralize
from ..utils.image import stored_size
from ..utils.pictures.exif import EXCHANGING

MOST = 5000  # pictures of a large set that are looked at, evenly spread; all of them once one differs
SHOWN = 3

Size = tuple[float, float]


@dataclass
class PictureSizes:
    """What the headers say: sizes {key: (width, height) as annotated}; turned: keys of those to turn as EXIF says.

    exchanged: of each whose annotation has width and height the wrong way round, a text with both sizes.
    """

    sizes: dict[Any, Size] = field(default_factory=dict)
    turned: set[Any] = field(default_factory=set)
    exchanged: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Lines for the log."""
        lines = []
        if self.turned:
            pictures = pluralize(len(self.turned), "picture is", "pictures are")
            lines.append(f"=> {pictures} turned as the EXIF data say")
        if self.exchanged:
            pictures = pluralize(len(self.exchanged), "picture has", "pictures have")
            example = f"the picture's own are taken ({self.exchanged[0]})"
            lines.append(f"=> {pictures} width and height exchanged in the annotation: {example}")
        return lines


def compare_sizes(
    pictures: Mapping[Any, str], annotated: Mapping[Any, Size | None], orientation: str = "auto", fill: bool = True
) -> PictureSizes:
    """The PictureSizes of pictures {key: path}; those that cannot be read are left to who reads them.

    annotated: {key: (width, height) in the annotation, None where it does not say}; orientation: DATASET.ORIENTATION,
    auto, exif or stored; fill: whether a size is wanted of every picture that the annotation gives none of.
    Raises UserError where sizes differ otherwise, or where they do not tell whether a picture is to be turned.
    """
    found = PictureSizes()
    chosen = list(pictures)
    if len(chosen) > MOST and not (fill and any(annotated[key] is None for key in pictures)):
        chosen = [chosen[row] for row in np.linspace(0, len(chosen) - 1, MOST).astype(int)]
    problems = _look(pictures, annotated, orientation, chosen, found)
    if len(chosen) < len(pictures) and (found.turned or found.exchanged or any(problems.values())):
        found = PictureSizes()
        problems = _look(pictures, annotated, orientation, list(pictures), found)
    _refuse(problems, len(pictures))
    return found


def _look(
    pictures: Mapping[Any, str], annotated: Mapping[Any, Size | None], orientation: str, chosen: list[Any],
    found: PictureSizes,
) -> dict[str, list[str]]:
    """Fills `found`; {kind of problem: examples}."""
    problems: dict[str, list[str]] = {"unclear": [], "size": []}
    for key in chosen:
        try:
            stored, turn = stored_size(pictures[key])
        except UserError:
            continue
        size, name = annotated[key], PurePath(pictures[key]).name
        exchanging = turn in EXCHANGING
        upright = stored[::-1] if exchanging else stored
        turned = orientation == "exif" and turn > 1
        if orientation == "auto" and turn > 1:
            if size is None or (_alike(size, stored) and (not exchanging or _alike(size, upright))):
                problems["unclear"].append(f"{name} (EXIF orientation {turn})")
                continue
            turned = _alike(size, upright)
        expected = upright if turned else stored
        if turned:
            found.turned.add(key)
        if size is not None and not _alike(size, expected):
            kind = found.exchanged if _alike(size, expected[::-1]) else problems["size"]
            kind.append(f"{name} is {_text(expected)}, the annotation says {_text(size)}")
        found.sizes[key] = expected
    return problems


def _refuse(problems: Mapping[str, list[str]], total: int) -> None:
    sizes, unclear = problems["size"], problems["unclear"]
    if sizes:
        raise UserError(
            f"{len(sizes)} of {total} pictures have another size than their annotation says: {'; '.join(sizes[:SHOWN])}"
            ". Joints would be in the wrong places: take the pictures that were annotated, or scale the annotation"
        )
    if unclear:
        raise UserError(
            f"{len(unclear)} of {total} pictures are to be turned by their EXIF data, and nothing tells whether they "
            f"were annotated turned: {', '.join(unclear[:SHOWN])}. Give DATASET.ORIENTATION exif (turned, as viewers "
            "show them) or stored"
        )


def _alike(size: Size, other: Size) -> bool:
    return abs(size[0] - other[0]) <= 1 and abs(size[1] - other[1]) <= 1


def _text(size: Size) -> str:
    return f"{size[0]:g}x{size[1]:g}"
