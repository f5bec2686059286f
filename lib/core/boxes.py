"""Bounding boxes of people: around joints, overlap, non-maximum suppression.

Boxes are x, y, width, height in picture pixels, as in lib.inference.person_boxes.
"""

import itertools

import cv2
import numpy as np

BOX_GROWTH = 0.15


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
    boxes, others = (np.asarray(value, dtype=np.float64).reshape(-1, 4) for value in (boxes, others))
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)[None] - shared
    return np.where(shared > 0, shared / np.where(union > 0, union, 1), 0.0)


def box_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Indices of the boxes (N, 4) that stay, the highest score first: none overlaps one before it by more than that."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    overlaps, keep = box_overlaps(boxes, boxes), []
    while len(order):
        keep.append(int(order[0]))
        order = order[1:][overlaps[order[0], order[1:]] <= threshold]
    return keep


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
    for region, place in itertools.product(regions, np.ndindex(inside.shape)):
        point = joints[place]
        if not inside[place] and np.isfinite(point).all():
            inside[place] = cv2.pointPolygonTest(region, tuple(point.tolist()), False) > 0
    return inside
