"""Object keypoint similarity (OKS), and non-maximum suppression by it."""

from __future__ import annotations

from typing import Any

import numpy as np

SOFT_NMS_KEEPS = 20  # poses of a picture, as COCO's evaluation looks at no more


def oks_iou(
    keypoints: np.ndarray, others: list[list[list[float | int]]] | list[list[list[int]]] | np.ndarray, area: float,
    other_areas: np.ndarray, sigmas: np.ndarray, visibility_threshold: float | None = None,
) -> np.ndarray:
    """OKS (M,) of one pose with M others (COCO's keypoint evaluation, with the mean of both areas).

    keypoints: (K, 3) x, y, score; others: (M, K, 3); area, other_areas (M,): square pixels; sigmas: (K,).
    visibility_threshold: only joints whose score *in the other pose* is above it count. The original wrote `a and b`
    for two lists, which is b; the published figures follow it.
    """
    others, sigmas = np.asarray(others, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    squared = ((others[..., :2] - np.asarray(keypoints, dtype=np.float64)[:, :2]) ** 2).sum(axis=-1)  # (M, K)
    mean_area = (area + np.asarray(other_areas, dtype=np.float64)) / 2 + np.spacing(1)
    similarity = np.exp(-squared / (2 * sigmas) ** 2 / mean_area[:, None] / 2)
    counted = np.ones(similarity.shape, dtype=bool)
    if visibility_threshold is not None:
        counted = others[..., 2] > visibility_threshold
    count = counted.sum(axis=1)
    return np.where(count > 0, (similarity * counted).sum(axis=1) / np.maximum(count, 1), 0.0)


def oks_nms(
    keypoints: np.ndarray, scores: np.ndarray, areas: np.ndarray, threshold: float, sigmas: np.ndarray,
    visibility_threshold: float | None = None,
) -> list[int]:
    """Indices of the poses that stay, the highest score first: none has an OKS above `threshold` with one before it.

    keypoints: (M, K, 3) of one picture; scores, areas: (M,).
    """
    keypoints, areas = np.asarray(keypoints, dtype=np.float64), np.asarray(areas, dtype=np.float64)
    order = _by_score(np.asarray(scores))
    keep = []
    while len(order):
        first, order = order[0], order[1:]
        keep.append(int(first))
        overlap = oks_iou(
            keypoints[first], keypoints[order], areas[first], areas[order], sigmas, visibility_threshold
        )
        order = order[overlap <= threshold]
    return keep


def soft_oks_nms(
    keypoints: np.ndarray, scores: np.ndarray, areas: np.ndarray, threshold: float, sigmas: np.ndarray,
    visibility_threshold: float | None = None,
) -> tuple[list[Any], np.ndarray] | tuple[list[int], np.ndarray]:
    """Soft NMS (Bodla et al., ICCV 2017) by OKS: a pose's score falls by exp(-OKS^2 / threshold) for each better one.

    Arguments as in `oks_nms`. Returns the indices of the 20 best, the highest first, and their lowered scores.
    """
    keypoints, areas = np.asarray(keypoints, dtype=np.float64), np.asarray(areas, dtype=np.float64)
    scores = np.array(scores, dtype=np.float64)
    order = _by_score(scores)
    keep: list[int] = []
    while len(order) and len(keep) < SOFT_NMS_KEEPS:
        first, order = order[0], order[1:]
        keep.append(int(first))
        overlap = oks_iou(
            keypoints[first], keypoints[order], areas[first], areas[order], sigmas, visibility_threshold
        )
        scores[order] *= np.exp(-(overlap**2) / threshold)
        order = order[_by_score(scores[order])]
    return keep, scores[keep]


def _by_score(scores: np.ndarray) -> np.ndarray:
    """Indices from the highest score down; of equal ones the last comes first, as in the original."""
    return np.argsort(scores, kind="stable")[::-1]
