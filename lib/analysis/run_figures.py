"""All figures of one run: the table with intervals, curves, groups, kinds of errors and what correcting each gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.evaluate import pckh_curve
from ..evaluation.evaluators import AREA_STEPS, PUBLISHED_TENTH, THRESHOLDS
from .coco_errors import best_scores, curves_of, detection_errors, resampled_ap, with_keypoints
from .error_kinds import ERRORS, KINDS, corrected, kind_counts
from .groups import Group
from .intervals import RESAMPLES, SEED, Column, interval, resampled
from .predictions import RunPredictions

BINS = 10  # of scores, for calibration
RESAMPLED_AP = ("AP", "Ap .5", "AP .75")


@dataclass(frozen=True)
class Figures:
    """rows: {figure: (value, low, high)} by part (table, joints, groups); draws: {part: (R, C)} for comparisons.

    details: what else report.json says: curves, kinds, corrected, calibration, detection. table_digits: decimals of the
    table's figures.
    """

    rows: dict[str, dict[str, tuple[float, float, float]]]
    draws: dict[str, np.ndarray]
    details: dict[str, Any]
    table_digits: int


def primary_name(run: RunPredictions) -> str:
    """The name of the figure that networks are compared by."""
    return run.evaluator.primary_metric


def figures_of(
    run: RunPredictions, groups: Sequence[Group], resamples: int = RESAMPLES, seed: int = SEED
) -> Figures:
    """The Figures of a run."""
    picture_of = run.people.picture_of
    table = table_columns(run)
    parts = {
        "table": table,
        "joints": [joint_column(run, joint) for joint in range(len(run.skeleton.joints))],
        "groups": [group_column(run, group) for group in groups],
    }
    columns = [column for part in parts.values() for column in part]
    draws = resampled(columns, picture_of, resamples, seed)
    values = [column.figure() for column in columns]
    rows: dict[str, dict[str, tuple[float, float, float]]] = {}
    drawn, start = {}, 0
    for name, part in parts.items():
        drawn[name] = draws[:, start : start + len(part)]
        rows[name] = {
            column.name: (values[start + index], *interval(drawn[name][:, index])) for index, column in enumerate(part)
        }
        start += len(part)
    if run.metric == "ap":
        _add_ap(run, rows, drawn, resamples, seed)
    details = {
        "people": len(run.people), "pictures": len(set(picture_of.tolist())),
        "group_people": {column.name: int((column.counts.sum(axis=1) > 0).sum()) for column in parts["groups"]},
        "kinds": kinds_of(run), "corrected": corrected_figures(run), "calibration": calibration(run),
        **(coco_details(run) if run.metric == "ap" else {"curves": curves(run)}),
    }  # fmt: skip
    return Figures(rows, drawn, details, run.table_digits)


def _add_ap(
    run: RunPredictions, rows: dict[str, dict[str, tuple[float, float, float]]], drawn: dict[str, np.ndarray],
    resamples: int, seed: int,
) -> None:
    """Puts COCO's figures first in the table; of those without an interval the ends are NaN."""
    assert run.coco is not None
    draws = resampled_ap(run.evaluator, run.coco.results, resamples, seed)
    found = run.evaluator.evaluate_results(run.coco.results)
    nothing = (float("nan"), float("nan"))
    ends = dict(zip(RESAMPLED_AP, (interval(draws[:, index]) for index in range(3)), strict=True))
    rows["table"] = {name: (value, *ends.get(name, nothing)) for name, value in found.items()} | rows["table"]
    unknown = np.full((len(draws), len(found)), np.nan)
    for name, column in zip(RESAMPLED_AP, draws.T, strict=True):
        unknown[:, list(found).index(name)] = column
    drawn["table"] = np.concatenate([unknown, drawn["table"]], axis=1)


def table_columns(run: RunPredictions) -> list[Column]:
    """The columns of the evaluator's table as sums over persons; for COCO the mean OKS alone, as AP is no such sum."""
    shown = run.measured.astype(np.float64)
    counted = run.counted.astype(np.float64)
    if run.metric == "ap":
        people = (counted.sum(axis=1, keepdims=True) > 0).astype(np.float64)
        return [Column("mean OKS", np.nan_to_num(run.person_scores)[:, None] / 100, people, factor=1)]
    distances = run.distances()
    threshold = run.nearness_threshold
    right = (distances <= threshold).astype(np.float64)
    columns = []
    groups = run.skeleton.pckh_groups if run.metric == "pckh" else run.skeleton.groups
    for title, names in groups:
        joints = run.skeleton.indices_of(names)
        columns.append(Column(title, right[:, joints], shown[:, joints], pooled=False))
    if run.metric == "pckh":
        tenth = (distances <= THRESHOLDS[PUBLISHED_TENTH]) * counted
        return [*columns, Column("Mean", right * counted, counted), Column("Mean@0.1", tenth, counted)]
    steps = np.linspace(0, threshold, AREA_STEPS)
    area = np.mean([distances <= step for step in steps], axis=0)
    annotated = run.people.shown.astype(np.float64)
    pixels = np.linalg.norm(run.predicted - run.people.joints, axis=2) * annotated
    columns += [Column(primary_name(run), right, shown), Column("AUC", area * shown, shown)]
    return [*columns, Column("EPE", pixels, annotated, factor=1)]


def joint_column(run: RunPredictions, joint: int) -> Column:
    """Percent of a joint that is right, or 100 times its mean keypoint similarity."""
    place = slice(joint, joint + 1)
    shown = run.measured[:, place].astype(np.float64)
    right = run.own_hits[:, place]
    return Column(run.skeleton.joints[joint], right, shown)


def group_column(run: RunPredictions, group: Group) -> Column:
    """As the mean of the metric, of the joints of a group."""
    mask = group.mask & run.counted
    return Column(f"{group.topic}: {group.label}", run.hits * mask, mask.astype(np.float64))


def curves(run: RunPredictions) -> dict[str, Any]:
    """PCK in percent at thresholds 0 to 0.5 of each joint and of all that count, and the areas below, 0 to 100."""
    people = run.people
    thresholds = np.linspace(0, 0.5, AREA_STEPS)
    sizes = np.maximum(people.sizes, 1e-9)
    shares, counts = pckh_curve(run.predicted, people.joints, ~run.measured, sizes, thresholds)
    _, weights = pckh_curve(run.predicted, people.joints, ~run.counted, sizes, [0.5])
    mean = np.nansum(shares * weights, axis=1) / max(weights.sum(), 1)
    of_joints = {name: shares[:, joint] for joint, name in enumerate(run.skeleton.joints) if counts[joint]}
    named = {"all that count": mean, **of_joints}
    return {
        "thresholds": thresholds.tolist(),
        "percent": {name: values.tolist() for name, values in named.items()},
        "area": {name: float(values.mean()) for name, values in named.items()},
    }


def kinds_of(run: RunPredictions) -> dict[str, Any]:
    """{joint: {kind: number}}, and `total`, of people who were found."""
    counts = kind_counts(run.kinds)
    table = {
        name: dict(zip(KINDS, row.tolist(), strict=True)) for name, row in zip(run.skeleton.joints, counts, strict=True)
    }
    return {"total": dict(zip(KINDS, counts.sum(axis=0).tolist(), strict=True)), "joints": table}


def corrected_figures(run: RunPredictions) -> dict[str, float]:
    """{kind: the primary figure with the errors of this kind alone put right}, and `as it is`."""
    figures = {"as it is": _primary(run, run.predicted)}
    for kind in range(1, len(KINDS)):
        figures[KINDS[kind]] = _primary(run, put_right(run, kind))
    return figures


def put_right(run: RunPredictions, kind: int, predicted: np.ndarray | None = None) -> np.ndarray:
    """predicted (M, K, 2), the run's own by default, with one kind of error put right."""
    poses = run.predicted if predicted is None else predicted
    return corrected(poses, kind, run.kinds, run.costs, run.people.joints, run.nearness)


def _primary(run: RunPredictions, predicted: np.ndarray) -> float:
    if run.coco is not None:
        results = with_keypoints(run.coco.results, run.coco.result_of, predicted)
        return run.evaluator.evaluate_results(results)["AP"]
    return run.evaluator.evaluate(predicted, np.zeros(predicted.shape[:2]))[primary_name(run)]


def coco_details(run: RunPredictions) -> dict[str, Any]:
    """Precision-recall curves; the score's errors, background and missed people, with AP as it would be without."""
    assert run.coco is not None
    results, everything = run.coco.results, run.predicted
    for kind in range(1, len(ERRORS) + 1):
        everything = put_right(run, kind, everything)
    right = with_keypoints(results, run.coco.result_of, everything)
    found = detection_errors(run.evaluator, results, right)
    best = run.evaluator.evaluate_results(best_scores(run.evaluator, results))["AP"]
    ids = [run.people.ids[number] for number in found.missed]
    return {
        "precision_recall": {name: values.tolist() for name, values in curves_of(run.evaluator, results).items()},
        "detection": {
            "poses": len(results), "background": len(found.background), "missed": len(found.missed),
            "missed_ids": ids, "ap_best_scores": best, "ap_without_background": found.ap_without_background,
            "ap_without_missed": found.ap_without_missed,
        },
    }  # fmt: skip


def calibration(run: RunPredictions) -> list[dict[str, float]]:
    """Ten parts of the joints, by score: mean score, percent that are good; empty where the file has no scores."""
    if run.scores is None:
        return []
    known = (run.kinds >= 0) & np.isfinite(run.scores)
    scores, right = run.scores[known], run.kinds[known] == 0
    if not len(scores):
        return []
    parts = np.array_split(np.argsort(scores, kind="stable"), min(BINS, len(scores)))
    return [
        {"joints": len(part), "score": float(scores[part].mean()), "good": float(100 * right[part].mean())}
        for part in parts
    ]

