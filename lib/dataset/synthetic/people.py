"""Draws articulated people with true joint positions."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    pass

# Twenty points: MPII's 16 joints, then the ends of the feet and hands, which are drawn but not annotated.
R_ANKLE, R_KNEE, R_HIP, L_HIP, L_KNEE, L_ANKLE, PELVIS, THORAX, NECK, HEAD_TOP = range(10)
R_WRIST, R_ELBOW, R_SHOULDER, L_SHOULDER, L_ELBOW, L_WRIST, R_TOE, L_TOE, R_HAND, L_HAND = range(10, 20)
RIGHT, LEFT = 0, 1
LEGS = ((R_HIP, R_KNEE, R_ANKLE, R_TOE), (L_HIP, L_KNEE, L_ANKLE, L_TOE))
ARMS = ((R_SHOULDER, R_ELBOW, R_WRIST, R_HAND), (L_SHOULDER, L_ELBOW, L_WRIST, L_HAND))

# Degrees: (at rest, lowest, highest at pose_variation 1). Out = away from the body's middle; forward = where it looks.
BODY_ANGLES = {
    "torso_lean": (0, -30, 30), "torso_bend": (2, -10, 50), "head_tilt": (0, -30, 30), "head_nod": (0, -20, 30),
    "yaw": (0, -70, 70), "pitch": (6, 0, 14), "roll": (0, -30, 30),
}  # fmt: skip
LIMB_ANGLES = {
    "arm_out": (14, -10, 120), "arm_forward": (0, -40, 80), "elbow_bend": (10, 0, 140), "elbow_turn": (90, 0, 170),
    "leg_out": (5, -8, 45), "leg_forward": (0, -35, 85), "knee_bend": (4, 0, 110),
}  # fmt: skip
RAISED_ARM = (115, 175)
RAISED_ARM_CHANCE = 0.5  # of each arm, times pose_variation
SEEN_FROM_BEHIND_CHANCE = 0.15
TREMBLE = 1.5  # degrees either way, so that no two people are alike even at pose_variation 0

# Lengths and thicknesses, as shares of the stature.
SHIN, THIGH, TORSO, NECK_LENGTH, HEAD, UPPER_ARM, FOREARM = 0.225, 0.235, 0.25, 0.05, 0.17, 0.165, 0.15
HALF_HIPS, HALF_SHOULDERS, HAND, FOOT = 0.055, 0.105, 0.03, 0.065
LEG_RADII = ((0.047, 0.036), (0.034, 0.022), (0.022, 0.019))
ARM_RADII = ((0.031, 0.026), (0.025, 0.018), (0.019, 0.017))
CRANIUM_RADIUS, JAW_RADIUS = 0.063, 0.047
STATURE_RANGE = (0.5, 0.95)  # of the picture's height
PLACE_JITTER = 0.05  # of the picture's side: how far a person may stick out of it
OCCLUDED_CHANCE = 0.35

SUBPIXEL_BITS = 4
CIRCLE = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)], axis=1)

Colour = tuple[int, int, int]  # blue, green, red, 0 to 255


@dataclass(frozen=True)
class Appearance:
    """Colours, each (blue, green, red) 0..255: `sides` holds the clothes' on the person's right and left."""

    skin: Colour
    hair: Colour
    shirt: Colour
    sides: tuple[Colour, Colour]
    girth: float  # multiplies every thickness but the head's


@dataclass(frozen=True)
class Person:
    """`points`: (20, 2) float64, 0-based pixels x, y (the first 16 are the joints); `depths`: (20,), larger is nearer;
    `stature` in pixels; `yaw` in radians, 0 facing the viewer, pi seen from behind; `look`: the colours."""

    points: np.ndarray
    depths: np.ndarray
    stature: float
    yaw: float
    look: Appearance

    def head_circles(self) -> tuple[np.ndarray, np.ndarray]:
        """Centres (2, 2) x, y and radii (2,) in pixels of cranium and jaw; their hull spans upper neck to head top."""
        neck, top = self.points[NECK], self.points[HEAD_TOP]
        length = float(np.linalg.norm(top - neck))
        # A nodding head looks shorter, yet never flatter than its cranium is wide.
        cranium = min(CRANIUM_RADIUS * self.stature, length / 2)
        radii = np.array([cranium, cranium * JAW_RADIUS / CRANIUM_RADIUS])
        up = (top - neck) / max(length, 1e-6)
        return np.stack([top - up * radii[0], neck + up * radii[1]]), radii

    def head_box(self) -> np.ndarray:
        """(2, 2) float64, 0-based pixels: [[left, top], [right, bottom]] of the drawn head."""
        centres, radii = self.head_circles()
        return np.stack([(centres - radii[:, None]).min(axis=0), (centres + radii[:, None]).max(axis=0)])


def sample_angles(rng: np.random.Generator, pose_variation: float) -> dict[str, Any]:
    """A pose: name -> radians, a number for the body's angles, (2,) float64 [right, left] for the limbs'."""
    angles: dict[str, Any] = {}
    for table, shape in ((BODY_ANGLES, ()), (LIMB_ANGLES, (2,))):
        for name, (rest, low, high) in table.items():
            drawn = rest + pose_variation * (rng.uniform(low, high, shape) - rest)
            angles[name] = drawn + rng.uniform(-TREMBLE, TREMBLE, shape)
    raised = rng.random(2) < RAISED_ARM_CHANCE * pose_variation
    angles["arm_out"] = np.where(raised, rng.uniform(*RAISED_ARM, 2), angles["arm_out"])
    if rng.random() < SEEN_FROM_BEHIND_CHANCE:
        angles["yaw"] += 180
    return {name: np.deg2rad(value) for name, value in angles.items()}


def _downwards(out: npt.ArrayLike, forward: npt.ArrayLike) -> np.ndarray:
    """Unit vector of something that hangs down at (0, 0), turned sideways (to the person's left) and forwards."""
    return np.array([np.sin(out) * np.cos(forward), np.cos(out) * np.cos(forward), np.sin(forward)])


def body_points(angles: Mapping[str, Any]) -> np.ndarray:
    """(20, 3) points in statures from the pelvis: x to the person's left, y down, z to where the person looks."""
    points = np.zeros((20, 3))
    torso = _downwards(angles["torso_lean"], -angles["torso_bend"])
    across = np.array([np.cos(angles["torso_lean"]), -np.sin(angles["torso_lean"]), 0])
    head = _downwards(angles["torso_lean"] + angles["head_tilt"], -angles["torso_bend"] / 2 - angles["head_nod"])
    points[THORAX] = -TORSO * torso
    points[NECK] = points[THORAX] - NECK_LENGTH * torso
    points[HEAD_TOP] = points[NECK] - HEAD * head
    for side, sign in ((RIGHT, -1), (LEFT, 1)):
        hip, knee, ankle, toe = LEGS[side]
        out, forward = sign * angles["leg_out"][side], angles["leg_forward"][side]
        shin = forward - max(angles["knee_bend"][side], 0)
        points[hip] = (sign * HALF_HIPS, 0, 0)
        points[knee] = points[hip] + THIGH * _downwards(out, forward)
        points[ankle] = points[knee] + SHIN * _downwards(out, shin)
        points[toe] = points[ankle] + FOOT * _downwards(sign * 0.5, shin + 1.1)
        shoulder, elbow, wrist, hand = ARMS[side]
        out, forward = angles["arm_out"][side], angles["arm_forward"][side]
        bend, turn = max(angles["elbow_bend"][side], 0), angles["elbow_turn"][side]
        lower = _downwards(sign * (out + bend * np.cos(turn)), forward + bend * np.sin(turn))
        points[shoulder] = points[THORAX] + sign * HALF_SHOULDERS * across
        points[elbow] = points[shoulder] + UPPER_ARM * _downwards(sign * out, forward)
        points[wrist] = points[elbow] + FOREARM * lower
        points[hand] = points[wrist] + HAND * lower
    return points


def seen_by_viewer(
    points: np.ndarray, angles: Mapping[str, Any]
) -> np.ndarray:
    """Turns body points (N, 3) as the viewer sees them: x to the picture's right, y down, depth towards the viewer."""
    x, y, z = points.T
    yaw, pitch, roll = angles["yaw"], angles["pitch"], angles["roll"]
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y, z = y * np.cos(pitch) + z * np.sin(pitch), z * np.cos(pitch) - y * np.sin(pitch)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    return np.stack([x, y, z], axis=1)


def random_colour(
    rng: np.random.Generator, hues: tuple[float, float],
    saturations: tuple[float, float], values: tuple[float, float],
) -> Colour:
    """(blue, green, red) with a hue drawn in degrees and a saturation and value drawn in 0..1."""
    hue, saturation, value = (rng.uniform(*span) for span in (hues, saturations, values))
    shares = [abs((hue / 60 + shift) % 6 - 3) - 1 for shift in (2, 4, 0)]
    blue, green, red = (int(255 * value * (1 - saturation * (1 - min(max(share, 0), 1)))) for share in shares)
    return blue, green, red


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """Draws an Appearance: warm clothes on the person's right side, cool ones on the left."""
    sides = (random_colour(rng, (-12, 48), (0.7, 1), (0.6, 1)), random_colour(rng, (175, 260), (0.6, 1), (0.5, 1)))
    return Appearance(
        skin=random_colour(rng, (14, 30), (0.25, 0.6), (0.4, 1)),
        hair=random_colour(rng, (10, 50), (0.1, 0.7), (0.05, 0.6)),
        shirt=random_colour(rng, (0, 360), (0, 0.35), (0.25, 0.95)),
        sides=sides,
        girth=rng.uniform(0.85, 1.25),
    )


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(int(part * factor), 255) for part in colour)
    return blue, green, red


def fill_hull(
    canvas: np.ndarray, centres: npt.ArrayLike, radii: npt.ArrayLike,
    colour: Sequence[int],
) -> None:
    """Fills the hull of circles (centres (N, 2) 0-based pixels) with smooth edges; every part of a body is one."""
    points = (np.asarray(centres)[:, None] + np.asarray(radii)[:, None, None] * CIRCLE).reshape(-1, 2)
    hull = cv2.convexHull(np.rint(points * 2**SUBPIXEL_BITS).astype(np.int32))
    cv2.fillConvexPoly(canvas, hull, colour, cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_head(canvas: np.ndarray, person: Person) -> None:
    """The head with hair, and with a face unless it is seen from behind."""
    (crown, jaw), radii = person.head_circles()
    size, seen_from_behind = radii[0], np.cos(person.yaw) < 0
    fill_hull(canvas, [crown, jaw], radii + 0.5, _shade(person.look.skin, 0.5))
    fill_hull(canvas, [crown, jaw], radii, person.look.hair if seen_from_behind else person.look.skin)
    if seen_from_behind:
        return
    up = (person.points[HEAD_TOP] - crown) / max(size, 1e-6)
    right = np.array([-up[1], up[0]]) * size
    turn = right * np.sin(person.yaw) * 0.6
    hair = CIRCLE[CIRCLE @ up > 0.3] * size * 0.98 + crown - turn * 0.15
    fill_hull(canvas, hair, np.zeros(len(hair)), person.look.hair)
    for sign in (-1, 1):
        fill_hull(canvas, [crown + turn - up * size * 0.1 + sign * right * 0.36], [size * 0.14], (30, 25, 20))
    lips = jaw + turn * 0.8 - up * size * 0.15 + np.outer([-1, 1], right * 0.22)
    fill_hull(canvas, lips, [size * 0.07] * 2, (70, 60, 150))


def draw_person(canvas: np.ndarray, person: Person) -> None:
    """Draws `person` onto `canvas` ((h, w, 3) uint8, changed in place), far parts first."""
    look = person.look
    parts: list[tuple[float, list[int] | None, Any, Any]] = []
    torso, widths = [R_SHOULDER, L_SHOULDER, L_HIP, R_HIP], (0.034, 0.034, 0.046, 0.046)
    parts.append((person.depths[torso].mean(), torso, widths, look.shirt))
    # The neck lies under the torso's rim, the head over it, whichever way the body bends.
    parts.append((parts[0][0] - 0.01, [THORAX, NECK], (0.032, 0.028), _shade(look.skin, 0.85)))
    for limbs, all_radii, last, bias in ((LEGS, LEG_RADII, None, -0.03), (ARMS, ARM_RADII, look.skin, 0.02)):
        for colour, chain in zip(look.sides, limbs, strict=True):
            colours = (colour, _shade(colour, 0.85), last or _shade(colour, 0.45))
            # The bias keeps hips under the shirt, and arms that hang at the sides over it; hands lie over forearms.
            for step in (2, 1, 0) if last is None else (0, 1, 2):
                joints = list(chain[step : step + 2])
                parts.append((person.depths[joints].mean() + bias, joints, all_radii[step], colours[step]))
    head_depth = person.depths[[NECK, HEAD_TOP]].mean() + 0.01
    parts.append((head_depth, None, None, None))
    for _, chosen, radii, colour in sorted(parts, key=lambda part: part[0]):
        if chosen is None:
            _draw_head(canvas, person)
            continue
        pixels = np.array(radii) * person.stature * look.girth
        fill_hull(canvas, person.points[chosen], pixels + 0.5, _shade(colour, 0.55))
        fill_hull(canvas, person.points[chosen], pixels - 0.25, colour)


def sample_person(
    rng: np.random.Generator, picture_size: tuple[int, int], column: tuple[int, int], pose_variation: float
) -> Person:
    """A Person in the picture of `picture_size` (w, h), in `column` (number, of how many) counted from the left."""
    angles = sample_angles(rng, pose_variation)
    seen = seen_by_viewer(body_points(angles), angles)
    stature = rng.uniform(*STATURE_RANGE) * picture_size[1]
    seen *= stature
    low, high = seen[:16, :2].min(axis=0), seen[:16, :2].max(axis=0)
    slack = np.maximum(np.array(picture_size) * PLACE_JITTER + (picture_size - (high - low)) / 2, 0)
    number, columns = column
    position = np.array([(number + rng.uniform(0.2, 0.8)) / columns, 0.5]) * picture_size
    position[1] += rng.uniform(-slack[1], slack[1])
    position[0] = np.clip(position[0], picture_size[0] / 2 - slack[0], picture_size[0] / 2 + slack[0])
    points = seen[:, :2] + position - (low + high) / 2
    return Person(points, seen[:, 2] / stature, stature, float(angles["yaw"]), sample_appearance(rng))
