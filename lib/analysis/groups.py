"""Groups of people whose figures differ: by size, annotated joints, occlusion, rotation, crowding, the border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..core.boxes import box_overlaps

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from .predictions import People

TORSO = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
ROTATIONS = (15, 45, 90)  # degrees from upright
OVERLAPS = (1e-9, 0.1, 0.3)  # intersection over union with the nearest other box
BORDERS = (0.02, 0.1)  # distance of the joints to the picture's border, in sides of their box: the outline is larger


@dataclass(frozen=True)
class Group:
    """Joints of some people: topic and label are its names, mask is (M, K) bool."""

    topic: str
    label: str
    mask: np.ndarray


def groups_of(
    people: People, skeleton: Skeleton, sizes: Mapping[str, tuple[int, int]] | None = None
) -> list[Group]:
    """The groups that can be told apart; those that nobody is in are left out.

    sizes: {picture path: (width, height)}; without them nothing is said about the border.
    """
    count = people.shown.sum(axis=1)
    total = len(skeleton.joints)
    found = _ranges("size", _box_sizes(people.boxes), None, "px", people)
    edges = (total / 2, total)
    labels = [f"fewer than {total / 2:g}", f"{-(-total // 2)} to {total - 1}", f"all {total}"]
    found += _ranges("joints", count.astype(float), edges, "", people, labels)
    found += _hidden(people)
    angles = torso_angles(people, skeleton)
    labels = [f"up to {ROTATIONS[0]}°", "15° to 45°", "45° to 90°", "over 90°"]
    found += _ranges("torso", angles, ROTATIONS, "°", people, labels)
    labels = ["no overlap", "overlap below .1", "overlap .1 to .3", "overlap over .3"]
    found += _ranges("crowding", overlaps(people), OVERLAPS, "", people, labels)
    labels = ["at it", "close to it", "far from it"]
    found += _ranges("border", borders(people, sizes or {}), BORDERS, "", people, labels)
    return [group for group in found if (group.mask & people.shown).any()]


def _box_sizes(boxes: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(boxes[:, 2], 0) * np.maximum(boxes[:, 3], 0))


def _ranges(
    topic: str, values: np.ndarray, edges: Sequence[float] | None, unit: str, people: People,
    labels: Sequence[str] | None = None,
) -> list[Group]:
    """People by a value (M,), NaN where it is not known, between edges; None: three parts of the same number."""
    known = np.isfinite(values)
    if not known.any():
        return []
    if edges is None:
        edges = np.unique(np.round(np.quantile(values[known & people.shown.any(axis=1)], [1 / 3, 2 / 3]))).tolist()
    assert edges is not None
    if labels is None:
        inner = [f"{low:g} to {high:g} {unit}" for low, high in pairwise(edges)]
        labels = [f"below {edges[0]:g} {unit}", *inner, f"{edges[-1]:g} {unit} and more"]
    part = np.digitize(np.where(known, values, -np.inf), edges)
    spread = np.ones(people.shown.shape[1], dtype=bool)
    return [
        Group(topic, label, ((part == number) & known)[:, None] & spread) for number, label in enumerate(labels)
    ]


def _hidden(people: People) -> list[Group]:
    """Joints by their flag: annotated as visible or as occluded."""
    if people.hidden is None:
        return []
    topic = "flag"
    return [Group(topic, "visible", people.shown & ~people.hidden), Group(topic, "occluded", people.hidden)]


def torso_angles(people: People, skeleton: Skeleton) -> np.ndarray:
    """(M,) degrees, 0 to 180, between the line from hips to shoulders and upright; NaN where one is not annotated."""
    if not set(TORSO) <= set(skeleton.joints):
        return np.full(len(people), np.nan)
    indices = skeleton.indices_of(TORSO)
    joints = people.joints[:, indices]
    up = joints[:, :2].mean(axis=1) - joints[:, 2:].mean(axis=1)
    angles = np.degrees(np.abs(np.arctan2(up[:, 0], -up[:, 1])))
    return np.where(people.shown[:, indices].all(axis=1), angles, np.nan)


def overlaps(people: People) -> np.ndarray:
    """(M,) the largest intersection over union of a person's box with another's of its picture, 0 for none."""
    largest = np.zeros(len(people))
    order = np.argsort(people.picture_of, kind="stable")
    starts = np.flatnonzero(np.diff(people.picture_of[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        if len(rows) > 1:
            shares = box_overlaps(people.boxes[rows], people.boxes[rows])
            np.fill_diagonal(shares, 0)
            largest[rows] = shares.max(axis=1)
    return largest


def borders(people: People, sizes: Mapping[str, tuple[int, int]]) -> np.ndarray:
    """(M,) the least distance of the annotated joints to the border, in longer sides of their box; NaN: not known."""
    distances = np.full(len(people), np.nan)
    for row, picture in enumerate(people.pictures):
        shown = people.shown[row]
        if picture in sizes and shown.any():
            joints = people.joints[row][shown]
            low, high = joints.min(axis=0), joints.max(axis=0)
            room = min(*low, *(np.array(sizes[picture]) - 1 - high))
            side = max((high - low).max(), 1)
            distances[row] = room / side
    return distances
