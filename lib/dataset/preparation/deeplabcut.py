"""DeepLabCut's labelled data: CollectedData_*.csv or .h5, of one or several animals, or a project with config.yaml.

Read here and not by sleap-io, which sorts body parts by name, and takes the next picture where one is missing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.errors import UserError
from ...utils.files import pairs_in, pluralize
from ...utils.safe_yaml import read_yaml
from .foreign import ForeignSet, PictureFinder

LEVELS = ("scorer", "individuals", "bodyparts", "coords")
UNIQUE = "single"  # the individual that unique body parts belong to
EXPECTED = "expected DeepLabCut's labelled data, such as CollectedData_NAME.csv"


@dataclass
class Table:
    """Labelled data: columns (individual, body part, x or y) and rows (picture as its parts, values)."""

    columns: list[tuple[str, str, str]]
    rows: list[tuple[tuple[str, ...], list[float]]]


def read_deeplabcut(path: Path, images: Path | None) -> ForeignSet:
    """The set of a .csv, a .h5 or a project's config.yaml; images: the pictures' folder, None for the file's.

    Raises UserError where a file is of another form, or has no labelled picture.
    """
    config: dict[str, Any] = {}
    files = [path]
    if path.suffix.lower() in (".yaml", ".yml"):
        config, files = _project(path)
    tables = [(file, _read_csv(file) if file.suffix.lower() == ".csv" else _read_hdf(file)) for file in files]
    found = ForeignSet(_body_parts(config, [table for _, table in tables]), str(config.get("Task") or "animal"))
    found.limbs = _limbs(config, found.joints)
    unique = 0
    for file, table in tables:
        unique += _add_table(found, file, table, images)
    if not found.annotations:
        raise UserError(f"{path}: no picture of it is labelled")
    if unique:
        count = pluralize(unique, "unique body part", "unique body parts")
        found.lines.append(f"=> {count} left out: they are of no animal")
    return found


def _project(path: Path) -> tuple[dict[str, Any], list[Path]]:
    config = read_yaml(path, "DeepLabCut project")
    files: list[Path] = []
    for folder in sorted((path.parent / "labeled-data").glob("*")):
        tables = [*sorted(folder.glob("CollectedData_*.csv")), *sorted(folder.glob("CollectedData_*.h5"))]
        files += tables[:1]  # both hold the same
    if not isinstance(config, dict) or not files:
        raise UserError(f"{path}: there is no labeled-data/*/CollectedData_*.csv beside it")
    return config, files


def _read_csv(path: Path) -> Table:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}; {EXPECTED}") from error
    header: dict[str, list[str]] = {}
    while lines and lines[0][0] in LEVELS:
        line = lines.pop(0)
        header[line[0]] = line
    coords = header.get("coords")
    if coords is None or "bodyparts" not in header:
        raise UserError(f"{path}: its first lines are not scorer, bodyparts and coords; {EXPECTED}")
    first = next((place for place, text in enumerate(coords) if place and text), len(coords))
    individuals = header.get("individuals", [""] * len(coords))
    columns = list(zip(individuals[first:], header["bodyparts"][first:], coords[first:], strict=False))
    rows = []
    for number, line in enumerate(lines, len(header) + 1):
        try:
            values = [float(text) if text.strip() else math.nan for text in line[first:]]
            if len(values) != len(columns):
                raise ValueError(f"{len(values)} values, expected {len(columns)}")
        except ValueError as error:
            raise UserError(f"{path}, line {number}: {error}") from error
        rows.append((tuple(line[:first]), values))
    return _checked(path, Table(columns, rows))


def _read_hdf(path: Path) -> Table:
    try:
        import pandas

        frame: Any = pandas.read_hdf(path)
    except ImportError as error:
        raise UserError(
            f"{path}: .h5 needs pandas and tables ({error}): pip install -r requirements/import.txt, or give the .csv "
            "that DeepLabCut writes beside it"
        ) from error
    except Exception as error:  # damaged files raise what PyTables likes
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())[:300]}; {EXPECTED}") from error
    names = list(frame.columns.names)
    if "bodyparts" not in names or "coords" not in names:
        raise UserError(f"{path}: its columns are {', '.join(map(str, names))[:200]}; {EXPECTED}")
    columns = []
    for column in frame.columns:
        level = dict(zip(names, map(str, column), strict=True))
        columns.append((level.get("individuals", ""), level["bodyparts"], level["coords"]))
    rows = []
    for index, values in zip(frame.index, frame.to_numpy(float).tolist(), strict=True):
        rows.append((tuple(map(str, index)) if isinstance(index, tuple) else (str(index),), values))
    return _checked(path, Table(columns, rows))


def _checked(path: Path, table: Table) -> Table:
    if any(coordinate == "likelihood" for _, _, coordinate in table.columns):
        raise UserError(f"{path}: these are DeepLabCut's predictions of a video, not labelled data; {EXPECTED}")
    if [coordinate for _, _, coordinate in table.columns] != ["x", "y"] * (len(table.columns) // 2):
        raise UserError(f"{path}: its columns are not x and y in turn; {EXPECTED}")
    return table


def _body_parts(config: dict[str, Any], tables: Sequence[Table]) -> list[str]:
    """In the project's order, otherwise the first table's."""
    key = "multianimalbodyparts" if config.get("multianimalproject") else "bodyparts"
    said = config.get(key)
    found = [part for table in tables for individual, part, _ in table.columns if individual != UNIQUE]
    names = [str(part) for part in said] if isinstance(said, list) else []
    return list(dict.fromkeys([*(name for name in names if name in found), *found]))


def _limbs(config: dict[str, Any], joints: Sequence[str]) -> list[tuple[str, str]]:
    named = [(str(first), str(second)) for first, second in pairs_in(config.get("skeleton"))]
    return [pair for pair in named if {*pair} <= {*joints}]


def _add_table(found: ForeignSet, file: Path, table: Table, images: Path | None) -> int:
    """Adds the labelled pictures of a table; returns how many labels of unique body parts were left out."""
    unique, pictures = 0, PictureFinder(file, images)
    for parts, values in table.rows:
        animals: dict[str, tuple[np.ndarray, list[int]]] = {}
        for column in range(0, len(values), 2):
            individual, part, _ = table.columns[column]
            point = values[column : column + 2]
            if not all(map(math.isfinite, point)):
                continue
            if individual == UNIQUE:
                unique += 1
                continue
            points, seen = animals.setdefault(individual, (np.zeros((len(found.joints), 2)), [0] * len(found.joints)))
            points[found.joints.index(part)] = point
            seen[found.joints.index(part)] = 2
        if not animals:
            continue
        image_id = found.add_picture(pictures.find(_name(parts)))
        for number, (points, seen) in enumerate(animals.values()):
            found.add_person(image_id, points, seen, **({"track_id": number} if len(animals) > 1 else {}))
    return unique


def _name(parts: Sequence[str]) -> str:
    """labeled-data/VIDEO/PICTURE of an index of three parts, or of one with separators of either system."""
    return "/".join(part for part in parts if part).replace("\\", "/")

