"""Bounding boxes of people: around joints, overlap, non-maximum suppression.

Boxes are x, y, width, height in image pixels, as in `Poses`.
"""

import itertools

import cv2
import numpy as np

BOX_GROWTH = 0.15
NMS_ROWS = 32  # boxes that suppress others at a time


def box_of_joints(joints: np.ndarray, counted: np.ndarray, growth: float = BOX_GROWTH) -> np.ndarray:
    """Boxes (N, 4) around the joints (N, K, 2) that `counted` (N, K) names, longer by the share `growth`.

    The paper (section 3): the box of the joints grows by 15% in length, 7.5% on either side. A person of whom no joint
    counts gets a box of NaN.
    """
    joints, counted = np.asarray(joints, dtype=np.float64), np.asarray(counted, dtype=bool)
    counted = counted & np.isfinite(joints).all(axis=-1)
    low = np.where(counted[..., None], joints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(counted[..., None], joints, -np.inf).max(axis=1, initial=-np.inf)
    known = np.asarray(counted.any(axis=1))[:, None]
    low, high = (np.where(known, corner, np.nan) for corner in (low, high))
    sides = (high - low) * (1 + growth)
    return np.concatenate([(low + high - sides) / 2, sides], axis=1)


def box_overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N, M) of boxes (N, 4) with others (M, 4); 0 where one has no area."""
    left, top, right, bottom, area = _columns(boxes)[..., None]
    others = _columns(others)
    width = np.minimum(right, others[2]) - np.maximum(left, others[0])
    height = np.minimum(bottom, others[3]) - np.maximum(top, others[1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = area + others[4] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=(shared > 0) & (union > 0))


def _columns(boxes: np.ndarray) -> np.ndarray:
    """(5, N) left, top, right, bottom and area of boxes (N, 4): NumPy is slow with short last axes."""
    left, top, width, height = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    return np.stack([left, top, left + width, top + height, width * height])


def box_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, limit: int | None = None) -> list[int]:
    """Indices of the boxes (N, 4) that stay, the highest score first: none overlaps one before it by more than that.

    limit: how many may stay, None for all.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    keep: list[int] = []
    while len(order) and (limit is None or len(keep) < limit):
        best = order[:NMS_ROWS]  # all pairs at once would need N^2 memory, one row at a time N steps
        overlaps = box_overlaps(boxes[best], boxes[order]) > threshold
        stays = np.ones(len(order), dtype=bool)
        for row, index in enumerate(best):
            if stays[row]:
                keep.append(int(index))
                stays[row + 1 :] &= ~overlaps[row, row + 1 :]
        order = order[len(best) :][stays[len(best) :]]
    return keep[:limit]


def cut_at_border(boxes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) cut at the border of a picture of `size` (width, height), and which (N,) are still a pixel wide."""
    low = np.clip(boxes[:, :2], 0, size)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size)
    cut = np.concatenate([low, high - low], axis=1)
    return cut, np.asarray((cut[:, 2:] >= 1).all(axis=1))  # NaN is not


def in_regions(joints: np.ndarray, regions: list[np.ndarray]) -> np.ndarray:
    """Which joints (N, K, 2) lie within one of the polygons, (N, K) bool; a joint on the border does not."""
    joints = np.asarray(joints, dtype=np.float64)
    inside = np.zeros(joints.shape[:-1], dtype=bool)
    for region, index in itertools.product(regions, np.ndindex(inside.shape)):
        point = joints[index]
        if not inside[index] and np.isfinite(point).all():
            inside[index] = cv2.pointPolygonTest(region, tuple(point.tolist()), False) > 0
    return inside
