"""From the configuration to evaluators and the settings of predictions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from ..core.predictor import PoseSettings
from ..dataset.annotations.forms import COCOForm
from ..dataset.annotations.mpii import LAYOUT
from ..dataset.build import annotation_form, read_persons
from ..utils.errors import UserError
from .coco_evaluator import COCOEvaluator, Suppression
from .evaluators import MatPredictions, PCKEvaluator, PCKhEvaluator
from .validation import ValidationSettings

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..dataset.joints_dataset import Persons
    from .evaluators import Evaluator


def pose_settings(config: Config) -> PoseSettings:
    """The PoseSettings of a configuration."""
    test, model = config.test, config.model
    return PoseSettings(
        image_size=model.image_size,
        flip_pairs=config.skeleton.flip_pairs if test.flip_test else None,
        shift_heatmap=test.shift,
        decode=test.decoder,
        sigma=model.extra.sigma,
        unbiased=test.udp,
        color_rgb=config.dataset.color_rgb,
        batch_size=test.batch_size,
    )


SAME_PERSON = 2.0  # pixels: sources round, or count from 0


def metric_of(config: Config) -> str:
    """TEST.METRIC with auto decided: what the annotations and the skeleton can support."""
    return annotation_form(config).default_metric() if config.test.metric == "auto" else config.test.metric


def build_evaluator(config: Config, persons: Persons | None = None) -> Evaluator:
    """The evaluator of DATASET.TEST_SET by TEST.METRIC.

    persons: those whose joints are predicted, checked against the ground truth before a network has run for hours;
        None where only saved predictions are scored.
    Raises UserError where the ground truth is missing, of another kind or of other persons.
    """
    metric = metric_of(config)
    test = config.test
    image_set = config.dataset.test_set
    form = annotation_form(config)
    if isinstance(form, COCOForm):
        ground_truth = form.ground_truth(image_set)
        if metric == "ap" or not ground_truth.annotations:
            suppression = Suppression(test.in_vis_thre, test.oks_thre, test.soft_nms)
            return COCOEvaluator(ground_truth, persons, config.skeleton, suppression, image_set, test.part)
    elif not form.has_ground_truth(image_set):
        return MatPredictions()
    if metric == "pckh":
        return _build_pckh(config, persons)
    if not test.use_gt_bbox:
        raise UserError("TEST.METRIC: pck compares each person with its own annotation; detected boxes have none")
    return PCKEvaluator(read_persons(config, training=False) if persons is None else persons, config.skeleton)


def _build_pckh(config: Config, persons: Persons | None) -> PCKhEvaluator:
    path = config.dataset_root / "annot" / f"gt_{config.dataset.test_set}.mat"
    if not path.is_file():
        raise UserError(f"there is no ground truth {path}. {LAYOUT}. TEST.METRIC pck does without this file")
    evaluator = PCKhEvaluator(path, config.skeleton)
    if persons is not None and len(persons) != len(evaluator):
        raise UserError(
            f"{path} has {len(evaluator)} persons, but {config.dataset.test_set}.json beside it has {len(persons)}: "
            "take both from the same source"
        )
    if persons is not None:
        _refuse_other_order(evaluator, persons, path)
    return evaluator


def _refuse_other_order(evaluator: PCKhEvaluator, persons: Persons, path: str | os.PathLike[str]) -> None:
    """Raises UserError where a row of the ground truth is of another person than the annotation's row.

    MPII's two files agree to 1e-4 pixels in each of the 2,958 persons.
    """
    both = (persons.visible > 0) & (evaluator.missing == 0)
    distance = np.linalg.norm(persons.joints + 1.0 - evaluator.ground_truth, axis=2)
    far = np.nanmedian(np.where(both, distance, np.nan)[both.any(axis=1)], axis=1) > SAME_PERSON
    if far.any():
        row = np.flatnonzero(both.any(axis=1))[far][0]
        raise UserError(
            f"{path}: {far.sum()} of its {len(evaluator)} rows are of other persons than the annotations beside it "
            f"(first row {row + 1}, {persons.pictures[row].rpartition('/')[2]}): take both from the same source"
        )


def validation_settings(config: Config) -> ValidationSettings:
    """The ValidationSettings of a configuration."""
    return ValidationSettings(
        pose=pose_settings(config),
        heatmap_size=config.model.extra.heatmap_size,
        use_target_weight=config.loss.use_target_weight,
        print_freq=config.print_freq,
        debug=config.debug,
    )
