"""What a run writes for VisualDL: its name and settings, scalars, PCK of each joint, a grid of the same persons."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..config.config import flat_values
from ..config.schema import Config
from ..core.transforms import affine_transform, get_affine_transform
from ..dataset.joints_dataset import JointsDataset
from ..evaluation.evaluators import PCKEvaluator
from ..visualization.grids import pose_grid

GRID_PERSONS = 16
SETTINGS = ("DATASET", "MODEL", "LOSS", "TRAIN", "TEST")  # sections that are a run's hyperparameters


class LogWriter(Protocol):
    """What is used of VisualDL's LogWriter."""

    def add_scalar(self, tag: str, value: float, step: int) -> None: ...

    def add_image(self, tag: str, img: np.ndarray, step: int) -> None: ...

    def add_hparams(self, hparams_dict: dict[str, Any], metrics_list: list[str]) -> None: ...

    def close(self) -> None: ...


class RunScalars:
    """A training's log for VisualDL.

    grid_epochs: DEBUG.GRID_EPOCHS; sure: joints of a higher score are drawn.
    """

    def __init__(self, writer: LogWriter, grid_epochs: int, sure: float) -> None:
        self.writer, self.grid_epochs, self.sure = writer, grid_epochs, sure

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """A scalar of a step or an epoch."""
        self.writer.add_scalar(name, value, step)

    def add_persons(self, epoch: int, dataset: JointsDataset, predictions: np.ndarray, scores: np.ndarray) -> None:
        """The PCK of each joint and, every `grid_epochs` epochs, the grid of the same persons, drawn.

        predictions (N, K, 2), 0-based picture pixels, scores (N, K): of the N persons of the validation `dataset`.
        """
        evaluator = PCKEvaluator(dataset.persons, dataset.skeleton)
        if not evaluator.skip_reason:
            for name, value in evaluator.of_joints(predictions).items():
                self.add_scalar(f"{evaluator.primary_metric}/{name}", value, epoch)
        if self.grid_epochs and epoch % self.grid_epochs == 0:
            self.writer.add_image("valid/persons", self._grid(dataset, predictions, scores)[..., ::-1], epoch)

    def _grid(self, dataset: JointsDataset, predictions: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """(h, w, 3) BGR: the crops of persons spread evenly over the set, with their predicted poses."""
        rows = np.unique(np.linspace(0, len(dataset) - 1, GRID_PERSONS).astype(int))
        persons, settings = dataset.persons, dataset.settings
        joints = []
        for row in rows:
            center, scale = persons.center[row], persons.scale[row]
            matrix = get_affine_transform(center, scale, 0, settings.image_size, unbiased=settings.unbiased)
            joints.append(affine_transform(predictions[row], matrix))
        crops = dataset.collate([dataset[int(row)] for row in rows])["crop"]
        crops = crops[..., ::-1] if settings.color_rgb else crops
        return pose_grid(crops, np.array(joints), scores[rows] > self.sure, dataset.skeleton)

    def close(self) -> None:
        """Writes what is still to be written."""
        self.writer.close()


def open_scalars(folder: Path, config: Config, primary_metric: str, log: logging.Logger) -> RunScalars | None:
    """The RunScalars of a run, or None if VisualDL is not installed: history.json has the curves, too.

    folder: the run's own, <experiment>/<start>, by which it is named; primary_metric: what runs are compared by.
    """
    try:
        from visualdl import LogWriter as VisualDLWriter
    except ImportError as error:
        log.info(f"=> VisualDL cannot be imported ({error}): no scalars under {folder}")
        return None
    writer = VisualDLWriter(logdir=str(folder), display_name=f"{folder.parent.name} {folder.name}")
    writer.add_hparams(hyperparameters(config), [f"valid/{primary_metric}"])
    return RunScalars(writer, config.debug.grid_epochs, config.test.in_vis_thre)


def hyperparameters(config: Config) -> dict[str, str | int | float]:
    """{dotted key: value} of a run's settings; lists and switches as text, as VisualDL takes none."""
    plain = {}
    for key, value in flat_values(config).items():
        if key.partition(".")[0] in SETTINGS:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            plain[key] = value if is_number else str(value)
    return plain
