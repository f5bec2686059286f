"""The validation loop, whatever runs the network."""
from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..core.evaluate import heatmap_loss, peak_accuracy
from ..core.heatmap import get_max_preds, outer_product, refine_coords, target_peaks
from ..core.predictor import Measured, predict_heatmaps
from ..core.transforms import transform_preds
from ..utils.errors import RunError
from ..utils.progress import progress_bar
from ..visualization.poses import save_debug_images
from .build import pose_settings
from .report import AverageMeter, validation_line

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..core.predictor import PoseSettings, Run
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


def validate(
    config: Config, loader: BatchLoader, run: Run, log: logging.Logger, prefix: Path | None = None,
    ranks: Gatherer | None = None,
) -> tuple[np.ndarray, np.ndarray, float, float] | tuple[np.ndarray, np.ndarray, float, float]:
    """Predictions for a whole data set, in its order.

    loader: a BatchLoader over a JointsDataset, in order; run: crops -> heatmaps, see lib.core.predictor; one that has a
    `measure` of its own, as PaddleRun has, keeps the heatmaps on the device.
    prefix: file prefix for debug pictures, None for none.
    ranks: the Ranks that share the data set, of which `loader` has this one's part: all get all predictions.
    Returns predictions (N, K, 2) float32, 0-based picture pixels, maxvals (N, K), and the mean loss and accuracy, NaN
    where no joint is annotated.
    Memory beyond a batch grows by N * K * 3 floats only.
    Raises RunError where the heatmaps are not finite: the highest of them would be drawn as the first pixel; or where a
    person came twice or never, as of ranks that share wrongly: the figures would be of other persons.
    """
    dataset, settings = loader.dataset, pose_settings(config)
    joint_count = len(dataset.skeleton.joints)
    predictions = np.zeros((len(dataset), joint_count, 2), dtype=np.float32)
    maxvals = np.zeros((len(dataset), joint_count), dtype=np.float32)
    times, losses, scores = AverageMeter(), AverageMeter(), AverageMeter()
    times_done = np.zeros(len(dataset), dtype=np.int32)
    with progress_bar(len(loader), "valid") as bar:
        start = time.perf_counter()
        for step, batch in enumerate(loader):
            measured = _measure(run, batch, settings, config.loss.use_target_weight)
            if not math.isfinite(measured.loss):
                raise RunError(
                    f"the validation loss is {measured.loss} at step {step}: weights not finite, or far too large"
                )
            rows, size = batch["index"], config.model.extra.heatmap_size
            _, mean, counted = peak_accuracy(measured.peaks, target_peaks(batch["horizontal"], batch["vertical"]), size)
            losses.update(measured.loss, len(rows))
            scores.update(mean, counted)
            # validation does not augment: the persons' boxes are the crops'
            predictions[rows] = transform_preds(
                measured.coords, dataset.persons.center[rows], dataset.persons.scale[rows], size, settings.unbiased
            )
            maxvals[rows] = measured.maxvals
            np.add.at(times_done, rows, 1)
            times.update(time.perf_counter() - start)
            start = time.perf_counter()
            if step % config.print_freq == 0:
                log.info(validation_line(step, len(loader), times, losses, scores))
                if prefix:
                    heatmaps = np.asarray(measured.heatmaps)
                    target = outer_product(batch["horizontal"], batch["vertical"])
                    save_debug_images(config.debug, f"{prefix}_{step}", batch, target, heatmaps, dataset.skeleton)
            bar.update()
    if ranks is not None and ranks.count > 1:
        own, times_done = np.flatnonzero(times_done), ranks.add_up(times_done)
        every = ranks.gather_rows(own)
        predictions[every], maxvals[every] = ranks.gather_rows(predictions[own]), ranks.gather_rows(maxvals[own])
        for meter in (losses, scores):
            meter.total, meter.count = ranks.add_up([meter.total, meter.count])
    _check_each_once(times_done, dataset.persons.pictures)
    if not dataset.persons.visible.any():  # detected persons: nothing to compare heatmaps with
        return predictions, maxvals, math.nan, math.nan
    return predictions, maxvals, losses.average, scores.average


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
    if isinstance(run, MeasuringRun):
        return run.measure(batch, settings, use_target_weight)
    return measure_on_host(run, batch, settings, use_target_weight)
