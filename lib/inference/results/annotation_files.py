"""Poses as annotation tools take them back, to be corrected: SLEAP (--save-slp), DeepLabCut (--save-dlc)."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...dataset.preparation.sleap_labels import import_sleap_io
from ...utils.runtime import replacing

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

SCORER = "simple_baselines"


@dataclass(frozen=True)
class Found:
    """A person of a frame: identity from 1 on, 0 where nobody is tracked; points (K, 2) pixels; scores (K,); score."""

    identity: int
    points: np.ndarray
    scores: np.ndarray
    score: float


@dataclass
class FrameOf:
    """The people of a frame: of the video `file`, number from 0, or of the picture `file`, number None."""

    file: Path
    number: int | None
    people: list[Found]


def write_slp(frames: Sequence[FrameOf], skeleton: Skeleton, path: Path) -> None:
    """Writes SLEAP's project of predicted instances, with the skeleton's limbs and pairs, and tracks.

    Pictures of a run are one video of SLEAP's. Raises UserError where sleap-io is not installed, RunError where the
    disk is full.
    """
    package = import_sleap_io()
    pairs = [(skeleton.joints[first], skeleton.joints[second]) for first, second in skeleton.flip_pairs]
    nodes = package.Skeleton(list(skeleton.joints), edges=list(skeleton.limbs), symmetries=pairs, name=skeleton.name)
    pictures = list(dict.fromkeys(frame.file for frame in frames if frame.number is None))
    numbers = {file: number for number, file in enumerate(pictures)}
    films = {file: package.Video(filename=_place(file)) for file in {frame.file for frame in frames} - {*pictures}}
    folder = package.Video.from_filename([_place(file) for file in pictures]) if pictures else None
    tracks: dict[int, Any] = {}
    labelled = []
    for frame in frames:
        instances = [_instance(package, found, nodes, tracks) for found in frame.people]
        video = folder if frame.number is None else films[frame.file]
        number = numbers[frame.file] if frame.number is None else frame.number
        labelled.append(package.LabeledFrame(video=video, frame_idx=number, instances=instances))
    labels = package.Labels(labelled, tracks=list(tracks.values()), skeletons=[nodes])
    with replacing(path, ending=".part.slp") as temporary:
        labels.save(str(temporary), verbose=False)


def _place(file: Path) -> str:
    """The absolute path, so that SLEAP finds the file from any folder; a stream's or a camera's name as it is."""
    return os.path.abspath(file) if file.exists() else str(file)


def _instance(package: Any, found: Found, nodes: Any, tracks: dict[int, Any]) -> Any:
    track = None
    if found.identity:
        track = tracks.setdefault(found.identity, package.Track(str(found.identity)))
    return package.PredictedInstance.from_numpy(
        found.points.astype(float), skeleton=nodes, point_scores=found.scores.astype(float), score=found.score,
        track=track, tracking_score=None,
    )  # fmt: skip


def write_deeplabcut(frames: Sequence[FrameOf], skeleton: Skeleton, path: Path) -> None:
    """Writes DeepLabCut's CSV of predictions: x, y and likelihood of each body part, a row a frame.

    Rows are numbered by the frame, or named as the picture. Where there are several people, each has columns of its
    own, as an individual: a track, or the first, second and so on of a frame.
    """
    rows: list[tuple[str, dict[int, Found]]] = []
    for frame in frames:
        people = {found.identity or place: found for place, found in enumerate(frame.people, 1)}
        rows.append((frame.file.name if frame.number is None else str(frame.number), people))
    individuals = sorted({who for _, people in rows for who in people}) or [1]
    columns = [(who, joint) for who in individuals for joint in skeleton.joints]
    head = {"scorer": [SCORER] * len(columns), "bodyparts": [joint for _, joint in columns]}
    if len(individuals) > 1:
        names = [f"individual{who}" for who, _ in columns]
        head = {"scorer": head["scorer"], "individuals": names, "bodyparts": head["bodyparts"]}
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for name, values in head.items():
            table.writerow([name, *(value for value in values for _ in range(3))])
        table.writerow(["coords", *["x", "y", "likelihood"] * len(columns)])
        for index, people in rows:
            table.writerow([index, *(cell for who in individuals for cell in _cells(people.get(who), skeleton))])


def _cells(found: Found | None, skeleton: Skeleton) -> list[str]:
    if found is None:
        return [""] * (3 * len(skeleton.joints))
    values = np.column_stack([found.points, found.scores]).ravel().tolist()
    return [f"{value:.4f}" if math.isfinite(value) else "" for value in values]
