"""Synthetic videos: drawn people who walk, cross, hide, leave and come back, with their true joints and identities.

The joints are MPII's 16. What hides whom is drawn, so which joints show is known to the pixel.
`python -m lib.dataset.write_clips` writes clips as videos, with the ground truth in PoseTrack18's form.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .motion import Camera, Walker
from .people import draw_person, random_colour
from .scene import draw_background

if TYPE_CHECKING:
    from .people import Person

MARGIN = 0.4  # of the picture's sides: how much larger the drawn world is, on either side
TEXTURE = 10.0  # grey levels of the fine grain that walls and ground have
HIDDEN_SHARE = 0.2  # a person of whom less shows has no box


@dataclass(frozen=True)
class ClipSettings:
    """What a clip is like.

    frames: how many; size: (width, height); people: the fewest and most; things: the most pillars to hide behind;
    noise: grey levels of the camera's own.
    """

    frames: int = 100
    size: tuple = (640, 360)
    people: tuple = (3, 6)
    things: int = 2
    noise: float = 3.0


@dataclass(frozen=True)
class TruePerson:
    """One person in one frame, in 0-based pixels.

    identity: from 1 on, the same throughout the clip; joints (16, 2); visible (16,) bool: inside and not hidden by
    others or things; head_box (4,) and box (4,): x, y, width, height, of what shows; share: of the person that shows.
    """

    identity: int
    joints: np.ndarray
    visible: np.ndarray
    head_box: np.ndarray
    box: np.ndarray
    share: float


@dataclass(frozen=True)
class Pillar:
    """Something to hide behind: `left` and `width` in the world, `texture` (h, w, 3) uint8."""

    left: float
    width: float
    texture: np.ndarray

    def draw(self, canvas: np.ndarray, owner: np.ndarray, camera: Camera) -> None:
        """Draws itself over `canvas` (h, w, 3) and takes its pixels out of `owner` (h, w)."""
        height = canvas.shape[0]
        ends = camera.pixels(np.array([[self.left, 0.0], [self.left + self.width, 0.0]]))[:, 0]
        first, last = (int(round(end)) for end in ends)
        first, cut, last = max(first, 0), max(-first, 0), min(last, canvas.shape[1])
        if first >= last:
            return
        texture = cv2.resize(self.texture, (max(int(round(ends[1])) - int(round(ends[0])), 1), height))
        canvas[:, first:last] = texture[:, cut : cut + last - first]
        owner[:, first:last] = 0


class SyntheticClip:
    """A clip by its seed: iterate over it for (picture (h, w, 3) uint8 BGR, list of TruePerson) of each frame.

    The same seed and settings give the same pixels and numbers each time. A person of whom nothing shows is not in the
    frame's list.
    """

    def __init__(self, seed: int, settings: ClipSettings | None = None) -> None:
        self.seed, self.settings = seed, settings or ClipSettings()

    def __len__(self) -> int:
        return self.settings.frames

    def __iter__(self) -> Iterator[tuple[np.ndarray, list[TruePerson]]]:
        settings, rng = self.settings, np.random.default_rng([self.seed, 3])
        width, height = settings.size
        camera = Camera(
            rng, settings.size, pan=rng.uniform(0, 0.2) * width, period=rng.uniform(60, 200),
            shake=float(rng.choice([0.0, 0.5, 1.0])),
        )  # fmt: skip
        background = _world(rng, settings.size)
        walkers = _crowd(rng, settings)
        pillars = [_pillar(rng, settings.size) for _ in range(rng.integers(0, settings.things + 1))]
        # a pillar stands before all that are farther away than its stature
        depths = [rng.uniform(0.3, 0.7) * height for _ in pillars]
        for _ in range(settings.frames):
            yield _draw(rng, settings, camera, background, (walkers, pillars, depths))
            camera.step()
            for walker in walkers:
                walker.step()


def _grain(rng: np.random.Generator, size: Sequence[int]) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.standard_normal((size[1], size[0]), dtype=np.float32), (0, 0), 1.2)
    return (noise / noise.std() * TEXTURE)[..., None]


def _world(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """The background, larger than the picture by MARGIN on every side, with grain that flow can hold on to."""
    large = tuple(round(side * (1 + 2 * MARGIN)) for side in size)
    return np.clip(draw_background(rng, large) + _grain(rng, large), 0, 255).astype(np.uint8)


def _crowd(rng: np.random.Generator, settings: ClipSettings) -> list[Walker]:
    """The walkers: statures from far to near, half of them going either way, so that they cross."""
    width, height = settings.size
    count = int(rng.integers(settings.people[0], settings.people[1] + 1))
    walkers = []
    for number in range(count):
        stature = rng.uniform(0.38, 0.72) * height
        ground = height * 0.62 + 0.46 * stature + rng.uniform(-0.02, 0.02) * height
        x = (number + rng.uniform(0.1, 0.9)) / count * width
        walkers.append(Walker(rng, x, ground, stature, width, direction=float(rng.choice([-1, 1]))))
    return walkers


def _pillar(rng: np.random.Generator, size: tuple[int, int]) -> Pillar:
    width = rng.uniform(0.06, 0.14) * size[0]
    colour, grain = random_colour(rng, (0, 360), (0, 0.5), (0.2, 0.8)), _grain(rng, (max(2, round(width)), size[1]))
    texture = np.clip(np.array(colour) + grain, 0, 255)
    return Pillar(rng.uniform(0.1, 0.9) * size[0] - width / 2, width, texture.astype(np.uint8))


def _draw(
    rng: np.random.Generator, settings: ClipSettings, camera: Camera, background: np.ndarray,
    scene: tuple[list[Walker], list[Any], list[Any]] | tuple[list[Walker], list[Pillar], list[float]],
) -> tuple[np.ndarray, list[TruePerson]]:
    walkers, pillars, depths = scene
    offset = np.array(settings.size) * MARGIN
    matrix = camera.matrix.copy()
    matrix[:, 2] -= matrix[:, :2] @ offset
    canvas = cv2.warpAffine(background, matrix, settings.size, borderMode=cv2.BORDER_REFLECT)
    owner, drawn, people = np.zeros(canvas.shape[:2], np.int32), {}, {}
    parts = [(walker.stature, 0, number) for number, walker in enumerate(walkers, start=1)]
    parts += [(depth, 1, number) for number, depth in enumerate(depths)]
    for _, kind, number in sorted(parts):
        if kind:
            pillars[number].draw(canvas, owner, camera)
            continue
        before, people[number] = canvas.copy(), walkers[number - 1].person(camera)
        draw_person(canvas, people[number])
        changed = (canvas != before).any(axis=2)
        drawn[number] = int(changed.sum())
        owner[changed] = number
    found = (_true_person(number, person, owner, drawn[number]) for number, person in sorted(people.items()))
    noise = rng.standard_normal(canvas.shape[:2], dtype=np.float32)[..., None] * settings.noise
    return np.clip(canvas + noise, 0, 255).astype(np.uint8), [person for person in found if person]


def _true_person(number: int, person: Person, owner: np.ndarray, drawn: int) -> TruePerson | None:
    """The TruePerson, None where nothing shows. drawn: how many pixels were, before others came in front."""
    rows, columns = np.nonzero(owner == number)
    if not len(rows):
        return None
    joints, (height, width) = person.points[:16], owner.shape
    inside = ((joints >= -0.5) & (joints < np.array([width, height]) - 0.5)).all(axis=1)
    places = np.clip(np.rint(joints).astype(int), 0, (width - 1, height - 1))
    around = cv2.dilate((owner == number).astype(np.uint8), np.ones((3, 3), np.uint8))  # joints at the body's rim
    head = person.head_box()
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])
    return TruePerson(
        identity=number, joints=joints, visible=inside & (around[places[:, 1], places[:, 0]] > 0),
        head_box=np.concatenate([head[0], head[1] - head[0]]), box=np.concatenate([low, high - low + 1]).astype(float),
        share=len(rows) / max(drawn, 1),
    )  # fmt: skip
