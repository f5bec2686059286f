"""Random changes to a person's crop while training. No Paddle here."""

from dataclasses import dataclass

import numpy as np

ROTATION_PROBABILITY = 0.6
FLIP_PROBABILITY = 0.5


@dataclass(frozen=True)
class Augmentation:
    """How far a crop may be changed; the published networks use 0.25, 30 (MPII) or 0.3, 40 (COCO), and flips.

    scale_factor: the box grows or shrinks by a normal draw of this deviation, cut at one deviation.
    rotation_factor: degrees; with probability 0.6 a normal draw of this deviation, cut at two deviations.
    flip: mirror with probability 0.5.
    """

    scale_factor: float = 0.25
    rotation_factor: float = 30.0
    flip: bool = True

    def draw(self, generator):
        """(scale multiplier, rotation in degrees, mirror or not) from a numpy Generator.

        Every draw takes the same four numbers from the generator, so one setting does not shift another's luck.
        """
        scale_draw, rotation_draw = generator.standard_normal(2)
        rotation_chance, flip_chance = generator.random(2)
        scale = np.clip(scale_draw * self.scale_factor + 1, 1 - self.scale_factor, 1 + self.scale_factor)
        limit = 2 * self.rotation_factor
        rotation = np.clip(rotation_draw * self.rotation_factor, -limit, limit)
        return float(scale), float(rotation * (rotation_chance <= ROTATION_PROBABILITY)), bool(
            self.flip and flip_chance <= FLIP_PROBABILITY
        )


def sample_generator(seed, epoch, index):
    """The random generator of one person in one epoch.

    It depends on nothing else: the same whatever the number of workers and whichever of them loads the sample, never
    the same for two samples or two epochs, and an interrupted run draws what the uninterrupted one would have drawn.
    """
    return np.random.default_rng([seed, epoch, index])
