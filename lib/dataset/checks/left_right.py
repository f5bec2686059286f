"""Detects exchanged left and right joints in annotations, without the images.

N persons, K joints, P mirror pairs of the skeleton.
"""
from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.transforms import mirrored_order
from ...utils.errors import UserError

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

# A pair looks exchanged where its limbs would be shorter by 15%, and by a fifth of the person's extent, the other way
# round. So look 0.6% of MPII's 2,958 validation persons, whose annotations are clean, and 1.2% of the crowd-sourced
# LSP-extended (with COCO's limbs 1.0 and 1.1%). Where a pair of theirs that lies apart (by 0.15 of the extent) is
# exchanged, this finds 82 to 92% of wrists, elbows and shoulders, 56 to 70% of knees, 37 to 59% of ankles and 28 to 44%
# of hips: long limbs side by side are almost as long when crossed, and a lower bar takes more crossed legs for
# exchanged ones.
LENGTH_RATIO = 0.85
MIN_GAIN = 0.2
# People face the camera in most pictures: left joints lie right of the right ones in 72% of MPII's validation persons
# and 67% of LSP-extended's; with the names exchanged it would be 28 and 33%.
MIN_FACING, MIN_PERSONS = 0.4, 50
# When a set is refused for its sides: by so many persons at least, so many deviations of chance from the bound
MIN_TO_REFUSE, DEVIATIONS = 200, 3.0
MAX_PERSONS = 5000  # that are looked at, evenly through the set
# Two pairs of a body point the same way: of MPII's validation persons in 78 to 96%, of LSP-extended's in 74 to 95%, by
# pairs (wrists and ankles least, shoulders and elbows most); with one of the two exchanged it is the rest
MIN_AGREEMENT = 0.5


def swap_gains(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(N, P): how much shorter a pair's limbs were with its two joints exchanged, as a share of the person's extent.

    joints (N, K, 2), visible (N, K); the extent is the longer side of the joints' box. 0 where it is not much shorter
    (LENGTH_RATIO, MIN_GAIN), or a limb's end is not annotated. Only limbs to another pair count: those to a joint in
    the middle are the same either way.
    """
    seen = visible > 0
    low = np.where(seen[..., None], joints, np.inf).min(axis=1)
    high = np.where(seen[..., None], joints, -np.inf).max(axis=1)
    extent = np.maximum((high - low).max(axis=1), 1e-9)
    pairs, twin = skeleton.flip_pairs, mirrored_order(len(skeleton.joints), skeleton.flip_pairs)
    gains = np.zeros((len(joints), len(pairs)))
    for column, (one, other) in enumerate(pairs):
        annotated, exchanged = np.zeros(len(joints)), np.zeros(len(joints))
        for end in _ends(one, skeleton.limb_indices, twin):
            known = seen[:, [one, other, end, twin[end]]].all(axis=1)
            annotated += known * (_length(joints, one, end) + _length(joints, other, twin[end]))
            exchanged += known * (_length(joints, other, end) + _length(joints, one, twin[end]))
        gain = (annotated - exchanged) / extent
        gains[:, column] = np.where((exchanged < LENGTH_RATIO * annotated) & (gain > MIN_GAIN), gain, 0)
    return gains


def _ends(
    joint: int, limbs: tuple | tuple[tuple[int, int], ...] | tuple[tuple[int, int], tuple[int, int]], twin: np.ndarray
) -> list[int]:
    """Where the limbs of `joint` end, or of its twin in the mirror, except in the middle and at the twin itself."""
    both = [*limbs, *((twin[first], twin[second]) for first, second in limbs)]
    ends = {int(end) for limb in both for start, end in (limb, limb[::-1]) if start == joint}
    return sorted(end for end in ends if twin[end] != end and end != twin[joint])


def _length(joints: np.ndarray, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(joints[:, first] - joints[:, second], axis=1)


def facing_share(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton) -> tuple[float | None, int]:
    """(share, count): of the persons with both joints of a pair, in how many the left ones lie right of the right ones.

    A share of None where no pair of the skeleton says by its names which is which.
    """
    seen, offset, known = visible > 0, np.zeros(len(joints)), np.zeros(len(joints), bool)
    for pair in skeleton.flip_pairs:
        for left, right in (pair, pair[::-1]):
            if _is_left_of_pair(skeleton.joints[left].lower(), skeleton.joints[right].lower()):
                both = seen[:, left] & seen[:, right]
                offset += both * (joints[:, left, 0] - joints[:, right, 0])
                known |= both
    return (float((offset[known] > 0).mean()) if known.any() else None), int(known.sum())


def refuse_mirrored(joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton, what: str) -> None:
    """Raises UserError where the persons of a set as a whole contradict the skeleton's left and right.

    joints (N, K, 2), visible (N, K); what: the set, for the message. Either most bodies have two pairs that point to
    opposite sides, or far fewer persons face the camera than turn their back on it. Single persons prove nothing.
    """
    rows = np.unique(np.linspace(0, len(joints) - 1, min(len(joints), MAX_PERSONS)).astype(int))
    joints, visible = joints[rows], visible[rows]
    agreement, _, *names = min(_pair_agreements(joints, visible, skeleton), default=(1.0, 0))
    if agreement < MIN_AGREEMENT:
        raise UserError(
            f"{what}: in {100 - 100 * agreement:.0f}% of its persons {names[0]} and {names[1]} lie the other way round "
            f"than {names[2]} and {names[3]}: are the joints in the skeleton's order? check_dataset.py draws them"
        )
    share, count = facing_share(joints, visible, skeleton)
    if share is not None and count >= MIN_TO_REFUSE and share + _chance(count) < MIN_FACING:
        raise UserError(
            f"{what}: only {100 * share:.0f}% of its persons have their left joints right of the right ones (in "
            "photographs about 70%): left and right are exchanged, or the pictures mirrored; check_dataset.py draws "
            "them. Where people really turn their backs: DATASET.CHECK_SIDES false"
        )


def _pair_agreements(
    joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton
) -> Iterator[tuple[Any, ...]]:
    """(share, count, names of both pairs) of any two pairs: in how many persons they point the same way.

    With as many more as chance may have taken away.
    """
    sided = [(left, right) for pair in skeleton.flip_pairs for left, right in (pair, pair[::-1])
             if _is_left_of_pair(skeleton.joints[left].lower(), skeleton.joints[right].lower())]  # fmt: skip
    for (left, right), (other_left, other_right) in combinations(sided, 2):
        known = (visible[:, [left, right, other_left, other_right]] > 0).all(axis=1)
        if known.sum() >= MIN_PERSONS:
            across = joints[known, :, 0]
            same = (across[:, left] > across[:, right]) == (across[:, other_left] > across[:, other_right])
            share = float(same.mean() + _chance(known.sum()))
            yield share, int(known.sum()), *(skeleton.joints[at] for at in (left, right, other_left, other_right))


def _chance(count: int) -> float:
    """By how much chance may change a share of `count` persons."""
    return DEVIATIONS * 0.5 / count**0.5


def _is_left_of_pair(name: str, twin: str) -> bool:
    """left_knee of right_knee, knee_left of knee_right, l_knee of r_knee."""
    return ("left" in name and "right" in twin) or (name[0] == "l" and twin[0] == "r")
