"""Data augmentation of a person's crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ROTATION_PROBABILITY = 0.6
FLIP_PROBABILITY = 0.5
UPPER_HALF_PROBABILITY = 0.7  # of taking the upper half of a body where both could be taken
HALF_BODY_PADDING = 1.5


@dataclass(frozen=True)
class Augmentation:
    """How far a crop may be changed; the published networks use 0.25, 30 (MPII) or 0.3, 40 (COCO), and flips.

    scale_factor: the box grows or shrinks by a normal draw of this deviation, cut at one deviation.
    rotation_factor: degrees; with probability 0.6 a normal draw of this deviation, cut at two deviations.
    flip: mirror with probability 0.5.
    half_body, half_body_joints: with this probability only one half of a person who shows more than this many joints
        is looked at, as in the training of HRNet (Sun et al., CVPR 2019, its published code). 0: never.
    """

    scale_factor: float = 0.25
    rotation_factor: float = 30.0
    flip: bool = True
    half_body: float = 0.0
    half_body_joints: int = 8

    def draw(self, generator: np.random.Generator) -> tuple[float, float, bool]:
        """(scale multiplier, rotation in degrees, mirror or not) from a numpy Generator.

        Every draw takes the same four numbers from the generator, so settings do not affect each other's random draws.
        """
        scale_draw, rotation_draw = generator.standard_normal(2)
        rotation_chance, flip_chance = generator.random(2)
        scale = min(max(scale_draw * self.scale_factor + 1, 1 - self.scale_factor), 1 + self.scale_factor)
        limit = 2 * self.rotation_factor
        rotation = min(max(rotation_draw * self.rotation_factor, -limit), limit)
        return float(scale), float(rotation * (rotation_chance <= ROTATION_PROBABILITY)), bool(
            self.flip and flip_chance <= FLIP_PROBABILITY
        )

    def draw_half_body(
        self, generator: np.random.Generator, joints: np.ndarray, visible: np.ndarray, upper_body: Sequence[int]
    ) -> tuple[float, float, float, float] | None:
        """The box x, y, width, height of one half of a body, or None for the whole.

        joints: (K, 2) pixels; visible: (K,); upper_body: indices of the upper half's joints. The lower half is taken
        where it shows more than 2 joints and the draw says so, or where the upper one shows no more than 2.
        """
        if not self._has_halves(visible) or generator.random() >= self.half_body:
            return None
        upper, lower = _halves(joints, visible, upper_body)
        if generator.random() < UPPER_HALF_PROBABILITY and len(upper) > 2:
            return _box_around(upper)
        return _box_around(lower if len(lower) > 2 else upper)

    def half_bodies(
        self, joints: np.ndarray, visible: np.ndarray, upper_body: Sequence[int]
    ) -> list[tuple[float, float, float, float]]:
        """Every box that `draw_half_body` can give for a person: none, one or two. Arguments as there."""
        if not self._has_halves(visible):
            return []
        upper, lower = _halves(joints, visible, upper_body)
        halves = [half for half in (upper, lower) if len(half) > 2] or [upper]
        return [box for half in halves if (box := _box_around(half)) is not None]

    def _has_halves(self, visible: np.ndarray) -> bool:
        return self.half_body > 0 and int((np.asarray(visible) > 0).sum()) > self.half_body_joints


def _halves(joints: np.ndarray, visible: np.ndarray, upper_body: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The visible joints of the upper half and those of the lower half, each (M, 2)."""
    seen = np.asarray(visible) > 0
    is_upper = np.isin(np.arange(len(seen)), upper_body)
    return joints[seen & is_upper], joints[seen & ~is_upper]


def _box_around(half: np.ndarray) -> tuple[float, float, float, float] | None:
    """The box around the mean of joints (M, 2), as large as they are far apart; None for fewer than 2 places."""
    if len(half) < 2 or not np.ptp(half, axis=0).any():
        return None
    middle, size = half.mean(axis=0), np.ptp(half, axis=0)
    return (*(middle - size / 2), *size)


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random generator of one person in one epoch.

    It depends on nothing else: the same whatever the number of workers and whichever of them loads the sample, never
    the same for two samples or two epochs, and an interrupted run draws what the uninterrupted one would have drawn.
    """
    return np.random.default_rng([seed, epoch, index])
