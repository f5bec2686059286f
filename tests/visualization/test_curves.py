"""curves.png: how many epochs and figures it takes, what it names, which epoch it marks."""

import math

import cv2
import matplotlib.axes
import pytest

from lib.visualization.curves import best_epoch, draw_curves, metric_label

RESULTS = {"Head": 90.0, "Ankle": math.nan, "Mean": 80.0, "Mean@0.1": 30.0, "true_x": 1.0, "EPE": 12.0}


def history_of(means, results=RESULTS, metric="Mean"):
    return [
        {"epoch": epoch, "train_loss": 0.1, "valid_loss": 0.2, "train_accuracy": 0.5, "valid_accuracy": 0.4,
         "results": {**results, metric: mean}}
        for epoch, mean in enumerate(means)
    ]  # fmt: skip


@pytest.fixture
def lines(monkeypatch):
    """What is drawn: [(numbers of the line, its options), ...]."""
    drawn, plot = [], matplotlib.axes.Axes.plot

    def recorded(axis, x, y, *words, **options):
        drawn.append(((x, y), options))
        return plot(axis, x, y, *words, **options)

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", recorded)
    return drawn


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_curves_are_a_png(tmp_path, epochs):
    draw_curves(history_of([50.0] * epochs), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture.shape[1] >= 800 and picture.std() > 1
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_every_line_of_one_epoch_has_a_marker(tmp_path, lines):
    draw_curves(history_of([50.0]), tmp_path / "curves.png")
    assert len(lines) == 4 + 4 + 1 and all(options["marker"] for _, options in lines[:-1])


def test_forty_joints_are_told_apart(tmp_path, lines):
    draw_curves(history_of([1.0, 2.0], {f"joint ${n}$": 50.0 for n in range(40)}), tmp_path / "curves.png")
    looks = {(each["color"], each["linestyle"], each["marker"]) for _, each in lines if "joint" in each["label"]}
    assert len(looks) == 40


@pytest.mark.parametrize(("means", "best"), [([10.0, 30.0, 30.0, 20.0], 1), ([math.nan, 5.0], 1), ([None, 5.0], 1)])
def test_the_first_of_the_best_epochs_is_marked(tmp_path, lines, means, best):
    history = history_of(means)
    assert best_epoch(history, "Mean") is history[best]
    draw_curves(history, tmp_path / "curves.png")
    (x, y), options = lines[-1]
    assert (x, y) == (best, means[best]) and options["label"].startswith(f"best: epoch {best}")


def test_without_any_figure_nothing_is_best(tmp_path):
    assert best_epoch(history_of([math.nan]), "Mean") is None
    draw_curves(history_of([math.nan]), tmp_path / "curves.png")


@pytest.mark.parametrize(
    ("metric", "label"), [("Mean", "PCKh (%)"), ("AP", "AP and AR"), ("PCK@0.2", "PCK@0.2 (%)")]
)
def test_figures_have_their_name(metric, label):
    assert metric_label(metric) == label
