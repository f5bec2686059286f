"""Similarity of poses (OKS), and greedy matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.nms import oks_iou
from ..core.sides import base_name

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton

# COCO's falloffs by joint; necks and the top of the head, which COCO does not have, fall off as its ears do
SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089, "upper_neck": 0.035, "head_bottom": 0.035, "head_top": 0.035, "thorax": 0.079,
    "pelvis": 0.107,
}  # fmt: skip
OTHER_SIGMA = 0.08  # of a joint that no one has measured: about the mean of COCO's body


def tracking_sigmas(skeleton: Skeleton) -> np.ndarray:
    """(K,) OKS falloffs of a Skeleton: its own, or, where it has none, COCO's by the joints' names."""
    if skeleton.sigmas:
        return np.array(skeleton.sigmas, dtype=np.float64)
    return np.array([SIGMAS.get(base_name(name).lower(), OTHER_SIGMA) for name in skeleton.joints])


def pose_similarity(
    poses: np.ndarray, areas: np.ndarray, others: np.ndarray, other_areas: np.ndarray,
    sigmas: np.ndarray, least_joints: int = 1,
) -> np.ndarray:
    """OKS (N, M) of poses (N, K, 3) with others (M, K, 3), over the joints that both show.

    Poses are x, y, and whether the joint shows (above 0); NaN joints do not. areas (N,), other_areas (M,): square
    pixels; least_joints: pairs with fewer joints in common get 0, as a single joint would make strangers alike.
    """
    result = np.zeros((len(poses), len(others)))
    if not len(others):
        return result
    known = np.isfinite(others).all(axis=-1) & (others[..., 2] > 0)
    others = np.where(np.isfinite(others), others, 0.0)
    for row, (pose, area) in enumerate(zip(poses, areas, strict=True)):
        shown = np.isfinite(pose).all(axis=-1) & (pose[:, 2] > 0)
        common = known & shown
        others[..., 2] = common
        pose = np.where(np.isfinite(pose), pose, 0.0)
        alike = oks_iou(pose, others, area, other_areas, sigmas, visibility_threshold=0.5)
        result[row] = np.where(common.sum(axis=1) >= least_joints, alike, 0.0)
    return result


def match_greedily(similarity: np.ndarray, owners: np.ndarray, least: float) -> list[int | None]:
    """Pairs of N poses with identities by their similarity (N, M) to M earlier poses, the most alike pair first.

    owners: (M,) the identity of each earlier pose; of equal pairs the one of the earlier column comes first.
    least: pairs less alike stay apart. Returns a list of N identities, None if unmatched.
    """
    found: list[int | None] = [None] * len(similarity)
    taken = set()
    rows, columns = np.nonzero(similarity >= max(least, np.finfo(float).tiny))
    order = np.lexsort((rows, columns, -similarity[rows, columns]))
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        owner = int(owners[column])
        if found[row] is None and owner not in taken:
            found[row] = owner
            taken.add(owner)
    return found
