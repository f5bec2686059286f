"""Detects a set whose left and right joints are exchanged, all of them or those of some parts of the body.

N persons, K joints. One rule for training, validation and check_dataset.py, from joints alone. Each statistic counts
only persons who show it clearly (CLEAR), so that side views, where left and right are a matter of noise, say nothing:

- Shoulders, hips, eyes and ears are fixed to the trunk and the head. Two of these pairs that lie apart point to the
  same side (hips and shoulders in 98% of MPII's 2,958 validation persons and 95% of LSP-extended's 3,600): a body is
  not twisted by more than a right angle. Where most persons of a set contradict this, no posture explains it: refused.
- Whether left and right are those of somebody who is seen from the front, measured about the body's own axis, so that
  a handstand counts as what it shows: 72% of MPII's and 73% of LSP-extended's persons. Far below one half, all sides
  are exchanged, or the people are seen from behind. Whoever shows nose and eyes is not: where the skeleton has them,
  only they count for a refusal. Other skeletons cannot tell; there a large share of backs is refused.
- Wrists, elbows, knees and ankles swing: who walks past swings arms against legs, and horses their legs. Two such pairs
  that disagree in most persons are reported only if each one keeps its own side through the set, which no gait does,
  and never refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ...core.sides import base_name, left_and_right
from ...utils.errors import UserError

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

CLEAR = 0.1  # of the longer side of the joints' box: how far a pair must lie apart to count
MAX_PERSONS = 5000  # that are looked at, evenly through the set
MIN_PERSONS, MIN_TO_REFUSE = 50, 200  # from which a set is reported, and refused for the way it faces
DEVIATIONS = 3.0  # of chance, by which a share must be below its bound
MIN_AGREEMENT, MIN_FACING = 0.5, 0.4
LIMBS = frozenset(("wrist", "ankle"))  # of people, besides shoulders
FIXED = frozenset(("shoulder", "hip", "eye", "ear"))
WAY_OUT = "if the pictures are right: DATASET.CHECK_SIDES false"


@dataclass(frozen=True)
class SideProblem:
    """Something wrong with a set's sides: `count` of `total` persons, `what` they do, and whether no posture does."""

    name: str
    what: str
    count: int
    total: int
    refused: bool


@dataclass(frozen=True)
class _Pair:
    """A pair of joints over the persons: names, left minus right (N, 2), where it is clear (N,), and its base name."""

    left: str
    right: str
    across: np.ndarray
    clear: np.ndarray
    base: str


def judge_sides(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton) -> list[SideProblem]:
    """What is wrong with the sides of a set of persons: joints (N, K, 2), visible (N, K). Single ones prove nothing."""
    rows = np.unique(np.linspace(0, len(joints) - 1, min(len(joints), MAX_PERSONS)).astype(int))
    joints, seen = joints[rows].astype(float), visible[rows] > 0
    pairs = list(_sided_pairs(joints, seen, skeleton))
    disagreements = sorted(_disagreements(pairs), key=lambda problem: (not problem.refused, -problem.count))
    return [*disagreements[:1], *_facing(joints, seen, skeleton, pairs)]


def refuse_or_warn(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton, what: str) -> str:
    """Lines for the log about `judge_sides`; raises UserError where no posture explains it. what: the set."""
    problems = judge_sides(joints, visible, skeleton)
    for problem in problems:
        if problem.refused:
            share = 100 * problem.count / problem.total
            raise UserError(f"{what}: {share:.0f}% of {problem.total} {problem.what}; {WAY_OUT}")
    return "\n".join(
        f"=> WARNING: {what}: {problem.count} of {problem.total} {problem.what}; {WAY_OUT}" for problem in problems
    )


def _sided_pairs(joints: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> Iterator[_Pair]:
    low = np.where(seen[..., None], joints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(seen[..., None], joints, -np.inf).max(axis=1, initial=-np.inf)
    extent = (high - low).max(axis=1)
    for pair in skeleton.flip_pairs:
        names = left_and_right(*(skeleton.joints[index] for index in pair))
        if names:
            left, right = skeleton.indices_of(names)
            across = joints[:, left] - joints[:, right]
            known = seen[:, left] & seen[:, right]
            clear = known & (np.linalg.norm(across, axis=1) > CLEAR * extent)
            yield _Pair(*names, across, clear, base_name(names[0]).lower())


def _disagreements(pairs: list[_Pair]) -> Iterator[SideProblem]:
    """Two pairs that point to opposite sides in most of the persons in whom both are clear."""
    for one, other in combinations(pairs, 2):
        both = one.clear & other.clear
        total = int(both.sum())
        if total < MIN_PERSONS:
            continue
        same = (one.across[both] * other.across[both]).sum(axis=1) > 0
        fixed = {one.base, other.base} <= FIXED
        if same.mean() + _chance(total) < MIN_AGREEMENT and (fixed or _keep_opposite_sides(one, other, both)):
            what = (
                f"persons have {one.left} and {one.right} the other way round than {other.left} and {other.right}: "
                "are the joints in the skeleton's order? check_dataset.py draws them"
            )
            yield SideProblem("order", what, total - int(same.sum()), total, fixed)


def _keep_opposite_sides(one: _Pair, other: _Pair, both: np.ndarray) -> bool:
    """Whether one pair's left joint lies mostly to the right, and the other's mostly to the left."""
    shares = [(pair.across[both, 0] > 0).mean() - 0.5 for pair in (one, other)]
    return shares[0] * shares[1] < 0 and min(map(abs, shares)) > _chance(int(both.sum()))


def _facing(joints: np.ndarray, seen: np.ndarray, skeleton: Skeleton, pairs: list[_Pair]) -> Iterator[SideProblem]:
    """Most persons seem to turn their backs: of those who show their faces, or of all where there are too few."""
    of = {pair.base: pair for pair in pairs}
    if "shoulder" not in of or not LIMBS & set(of):  # no person's skeleton: from above, every mouse shows its back
        return
    middle = _middle(of["shoulder"], joints, seen, skeleton)
    groups = []
    if "eye" in of and "nose" in skeleton.joints:
        shows_nose = seen[:, skeleton.joints.index("nose"), None]
        up = np.where(shows_nose, _middle(of["eye"], joints, seen, skeleton) - middle, np.nan)
        groups.append((of["eye"], up, "persons who show nose and eyes", True))
    if "hip" in of:
        up = middle - _middle(of["hip"], joints, seen, skeleton)
        groups.append((of["shoulder"], up, "persons", not {"eye", "ear"} & set(of)))
    for pair, up, whose, tells in groups:
        share, total = _front_share(pair.across, up)
        if total >= MIN_PERSONS and share + _chance(total) < MIN_FACING:
            what = (
                f"{whose} have left and right as if seen from behind (in photographs about 28%): left and right are "
                "exchanged, the pictures are mirrored, or they turn their backs; check_dataset.py draws them"
            )
            yield SideProblem("facing", what, round((1 - share) * total), total, tells and total >= MIN_TO_REFUSE)
            return


def _middle(pair: _Pair, joints: np.ndarray, seen: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, 2) between a pair's joints, NaN where one of them is not annotated."""
    both = skeleton.indices_of((pair.left, pair.right))
    return np.where(seen[:, both].all(axis=1, keepdims=True), joints[:, both].mean(axis=1), np.nan)


def _front_share(across: np.ndarray, up: np.ndarray) -> tuple[float, int]:
    """(share, count) of those seen from the front, by the body's axis `up` or by the picture's: whichever is more.

    across, up: (N, 2), NaN where not known. In the picture, somebody who bows to the camera still has left on the
    right; about the body's axis, somebody who stands on the hands has. Those seen from the side do not count.
    """
    turn = across[:, 1] * up[:, 0] - across[:, 0] * up[:, 1]
    with np.errstate(invalid="ignore"):
        clear = np.abs(turn) > CLEAR * (up**2).sum(axis=1)
    if not clear.any():
        return 1.0, 0
    return float(max((turn[clear] > 0).mean(), (across[clear, 0] > 0).mean())), int(clear.sum())


def _chance(count: int) -> float:
    """By how much chance may change a share of `count` persons."""
    return DEVIATIONS * 0.5 / count**0.5
