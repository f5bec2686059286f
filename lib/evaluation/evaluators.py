"""Evaluators: predictions and ground truth in, {name: value} out. They load no pictures and log nothing.

Each has evaluate(predictions, scores), evaluate_file(path) for saved predictions, save(predictions, scores, folder),
skip_reason (why nothing can be scored, or an empty text), and primary_metric: the name of the figure by which one
network is better than another. COCO's is in coco_evaluator.py.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..core.evaluate import head_sizes, pckh_curve
from ..core.skeletons import MPII_MAT_JOINTS
from ..utils.errors import UserError
from ..utils.files import describe_error
from ..utils.run_folder import keep_earlier
from .report import read_mat, read_predictions, write_predictions

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from ..dataset.joints_dataset import Persons

THRESHOLDS = np.arange(0, 0.5 + 0.01, 0.01)  # as the original steps through them
PUBLISHED_TENTH = 11  # what the published tables call Mean@0.1 is read at this index: threshold 0.11
AREA_STEPS = 51  # thresholds from 0 to the full one, whose mean is the area under the curve


class Evaluator(Protocol):
    """What scores predictions (N, K, 2), 0-based picture pixels, with scores (N, K). See the top of this module."""

    primary_metric: str
    skip_reason: str
    notes: list[str]  # what the figures stand on: areas that were missing, categories and results left out

    def evaluate(self, predictions: np.ndarray, scores: np.ndarray) -> dict[str, float]: ...

    def evaluate_file(self, path: str | os.PathLike[str]) -> dict[str, float]: ...

    def save(self, predictions: np.ndarray, scores: np.ndarray, folder: Path) -> Path: ...

    def first(self, count: int) -> np.ndarray:
        """Scores the first persons alone from now on; returns (N,) bool, which of the N persons those are."""
        ...

    def __len__(self) -> int: ...


class MatPredictions:
    """Predictions in the form of MPII's pred.mat, of a set without ground truth (MPII's test set)."""

    primary_metric = "Mean"
    skip_reason = "this set has no ground truth here"
    notes: list[str] = []

    def __len__(self) -> int:
        """Nobody is scored."""
        return 0

    def first(self, count: int) -> np.ndarray:
        """See Evaluator: the first `count`."""
        return np.arange(len(self)) < count

    def evaluate(self, predictions: np.ndarray, scores: np.ndarray | None = None) -> dict[str, float]:
        """No figures. predictions (N, K, 2), scores (N, K)."""
        return {}

    def evaluate_file(self, path: str | os.PathLike[str]) -> dict[str, float]:
        """As `evaluate`, of a pred.mat. Raises UserError where it is none."""
        return self.evaluate(read_predictions(path))

    def save(self, predictions: np.ndarray, scores: np.ndarray, folder: Path) -> Path:
        """Writes predictions (N, K, 2), 0-based picture pixels, to `folder`/pred.mat and returns its path.

        The joints' scores (N, K) go beside them.
        """
        path = Path(folder) / "pred.mat"
        keep_earlier(path)
        write_predictions(predictions, path, scores)
        return path


class PCKhEvaluator(MatPredictions):
    """MPII's PCKh from its gt_valid.mat.

    Raises UserError where the file is missing, is none of MPII's, or has its joints in another order.
    """

    skip_reason = ""

    def __init__(self, path: str | os.PathLike[str], skeleton: Skeleton) -> None:
        self.path, self.skeleton = Path(path), skeleton
        try:
            ground_truth = read_mat(self.path)
            names = [str(np.ravel(name)[0]) for name in np.ravel(ground_truth["dataset_joints"])]
            positions = ground_truth["pos_gt_src"].astype(np.float64)  # 1-based
            self.ground_truth = np.transpose(positions, (2, 0, 1))  # (N, K, 2)
            self.missing = ground_truth["jnt_missing"].T.astype(np.float64)  # (N, K)
            self.sizes = head_sizes(ground_truth["headboxes_src"].astype(np.float64))
            if self.sizes.ndim != 1 or self.missing.ndim != 2:
                raise ValueError("arrays of other dimensions")
        except OSError as error:
            raise UserError(f"cannot read the ground truth {self.path}: {error.strerror or error}") from error
        except (KeyError, TypeError, ValueError, IndexError) as error:
            reason = describe_error(error)
            raise UserError(f"{self.path} is not MPII's ground truth in .mat form: {reason}") from error
        counts = len(self.ground_truth), len(self.missing), len(self.sizes)
        if len(set(counts)) > 1 or self.ground_truth.shape[1:] != (*self.missing.shape[1:], 2):
            raise UserError(f"{self.path}: its positions, missing joints and head boxes are of {counts} persons")
        if tuple(names) != MPII_MAT_JOINTS:
            found = ", ".join(names)[:400]
            expected = ", ".join(MPII_MAT_JOINTS)
            raise UserError(f"{self.path}: its joints are {found}; expected {expected}")

    def __len__(self) -> int:
        return len(self.ground_truth)

    def first(self, count: int) -> np.ndarray:
        """See Evaluator: the first `count`."""
        kept = super().first(count)
        self.ground_truth, self.missing = self.ground_truth[kept], self.missing[kept]
        self.sizes = self.sizes[kept]
        return kept

    def evaluate(self, predictions: np.ndarray, scores: np.ndarray | None = None) -> dict[str, float]:
        """PCKh in percent of predictions (N, K, 2), 0-based picture pixels; scores do not count.

        Returns Head ... Ankle, Mean (over all annotated joints but pelvis and thorax, as MPII weighs them), Mean@0.1
        as the published tables read it (threshold 0.11), and true_mean_at_0.1. NaN where nobody shows a joint.
        Raises UserError where predictions and ground truth differ in number.
        """
        if np.shape(predictions) != self.ground_truth.shape:
            raise UserError(
                f"predictions of shape {np.shape(predictions)}, but the ground truth {self.path} has "
                f"{self.ground_truth.shape}"
            )
        predictions = np.asarray(predictions) + 1.0
        curve, counts = pckh_curve(predictions, self.ground_truth, self.missing, self.sizes, THRESHOLDS)
        at_half, _ = pckh_curve(predictions, self.ground_truth, self.missing, self.sizes, [0.5])
        counts = counts.astype(np.float64)
        counts[self.skeleton.indices_of(self.skeleton.pckh_left_out)] = 0

        result = {}
        for title, names in self.skeleton.pckh_groups:
            result[title] = mean_of_finite(at_half[0, self.skeleton.indices_of(names)])
        result["Mean"] = _weighted(at_half[0], counts)
        result["Mean@0.1"] = _weighted(curve[PUBLISHED_TENTH], counts)
        result["true_mean_at_0.1"] = _weighted(curve[PUBLISHED_TENTH - 1], counts)
        return result


class PCKEvaluator(MatPredictions):
    """PCK by the skeleton's own reference length, its area under the curve, and the end point error.

    For any skeleton, from the annotated persons themselves. A person whose reference length is not annotated, or is
    below a pixel, does not count in PCK.
    """

    def __init__(self, persons: Persons, skeleton: Skeleton) -> None:
        self.persons, self.skeleton = persons, skeleton
        self.primary_metric = f"PCK@{skeleton.pck_threshold:g}"
        if skeleton.pck_reference == "box":
            assert persons.boxes is not None  # its own reference is the box
            self.lengths = persons.boxes[:, 2:].max(axis=1)
        else:
            first, second = skeleton.indices_of(skeleton.pck_reference)
            lengths = np.linalg.norm(persons.joints[:, first] - persons.joints[:, second], axis=1)
            self.lengths = np.where((persons.visible[:, [first, second]] > 0).all(axis=1), lengths, 0)
        self.skip_reason = ""
        if not (self.lengths[:, None] * persons.visible >= 1).any():
            self.skip_reason = f"no person of this set has joints and the PCK_REFERENCE {skeleton.pck_reference}"

    def __len__(self) -> int:
        return len(self.persons)

    def first(self, count: int) -> np.ndarray:
        """See Evaluator: the first `count`."""
        kept = super().first(count)
        self.persons, self.lengths = self.persons.choose(kept), self.lengths[kept]
        return kept

    def evaluate(self, predictions: np.ndarray, scores: np.ndarray | None = None) -> dict[str, float]:
        """Percentages per group of joints, PCK@threshold (all annotated joints), AUC, and EPE in picture pixels.

        AUC: the mean PCK at 51 thresholds from 0 to the full one (with head size and 0.5, MPII's). EPE: the mean
        distance of all annotated joints, persons without a reference length included.
        predictions (N, K, 2), 0-based picture pixels. Raises UserError where they are of another number.
        """
        curve, counts = self._curve(predictions, np.linspace(0, self.skeleton.pck_threshold, AREA_STEPS))
        result = {
            title: mean_of_finite(curve[-1, self.skeleton.indices_of(names)]) for title, names in self.skeleton.groups
        }
        result[self.primary_metric] = _weighted(curve[-1], counts)
        result["AUC"] = float(np.mean([_weighted(row, counts) for row in curve]))
        distances = np.linalg.norm(np.asarray(predictions) - self.persons.joints, axis=2)
        result["EPE"] = mean_of_finite(distances[self.persons.visible != 0])
        return result

    def of_joints(self, predictions: np.ndarray) -> dict[str, float]:
        """{joint: its PCK in percent}, of those that are annotated; predictions and errors as in `evaluate`."""
        (shares, *_), counts = self._curve(predictions, np.array([self.skeleton.pck_threshold]))
        found = zip(self.skeleton.joints, shares, counts, strict=True)
        return {name: float(share) for name, share, count in found if count}

    def _curve(self, predictions: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(PCK (T, K) in percent at the thresholds, annotated joints (K,)) of persons with a reference length."""
        predictions, ground_truth = np.asarray(predictions, dtype=np.float64), self.persons.joints
        if predictions.shape != ground_truth.shape:
            raise UserError(f"predictions of shape {predictions.shape}, but the annotations have {ground_truth.shape}")
        counted = self.lengths >= 1
        missing = self.persons.visible == 0
        return pckh_curve(
            predictions[counted], ground_truth[counted], missing[counted], self.lengths[counted], thresholds
        )


def mean_of_finite(values: np.ndarray) -> float:
    """The mean of the finite values; NaN if there are none."""
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def _weighted(values: np.ndarray, counts: np.ndarray) -> float:
    total = counts.sum()
    return float(np.nansum(values * counts) / total) if total else float("nan")
