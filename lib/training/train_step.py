"""One step of training, and what the log says of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import paddle

from ..core.evaluate import accuracy_of_hits, peak_hits
from ..core.heatmap import coords_of_index, target_peaks
from ..models.paddle_network import argmax_places, build_target, normalize_crops, to_device
from .ema import WeightAverage
from .precision import Precision
from .ranks import Ranks, between_steps


@dataclass(frozen=True)
class StepRecord:
    """What a step leaves behind for the log.

    measures: on the device, the loss and then, for each of N * K heatmaps, where it is highest; expected (N, K, 2):
    where its target is; index (N,): the persons; rate: the learning rate. heatmaps: only where they are kept.
    """

    measures: paddle.Tensor
    expected: np.ndarray
    index: np.ndarray
    rate: float
    heatmaps: paddle.Tensor | None = None


class Figures(NamedTuple):
    """A step in numbers, over all ranks: see `evaluate.peak_accuracy` for accuracy and counted."""

    loss: float
    persons: int
    accuracy: float
    counted: int


@dataclass
class TrainStep:
    """A network and what changes its weights.

    pixel_scale: see image.normalization; average: the running average of the weights, or None; precision: how the
    network is computed; ranks: those that learn together.
    """

    network: paddle.nn.Layer
    criterion: paddle.nn.Layer
    optimizer: paddle.optimizer.Optimizer
    pixel_scale: float = 255.0
    average: WeightAverage | None = None
    precision: Precision = field(default_factory=Precision)
    ranks: Ranks = field(default_factory=Ranks)

    def __post_init__(self) -> None:
        self._running = self.network

    def begin(self) -> None:
        """To be called by every rank before the first step: they share the weights and will share the gradients."""
        self._running = self.ranks.data_parallel(self.network)

    def run(
        self, batch: dict[str, np.ndarray], weight: float = 1.0, is_last: bool = True, keep_heatmaps: bool = False
    ) -> StepRecord:
        """Forward and backward of one batch, and a step of the optimizer where it `is_last` of those in the step.

        batch: see JointsDataset.collate; weight: of its loss, for ranks and batches that share a step. Returns a
        StepRecord; nothing is copied from the device.
        """
        target = build_target(batch["horizontal"], batch["vertical"])
        images = normalize_crops(batch["crop"], self.pixel_scale)
        self.ranks.wait()
        with contextlib.nullcontext() if is_last else between_steps(self._running):
            with self.precision.casting():
                output = self._running(images)
            output = output.astype("float32")
            loss = self.criterion(output, target, to_device(batch["target_weight"]))
            self.precision.backward(loss * weight)
        rate = self.optimizer.get_lr()
        if is_last:
            self.precision.step(self.optimizer)
            if self.average:
                self.average.update(self.network)
        output = output.detach()
        index, _ = argmax_places(output)
        measures = paddle.concat([loss.detach().reshape([1]), index.flatten().astype("float32")])
        expected = target_peaks(batch["horizontal"], batch["vertical"])
        return StepRecord(measures, expected, batch["index"], rate, output if keep_heatmaps else None)

    @property
    def good_weights(self) -> dict[str, paddle.Tensor]:
        """{name: tensor} of what is validated and saved: the average, or the network's own."""
        return self.average.state if self.average else self.network.state_dict()


def read_records(records: Sequence[StepRecord], heatmap_size: tuple[int, int], ranks: Ranks) -> list[Figures]:
    """The Figures of StepRecords, by one copy from the device; heatmap_size: (width, height)."""
    measures, start, sums = paddle.concat([record.measures for record in records]).numpy(), 0, []
    for record in records:
        persons, joints = record.expected.shape[:2]
        loss, end = measures[start], start + 1 + persons * joints
        index = measures[start + 1 : end].astype(np.int64).reshape(persons, joints)
        start = end
        hits, shown = peak_hits(coords_of_index(index, heatmap_size[0]), record.expected, heatmap_size)
        sums.append([loss * persons, persons, *hits, *shown])
    figures = []
    for loss, persons, *counts in ranks.add_up(sums):
        hits, shown = np.split(np.array(counts), 2)
        figures.append(Figures(loss / persons, int(persons), *accuracy_of_hits(hits, shown)[1:]))
    return figures
