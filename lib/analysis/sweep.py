"""A sweep: one training for each combination of settings and seed, one after the other, each in a folder of its own."""

from __future__ import annotations

import itertools
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config.cli import run_place
from ..config.config import parse_overrides, read_config
from ..utils.errors import RunError, UserError
from ..utils.files import pluralize
from ..utils.runtime import SCRIPTS
from .predictions import load, prediction_file
from .report import ReportSettings, history_of, report_page, write_report

SEED_KEY = "TRAIN.SEED"
OUTER_COMMA = re.compile(r",(?![^\[]*\])")  # not those of a list such as [90, 120]
SCRIPT = SCRIPTS / "train.py"
STOPPED = {128 + number: number for number in (signal.SIGINT, signal.SIGTERM)}  # exit codes of a stopped training


@dataclass(frozen=True)
class SweepRun:
    """One training of a sweep.

    name: its settings and seed; group: without the seed, as text; words: KEY VALUE pairs of train.py; folder: its run
    folder; epochs: TRAIN.END_EPOCH.
    """

    name: str
    group: str
    words: tuple[str, ...]
    folder: Path
    epochs: int

    @property
    def place(self) -> Path:
        """The folder of the whole sweep."""
        return next(path.parent for path in self.folder.parents if path.name == self.name)

    def command(self, experiment: str) -> list[str]:
        """train.py's words; an interrupted run goes on where it was."""
        return [sys.executable, str(SCRIPT), "--cfg", experiment, "--resume_model", "auto", "--report", *self.words]

    def is_done(self) -> bool:
        """Whether all its epochs are trained and its report, which comes last, is written."""
        return len(history_of(self.folder)) >= self.epochs and report_page(self.folder).is_file()


def parse_grid(words: Sequence[str]) -> dict[str, list[str]]:
    """{key: values as texts} of words such as TRAIN.LR=1e-3,5e-4. Raises UserError for a word of another form."""
    grid: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        values = [value.strip() for value in OUTER_COMMA.split(text)]
        if not equals or not all(values) or key in grid:
            raise UserError(f"{word}: expected KEY=VALUE,VALUE,... once for each key, such as TRAIN.LR=1e-3,5e-4")
        grid[key] = values
    return grid


def plan_runs(experiment: str, grid: dict[str, list[str]], seeds: int, fixed: Sequence[str] = ()) -> list[SweepRun]:
    """The runs of all combinations, seed by seed, below <OUTPUT_DIR>/sweep/<experiment>/.

    fixed: KEY VALUE pairs that all of them have. Raises UserError where a combination cannot be.
    """
    if seeds > 1 and SEED_KEY in grid:
        raise UserError(f"--seeds {seeds} and {SEED_KEY}= are one thing: give one of them")
    base = read_config(experiment, parse_overrides(fixed), warn=lambda line: None)
    stem, runs = Path(experiment).stem, []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        group = " ".join(f"{key}={value}" for key, value in settings.items()) or stem
        for seed in range(base.train.seed, base.train.seed + seeds):
            chosen = settings if SEED_KEY in grid else {**settings, SEED_KEY: str(seed)}
            name = re.sub(r"[^\w=.,+-]+", "_", " ".join(f"{key}={value}" for key, value in chosen.items()))
            places = {"OUTPUT_DIR": base.output_dir, "LOG_DIR": base.log_dir}
            folders = {key: str(Path(place) / "sweep" / stem / name) for key, place in places.items()}
            words = [*fixed, *itertools.chain(*{**chosen, **folders}.items())]
            config = read_config(experiment, parse_overrides(words), warn=lambda line: None)
            folder = run_place(config, experiment)
            runs.append(SweepRun(name, group, tuple(words), folder, config.train.end_epoch))
    return runs


def shell_lines(experiment: str, runs: Sequence[SweepRun]) -> list[str]:
    """One command a run, for a scheduler."""
    return [shlex.join(run.command(experiment)) for run in runs]


def train_runs(experiment: str, runs: Sequence[SweepRun]) -> list[str]:
    """Trains what is not done yet; returns a line for each run that failed, and goes on with the next.

    Raises KeyboardInterrupt where a training was interrupted: the same sweep goes on from there.
    """
    problems = []
    for number, run in enumerate(runs, 1):
        title = f"run {number} of {len(runs)}: {' '.join(run.words)}"
        if run.is_done():
            print(f"=> {title} is done", flush=True)
            continue
        print(f"=> {title}", flush=True)
        code = _train(run.command(experiment))
        if code in STOPPED:
            line = f"run {number} of {len(runs)} was stopped; the same command goes on from there"
            raise KeyboardInterrupt(line, STOPPED[code])
        if code:
            problems.append(f"{run.folder}: train.py ended with exit code {code}")
    return problems


def _train(command: list[str]) -> int:
    """The exit code of a training, which gets Ctrl-C and SIGTERM itself and saves before it ends."""
    process = subprocess.Popen(command)
    before = signal.signal(signal.SIGTERM, lambda number, frame: process.terminate())
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # the terminal sends it to both: the training ends by itself
                continue
    finally:
        signal.signal(signal.SIGTERM, before)


def best_of(run: SweepRun) -> tuple[str, float]:
    """(name, value) of the figure that a run's best weights were chosen by, at its best epoch."""
    rows = [row["results"] for row in history_of(run.folder) if row.get("results")]
    if not rows:
        raise RunError(f"{run.folder} has no validated epoch")
    name = primary_figure(rows[0])
    return name, max(row[name] for row in rows if row[name] is not None)


def primary_figure(results: dict[str, float]) -> str:
    """The figure that networks are compared by: MPII's Mean, COCO's AP, or PCK at its threshold."""
    return next(name for name in results if name in ("Mean", "AP") or name.startswith("PCK@"))


def summary_lines(runs: Sequence[SweepRun]) -> list[str]:
    """A Markdown table: each combination's best figures, their mean and standard deviation over the seeds."""
    groups: dict[str, list[float]] = {}
    name = ""
    for run in runs:
        if run.is_done():
            name, value = best_of(run)
            groups.setdefault(run.group, []).append(value)
    lines = [f"| settings | seeds | {name}, best epoch | standard deviation |", "|---|---|---|---|"]
    for group, values in sorted(groups.items(), key=lambda item: -float(np.mean(item[1]))):
        deviation = f"{np.std(values, ddof=1):.3f}" if len(values) > 1 else "-"
        lines.append(f"| {group} | {len(values)} | {np.mean(values):.3f} | {deviation} |")
    missing = sum(not run.is_done() for run in runs)
    return lines + ([f"=> {pluralize(missing, 'run is', 'runs are')} not done"] if missing else [])


def compare_runs(runs: Sequence[SweepRun], output: Path) -> Path | None:
    """Writes the report that compares all runs that are done, with mean and deviation over seeds; None for fewer.

    The first run is the one that the others are compared with. Raises UserError where predictions are missing.
    """
    done = [run for run in runs if run.is_done()]
    if len(done) < 2:
        return None
    names = [run.group for run in done]
    if len(set(names)) < len(names):  # several seeds of one
        names = [run.name for run in done]
    predictions = []
    for run, name in zip(done, names, strict=True):
        config = read_config(run.folder / "config.yaml", warn=lambda line: None)
        predictions.append(load(name, config, prediction_file(run.folder, config.dataset.test_set), run.folder))
    return write_report(predictions, output, ReportSettings(by_seed=True))
