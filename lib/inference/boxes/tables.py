"""Boxes of a CSV file with a header: the names of its columns say what they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...core.box_forms import CXCYWH, FORMATS, XYWH, XYXY
from ...utils.detections import COCO_CATEGORIES, PERSON_CATEGORY
from ...utils.errors import UserError
from ...utils.files import short_repr
from .files import BoxFile
from .reading import BoxReading

PERSON = "person"
IMAGES = (
    "image_id", "image_name", "file_name", "filename", "image_path", "filepath", "file_path", "image", "img", "file",
    "path", "picture",
)  # fmt: skip
FRAMES = ("frame", "frame_id", "frame_number", "frame_index")
SCORES = ("score", "bbox_score", "confidence", "conf", "probability", "prob")
NAMES = ("class_name", "category_name", "label", "category", "class", "name", "category_id", "class_id", "cls")
# corners before the rest: some files name the picture's size width and height
COLUMNS = (
    *((XYXY, names) for names in (
        ("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"),
        ("left", "top", "right", "bottom"),
    )),
    *((CXCYWH, names) for names in (
        ("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"), ("x_center", "y_center", "width", "height"),
        ("xcenter", "ycenter", "width", "height"), ("center_x", "center_y", "width", "height"),
        ("x_center", "y_center", "w", "h"),
    )),
    *((XYWH, names) for names in (
        ("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"),
        ("bb_left", "bb_top", "bb_width", "bb_height"), ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
        ("bbox_left", "bbox_top", "bbox_width", "bbox_height"), ("xmin", "ymin", "width", "height"),
    )),
)  # fmt: skip
LISTS = ("bbox", "box")  # columns with all four numbers
DELIMITERS = ",;\t"


def read_table(path: Path, text: str) -> BoxFile:
    """The BoxFile of a CSV file's `text`. Raises UserError where a column is missing, or a cell is no number."""
    header = text.lstrip("\ufeff\r\n ").splitlines()[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(text.splitlines(), delimiter=delimiter)
    try:
        names, *cells = [row for row in rows if any(word.strip() for word in row)]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV file: {error}") from error
    columns = {_plain(name): index for index, name in enumerate(names)}
    image, frame = _first(columns, IMAGES), _first(columns, FRAMES)
    form, box = _box_columns(path, columns)
    if image is None and frame is None:
        raise UserError(f"{path}: no column says whose boxes they are; expected image_id, file_name or frame")
    score, category = _first(columns, SCORES), _category_column(columns, cells)
    entries = []
    for number, row in enumerate(cells, 2):
        if len(row) < len(names):
            raise UserError(f"{path}: line {number} has {len(row)} cells; expected {len(names)}, as the header has")
        try:
            name = row[image].strip() if image is not None else ""
            about = _number(row[frame]) if frame is not None and row[frame].strip() else None
            entries.append({
                "image_id": name if about is None else about,
                "category_id": PERSON_CATEGORY if category is None else _label(row[category]),
                "bbox": _box(row, box),
                "score": 1.0 if score is None else _number(row[score]),
            })  # fmt: skip
        except ValueError as error:
            raise UserError(f"{path}: line {number}: {error}") from error
    is_named = any(isinstance(entry["category_id"], str) for entry in entries)
    reading = BoxReading(form, form_is_sure=form != XYWH)
    return BoxFile(entries, reading, PERSON if is_named else PERSON_CATEGORY, COCO_CATEGORIES, about=" (CSV)")


def _plain(name: str) -> str:
    return name.strip().strip('"').lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def _first(columns: dict[str, int], names: Sequence[str]) -> int | None:
    return next((columns[name] for name in names if name in columns), None)


def _box_columns(path: Path, columns: dict[str, int]) -> tuple[str, list[int]]:
    """(key of FORMATS, the four columns, or the one that holds all)."""
    for form, names in COLUMNS:
        if all(name in columns for name in names):
            return form, [columns[name] for name in names]
    every = _first(columns, LISTS)
    if every is not None:
        return XYWH, [every]
    known = " or ".join(", ".join(words.replace(",", "").split()) for words in FORMATS.values())
    raise UserError(f"{path}: its columns are {short_repr(', '.join(columns))}; expected boxes as {known}")


def _category_column(columns: dict[str, int], cells: Sequence[Sequence[str]]) -> int | None:
    """The column of names of categories, otherwise that of their numbers."""
    found = [columns[name] for name in NAMES if name in columns]
    named = [index for index in found if any(len(row) > index and not _is_number(row[index]) for row in cells[:100])]
    return next(iter(named or found), None)


def _is_number(word: str) -> bool:
    try:
        _number(word)
    except ValueError:
        return False
    return True


def _label(word: str) -> int | float | str:
    return _number(word) if _is_number(word) else word.strip().lower()


def _number(word: str) -> float:
    try:
        return float(word.strip())
    except ValueError:
        raise ValueError(f"{short_repr(word)} is no number") from None


def _box(row: Sequence[str], columns: Sequence[int]) -> list[Any]:
    if len(columns) == 4:
        return [_number(row[index]) for index in columns]
    try:
        value = json.loads(row[columns[0]].strip().replace("(", "[").replace(")", "]"))
    except (ValueError, RecursionError):
        value = row[columns[0]]
    return value  # a list, or what is refused where boxes are checked
