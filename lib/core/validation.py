"""The validation loop, whatever runs the network. No Paddle here."""

import math
import time

import numpy as np

from lib.core.evaluate import accuracy, heatmap_loss
from lib.core.heatmap import get_final_preds, outer_product
from lib.core.predictor import predict_heatmaps
from lib.core.report import AverageMeter, validation_line
from lib.utils.errors import RunError
from lib.utils.progress import progress_bar
from lib.utils.vis import save_debug_images


def validate(config, loader, run, log, prefix=None):
    """Predictions for a whole data set, in its order.

    loader: a BatchLoader over a JointsDataset, in order; run: crops -> heatmaps, see lib.core.predictor.
    prefix: file prefix for debug pictures, None for none.
    Returns predictions (N, K, 2) float32, 0-based picture pixels, maxvals (N, K), and the mean loss and accuracy, NaN
    where no joint is annotated.
    Memory beyond a batch grows by N * K * 3 floats only.
    Raises RunError where the heatmaps are not finite: the highest of them would be drawn as the first pixel.
    """
    dataset, test = loader.dataset, config.test
    joint_count = len(dataset.skeleton.joints)
    predictions = np.zeros((len(dataset), joint_count, 2), dtype=np.float32)
    maxvals = np.zeros((len(dataset), joint_count), dtype=np.float32)
    flip_pairs = dataset.skeleton.flip_pairs if test.flip_test else None
    times, losses, scores = AverageMeter(), AverageMeter(), AverageMeter()
    with progress_bar(len(loader), "valid") as bar:
        start = time.perf_counter()
        for step, batch in enumerate(loader):
            heatmaps = predict_heatmaps(run, batch["crop"], flip_pairs, test.shift)
            target = outer_product(batch["horizontal"], batch["vertical"])
            loss = heatmap_loss(heatmaps, target, batch["target_weight"] if config.loss.use_target_weight else None)
            if not math.isfinite(loss):
                raise RunError(f"the validation loss is {loss} at step {step}: weights not finite, or far too large")
            rows = batch["index"]
            _, mean, counted = accuracy(heatmaps, target)
            losses.update(loss, len(rows))
            scores.update(mean, counted)
            # validation does not augment: the persons' boxes are the crops'
            predictions[rows], values = get_final_preds(
                heatmaps, dataset.persons.center[rows], dataset.persons.scale[rows], test.decoder,
                config.model.extra.sigma, test.udp,
            )  # fmt: skip
            maxvals[rows] = values[..., 0]
            times.update(time.perf_counter() - start)
            start = time.perf_counter()
            if step % config.print_freq == 0:
                log.info(validation_line(step, len(loader), times, losses, scores))
                if prefix:
                    save_debug_images(config.debug, f"{prefix}_{step}", batch, target, heatmaps, dataset.skeleton)
            bar.update()
    if not dataset.persons.visible.any():  # detected persons: nothing to compare heatmaps with
        return predictions, maxvals, math.nan, math.nan
    return predictions, maxvals, losses.average, scores.average
