"""What the report says: the sections of its page, from the figures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config.names import architecture_name
from ..compare import (
    SIGNIFICANT,
    Difference,
    differing_keys,
    in_words,
    latex_table,
    markdown_table,
)
from ..error_kinds import KINDS
from ..run_figures import primary_name
from . import plots
from .page import Part, Row, Section, Table

if TYPE_CHECKING:
    from ..predictions import RunPredictions
    from ..run_figures import Figures
    from .gallery import Shown

GROUP_TEXT = (
    "size: root of the box's area; joints: how many are annotated; torso: angle from upright; crowding: overlap with "
    "the nearest other box; border: how far the joints are from the picture's border. docs/analysis.md defines them."
)
METRICS = {"ap": "AP over OKS", "pckh": "PCKh@{}", "pck": "PCK@{}"}
LENGTHS = {"pckh": "head sizes", "pck": "reference lengths"}
UNITS = {"ap": "mean similarity x 100", "pckh": "PCKh (%)", "pck": "PCK (%)"}
SEED_TEXT = (
    "The intervals and p values come from the choice of pictures alone. With one training each, they do not say "
    "whether other seeds would differ in the same way."
)
PEOPLE_TEXT = "Left: as annotated. Right: as predicted. Of people whom a run did not find, nothing is drawn."
KIND_TEXT = (
    "Good: at its place. Jitter: near its place. Inversion: at the place of its left or right twin. Swap: at another "
    "person's joint. Miss: at no joint. docs/analysis.md states the limits."
)


def run_section(run: RunPredictions, figures: Figures, history: list[Any], found: Mapping[str, list[Shown]]) -> Section:
    """All of one run."""
    parts = [
        Part("Table", table=interval_table(figures.rows["table"], "figure", figures.table_digits)),
        *_curves(run, figures),
        Part("By joint", text="Each joint by itself, also those that the Mean leaves out.",
             svg=plots.interval_plot({run.name: figures.rows["joints"]}, UNITS[run.metric]),
             alt=_alt("Each joint's figure with its 95% interval", figures.rows["joints"])),
        Part("By group", text=GROUP_TEXT, table=_group_table(figures)),
        Part(svg=plots.interval_plot({run.name: figures.rows["groups"]}, UNITS[run.metric]),
             alt=_alt("Each group's figure with its 95% interval", figures.rows["groups"])),
        *_kinds(run, figures),
        *_detection(figures),
        *_calibration(figures),
        *_history(run, history),
    ]  # fmt: skip
    parts += [Part(title, text=PEOPLE_TEXT, shown=people) for title, people in found.items()]
    if not found:
        parts.append(Part("People", note="The pictures are not at hand, so no people are shown."))
    return Section(f"Run {run.name}", parts)


def interval_table(rows: Mapping[str, tuple[float, float, float]], head: str, digits: int = 2) -> Table:
    """Figures with their intervals, one a row."""
    cells = [Row([name, *in_words(row, digits).rstrip(")").partition(" (")[::2]]) for name, row in rows.items()]
    return Table([head, "value", "95% interval"], cells)


def _group_table(figures: Figures) -> Table:
    """Groups with their intervals and numbers of people."""
    table = interval_table(figures.rows["groups"], "group")
    counts = figures.details["group_people"].values()
    rows = [Row([*row.cells, str(count)]) for row, count in zip(table.rows, counts, strict=True)]
    return Table([*table.head, "people"], rows)


def _alt(what: str, rows: Mapping[str, tuple[float, float, float]]) -> str:
    named = "; ".join(f"{name} {value:.1f}" for name, (value, *_) in rows.items() if np.isfinite(value))
    return f"{what}: {named}"


def _curves(run: RunPredictions, figures: Figures) -> list[Part]:
    details = figures.details
    if "precision_recall" in details:
        lines = {f"OKS {name}": values for name, values in details["precision_recall"].items()}
        svg = plots.curve_plot(np.linspace(0, 1, 101).tolist(), lines, "recall", "precision")
        means = ", ".join(f"{name}: AP {np.nanmean(values):.3f}" for name, values in lines.items())
        return [Part("Precision and recall", svg=svg, alt=f"Precision over recall. {means}")]
    curves = details["curves"]
    unit = LENGTHS[run.metric]
    svg = plots.curve_plot(curves["thresholds"], curves["percent"], f"threshold in {unit}", "joints within it (%)")
    area = {name: (value,) * 3 for name, value in curves["area"].items()}
    rows = [Row([name, f"{value:.2f}"]) for name, value in curves["area"].items()]
    caption = f"Area below the curve from 0 to 0.5 {unit}, 100 at most"
    return [Part("Curves", svg=svg, alt=_alt(caption, area)), Part(table=Table(["joint", "area"], rows, caption))]


def _kinds(run: RunPredictions, figures: Figures) -> list[Part]:
    kinds, primary = figures.details["kinds"], primary_name(run)
    total, corrected = kinds["total"], figures.details["corrected"]
    count = max(sum(total.values()), 1)
    rows = []
    for kind in KINDS:
        value = corrected["as it is" if kind == "good" else kind]
        gain = "" if kind == "good" else f"{value - corrected['as it is']:+.3f}"
        rows.append(Row([kind, str(total[kind]), f"{100 * total[kind] / count:.2f}%", f"{value:.3f}", gain]))
    caption = f"{primary} as it is (first row), and as it would be without the errors of one kind"
    named = ", ".join(f"{kind} {100 * total[kind] / count:.1f}%" for kind in KINDS)
    by_joint = [Row([name, *(str(row[kind]) for kind in KINDS)]) for name, row in kinds["joints"].items()]
    return [
        Part("Why it fails", text=f"{KIND_TEXT}{_left_out(run)}",
             table=Table(["kind", "joints", "share", primary, "gain"], rows, caption)),
        Part(svg=plots.kinds_plot(kinds["joints"]), alt=f"Kinds of errors per joint; of all joints: {named}"),
        Part(table=Table(["joint", *KINDS], by_joint, "Number of joints of each kind")),
    ]  # fmt: skip


def _left_out(run: RunPredictions) -> str:
    """Why the share of good joints is not the Mean, for MPII."""
    if run.metric != "pckh" or not run.skeleton.pckh_left_out:
        return ""
    return f" All annotated joints are counted here; the Mean leaves out {' and '.join(run.skeleton.pckh_left_out)}."


def _detection(figures: Figures) -> list[Part]:
    found, before = figures.details.get("detection"), figures.details["corrected"]["as it is"]
    if found is None:
        return []
    rows = [
        Row(["poses that are of nobody", str(found["background"]), f"{found['ap_without_background']:.3f}"]),
        Row(["people whom no pose finds", str(found["missed"]), f"{found['ap_without_missed']:.3f}"]),
        Row(["scores that rank badly", "", f"{found['ap_best_scores']:.3f}"]),
    ]
    caption = f"AP without each; it is {before:.3f}. The file has {found['poses']} poses"
    return [Part("Detection and scores", table=Table(["error", "number", "AP without it"], rows, caption))]


def _calibration(figures: Figures) -> list[Part]:
    parts = figures.details["calibration"]
    title = "Scores and correctness"
    if not parts:
        return [Part(title, note="The prediction file has no scores.")]
    named = "; ".join(f"score {part['score']:.2f}, {part['good']:.0f}% good" for part in parts)
    text = "All joints in the order of their scores, cut into ten equal parts: the share of good joints in each part."
    return [Part(title, text=text, svg=plots.calibration_plot(parts), alt=f"Share of good joints by score: {named}")]


def _history(run: RunPredictions, history: list[Any]) -> list[Part]:
    if not history:
        return []
    primary = primary_name(run)
    last = history[-1]
    alt = f"Losses and {primary} over {len(history)} epochs; the last one's: {(last.get('results') or {}).get(primary)}"
    return [Part("Learning curves", svg=plots.history_plot(history, primary), alt=alt)]


def about_table(runs: Sequence[RunPredictions]) -> Table:
    """What each run's figures are of, so that the page can be traced later."""
    known = [run.folder is not None and (run.folder / "config.yaml").is_file() for run in runs]
    networks = zip(known, (architecture_name(run.config.model) for run in runs), strict=True)
    rows = {
        "predictions": [str(run.path) for run in runs],
        "written": [time.strftime("%Y-%m-%d %H:%M", time.localtime(run.path.stat().st_mtime)) for run in runs],
        "data set": [f"{run.config.dataset.dataset}, {run.truth.rpartition(' ')[0]}" for run in runs],
        "annotations": [run.truth.rpartition(" ")[2] for run in runs],
        "network": [name if is_known else "-" for is_known, name in networks],
        "weights": [run.config.test.model_file or "-" for run in runs],
        "metric": [METRICS[run.metric].format(run.nearness_threshold) for run in runs],
    }
    return Table(["", *(run.name for run in runs)], [Row([name, *cells]) for name, cells in rows.items()], wraps=True)


def overview(
    runs: Sequence[RunPredictions], figures: Sequence[Figures],
    groups: Mapping[str, Mapping[str, tuple[float, float]]], compared: Mapping[str, Mapping[str, Sequence[Difference]]],
) -> Section:
    """The runs' tables beside each other, their differing keys, tables to paste, and groups of seeds."""
    names = [run.name for run in runs]
    titles = list(figures[0].rows["table"])
    digits = figures[0].table_digits
    rows = [Row([title, *(in_words(each.rows["table"][title], digits) for each in figures)]) for title in titles]
    parts = [
        Part("What was compared" if len(runs) > 1 else "What this is", table=about_table(runs)),
        Part("Figures", table=Table(["figure", *names], rows, "Values with 95% intervals")),
    ]
    if groups:
        cells = [
            Row([name, *(f"{mean:.{digits}f} ± {deviation:.{digits}f}" if np.isfinite(deviation) else
                         f"{mean:.{digits}f}" for mean, deviation in row.values())])
            for name, row in groups.items()
        ]  # fmt: skip
        caption = "Mean and standard deviation over runs that differ in the seed alone; in brackets their number"
        parts.append(Part("Seeds", table=Table(["experiment", *titles], cells, caption)))
    keys = differing_keys(runs)
    if keys:
        cells = [Row([key, *values]) for key, values in keys.items()]
        parts.append(Part("Settings that differ", table=Table(["key", *names], cells)))
    elif len(runs) > 1:
        parts.append(Part("Settings that differ", note="None of those that say what is computed."))
    if "curves" in figures[0].details and len(runs) > 1:
        curves = [each.details["curves"] for each in figures]
        lines = {name: curve["percent"]["all that count"] for name, curve in zip(names, curves, strict=True)}
        unit = f"threshold in {LENGTHS[runs[0].metric]}"
        svg = plots.curve_plot(curves[0]["thresholds"], lines, unit, "joints within it (%)")
        alt = "; ".join(f"{name}: area {curve['area']['all that count']:.2f}"
                        for name, curve in zip(names, curves, strict=True))  # fmt: skip
        parts.append(Part("Curves of all runs", svg=svg, alt=f"Joints within each threshold. {alt}"))
    found = [rows_of["table"] for rows_of in compared.values()]
    parts.append(Part("Markdown", code=markdown_table(names, figures, found)))
    parts.append(Part("LaTeX", code=latex_table(names, figures, found)))
    return Section("Overview", parts)


def comparison_section(
    first: RunPredictions, second: RunPredictions, found: Mapping[str, Sequence[Difference]],
    changed: Mapping[str, tuple[int, list[Shown]]],
) -> Section:
    """Where the second run differs from the first."""
    titles = {"table": "Figures", "joints": "Joints", "groups": "Groups"}
    digits = {"table": first.table_digits}
    parts = [
        Part(note=SEED_TEXT),
        *(Part(titles[part], text=_verdict(rows),
               table=difference_table(rows, first.name, second.name, digits.get(part, 2)))
          for part, rows in found.items() if rows),
    ]  # fmt: skip
    scores = first.person_scores, second.person_scores
    both = np.isfinite(scores[0]) & np.isfinite(scores[1])
    better = [int((one[both] > other[both]).sum()) for one, other in (scores, scores[::-1])]
    alt = f"{first.name} is better for {better[0]} people, {second.name} for {better[1]}, of {int(both.sum())}"
    svg = plots.scatter_plot(*scores, (first.name, second.name))
    parts.append(Part("Person by person", text=f"{alt}.", svg=svg, alt=f"Scores of people in both runs: {alt}"))
    order = f"From left to right: as annotated, {first.name}, {second.name}. Those who differ most come first."
    parts += [Part(f"{what}: {count}", text=order, shown=people) for what, (count, people) in changed.items() if people]
    return Section(f"{second.name} against {first.name}", parts)


def difference_table(rows: Sequence[Difference], first: str, second: str, digits: int = 2) -> Table:
    """Differences with intervals and p values; those that hold are marked."""
    cells = []
    for row in rows:
        texts = [row.name, f"{row.first:.{digits}f}", f"{row.second:.{digits}f}", f"{row.value:+.{digits}f}"]
        star = " *" if row.is_significant else ""
        texts += [f"{row.low:+.{digits}f} to {row.high:+.{digits}f}", f"{row.p:.4f}", f"{row.p_holm:.4f}{star}"]
        cells.append(Row(texts, row.is_significant))
    head = ["", first, second, "difference", "95% interval", "p", "p (Holm)"]
    return Table(head, cells, f"{second} less {first}; *: p (Holm) below {SIGNIFICANT}")


def _verdict(rows: Sequence[Difference]) -> str:
    held = [row.name for row in rows if row.is_significant]
    if not held:
        return f"None of {len(rows)} differences is significant after Holm's correction."
    return f"{len(held)} of {len(rows)} differences are significant after Holm's correction: {', '.join(held)}."
