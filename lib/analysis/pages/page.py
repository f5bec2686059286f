"""The report's page: sections into one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...utils.errors import UserError
from ...utils.runtime import replacing
from .gallery import SIDE, Shown
from .plots import KIND_COLORS

if TYPE_CHECKING:
    from jinja2 import Template

LARGEST = 15_000_000  # bytes of the page


@dataclass(frozen=True)
class Row:
    """A row of a table, its cells as text; marked ones stand out."""

    cells: Sequence[str]
    marked: bool = False


@dataclass(frozen=True)
class Table:
    """wraps: its cells are words, which may stand on several lines."""

    head: Sequence[str]
    rows: Sequence[Row]
    caption: str = ""
    wraps: bool = False


@dataclass
class Part:
    """A part of a section: any of text, a note, a table, a plot (SVG) with its text alternative, people, code."""

    title: str = ""
    text: str = ""
    note: str = ""
    table: Table | None = None
    svg: bytes = b""
    alt: str = ""
    shown: Sequence[Shown] = ()
    code: str = ""
    anchor: str = ""
    plot: str = ""
    people: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Section:
    title: str
    parts: list[Part]
    anchor: str = ""


def _template() -> Template:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise UserError(f"the report needs Jinja2: pip install jinja2 ({error})") from None
    folder = FileSystemLoader(Path(__file__).parent, encoding="utf-8")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined).get_template("page.html")


def write_page(title: str, subtitle: str, sections: Sequence[Section], path: Path) -> int:
    """Writes the page, whole or not at all; returns its bytes. Raises RunError where the disk does not take it."""
    for number, section in enumerate(sections, 1):
        section.anchor = f"{number}-{_slug(section.title)}"
        for place, part in enumerate(section.parts, 1):
            part.anchor = f"{section.anchor}-{place}"
            part.plot = as_uri(part.svg, "image/svg+xml") if part.svg else ""
            part.people = [_person(shown, path.parent) for shown in part.shown]
    values: dict[str, Any] = {"kind_colors": KIND_COLORS, "tile": 2 * SIDE + 3}
    text = _template().render(title=title, subtitle=subtitle, sections=sections, **values)
    data = text.encode("utf-8")
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return len(data)


def as_uri(data: bytes, kind: str) -> str:
    """Data inside the page, as an address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _person(shown: Shown, folder: Path) -> dict[str, str]:
    picture = shown.picture.partition(".zip@")
    target = picture[0] + ".zip" if picture[1] else shown.picture
    link = quote(Path(os.path.relpath(target, folder)).as_posix())
    return {"source": as_uri(shown.jpeg, "image/jpeg"), "caption": shown.caption, "alt": shown.alt, "link": link}


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
