"""One dict of results for people and machines: log lines, the markdown table, results.json, pred.mat."""
from __future__ import annotations

import logging
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from ..utils.errors import UserError
from ..utils.files import describe_error, write_json
from ..utils.run_folder import keep_earlier
from ..utils.runtime import replacing


class AverageMeter:
    """The latest value and the average of all so far, weighted by count."""

    def __init__(self) -> None:
        self.value = self.total = self.count = 0.0

    @property
    def average(self) -> float:
        return self.total / self.count if self.count else 0.0

    def update(self, value: float, count: int = 1) -> None:
        self.value = value
        self.total += value * count
        self.count += count


def table_lines(architecture: str, results: dict[str, float]) -> list[str]:
    """The markdown table of one row of results."""
    columns = [name for name in results if not name.startswith("true_")]
    return [
        "| Arch | " + " | ".join(columns) + " |",
        "|" + "---|" * (len(columns) + 1),
        f"| {architecture} | " + " | ".join(f"{results[name]:.3f}" for name in columns) + " |",
    ]


def report_results(
    name: str, results: dict[str, float], conditions: Mapping[str, Any], folder: Path, log: logging.Logger
) -> None:
    """Prints the table and writes results.json in `folder`.

    name: the table's first column; results: {figure: percent}; conditions: what the figures depend on.
    """
    if conditions.get("boxes"):
        flip = "with" if conditions["flip_test"] else "without"
        log.info(f"=> {conditions['boxes']} boxes, {flip} flip test, {conditions['color_order']} pictures")
    for line in table_lines(name, results):
        log.info(line)
    keep_earlier(Path(folder) / "results.json")
    write_json({"name": name, "results": results, "conditions": conditions}, Path(folder) / "results.json")
    log.info(f"=> saving results to {Path(folder) / 'results.json'}")


def train_line(epoch: int, step: int, steps: int, meters: dict[str, AverageMeter], eta_seconds: float) -> str:
    """One line of the training log. meters: time, data, lr, loss, accuracy (AverageMeter) and speed (samples/s)."""
    time, data, lr, loss, score = (meters[name] for name in ("time", "data", "lr", "loss", "accuracy"))
    return (
        f"Epoch: [{epoch}][{step}/{steps}]\tTime {time.value:.3f}s ({time.average:.3f}s)\t"
        f"Speed {meters['speed']:.1f} samples/s\tData {data.value:.3f}s ({data.average:.3f}s)\t"
        f"Lr {_rate(lr.value)} ({_rate(lr.average)})\tLoss {loss.value:.5f} ({loss.average:.5f})\t"
        f"Accuracy {score.value:.3f} ({score.average:.3f})\teta: {_clock(eta_seconds)}"
    )


def validation_line(step: int, steps: int, time: AverageMeter, loss: AverageMeter, score: AverageMeter) -> str:
    """One line of the validation log; time, loss and score are AverageMeters."""
    return (
        f"Test: [{step}/{steps}]\tTime {time.value:.3f} ({time.average:.3f})\t"
        f"Loss {loss.value:.4f} ({loss.average:.4f})\tAccuracy {score.value:.3f} ({score.average:.3f})"
    )


def picture_names(pictures: Sequence[str], rows: np.ndarray) -> str:
    """The names of the first eight rows' pictures, for a message."""
    return ", ".join(Path(pictures[row]).name for row in rows[:8])


def _rate(value: float) -> str:
    """A learning rate with four places as in the original's log, or as 1.0e-05 where these would be zeros."""
    return f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def write_predictions(
    predictions: np.ndarray, path: str | os.PathLike[str], scores: np.ndarray | None = None
) -> None:
    """Writes predictions (N, K, 2), 0-based pixels, as MPII's pred.mat: `preds`, 1-based, as the original does.

    scores: (N, K), for `scores` beside them, or None.
    """
    variables = {"preds": np.asarray(predictions) + 1.0}
    if scores is not None:
        variables["scores"] = np.asarray(scores)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        scipy.io.savemat(file, variables)


def read_mat(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} of the real numbers and the cells (dtype object) in a MATLAB file of version 5 to 7.

    Raises OSError, and ValueError if the file is damaged or of another kind.
    """
    with open(path, "rb") as file:
        try:
            variables = scipy.io.loadmat(file)
        except Exception as error:  # SciPy raises whatever a damaged file leads it to
            reason = str(error)[:200] or type(error).__name__
            raise ValueError(f"no MATLAB file of version 5 to 7 (save -v7), or damaged: {reason}") from error
    return {
        name: value
        for name, value in variables.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufO"
    }


def read_predictions(path: str | os.PathLike[str]) -> np.ndarray:
    """Predictions (N, K, 2), 0-based, from a pred.mat. Raises UserError for another kind of file."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"there is no prediction file {path}")
    try:
        predictions = read_mat(path)["preds"].astype(np.float64)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a pred.mat with `preds` in it: {describe_error(error)}") from error
    if predictions.ndim != 3 or predictions.shape[2] < 2:
        raise UserError(f"{path}: preds has shape {predictions.shape}, expected (persons, joints, 2)")
    if not np.isfinite(predictions).all():
        raise UserError(f"{path}: preds holds values that are not finite numbers")
    return predictions[..., :2] - 1.0


def read_scores(path: str | os.PathLike[str], shape: tuple[int, ...]) -> np.ndarray | None:
    """The joints' scores (N, K) beside the predictions of a pred.mat; None where there are none of this shape."""
    scores = read_mat(path).get("scores")
    return scores.astype(np.float64) if scores is not None and scores.shape == shape else None


def describe_run(device: str) -> dict[str, Any]:
    """What a run depends on besides its configuration: command, commit, versions, machine."""
    import cv2
    import paddle

    def git(*words: str) -> str | None:
        try:
            answer = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10, check=False,
                                    cwd=Path(__file__).parent)  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return answer.stdout.strip()

    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "git_commit": git("rev-parse", "HEAD") or "unknown",
        "git_changed_files": len((git("status", "--porcelain", "--untracked-files=no") or "").splitlines()),
        "device": device,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {"paddle": paddle.__version__, "numpy": np.__version__, "opencv": cv2.__version__},
    }
