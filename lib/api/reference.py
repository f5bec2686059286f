"""Writes the reference of docs/api.md from the docstrings: `python -m lib.api.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .pose import Pose
from .results import Poses

MARK = "<!-- From here on written by `python -m lib.api.reference` from the docstrings. -->\n"
METHODS: dict[type, tuple[str, ...]] = {
    Pose: ("__call__", "picture", "frames"),
    Poses: ("plot", "save", "to_coco", "to_dataframe", "to_supervision"),
}


def reference() -> str:
    """The reference in Markdown: classes, their methods, and what their docstrings say."""
    parts = [MARK]
    for kind, methods in METHODS.items():
        parts.append(f"## {kind.__name__}\n\n{_text(kind)}\n")
        if kind is Pose:
            parts.append(_signature("Pose", Pose.__init__))
        for name in methods:
            title = "pose(source, ...)" if name == "__call__" else name
            called = "pose" if name == "__call__" else f"{kind.__name__.lower()}.{name}"
            method = getattr(kind, name)
            parts += [f"### {title}\n", _signature(called, method), f"{_text(method)}\n"]
    return "\n".join(parts)


def _text(item: Any) -> str:
    return "```text\n" + (inspect.getdoc(item) or "") + "\n```"


def _signature(name: str, function: Callable[..., Any]) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    starts, words = False, []
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starts:
            words.append("*")
            starts = True
        words.append(str(parameter.replace(annotation=inspect.Parameter.empty)).replace(" = ", "="))
    return f"`{name}({', '.join(words)})`\n"


def write(path: Path) -> None:
    """Replaces the reference in a page; what stands before it stays."""
    page = path.read_text(encoding="utf-8").partition(MARK)[0]
    path.write_text(page + reference(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).resolve().parents[2] / "docs" / "api.md")
