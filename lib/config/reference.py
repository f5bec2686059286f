"""Writes docs/configuration.md from the schema: python -m lib.config.reference > docs/configuration.md."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo

from .config import SYNONYMS, UNREAD_KEYS
from .fields import Record
from .schema import Config

HEAD = """# Configuration

Every key of an experiment, its type, default and meaning. `python -m lib.config.reference > docs/configuration.md`
writes this page from the schema in `lib/config/schema.py`. Any key can be given at the end of a command line:
`TRAIN.LR 5e-4`. Lists are written as in YAML: `MODEL.IMAGE_SIZE "[192, 256]"`.
"""

TAIL = """## Other names

`MODEL.EXTRA.NUM_LAYERS`, the original's name, is read as `MODEL.DEPTH`. These keys of the original have no use here and
are accepted with a warning: {unread}.

Names of other projects are refused with the key to use:

| other name | key |
|---|---|"""


def sections(record: type[Record] = Config, prefix: str = "") -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    """(name of the section, its keys) of the whole configuration; sections come after the keys above them."""
    values = {}
    below = []
    for field in record.model_fields.values():
        alias = str(field.alias)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Record):
            below.append((f"{prefix}{alias}.", field.annotation))
        else:
            values[f"{prefix}{alias}"] = field
    yield prefix.rstrip("."), values
    for name, part in below:
        yield from sections(part, name)


def describe_type(annotation: Any, metadata: tuple[Any, ...] | list[Any] = ()) -> str:
    """A type with its range, in words."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return describe_type(inner, (*more, *metadata))
    if origin is Literal:
        return ", ".join(map(describe_default, get_args(annotation)))
    if origin is tuple:
        items = get_args(annotation)
        if len(items) == 2 and items[1] is Ellipsis:
            return f"list of {describe_type(items[0])}"
        return f"list of {len(items)}: {describe_type(items[0])}"
    if origin in (Union, UnionType):
        return " or ".join(describe_type(item) for item in get_args(annotation) if item is not type(None))
    name = {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}.get(annotation, str(annotation))
    return " ".join([name, *describe_range(metadata)])


def describe_range(metadata: tuple[Any, ...] | list[Any]) -> Iterator[str]:
    """The bounds among a field's metadata."""
    for item in metadata:
        for part in item.metadata if isinstance(item, FieldInfo) else (item,):
            for kind, attribute, word in (
                (annotated_types.Gt, "gt", ">"), (annotated_types.Ge, "ge", ">="),
                (annotated_types.Lt, "lt", "<"), (annotated_types.Le, "le", "<="),
            ):  # fmt: skip
                if isinstance(part, kind):
                    yield f"{word} {getattr(part, attribute)}"


def describe_default(value: Any) -> str:
    """A default as one writes it in YAML."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def reference_page() -> str:
    """The text of docs/configuration.md."""
    lines = [HEAD]
    for name, fields in sections():
        lines += [f"## {name or 'Top level'}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        for key, field in fields.items():
            kind = describe_type(field.annotation, field.metadata)
            meaning = " ".join((field.description or "").split())
            lines.append(f"| `{key}` | {kind} | {describe_default(field.default)} | {meaning} |")
        lines.append("")
    unread = ", ".join(f"`{key}`" for key in sorted(UNREAD_KEYS))
    lines += [TAIL.format(unread=unread)]
    lines += [f"| `{name}` | `{key}` |" for name, key in SYNONYMS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference_page(), end="")
