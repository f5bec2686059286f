"""Why a keypoint is wrong: the kinds of Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose
Estimation", ICCV 2017.

A predicted joint is compared with all people of its picture: with its own person's joint, with that joint's mirrored
twin (left for right), and with both of everybody else. What it is nearest to says what it is. Nearness is a cost,
0 at the very place: for OKS -log of the keypoint similarity, for PCK and PCKh the distance in thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("good", "jitter", "inversion", "swap", "miss")
ERRORS = KINDS[1:]
GOOD, JITTER, INVERSION, SWAP, MISS = range(5)
UNCOUNTED = -1  # the joint is not annotated
SIMILARITIES = (0.85, 0.5)  # of the paper: above is good, below is at no joint at all


@dataclass(frozen=True)
class Nearness:
    """How costs follow from distances, and which are good and near.

    divisors: (M, K), of M people: cost = (distance / divisor) ** power.
    good: largest cost of a good joint; near: largest cost at which a joint is still at its own or another place.
    own_first: a joint that is good by its own place is good, whatever else is nearer: the metric calls it right.
    """

    divisors: np.ndarray
    good: float
    near: float
    power: float
    own_first: bool

    @classmethod
    def of_oks(cls, areas: np.ndarray, sigmas: Sequence[float]) -> Nearness:
        """-log of the keypoint similarity exp(-d^2 / (2 (2 sigma)^2 area)); areas (M,) square pixels, sigmas (K,)."""
        divisors = np.sqrt(2 * (areas[:, None] + np.spacing(1))) * 2 * np.asarray(sigmas)
        good, near = -np.log(SIMILARITIES)
        return cls(divisors, float(good), float(near), 2, False)

    @classmethod
    def of_pck(cls, lengths: np.ndarray, threshold: float, joint_count: int) -> Nearness:
        """Distances in thresholds: up to 1 is right, up to 2 is near. lengths (M,): the metric's reference, pixels."""
        divisors = np.repeat(np.maximum(lengths, 1e-9)[:, None] * threshold, joint_count, axis=1)
        return cls(divisors, 1.0, 2.0, 1, True)

    def similarity(self, costs: np.ndarray) -> np.ndarray:
        """exp(-cost): the keypoint similarity where the cost is OKS's."""
        return np.exp(-costs)


def mirror_order(flip_pairs: Sequence[Sequence[int]], joint_count: int) -> np.ndarray:
    """(K,) each joint's twin, or the joint itself."""
    order = np.arange(joint_count)
    for first, second in flip_pairs:
        order[first], order[second] = second, first
    return order


def classify(
    predicted: np.ndarray, joints: np.ndarray, shown: np.ndarray, picture_of: np.ndarray, mirror: np.ndarray,
    nearness: Nearness,
) -> tuple[np.ndarray, np.ndarray]:
    """(kinds (M, K) int8, costs (M, K)) of one prediction for each of M people; UNCOUNTED where nothing is annotated.

    predicted: (M, K, 2) picture pixels, NaN for people without a prediction, who are UNCOUNTED too; joints: (M, K, 2),
    shown: (M, K) bool, the ground truth; picture_of: (M,) number of the picture; mirror: see `mirror_order`.
    costs: to the place that the joint is at: its own, or for inversions and swaps the one it is nearest to.
    """
    kinds = np.full(shown.shape, UNCOUNTED, dtype=np.int8)
    costs = np.full(shown.shape, np.inf)
    order = np.argsort(picture_of, kind="stable")
    starts = np.flatnonzero(np.diff(picture_of[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        kinds[rows], costs[rows] = _of_picture(predicted[rows], joints[rows], shown[rows], mirror, nearness, rows)
    return kinds, costs


def _of_picture(
    predicted: np.ndarray, joints: np.ndarray, shown: np.ndarray, mirror: np.ndarray, nearness: Nearness,
    rows: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """`classify` for the n people of one picture."""
    count = len(rows)
    places = np.stack([joints, joints[:, mirror]], axis=1)  # (n, 2, K, 2)
    there = np.stack([shown, shown[:, mirror]], axis=1)
    distances = np.linalg.norm(predicted[:, None, None] - places, axis=4)  # (n predicted, n people, 2, K)
    costs = (distances / nearness.divisors[rows][:, None]) ** nearness.power
    costs = np.where(there & np.isfinite(costs), costs, np.inf)
    own = costs[np.arange(count), np.arange(count)]  # (n, 2, K)
    others = costs.copy()
    others[np.arange(count), np.arange(count)] = np.inf
    # as in the authors' code the own place wins where two are as near, such as the nose and its twin, the nose
    candidates = np.stack([own[:, 0], own[:, 1], others.min(axis=(1, 2))])  # (3, n, K)
    nearest = candidates.argmin(axis=0)
    lowest = candidates.min(axis=0)
    kinds = np.array([JITTER, INVERSION, SWAP], dtype=np.int8)[nearest]
    kinds[lowest > nearness.near] = MISS
    good = own[:, 0] < nearness.good if not nearness.own_first else own[:, 0] <= nearness.good
    kinds[good & (nearest == 0) | (good & nearness.own_first)] = GOOD
    kinds[~shown | ~np.isfinite(predicted).all(axis=2)] = UNCOUNTED
    return kinds, np.where(np.isin(kinds, (INVERSION, SWAP)), lowest, own[:, 0])


def corrected(
    predicted: np.ndarray, kind: int, kinds: np.ndarray, costs: np.ndarray, joints: np.ndarray, nearness: Nearness
) -> np.ndarray:
    """A copy of predicted (M, K, 2) in which the joints of one kind are put right.

    As in the paper: a jitter becomes barely good; an inversion or swap goes as near to its own place as it was to the
    wrong one; a miss becomes near for OKS (similarity .5), and right for PCK, which knows only right and wrong.
    """
    cost = costs
    if kind == JITTER or (kind == MISS and nearness.own_first):
        cost = np.full_like(costs, nearness.good * (1 - 1e-9))
    elif kind == MISS:
        cost = np.full_like(costs, nearness.near * (1 - 1e-9))
    moved = joints.astype(np.float64)
    moved[..., 0] += np.where(np.isfinite(cost), cost, 0) ** (1 / nearness.power) * nearness.divisors
    return np.where((kinds == kind)[..., None], moved, predicted)


def kind_counts(kinds: np.ndarray) -> np.ndarray:
    """(K, 5) how many of each joint are of each of KINDS, of kinds (M, K)."""
    return np.stack([(kinds == number).sum(axis=0) for number in range(len(KINDS))], axis=1)
