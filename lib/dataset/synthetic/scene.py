"""Pictures of drawn people: background, occluders, camera."""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .people import OCCLUDED_CHANCE, Person, draw_person, fill_hull, sample_person


def draw_background(rng: np.random.Generator, picture_size: Sequence[int]) -> np.ndarray:
    """(h, w, 3) uint8: a gradient or blurred noise, with clutter of boxes, discs and bars."""
    cells = (2, 2) if rng.random() < 0.4 else tuple(rng.integers(3, 30, 2))
    low, high = np.sort(rng.uniform(0, 255, (2, 3)), axis=0)
    coarse = rng.uniform(low, high, (*cells, 3))
    # Real scenes are greyer than random colours are.
    coarse += (coarse.mean(axis=2, keepdims=True) - coarse) * rng.uniform(0, 1)
    picture = cv2.resize(coarse.astype(np.float32), tuple(picture_size), interpolation=cv2.INTER_LINEAR)
    picture = picture.astype(np.uint8)
    for _ in range(rng.integers(0, 14)):
        colour, position = tuple(rng.integers(0, 256, 3).tolist()), rng.uniform((0, 0), picture_size)
        size = rng.uniform(0.02, 0.1) * picture_size[1]
        if rng.random() < 0.5:
            cv2.fillConvexPoly(picture, _box(position, rng.uniform(size, 5 * size, 2), rng.uniform(0, 90)), colour)
        else:  # a disc or a bar like a limb
            ends = [position, position + rng.integers(2) * rng.normal(0, 6 * size, 2)]
            fill_hull(picture, ends, [size * 0.5] * 2, colour)
    return picture


def _box(centre: np.ndarray, sides: np.ndarray, degrees: float) -> np.ndarray:
    corners = cv2.boxPoints((tuple(map(float, centre)), tuple(map(float, sides)), float(degrees)))
    return np.rint(corners).astype(np.int32)


def draw_occluders(rng: np.random.Generator, picture: np.ndarray, people: list[Person]) -> None:
    """Draws a box or a bar over some people, in place: a covered joint stays annotated, as in MPII."""
    for person in people:
        if rng.random() >= OCCLUDED_CHANCE:
            continue
        shape = (0.16, 0.16) if rng.random() < 0.5 else (0.05, 0.9)
        sides = np.array(shape) * rng.uniform(0.6, 1.3, 2) * person.stature
        degrees = rng.uniform(-15, 15) + 90 * rng.integers(2)
        centre = person.points[rng.integers(16)] + rng.normal(0, 0.03 * person.stature, 2)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        cv2.fillConvexPoly(picture, _box(centre, sides, degrees), colour, cv2.LINE_AA)


def add_camera_effects(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 -> the same, slightly blurred, brightened or darkened, and noisy."""
    if rng.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9))
    noise = rng.standard_normal(picture.shape[:2], dtype=np.float32) * rng.uniform(0, 8)
    bright = picture * np.float32(rng.uniform(0.8, 1.15)) + noise[..., None]
    return np.clip(bright, 0, 255).astype(np.uint8)


def draw_picture(
    rng: np.random.Generator, persons: int, picture_size: tuple[int, int] = (320, 240), pose_variation: float = 0.5
) -> tuple[np.ndarray, list[Person]]:
    """One picture with `persons` people: ((h, w, 3) uint8 blue-green-red, list of Person, left to right)."""
    picture = draw_background(rng, picture_size)
    people = [sample_person(rng, picture_size, (number, persons), pose_variation) for number in range(persons)]
    for person in sorted(people, key=lambda each: each.stature):  # the small ones are farther away
        draw_person(picture, person)
    draw_occluders(rng, picture, people)
    return add_camera_effects(rng, picture), people
