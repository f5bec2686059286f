"""curves.png: what a training went through, epoch by epoch."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from ..utils.runtime import replacing
from .palette import GREY, LINE_COLORS, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = ("-", "--", ":", "-.")
MARKERS = ("", "o", "^", "s", "x")  # 120 lines of figures look different
LEGEND_ROWS = 14
SETTINGS: Any = {"font.size": 12, "axes.grid": True, "grid.alpha": 0.3}


def draw_curves(
    history: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], primary_metric: str = "Mean"
) -> None:
    """Losses, heatmap accuracy and the evaluator's figures over the epochs as a picture; the best epoch is marked.

    history: the run's list of epoch dicts; primary_metric: which of the figures is drawn thick, and decides what is
    best. Raises OSError where the picture cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    best = best_epoch(history, primary_metric)
    with plt.rc_context(SETTINGS):
        figure = plt.figure(figsize=(9, 8), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.3))  # the legend narrows the lower one only
        above, below = parts
        axes = [*above.subplots(1, 2), below.subplots()]
        for axis, name, label in ((axes[0], "loss", "loss"), (axes[1], "accuracy", "heatmap accuracy")):
            for part, color in zip(("train", "valid"), LINE_COLORS, strict=False):
                axis.plot(epochs, [row[f"{part}_{name}"] for row in history], label=part, color=color, marker=".")
            axis.set_ylabel(label)
            axis.legend(loc="upper right" if name == "loss" else "lower right")
        axes[0].set_yscale("log")
        _draw_figures(axes[2], history, primary_metric)
        for axis in axes:
            axis.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))  # one epoch has a width, too
            axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # there is no epoch 2.5
            if best is not None:
                axis.axvline(best["epoch"], color=GREY, linewidth=1, linestyle=":", zorder=1)
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=100)
        plt.close(figure)


def best_epoch(history: Sequence[Mapping[str, Any]], primary_metric: str) -> Mapping[str, Any] | None:
    """The first row of `history` with the highest figure; None where there is no number."""
    known = [row for row in history if math.isfinite(_figure(row, primary_metric))]
    return max(known, key=lambda row: _figure(row, primary_metric), default=None)


def metric_label(primary_metric: str) -> str:
    """What the figures of an evaluator are, for an axis: by the name of its primary metric."""
    if primary_metric == "Mean":  # of MPII's table
        return "PCKh (%)"
    return {"AP": "AP and AR"}.get(primary_metric, f"{primary_metric} (%)")


def _figure(row: Mapping[str, Any], name: str) -> float:
    value = row["results"].get(name)
    return math.nan if value is None else float(value)


def _plain(text: str) -> str:
    """A name of a joint for matplotlib, which takes what is between dollars for a formula."""
    return text.replace("$", r"\$")


def _draw_figures(axis: Axes, history: Sequence[Mapping[str, Any]], primary_metric: str) -> None:
    """The evaluator's figures, the primary one thick and in black, with a legend beside them."""
    epochs = [row["epoch"] for row in history]
    names = [name for name in history[-1]["results"] if not name.startswith("true_") and name != "EPE"]  # EPE: pixels
    others = [name for name in names if name != primary_metric]
    looks = [(color, dash, marker) for marker, dash, color in product(MARKERS, DASHES, LINE_COLORS[:-1])]
    for number, name in enumerate(others):
        color, dash, marker = looks[number % len(looks)]
        values = [_figure(row, name) for row in history]
        axis.plot(epochs, values, label=_plain(name), color=color, linestyle=dash, linewidth=1.5, markersize=4,
                  marker=marker or ("o" if len(epochs) == 1 else ""))  # fmt: skip
    best = best_epoch(history, primary_metric)
    values = [_figure(row, primary_metric) for row in history]
    axis.plot(epochs, values, label=_plain(primary_metric), color="black", linewidth=3, marker="o", markersize=5)
    highest = 1 if primary_metric == "AP" else 100  # AP is a share, PCK a percentage
    axis.set(ylabel=_plain(metric_label(primary_metric)), ylim=(0, highest * 1.02))
    if best is not None:
        value = _figure(best, primary_metric)
        said = f"{value:.3f}" if highest == 1 else f"{value:.2f}"
        axis.plot(best["epoch"], value, "*", markersize=18, color=ORANGE, markeredgecolor="black",
                  label=f"best: epoch {best['epoch']},\n{_plain(primary_metric)} {said}", linestyle="none")  # fmt: skip
    columns = -(-(len(others) + 2) // LEGEND_ROWS)
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, ncols=columns, fontsize="small")
