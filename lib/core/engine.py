"""The training loop, with validation after each epoch."""

import contextlib
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import paddle

from lib.core.checkpoint import BEST_NAME, FINAL_NAME, save_atomically, save_checkpoint
from lib.core.ema import WeightAverage
from lib.core.evaluate import accuracy
from lib.core.inference import PaddleRun, build_target, normalize_crops
from lib.core.records import Config
from lib.core.report import AverageMeter, architecture_name, draw_curves, table_lines, train_line
from lib.core.validation import validate
from lib.dataset.loader import BatchLoader
from lib.utils.errors import RunError
from lib.utils.files import write_json
from lib.utils.progress import progress_bar
from lib.utils.runtime import LOGGER_NAME
from lib.utils.vis import save_debug_images


@dataclass
class Trainer:
    """Trains a network epoch by epoch and keeps what is needed to go on.

    train_loader and valid_loader are BatchLoaders; evaluator: see lib.core.evaluators. average: the running average of
    the weights, which is then what is validated and saved as best and final. `progress` is what a checkpoint keeps
    besides the weights: the next epoch, the best score, the history of epochs, the training settings.
    """

    config: Config
    network: paddle.nn.Layer
    criterion: paddle.nn.Layer
    optimizer: paddle.optimizer.Optimizer
    scheduler: paddle.optimizer.lr.LRScheduler
    train_loader: BatchLoader
    valid_loader: BatchLoader
    evaluator: object
    progress: dict
    average: WeightAverage | None = None
    folder: Path = Path()
    log: logging.Logger = logging.getLogger(LOGGER_NAME)
    scalars: object = None

    def run(self, folder, log, scalars=None):
        """Trains from the next epoch to TRAIN.END_EPOCH; writes checkpoints, best and final weights, curves.

        folder: the run's; scalars: an object with add_scalar(name, value, step), or None.
        """
        self.folder, self.log, self.scalars = Path(folder), log, scalars
        if self.progress["epoch"] >= self.config.train.end_epoch:
            done, end = self.progress["epoch"], self.config.train.end_epoch
            self.log.info(f"=> nothing left to train: {done} epochs are done and TRAIN.END_EPOCH is {end}")
        try:
            self._run_epochs()
        finally:
            self.train_loader.close()
            self.valid_loader.close()

    def _run_epochs(self):
        for epoch in range(self.progress["epoch"], self.config.train.end_epoch):
            row = {"epoch": epoch, "lr": self.scheduler.get_lr(), **self.train_epoch(epoch)}
            if self.config.train.lr_type == "MultiStepDecay":
                self.scheduler.step()
            row.update(self.validate_epoch(epoch))
            self._finish_epoch(row)
        save_atomically(self._good_weights(), self.folder / FINAL_NAME)
        self.log.info(f"=> saving final model state to {self.folder / FINAL_NAME}")
        if self.progress["history"]:
            draw_curves(self.progress["history"], self.folder / "curves.png", self.evaluator.main_figure)
            self.log.info(f"=> saving curves to {self.folder / 'curves.png'}")

    def train_epoch(self, epoch):
        """One epoch of training; returns its mean loss and accuracy."""
        config, loader = self.config, self.train_loader
        meters = {name: AverageMeter() for name in ("time", "data", "lr", "loss", "accuracy")}
        loader.sampler.epoch = epoch
        self.network.train()
        with progress_bar(len(loader), f"epoch {epoch}") as bar:
            start = time.perf_counter()
            for step, batch in enumerate(loader):
                target = build_target(batch["horizontal"], batch["vertical"])
                images = normalize_crops(batch["crop"], config.dataset.pixel_scale)
                meters["data"].update(time.perf_counter() - start)
                meters["lr"].update(self.optimizer.get_lr())
                loss, heatmaps = self.train_step(images, target, batch, f"epoch {epoch}, step {step}")
                count = heatmaps.shape[0]
                meters["loss"].update(loss, count)
                _, mean, counted = accuracy(heatmaps, target.numpy())
                meters["accuracy"].update(mean, counted)
                meters["time"].update(time.perf_counter() - start)
                start = time.perf_counter()
                if step % config.print_freq == 0:
                    meters["speed"] = count / meters["time"].value
                    self._say(epoch, step, len(loader), meters)
                    if config.debug.debug:
                        prefix = self.folder / f"train_{step}"
                        skeleton = loader.dataset.skeleton
                        save_debug_images(config.debug, prefix, batch, target.numpy(), heatmaps, skeleton)
                bar.update()
        return {"train_loss": meters["loss"].average, "train_accuracy": meters["accuracy"].average}

    def train_step(self, images, target, batch, place):
        """Forward, backward and one optimizer step; returns the loss and the heatmaps as numpy."""
        output = self.network(images)
        loss = self.criterion(output, target, paddle.to_tensor(batch["target_weight"]))
        value = float(loss)
        if not math.isfinite(value):
            pictures = self.train_loader.dataset.persons.pictures
            names = ", ".join(Path(pictures[row]).name for row in batch["index"][:8])
            raise RunError(
                f"the loss is {value} at {place}, learning rate {self.optimizer.get_lr():g}; pictures {names}, ... "
                "Lower TRAIN.LR or look at these pictures; the checkpoint of the epoch before, if any, is whole"
            )
        loss.backward()
        self.optimizer.step()
        self.optimizer.clear_grad()
        if self.average:
            self.average.update(self.network)
        if self.config.train.lr_type == "PolynomialDecay":
            self.scheduler.step()
        return value, output.detach().numpy()

    def _good_weights(self):
        return self.average.state if self.average else self.network.state_dict()

    def validate_epoch(self, epoch):
        """Validates after an epoch; returns loss, accuracy and the evaluator's results."""
        prefix = self.folder / "val" if self.config.debug.debug else None
        with self.average.applied(self.network) if self.average else contextlib.nullcontext():
            run = PaddleRun(self.network, self.config.dataset.pixel_scale)
            predictions, scores, loss, score = validate(self.config, self.valid_loader, run, self.log, prefix)
        results = self.evaluator.evaluate(predictions, scores)
        for line in table_lines(architecture_name(self.config.model), results):
            self.log.info(line)
        return {"valid_loss": loss, "valid_accuracy": score, "results": results}

    def _say(self, epoch, step, steps, meters):
        left = (self.config.train.end_epoch - epoch) * steps - step - 1
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        self.log.info(f"{now}\t{train_line(epoch, step, steps, meters, left * meters['time'].average)}")
        self._scalar("train_loss", meters["loss"].value, epoch * steps + step)
        self._scalar("train_accuracy", meters["accuracy"].value, epoch * steps + step)
        self._scalar("lr", meters["lr"].value, epoch * steps + step)

    def _scalar(self, name, value, step):
        if self.scalars:
            self.scalars.add_scalar(name, value, step)

    def _finish_epoch(self, row):
        """Keeps the best weights and everything to go on with."""
        score, best = row["results"][self.evaluator.main_figure], self.progress["best"]
        self._scalar("valid_loss", row["valid_loss"], row["epoch"])
        self._scalar("valid_accuracy", row["valid_accuracy"], row["epoch"])
        for name, value in row["results"].items():
            self._scalar(f"valid/{name}", value, row["epoch"])
        is_best = math.isfinite(score) and (best is None or score > best)
        self.progress["best"] = score if is_best else best
        self.progress["epoch"] = row["epoch"] + 1
        self.progress["history"].append(row)
        self.log.info(f"=> saving checkpoint to {self.folder}")
        if is_best:
            save_atomically(self._good_weights(), self.folder / BEST_NAME)
        save_checkpoint(self.folder, self.network, self.optimizer, self.progress, self.average)
        write_json(self.progress["history"], self.folder / "history.json")
