"""Two runs or more on one set: whether their figures differ, where, and for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..config.config import flat_values
from ..utils.errors import UserError
from .intervals import holm, interval, p_value

if TYPE_CHECKING:
    from .predictions import RunPredictions
    from .run_figures import Figures

SIGNIFICANT = 0.05
SEED_KEY = "TRAIN.SEED"
# Keys that say where and how fast, and so tell no experiments apart
PLACES = frozenset(("OUTPUT_DIR", "LOG_DIR", "GPUS", "WORKERS", "PRINT_FREQ", "TEST.BATCH_SIZE"))


@dataclass(frozen=True)
class Difference:
    """Second run less first: value with its 95% interval, p of no difference, and p corrected by Holm."""

    name: str
    first: float
    second: float
    value: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        return self.p_holm < SIGNIFICANT


def refuse_others(runs: Sequence[RunPredictions]) -> None:
    """Raises UserError where runs have one name, or are not of the same people by the same metric."""
    first, names = runs[0], [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"two runs are called {twice}: give names, NAME=PATH")
    for run in runs[1:]:
        if run.truth != first.truth or len(run.people) != len(first.people):
            raise UserError(
                f"{first.name} and {run.name} are of different data sets or annotations: only runs on the same ground "
                "truth can be compared"
            )
        if run.metric != first.metric or run.skeleton != first.skeleton:
            raise UserError(
                f"{first.name} is measured by {first.metric} and {run.name} by {run.metric}, or their skeletons "
                "differ: give both the same TEST.METRIC and DATASET.SKELETON"
            )


def differences(first: Figures, second: Figures, part: str) -> list[Difference]:
    """Differences of one part (table, joints or groups), Holm-corrected among each other."""
    drawn = second.draws[part] - first.draws[part]
    rows = zip(first.rows[part].items(), second.rows[part].values(), strict=True)
    found = []
    for (name, (old, *_)), (new, *_) in rows:
        found.append((name, old, new, new - old))
    columns = [index for index in range(len(found)) if np.isfinite(drawn[:, index]).any()]
    p_values = [p_value(drawn[:, index]) for index in columns]
    corrected = holm(p_values)
    return [
        Difference(*found[index], *interval(drawn[:, index]), p, p_holm)
        for index, p, p_holm in zip(columns, p_values, corrected, strict=True)
    ]


def changed_people(
    first: RunPredictions, second: RunPredictions, most: int = 12
) -> dict[str, tuple[int, list[int]]]:
    """{what: (how many people, rows of those whose scores differ most)}: people for whom one run is better."""
    scores = first.person_scores, second.person_scores
    found = {}
    for better, worse, old, new in ((first, second, *scores), (second, first, *scores[::-1])):
        rows = np.flatnonzero(old > new)
        order = rows[np.argsort(new[rows] - old[rows], kind="stable")]
        found[f"better in {better.name} than in {worse.name}"] = (len(rows), [int(row) for row in order[:most]])
    return found


def differing_keys(runs: Sequence[RunPredictions]) -> dict[str, list[str]]:
    """{dotted key: each run's value} of those that differ, but for places and speed."""
    flats = [flat_values(run.config) for run in runs]
    found = {}
    for key in flats[0]:
        values = [str(flat.get(key)) for flat in flats]
        if key not in PLACES and len(set(values)) > 1:
            found[key] = values
    return found


def seed_groups(runs: Sequence[RunPredictions]) -> dict[str, list[int]]:
    """{name: numbers of its runs} of runs whose configurations differ in the seed alone; named by the first run."""
    groups: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        flat = flat_values(run.config)
        left = {key: str(value) for key, value in flat.items() if key not in PLACES | {SEED_KEY, "TEST.MODEL_FILE"}}
        groups.setdefault(repr(sorted(left.items())), []).append(number)
    return {f"{runs[numbers[0]].name} ({len(numbers)})": numbers for numbers in groups.values()}


def group_rows(
    groups: Mapping[str, Sequence[int]], figures: Sequence[Figures]
) -> dict[str, dict[str, tuple[float, float]]]:
    """{group: {figure: (mean, standard deviation)}} of the table, over the runs of a group; NaN for one run's."""
    rows = {}
    for name, numbers in groups.items():
        tables = [figures[number].rows["table"] for number in numbers]
        rows[name] = {
            title: (
                float(np.mean(values := [table[title][0] for table in tables])),
                float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
            )
            for title in tables[0]
        }
    return rows


def markdown_table(
    names: Sequence[str], figures: Sequence[Figures], compared: Sequence[Sequence[Difference]] = ()
) -> str:
    """The runs' tables with intervals, in Markdown; compared: the table's differences of each run but the first."""
    titles = list(figures[0].rows["table"])
    lines = ["| run | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in _rows_to_paste(names, figures, compared)]
    return "\n".join(lines)


def latex_table(
    names: Sequence[str], figures: Sequence[Figures], compared: Sequence[Sequence[Difference]] = ()
) -> str:
    """The same in LaTeX, with each interval below its value."""
    titles = list(figures[0].rows["table"])
    lines = [r"% \usepackage{booktabs}", f"\\begin{{tabular}}{{l{'r' * len(titles)}}}", r"\toprule"]
    lines += [" & ".join(["run", *map(_escaped, titles)]) + r" \\", r"\midrule"]
    for name, *cells in _rows_to_paste(names, figures, compared):
        lines.append(" & ".join([_escaped(name), *map(_in_latex, cells)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _rows_to_paste(
    names: Sequence[str], figures: Sequence[Figures], compared: Sequence[Sequence[Difference]]
) -> list[list[str]]:
    """[name, cell, ...] of each run, then of each difference from the first one."""
    titles, digits = list(figures[0].rows["table"]), figures[0].table_digits
    rows = [
        [name, *(in_words(each.rows["table"][title], digits) for title in titles)]
        for name, each in zip(names, figures, strict=True)
    ]
    for name, found in zip(names[1:], compared, strict=False):
        known = {row.name: row for row in found}
        rows.append([f"{name} less {names[0]}", *(difference_in_words(known.get(title), digits) for title in titles)])
    return rows


def difference_in_words(row: Difference | None, digits: int) -> str:
    """+1.59 (+0.80 to +2.38) *, with a star where p (Holm) says that it holds; - where nothing can be said."""
    if row is None:
        return "-"
    star = " *" if row.is_significant else ""
    return f"{row.value:+.{digits}f} ({row.low:+.{digits}f} to {row.high:+.{digits}f}){star}"


def in_words(row: tuple[float, float, float], digits: int = 2) -> str:
    """87.30 (86.68 to 87.92); without the interval where there is none."""
    value, low, high = row
    text = f"{value:.{digits}f}" if np.isfinite(value) and value != -1 else "-"  # -1 is COCO's "of nobody"
    return f"{text} ({low:.{digits}f} to {high:.{digits}f})" if np.isfinite(low) else text


def _in_latex(cell: str) -> str:
    value, _, rest = cell.partition(" (")
    interval_text, _, star = rest.partition(")")
    return f"\\shortstack{{{value}{star.strip()} \\\\ {{\\scriptsize {interval_text}}}}}" if rest else value


def _escaped(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)
