"""The training loop, with validation after each epoch."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import paddle

from ..dataset.joints_dataset import JointsDataset
from ..dataset.loader import BatchLoader
from ..evaluation.evaluators import Evaluator
from ..evaluation.report import AverageMeter, picture_names, table_lines, train_line
from ..evaluation.validation import ValidationSettings, validate
from ..models.paddle_network import PaddleRun, build_target
from ..utils.errors import RunError, explaining_memory
from ..utils.files import write_json
from ..utils.progress import progress_bar
from ..utils.runtime import LOGGER_NAME
from ..utils.stop import StopSignals, stopped
from ..visualization.curves import draw_curves
from ..visualization.grids import save_debug_images
from .checkpoint import BEST_NAME, FINAL_NAME, save_atomically, save_checkpoint
from .train_step import StepRecord, TrainStep, read_records


class ScalarWriter(Protocol):
    """What the loop writes into: see RunScalars."""

    def add_scalar(self, name: str, value: float, step: int) -> None: ...

    def add_persons(
        self, epoch: int, dataset: JointsDataset, predictions: np.ndarray, scores: np.ndarray
    ) -> None: ...


@dataclass(frozen=True)
class TrainerSettings:
    """What the training loop depends on.

    end_epoch: training ends before it; accumulate: batches that share a step of the optimizer; lr_type: whether the
    schedule steps each epoch (MultiStepDecay) or each iteration (PolynomialDecay); print_freq: steps between lines of
    the log; architecture: the table's first column; validation: how it validates, with the heatmap size and the grids
    of images to save.
    """

    end_epoch: int
    accumulate: int
    lr_type: str
    print_freq: int
    architecture: str
    validation: ValidationSettings


@dataclass
class Trainer:
    """Trains a network epoch by epoch and keeps what is needed to go on.

    train_loader and valid_loader are BatchLoaders of this rank's share; evaluator: see lib.evaluation.evaluators.
    Where the train_step averages the weights, that average is what is validated and saved as best and final. Of several
    ranks the first alone evaluates and writes.
    `progress` is what a checkpoint keeps besides the weights: the next epoch, the best score, the history of epochs,
    the training settings, the loss scaling, and what is done of an epoch that was begun.
    """

    settings: TrainerSettings
    train_step: TrainStep
    scheduler: paddle.optimizer.lr.LRScheduler
    train_loader: BatchLoader
    valid_loader: BatchLoader
    evaluator: Evaluator
    progress: dict
    stop: StopSignals = field(default_factory=StopSignals)
    folder: Path = Path()
    log: logging.Logger = logging.getLogger(LOGGER_NAME)
    scalars: ScalarWriter | None = None
    warned: bool = False

    def run(self, folder: str | os.PathLike[str], log: logging.Logger, scalars: ScalarWriter | None = None) -> None:
        """Trains from the next epoch to TRAIN.END_EPOCH; writes checkpoints, best and final weights, curves.

        folder: the run's; scalars: RunScalars, or None.
        """
        self.folder, self.log, self.scalars = Path(folder), log, scalars
        if self.progress["epoch"] >= self.settings.end_epoch:
            done, end = self.progress["epoch"], self.settings.end_epoch
            self.log.info(f"=> nothing left to train: {done} epochs are done and TRAIN.END_EPOCH is {end}")
        self.train_step.begin()
        try:
            # several ranks would have to agree on a step: their launcher ends them, and the last epoch is saved
            with self.stop if self.train_step.ranks.count == 1 else contextlib.nullcontext():
                self._run_epochs()
        finally:
            self.train_loader.close()
            self.valid_loader.close()

    def _run_epochs(self) -> None:
        settings = self.settings
        for epoch in range(self.progress["epoch"], settings.end_epoch):
            row = {"epoch": epoch, **self.train_epoch(epoch)}
            if settings.lr_type == "MultiStepDecay":
                self.scheduler.step()
            if epoch + 1 < settings.end_epoch:
                self.train_loader.prepare(epoch + 1)  # while the network validates
            try:
                with self.stop.at_once():
                    row.update(self.validate_epoch(epoch))
            except KeyboardInterrupt:
                self._save_and_stop()
            self._finish_epoch(row)
        if self.train_step.ranks.is_first:
            self._save_final()

    def _save_final(self) -> None:
        save_atomically(self.train_step.good_weights, self.folder / FINAL_NAME)
        self.log.info(f"=> saving final model state to {self.folder / FINAL_NAME}")
        if self.progress["history"]:
            write_json(self.progress["history"], self.folder / "history.json")  # perhaps killed before the last one
            draw_curves(self.progress["history"], self.folder / "curves.png", self.evaluator.primary_metric)
            self.log.info(f"=> saving curves to {self.folder / 'curves.png'}")

    def train_epoch(self, epoch: int) -> dict[str, Any]:
        """One epoch of training, or what is left of it; returns its first rate, mean loss and accuracy."""
        loader = self.train_loader
        begun = self.progress.get("begun", {})
        meters = {name: AverageMeter() for name in ("time", "data", "lr", "loss", "accuracy")}
        for name in begun.keys() & meters:
            meters[name].total, meters[name].count = begun[name]
        first_rate = begun.get("first_rate", self.scheduler.get_lr())
        loader.sampler.epoch, loader.skipped = epoch, begun.get("steps", 0)
        self.train_step.network.train()
        records, waited = [], 0.0
        with progress_bar(len(loader), f"epoch {epoch}") as bar:
            start = asked = time.perf_counter()
            for step, batch in enumerate(loader, loader.skipped):
                waited += time.perf_counter() - asked
                self._warn_of_no_joint(batch, epoch, step)
                is_said = step % self.settings.print_freq == 0
                records.append(self._learn(step, batch, is_said))
                is_stopped = self.stop.asked and self._ends_step(step)
                if is_said or is_stopped or step == len(loader) - 1:
                    self._read(records, meters, epoch, step)
                    seconds = time.perf_counter() - start
                    meters["time"].update(seconds / len(records), len(records))
                    meters["data"].update(waited / len(records), len(records))
                    if is_said:
                        self._say(epoch, step, len(loader), meters)
                        self._save_debug(step, batch, records[-1].heatmaps)
                    self._keep_begun(step, first_rate, meters)
                    if is_stopped:
                        self._save_and_stop()
                    records, waited = [], 0.0
                    start = time.perf_counter()
                asked = time.perf_counter()
                bar.update()
        loader.skipped = 0
        return {"lr": first_rate, "train_loss": meters["loss"].average, "train_accuracy": meters["accuracy"].average}

    def _keep_begun(self, step: int, first_rate: float, meters: dict[str, Any]) -> None:
        """What is done of an epoch, up to and with a step, until the epoch is finished."""
        sums = {name: [meters[name].total, meters[name].count] for name in ("loss", "accuracy")}
        self.progress["begun"] = {
            "steps": step + 1, "of": len(self.train_loader), "first_rate": first_rate, **sums
        }  # fmt: skip

    def _save_and_stop(self) -> None:
        """Saves in the middle of an epoch, so that it can be gone on with from there, and raises KeyboardInterrupt."""
        train_step, epoch, steps = self.train_step, self.progress["epoch"], self.progress["begun"]["steps"]
        self.progress["scaler"] = train_step.precision.state()
        if train_step.ranks.is_first:
            save_checkpoint(self.folder, train_step.network, train_step.optimizer, self.progress, train_step.average)
        raise stopped(
            f"stopped in epoch {epoch} after {steps} of {len(self.train_loader)} steps, which are saved; go on with "
            f"--resume_model {self.folder}", self.stop.asked or signal.SIGINT
        )  # fmt: skip

    def _ends_step(self, step: int) -> bool:
        """Whether the optimizer steps after the step-th batch: TRAIN.ACCUMULATE batches share one of its steps."""
        return (step + 1) % self.settings.accumulate == 0 or step == len(self.train_loader) - 1

    def _learn(self, step: int, batch: dict[str, np.ndarray], is_said: bool) -> StepRecord:
        """The step-th batch of an epoch through the train_step."""
        sampler, together = self.train_loader.sampler, self.settings.accumulate
        is_last, first = self._ends_step(step), step - step % together
        joined = sum(sampler.joined_rows(number) for number in range(first, min(first + together, len(sampler))))
        weight = self.train_step.ranks.loss_weight(len(batch["index"]), joined)
        is_drawn = is_said and self.settings.validation.debug.debug
        count, height, width = batch["crop"].shape[:3]
        remedy = "lower TRAIN.BATCH_SIZE and raise TRAIN.ACCUMULATE by the same factor, or give TRAIN.AMP O1"
        with explaining_memory(f"a training step of {count} images of {width}x{height}", remedy):
            record = self.train_step.run(batch, weight, is_last, keep_heatmaps=is_drawn)
        if is_last and self.settings.lr_type == "PolynomialDecay":
            self.scheduler.step()
        return record

    def _read(self, records: Sequence[StepRecord], meters: dict[str, Any], epoch: int, step: int) -> None:
        """Updates the meters by what the steps up to `step` left behind; raises RunError where a loss is not finite."""
        every = read_records(records, self.settings.validation.heatmap_size, self.train_step.ranks)
        for number, (record, figures) in enumerate(zip(records, every, strict=True), step + 1 - len(records)):
            if not math.isfinite(figures.loss):
                rows = self.train_step.ranks.gather_rows(record.index)
                names = picture_names(self.train_loader.dataset.persons.pictures, rows)
                raise RunError(
                    f"the loss is {figures.loss} at epoch {epoch}, step {number}, learning rate {record.rate:g}; "
                    f"pictures {names}, ... Lower TRAIN.LR or look at these pictures; the checkpoint of the epoch "
                    "before, if any, is whole"
                )
            meters["lr"].update(record.rate)
            meters["loss"].update(figures.loss, figures.persons)
            meters["accuracy"].update(figures.accuracy, figures.counted)
        meters["persons"] = sum(figures.persons for figures in every) / len(every)

    def _warn_of_no_joint(self, batch: dict[str, np.ndarray], epoch: int, step: int) -> None:
        """Says, once in a run, that nothing can be learnt from a batch (of several ranks, from the first's share)."""
        if not self.warned and not batch["target_weight"].any():
            self.warned = True
            names = picture_names(self.train_loader.dataset.persons.pictures, batch["index"])
            self.log.info(
                f"=> WARNING: no joint is visible in the batch of epoch {epoch}, step {step}; pictures {names}, ...: "
                "look at them with check_dataset.py; this is said once"
            )

    def _save_debug(self, step: int, batch: dict[str, np.ndarray], heatmaps: paddle.Tensor | None) -> None:
        if heatmaps is not None and self.settings.validation.debug.debug and self.train_step.ranks.is_first:
            target = build_target(batch["horizontal"], batch["vertical"]).numpy()
            skeleton = self.train_loader.dataset.skeleton
            debug = self.settings.validation.debug
            save_debug_images(debug, self.folder / f"train_{step}", batch, target, heatmaps.numpy(), skeleton)

    def validate_epoch(self, epoch: int) -> dict[str, Any]:
        """Validates after an epoch; returns loss, accuracy and, on the first rank, the evaluator's results."""
        network, average, ranks = self.train_step.network, self.train_step.average, self.train_step.ranks
        prefix = self.folder / "val" if self.settings.validation.debug.debug and ranks.is_first else None
        with average.applied(network) if average else contextlib.nullcontext():
            ranks.share_state(dict(network.named_buffers()))
            run = PaddleRun(network, self.train_step.pixel_scale)
            predictions, scores, loss, score = validate(
                self.settings.validation, self.valid_loader, run, self.log, prefix, ranks
            )
        row: dict[str, Any] = {"valid_loss": loss, "valid_accuracy": score}
        if ranks.is_first:
            row["results"] = self.evaluator.evaluate(predictions, scores)
            if self.scalars:
                self.scalars.add_persons(epoch, self.valid_loader.dataset, predictions, scores)
            for line in table_lines(self.settings.architecture, row["results"]):
                self.log.info(line)
        return row

    def _say(self, epoch: int, step: int, steps: int, meters: dict[str, Any]) -> None:
        left = (self.settings.end_epoch - epoch) * steps - step - 1
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        meters["speed"] = meters["persons"] / meters["time"].value
        self.log.info(f"{now}\t{train_line(epoch, step, steps, meters, left * meters['time'].average)}")
        self._scalar("train_loss", meters["loss"].value, epoch * steps + step)
        self._scalar("train_accuracy", meters["accuracy"].value, epoch * steps + step)
        self._scalar("lr", meters["lr"].value, epoch * steps + step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        if self.scalars:
            self.scalars.add_scalar(name, value, step)

    def _finish_epoch(self, row: dict[str, Any]) -> None:
        """Keeps the best weights and everything to go on with."""
        self.progress["epoch"] = row["epoch"] + 1
        self.progress.pop("begun", None)
        self.progress["scaler"] = self.train_step.precision.state()
        if not self.train_step.ranks.is_first:
            return
        score, best = row["results"][self.evaluator.primary_metric], self.progress["best"]
        self._scalar("valid_loss", row["valid_loss"], row["epoch"])
        self._scalar("valid_accuracy", row["valid_accuracy"], row["epoch"])
        for name, value in row["results"].items():
            self._scalar(f"valid/{name}", value, row["epoch"])
        is_best = math.isfinite(score) and (best is None or score > best)
        self.progress["best"] = score if is_best else best
        self.progress["history"].append(row)
        self.log.info(f"=> saving checkpoint to {self.folder}")
        if is_best:
            save_atomically(self.train_step.good_weights, self.folder / BEST_NAME)
        train_step = self.train_step
        save_checkpoint(self.folder, train_step.network, train_step.optimizer, self.progress, train_step.average)
        write_json(self.progress["history"], self.folder / "history.json")
