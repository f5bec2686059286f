"""People to look at: crops with the ground truth and the prediction side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...utils.errors import UserError
from ...utils.image import read_image
from ...visualization.palette import ERROR_COLORS, WHITE, bgr
from ...visualization.poses import draw_pose
from ..error_kinds import ERRORS, KINDS
from ..predictions import RunPredictions

MOST = 24
SIDE = 200  # pixels of the longer side of one crop in the page
QUALITY = 72
MARK_COLORS = dict(enumerate(map(bgr, ERROR_COLORS), 1))  # as in the plots
SEED = 0


@dataclass(frozen=True)
class Shown:
    """One person of the page: jpeg bytes, what stands below it and in its text alternative, and the picture's path."""

    jpeg: bytes
    caption: str
    alt: str
    picture: str


def worst_of(run: RunPredictions, kind: int, most: int = MOST) -> list[int]:
    """Rows of the people with the most joints of a kind of error; of the same number those with the lower score."""
    counts = (run.kinds == kind).sum(axis=1)
    order = np.lexsort((np.nan_to_num(run.person_scores, nan=100), -counts))
    return [int(row) for row in order[:most] if counts[row]]


def at_random(run: RunPredictions, most: int = MOST) -> list[int]:
    """Rows of people who were found, drawn with a fixed seed."""
    rows = np.flatnonzero((run.kinds >= 0).any(axis=1))
    chosen = np.random.default_rng(SEED).permutation(rows)[:most]
    return sorted(int(row) for row in chosen)


def galleries(run: RunPredictions, most: int = MOST) -> dict[str, list[Shown]]:
    """{title: people}: the worst of each kind and some at random; empty where the pictures are not there."""
    lists = {f"Most joints of the kind {name}": worst_of(run, KINDS.index(name), most) for name in ERRORS}
    lists["People at random"] = at_random(run, most)
    found = {title: show_all([run], rows) for title, rows in lists.items()}
    return {title: people for title, people in found.items() if people}


def show_all(runs: Sequence[RunPredictions], rows: Sequence[int]) -> list[Shown]:
    """The people of `rows` with the predictions of one run or several; pictures that cannot be read are left out."""
    shown = []
    for row in rows:
        try:
            image = read_image(runs[0].people.pictures[row])
        except UserError:
            continue
        shown.append(show(runs, row, image))
    return shown


def show(runs: Sequence[RunPredictions], row: int, image: np.ndarray) -> Shown:
    """One person: crop with the ground truth, then with each run's prediction, wrong joints ringed by their kind."""
    first = runs[0]
    people = first.people
    crop, scale, corner = cut_out(image, _region(runs, row))
    tiles = [draw_pose(crop.copy(), (people.joints[row] - corner) * scale, people.shown[row], first.skeleton)]
    tiles += [_drawn(run, row, crop, scale, corner) for run in runs]
    gap = np.full((crop.shape[0], 3, 3), 255, np.uint8)
    joined = np.hstack([part for tile in tiles for part in (tile, gap)][:-1])
    _, data = cv2.imencode(".jpg", joined, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    name = Path(str(people.pictures[row]).rpartition("@")[2]).name
    counts = "; ".join(_in_words(run, row, len(runs) > 1) for run in runs)
    caption = f"{name}, person {people.ids[row]}: {counts}"
    tiled = [f"prediction of {run.name}" for run in runs] if len(runs) > 1 else ["prediction"]
    alt = f"From left to right ground truth, {', '.join(tiled)}. {caption}"
    return Shown(data.tobytes(), caption, alt, str(people.pictures[row]))


def _in_words(run: RunPredictions, row: int, named: bool) -> str:
    """The score and the kinds of errors of a person."""
    counts = [int((run.kinds[row] == number).sum()) for number in range(len(KINDS))]
    wrong = [f"{count} {name}" for count, name in zip(counts[1:], ERRORS, strict=True) if count]
    start = f"{run.name}: " if named else ""
    if not np.isfinite(run.predicted[row]).any():
        return f"{start}not found"
    return f"{start}score {run.person_scores[row]:.0f}" + (f", {', '.join(wrong)}" if wrong else "")


def _region(runs: Sequence[RunPredictions], row: int) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 around the annotated joints, and predictions that are not far off, with a margin."""
    people = runs[0].people
    joints = people.joints[row][people.shown[row]]
    if not len(joints):
        x, y, width, height = people.boxes[row]
        joints = np.array([[x, y], [x + width, y + height]])
    low, high = joints.min(axis=0), joints.max(axis=0)
    side = max(*(high - low), 20.0)
    middle = (low + high) / 2
    reach = np.maximum((high - low) / 2 + 0.25 * side, 0.45 * side)
    return (*(middle - reach), *(middle + reach))


def cut_out(image: np.ndarray, region: Sequence[float]) -> tuple[np.ndarray, float, np.ndarray]:
    """(crop whose longer side has SIDE pixels, pixels of it per picture pixel, the crop's corner (2,) x, y)."""
    height, width = image.shape[:2]
    left, top = (int(np.clip(value, 0, limit - 2)) for value, limit in zip(region[:2], (width, height), strict=True))
    right = int(np.clip(np.ceil(region[2]), left + 2, width))
    bottom = int(np.clip(np.ceil(region[3]), top + 2, height))
    crop = image[top:bottom, left:right]
    scale = SIDE / max(crop.shape[:2])
    size = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(crop, size, interpolation=interpolation), scale, np.array([left, top], dtype=np.float64)


def _drawn(run: RunPredictions, row: int, crop: np.ndarray, scale: float, corner: np.ndarray) -> np.ndarray:
    joints = np.nan_to_num((run.predicted[row] - corner) * scale, nan=-1e3)
    joints = np.clip(joints, -1e4, 1e4)
    tile = draw_pose(crop.copy(), joints, run.kinds[row] >= 0, run.skeleton)  # those that can be compared
    for joint, kind in enumerate(run.kinds[row]):
        if kind in MARK_COLORS:
            center = tuple(round(float(value)) for value in joints[joint])
            cv2.circle(tile, center, 6, WHITE, 3, cv2.LINE_AA)
            cv2.circle(tile, center, 6, MARK_COLORS[kind], 2, cv2.LINE_AA)
    return tile

