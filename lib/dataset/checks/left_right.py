"""Detects exchanged left and right joints of single persons, without the images; `set_sides` judges whole sets.

N persons, K joints, P mirror pairs of the skeleton.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.sides import left_and_right
from ...core.transforms import mirrored_order

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
        names = left_and_right(*(skeleton.joints[index] for index in pair))
        if names:
            left, right = skeleton.indices_of(names)
            both = seen[:, left] & seen[:, right]
            offset += both * (joints[:, left, 0] - joints[:, right, 0])
            known |= both
    return (float((offset[known] > 0).mean()) if known.any() else None), int(known.sum())
