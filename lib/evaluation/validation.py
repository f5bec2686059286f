"""The validation loop, whatever runs the network."""
from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..core.evaluate import heatmap_loss, peak_accuracy
from ..core.heatmap import get_max_preds, outer_product, refine_coords, target_peaks
from ..core.predictor import Measured, predict_heatmaps
from ..core.transforms import transform_preds
from ..utils.errors import RunError, explaining_memory
from ..utils.progress import progress_bar
from ..visualization.grids import save_debug_images
from .report import AverageMeter, validation_line

if TYPE_CHECKING:
    from ..config.schema import DebugConfig
    from ..core.predictor import PoseSettings, Run
    from ..core.skeletons import Skeleton
    from ..dataset.joints_dataset import Persons
    from ..dataset.loader import BatchLoader


class Gatherer(Protocol):
    """What validation needs of the ranks that share a data set: see lib.training.ranks.Ranks."""

    @property
    def count(self) -> int: ...

    def add_up(self, values: npt.ArrayLike) -> np.ndarray: ...

    def gather_rows(self, array: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class MeasuringRun(Protocol):
    """A network that measures a batch itself, so that its heatmaps stay on the device."""

    def measure(self, batch: Mapping[str, np.ndarray], settings: PoseSettings, use_target_weight: bool) -> Measured: ...


def measure_on_host(
    run: Run, batch: dict[str, np.ndarray], settings: PoseSettings, use_target_weight: bool
) -> Measured:
    """The Measured of a batch of a JointsDataset, with NumPy.

    run: see lib.core.predictor; settings: PoseSettings; use_target_weight: joints that are not annotated do not count.
    """
    heatmaps = predict_heatmaps(run, batch["crop"], settings.flip_pairs, settings.shift_heatmap)
    target = outer_product(batch["horizontal"], batch["vertical"])
    loss = heatmap_loss(heatmaps, target, batch["target_weight"] if use_target_weight else None)
    peaks, maxvals = get_max_preds(heatmaps)
    coords = refine_coords(heatmaps, peaks, settings.decode, settings.sigma)
    return Measured(heatmaps, peaks, coords, maxvals[..., 0], loss)


@dataclass(frozen=True)
class ValidationSettings:
    """What a validation depends on besides the weights.

    pose: how heatmaps become keypoints; heatmap_size: (width, height); use_target_weight: joints that are not annotated
    do not count in the loss; print_freq: batches between lines of the log; debug: the grids of images to save.
    """

    pose: PoseSettings
    heatmap_size: tuple[int, int]
    use_target_weight: bool
    print_freq: int
    debug: DebugConfig


def validate(
    settings: ValidationSettings, loader: BatchLoader, run: Run, log: logging.Logger, prefix: Path | None = None,
    ranks: Gatherer | None = None,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Predictions for a whole data set, in its order. Memory beyond a batch grows by N * K * 3 floats only.

    Args:
        loader: a BatchLoader over a JointsDataset, in order.
        run: the network; a MeasuringRun, such as PaddleRun, keeps the heatmaps on the device.
        prefix: file prefix for debug images, None for none.
        ranks: the ranks that share the data set, of which `loader` has this one's part: all get all predictions.

    Returns:
        predictions (N, K, 2) float32, 0-based image pixels; maxvals (N, K); the mean loss and accuracy, NaN if no joint
        is annotated.

    Raises:
        RunError: the heatmaps are not finite, or a person was predicted twice or not at all.
    """
    dataset = loader.dataset
    collected = _Collected(len(dataset), len(dataset.skeleton.joints))
    with progress_bar(len(loader), "valid") as bar:
        start = time.perf_counter()
        for step, batch in enumerate(loader):
            measured = _measure(run, batch, settings.pose, settings.use_target_weight)
            _refuse_infinite(measured.loss, step)
            collected.add(batch, measured, dataset.persons, settings)
            collected.times.update(time.perf_counter() - start)
            start = time.perf_counter()
            if step % settings.print_freq == 0:
                log.info(validation_line(step, len(loader), collected.times, collected.losses, collected.scores))
                if prefix:
                    _save_grids(f"{prefix}_{step}", settings, batch, measured, dataset.skeleton)
            bar.update()
    if ranks is not None and ranks.count > 1:
        collected.gather(ranks)
    _check_each_once(collected.times_done, dataset.persons.pictures)
    if not dataset.persons.visible.any():  # detected persons: nothing to compare heatmaps with
        return collected.predictions, collected.maxvals, math.nan, math.nan
    return collected.predictions, collected.maxvals, collected.losses.average, collected.scores.average


def _refuse_infinite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise RunError(f"the validation loss is {loss} at step {step}: weights not finite, or far too large")


def _save_grids(
    prefix: str, settings: ValidationSettings, batch: dict[str, np.ndarray], measured: Measured, skeleton: Skeleton
) -> None:
    target = outer_product(batch["horizontal"], batch["vertical"])
    save_debug_images(settings.debug, prefix, batch, target, np.asarray(measured.heatmaps), skeleton)


class _Collected:
    """What a validation of N persons with K joints has found so far."""

    def __init__(self, person_count: int, joint_count: int) -> None:
        self.predictions = np.zeros((person_count, joint_count, 2), dtype=np.float32)
        self.maxvals = np.zeros((person_count, joint_count), dtype=np.float32)
        self.times_done = np.zeros(person_count, dtype=np.int32)
        self.times = AverageMeter()
        self.losses = AverageMeter()
        self.scores = AverageMeter()

    def add(
        self, batch: dict[str, np.ndarray], measured: Measured, persons: Persons, settings: ValidationSettings
    ) -> None:
        """Adds a batch. Validation does not augment: the persons' boxes are the crops'."""
        rows = batch["index"]
        size = settings.heatmap_size
        _, mean, counted = peak_accuracy(measured.peaks, target_peaks(batch["horizontal"], batch["vertical"]), size)
        self.losses.update(measured.loss, len(rows))
        self.scores.update(mean, counted)
        self.predictions[rows] = transform_preds(
            measured.coords, persons.center[rows], persons.scale[rows], size, settings.pose.unbiased
        )
        self.maxvals[rows] = measured.maxvals
        np.add.at(self.times_done, rows, 1)

    def gather(self, ranks: Gatherer) -> None:
        """Takes over what the other ranks have found."""
        own = np.flatnonzero(self.times_done)
        self.times_done = ranks.add_up(self.times_done)
        every = ranks.gather_rows(own)
        self.predictions[every] = ranks.gather_rows(self.predictions[own])
        self.maxvals[every] = ranks.gather_rows(self.maxvals[own])
        for meter in (self.losses, self.scores):
            meter.total, meter.count = ranks.add_up([meter.total, meter.count])


def _check_each_once(times_done: np.ndarray, pictures: list[str]) -> None:
    """Raises RunError where a number of times_done (N,) is not 1."""
    wrong = np.flatnonzero(times_done != 1)
    if len(wrong):
        never, more = np.count_nonzero(times_done == 0), np.count_nonzero(times_done > 1)
        raise RunError(
            f"{never} of {len(times_done)} persons were never predicted and {more} more than once; the first is person "
            f"{wrong[0] + 1}, of {pictures[wrong[0]]}: the loader's order is wrong, no figure of this validation counts"
        )


def _measure(run: Run, batch: dict[str, np.ndarray], settings: PoseSettings, use_target_weight: bool) -> Measured:
    count, height, width = batch["crop"].shape[:3]
    with explaining_memory(f"validating {count} images of {width}x{height} at once", "lower TEST.BATCH_SIZE"):
        if isinstance(run, MeasuringRun):
            return run.measure(batch, settings, use_target_weight)
        return measure_on_host(run, batch, settings, use_target_weight)
