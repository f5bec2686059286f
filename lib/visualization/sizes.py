"""Every size of the drawings: lines and dots grow with the person, text with the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

PERSON_PER_LINE = 85  # a person's pixels for each pixel of line width
PERSON_PER_RADIUS = 62
PERSON_PER_BOX_LINE = 200
SMALL_PERSON = 130  # pixels: up to there the lines of a box are one pixel wide
LENGTH_PER_LINE = 6  # a limb's pixels
# dots are small where joints lie close together, as in a hand; a wrist at a hip is no such place, it takes 3 neighbours
NEIGHBOURS, SPACING_PER_RADIUS = 3, 6.5
PICTURE_PER_TEXT = 42  # a picture's longer side over the height of its text: 9 pixels on a screen of 390
SMALLEST_TEXT = 9  # pixels: the height of a capital letter
PERSON_PER_TEXT = 9
PERSON_PER_NAME = 40


@dataclass(frozen=True)
class PersonSizes:
    """In pixels. line: width of a long limb; rim: width of the dark edge around limbs and joints, 0 for none; radii:
    (M,) of the joints that are drawn; name: height of the joints' names."""

    line: int
    rim: int
    radii: np.ndarray
    name: float

    def limb(self, start: np.ndarray, end: np.ndarray) -> int:
        """Width of a limb between two points (2,): short ones, as of a finger, are thinner."""
        return max(1, min(self.line, round(math.dist(start, end) / LENGTH_PER_LINE)))


def sizes_of(person: float, points: np.ndarray) -> PersonSizes:
    """The PersonSizes of somebody whose longer side has `person` pixels; points (M, 2): the joints that are drawn."""
    width, radius = max(1, round(person / PERSON_PER_LINE)), max(1.0, person / PERSON_PER_RADIUS)
    radii = np.full(len(points), radius)
    if len(points) > NEIGHBOURS:
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        near = np.partition(apart, NEIGHBOURS, axis=1)[:, NEIGHBOURS]  # the nearest is the joint itself
        radii = np.clip(near / SPACING_PER_RADIUS, max(1.0, radius / 5), radius)
    rim = max(1, round(width / 5)) if width > 1 else 0  # around one pixel it would be most of what is seen
    return PersonSizes(width, rim, radii, max(SMALLEST_TEXT, person / PERSON_PER_NAME))


def box_line(person: float) -> int:
    """Width in pixels of the lines of a box around somebody whose longer side has `person` pixels."""
    return max(1 if person < SMALL_PERSON else 2, round(person / PERSON_PER_BOX_LINE))


def extent(points: np.ndarray) -> float:
    """The longer side, in pixels, of the box around points (M, 2); 0 for none."""
    return float(np.ptp(points, axis=0).max()) if len(points) else 0.0


def text_height(picture: tuple[int, ...], person: float | None = None) -> float:
    """Height in pixels of capital letters in a picture of this shape; beside a small person they are smaller."""
    height = max(picture[:2]) / PICTURE_PER_TEXT
    if person is not None:
        height = min(height, person / PERSON_PER_TEXT)
    return max(SMALLEST_TEXT, height)


def trail_width(picture: tuple[int, ...]) -> int:
    """Width in pixels of the trails in a picture of this shape, which may have nobody in it."""
    return max(1, round(min(picture[:2]) / 180))
