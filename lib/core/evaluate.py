"""Metrics: heatmap accuracy (for the log) and PCKh (for the tables)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .heatmap import get_max_preds


def accuracy(output: np.ndarray, target: np.ndarray, threshold: float = 0.5) -> tuple[np.ndarray, float, int]:
    """PCK on heatmaps, as the original logs it: `peak_accuracy` of what is highest in output and target (N, K, H, W).

    Returns (per_joint, mean, count) as there.
    """
    return peak_accuracy(get_max_preds(output)[0], get_max_preds(target)[0], output.shape[:1:-1], threshold)


def peak_accuracy(
    predicted: np.ndarray, expected: np.ndarray, heatmap_size: tuple[int, int], threshold: float = 0.5
) -> tuple[np.ndarray, float, int]:
    """The share of joints within `threshold` of a tenth of the heatmap, from `peak_hits`, whose arguments it has.

    Returns (per_joint, mean, count): per_joint (K,) float64 with -1 for a joint that no person shows, the mean over
    the joints shown (0 when none is), and how many joints are shown.
    """
    return accuracy_of_hits(*peak_hits(predicted, expected, heatmap_size, threshold))


def peak_hits(
    predicted: np.ndarray, expected: np.ndarray, heatmap_size: tuple[int, int], threshold: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """How many persons' joints are hit, and shown, each (K,) int.

    predicted, expected: (N, K, 2) heatmap pixels; heatmap_size: (width, height). The original's two quirks are kept so
    that logs compare: (x, y) are divided by (height, width) / 10 in that order, and a joint counts only where its
    target peak has x > 1 and y > 1.
    """
    counted = (expected[..., 0] > 1) & (expected[..., 1] > 1)  # (N, K)
    tenth = np.array(heatmap_size[::-1]) / 10
    x, y = np.moveaxis(predicted / tenth - expected / tenth, -1, 0)
    distance = np.sqrt(x * x + y * y)  # np.linalg.norm along an axis of two takes several times as long
    return ((distance < threshold) & counted).sum(axis=0), counted.sum(axis=0)


def accuracy_of_hits(hits: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, float, int]:
    """(per_joint, mean, count) of `peak_accuracy` from the counts (K,) of `peak_hits`."""
    per_joint = np.where(shown > 0, hits / np.maximum(shown, 1), -1.0)
    count = int((shown > 0).sum())
    return per_joint, float(per_joint[shown > 0].sum() / max(count, 1)), count


def heatmap_loss(output: np.ndarray, target: np.ndarray, target_weight: np.ndarray | None = None) -> float:
    """JointsMSELoss of numpy heatmaps (N, K, H, W), for validation; target_weight (N, K, 1) or None."""
    difference = output - target
    if target_weight is not None:
        difference = difference * target_weight[..., None]
    return 0.5 * float(np.mean(np.square(difference), dtype=np.float64))


def head_sizes(head_boxes: np.ndarray) -> np.ndarray:
    """MPII's head size per person from head boxes (2, 2, N) [[x1, y1], [x2, y2]]: 0.6 of the diagonal, in pixels."""
    return 0.6 * np.linalg.norm(head_boxes[1] - head_boxes[0], axis=0)


def relative_distances(
    predictions: np.ndarray, ground_truth: np.ndarray, missing: np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """(N, K) distances in head sizes; infinite for joints that are not annotated. Arguments as in `pckh_curve`."""
    visible = np.asarray(missing) == 0
    distance = np.linalg.norm(predictions - ground_truth, axis=2) / np.asarray(sizes)[:, None]
    # a prediction that is not a number is a miss
    return np.where(visible & np.isfinite(distance), distance, np.inf)


def pckh_curve(
    predictions: np.ndarray, ground_truth: np.ndarray, missing: np.ndarray, sizes: np.ndarray,
    thresholds: npt.ArrayLike,
) -> tuple[np.ndarray, np.ndarray]:
    """PCKh of each joint at each threshold.

    predictions, ground_truth: (N, K, 2) in the same pixels; missing: (N, K), 1 where the joint is not annotated;
    sizes: (N,) head sizes in pixels; thresholds: (T,) in head sizes.
    Returns percentages (T, K), NaN for a joint that nobody shows, and the joints' counts (K,).
    """
    counts = (np.asarray(missing) == 0).sum(axis=0)
    distance = relative_distances(predictions, ground_truth, missing, sizes)
    hits = np.stack([(distance <= threshold).sum(axis=0) for threshold in np.asarray(thresholds)])
    with np.errstate(invalid="ignore"):
        return 100.0 * hits / np.where(counts > 0, counts, np.nan), counts
