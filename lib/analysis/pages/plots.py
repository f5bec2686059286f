"""The report's plots, drawn by matplotlib as SVG texts: sharp at any size, small, and the same for the same figures."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from ...visualization.palette import ERROR_COLORS, GOOD_COLOR
from ...visualization.palette import LINE_COLORS as COLORS
from ..error_kinds import KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KIND_COLORS = dict(zip(KINDS, (GOOD_COLOR, *ERROR_COLORS), strict=True))
SETTINGS: Any = {
    "svg.hashsalt": "report", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True, "grid.alpha": 0.3,
    "text.parse_math": False,  # a run may be called $a
}  # fmt: skip


def _as_svg(draw: Callable[..., Figure]) -> Callable[..., bytes]:
    """Makes of a function that draws a Figure one that returns its SVG."""

    @wraps(draw)
    def drawn(*arguments: Any, **options: Any) -> bytes:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        with plt.rc_context(SETTINGS), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # the browser's font has them
            figure = draw(*arguments, **options)
            file = io.BytesIO()
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
            plt.close(figure)
        return file.getvalue()

    return drawn


def _axes(height: float = 4.0) -> tuple[Figure, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(5.6, height), layout="constrained")


@_as_svg
def curve_plot(thresholds: Sequence[float], lines: Mapping[str, Sequence[float]], xlabel: str, ylabel: str) -> Figure:
    """Lines over thresholds, the first one thick; more than seven get other dashes."""
    figure, axis = _axes(4.6)
    for number, (name, values) in enumerate(lines.items()):
        dashes = ("-", "--", ":")[number // len(COLORS) % 3]
        axis.plot(thresholds, values, dashes, color=COLORS[number % len(COLORS)], label=name,
                  linewidth=2.6 if number == 0 else 1.2)  # fmt: skip
    axis.set(xlabel=xlabel, ylabel=ylabel, xlim=(min(thresholds), max(thresholds)), ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return figure


@_as_svg
def interval_plot(rows: Mapping[str, Mapping[str, tuple[float, float, float]]], xlabel: str) -> Figure:
    """{run: {name: (value, low, high)}}: a point with its interval for each name, runs beside each other."""
    names = [name for name, (value, *_) in next(iter(rows.values())).items() if np.isfinite(value)]
    figure, axis = _axes(0.9 + 0.3 * len(names))
    for number, (run, values) in enumerate(rows.items()):
        offset = 0.5 * ((number + 0.5) / len(rows) - 0.5)
        points = np.array([values.get(name, (np.nan,) * 3) for name in names])
        reach = np.abs(points[:, 1:] - points[:, :1]).T
        axis.errorbar(points[:, 0], np.arange(len(names)) + offset, xerr=reach, fmt="o", markersize=4,
                      color=COLORS[number % len(COLORS)], label=run)  # fmt: skip
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    if len(rows) > 1:
        figure.legend(loc="outside lower center", ncols=3, fontsize="small", frameon=False)
    return figure


@_as_svg
def kinds_plot(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """{joint: {kind: number}} as stacked bars of percent."""
    names = [name for name, row in counts.items() if sum(row.values())]
    figure, axis = _axes(1.2 + 0.26 * len(names))
    totals = np.array([sum(counts[name].values()) for name in names])
    start = np.zeros(len(names))
    for kind in KINDS:
        share = 100 * np.array([counts[name][kind] for name in names]) / np.maximum(totals, 1)
        axis.barh(names, share, left=start, color=KIND_COLORS[kind], label=kind)
        start += share
    axis.set(xlabel="percent of the annotated joints", xlim=(0, 100))
    axis.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=5, fontsize="small", frameon=False)
    return figure


@_as_svg
def calibration_plot(parts: Sequence[Mapping[str, float]]) -> Figure:
    """Percent of good joints over their mean score, from `run_figures.calibration`."""
    figure, axis = _axes(3.6)
    axis.plot([part["score"] for part in parts], [part["good"] for part in parts], "o-", color=COLORS[0])
    axis.set(xlabel="score of the joint", ylabel="good joints (%)", ylim=(0, 102))
    return figure


@_as_svg
def scatter_plot(first: np.ndarray, second: np.ndarray, names: tuple[str, str]) -> Figure:
    """Per-person scores (M,) of two runs; the darker, the more people are there."""
    figure, axis = _axes(5.2)
    known = np.isfinite(first) & np.isfinite(second)
    bins = np.linspace(0, 100, 26)
    counts, _, _ = np.histogram2d(first[known], second[known], bins=(bins, bins))
    x, y = np.nonzero(counts)
    middle = (bins[:-1] + bins[1:]) / 2
    axis.scatter(middle[x], middle[y], s=6 + 10 * np.sqrt(counts[x, y]), alpha=0.6, color=COLORS[0], linewidths=0)
    axis.plot([0, 100], [0, 100], color="#888888", linewidth=1)
    axis.set(xlabel=f"{names[0]}: score of the person", ylabel=f"{names[1]}: score of the person", aspect="equal")
    return figure


@_as_svg
def history_plot(history: Sequence[Mapping[str, Any]], primary: str) -> Figure:
    """Losses over the epochs, and beside them the figure that networks are compared by."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    figure, axes = plt.subplots(1, 2, figsize=(5.6, 2.8), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for number, part in enumerate(("train", "valid")):
        axes[0].plot(epochs, [row.get(f"{part}_loss") for row in history], label=part, color=COLORS[number],
                     marker=".")  # fmt: skip
    values = [(row.get("results") or {}).get(primary) for row in history]
    axes[1].plot(epochs, [np.nan if value is None else value for value in values], color=COLORS[0], marker=".")
    axes[0].set(xlabel="epoch", ylabel="loss", yscale="log")
    axes[0].yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    for set_formatter in (axes[0].yaxis.set_major_formatter, axes[0].yaxis.set_minor_formatter):
        set_formatter("{x:g}")  # powers of ten would be written in TeX, which is not read here
    axes[1].set(xlabel="epoch", ylabel=primary)
    axes[0].legend(frameon=False)
    return figure
