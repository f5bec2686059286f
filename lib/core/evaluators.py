"""Evaluators: predictions and ground truth in, {name: value} out. They load no pictures and log nothing."""

from pathlib import Path

import numpy as np
import scipy.io

from lib.core.evaluate import head_sizes, pckh_curve
from lib.utils.errors import UserError

# MPII's names in gt_valid.mat, in the order of its 16 joints
MPII_MAT_JOINTS = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head", "rwri", "relb", "rsho", "lsho",
    "lelb", "lwri",
)  # fmt: skip
THRESHOLDS = np.arange(0, 0.5 + 0.01, 0.01)  # as the original steps through them
PUBLISHED_TENTH = 11  # what the published tables call Mean@0.1 is read at this index: threshold 0.11


class PCKhEvaluator:
    """MPII's PCKh from its gt_valid.mat.

    Raises UserError where the file is missing, is none of MPII's, or has its joints in another order.
    """

    def __init__(self, path, skeleton):
        self.path, self.skeleton = Path(path), skeleton
        try:
            ground_truth = scipy.io.loadmat(self.path)
            names = [str(np.ravel(name)[0]) for name in np.ravel(ground_truth["dataset_joints"])]
            self.truth = np.transpose(ground_truth["pos_gt_src"].astype(np.float64), (2, 0, 1))  # (N, K, 2), 1-based
            self.missing = ground_truth["jnt_missing"].T  # (N, K)
            self.sizes = head_sizes(ground_truth["headboxes_src"].astype(np.float64))
        except OSError as error:
            raise UserError(f"cannot read the ground truth {self.path}: {error.strerror or error}") from error
        except Exception as error:  # scipy lets through whatever a damaged file makes it meet
            raise UserError(f"{self.path} is not MPII's ground truth in .mat form ({type(error).__name__})") from error
        counts = len(self.truth), len(self.missing), len(self.sizes)
        if len(set(counts)) > 1 or self.truth.shape[1:] != (*self.missing.shape[1:], 2):
            raise UserError(f"{self.path}: its positions, missing joints and head boxes are of {counts} persons")
        if tuple(names) != MPII_MAT_JOINTS:
            found, expected = ", ".join(names), ", ".join(MPII_MAT_JOINTS)
            raise UserError(f"{self.path}: its joints are {found}; expected {expected}")

    def __len__(self):
        return len(self.truth)

    def evaluate(self, predictions):
        """PCKh in percent of predictions (N, K, 2), 0-based picture pixels.

        Returns Head ... Ankle, Mean (over all annotated joints but pelvis and thorax, as MPII weighs them), Mean@0.1
        as the published tables read it (threshold 0.11), and true_mean_at_0.1. NaN where nobody shows a joint.
        Raises UserError where predictions and ground truth differ in number.
        """
        if np.shape(predictions) != self.truth.shape:
            raise UserError(
                f"predictions of shape {np.shape(predictions)}, but the ground truth {self.path} has {self.truth.shape}"
            )
        curve, counts = pckh_curve(np.asarray(predictions) + 1.0, self.truth, self.missing, self.sizes, THRESHOLDS)
        at_half, _ = pckh_curve(np.asarray(predictions) + 1.0, self.truth, self.missing, self.sizes, [0.5])
        counts = counts.astype(np.float64)
        counts[self.skeleton.indices(self.skeleton.pckh_left_out)] = 0

        result = {}
        for title, names in self.skeleton.pckh_groups:
            values = at_half[0, self.skeleton.indices(names)]
            result[title] = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
        result["Mean"] = _weighted(at_half[0], counts)
        result["Mean@0.1"] = _weighted(curve[PUBLISHED_TENTH], counts)
        result["true_mean_at_0.1"] = _weighted(curve[PUBLISHED_TENTH - 1], counts)
        return result


def _weighted(values, counts):
    total = counts.sum()
    return float(np.nansum(values * counts) / total) if total else float("nan")
