"""What detectors answer -> boxes: a function for each way in which the outputs say them.

Each takes the outputs, in the order of its form, and what was Asked. It returns dets (M, 5) float64 x1, y1, x2, y2 and
score, and labels (M,). The pixels are the input's, for `of_paddledetection` the picture's. Boxes that cannot count
anyway may be left out, and others may be NaN or have no area. Raises UserError for outputs of another shape or values.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...core.boxes import box_nms
from ...utils.errors import UserError

STRIDES = (8, 16, 32)  # of YOLOX's three grids
MAX_PEOPLE = 300  # boxes of a picture, those of the highest scores: the most that these detectors give by themselves
MAX_LOG_SIDE = 12.0  # of a box, in strides: no box is 160,000 strides wide

Boxes = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Asked:
    """Whose boxes are wanted. path: for messages; size: (width, height) of the input; label: of people; threshold: the
    least score; overlap: from which two boxes are one person, for those whose suppression is the caller's.
    """

    path: str | os.PathLike[str]
    size: tuple[int, int]
    label: int
    threshold: float
    overlap: float = 0.45

    def expect(self, is_right: bool, found: Sequence[np.ndarray], expected: str) -> None:
        """Raises UserError, with the shapes that were found, unless they are right."""
        if not is_right:
            shapes = ", ".join(str(value.shape) for value in found)
            raise UserError(f"{self.path} makes {shapes}; expected {expected}")


def of_mmdeploy(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """dets (1, M, 5) x1, y1, x2, y2, score and labels (1, M)."""
    dets, labels = found
    is_right = dets.ndim == 3 and dets.shape[::2] == (1, 5) and labels.shape == dets.shape[:2]
    asked.expect(is_right, found, "dets (1, M, 5), labels (1, M)")
    return dets[0].astype(np.float64), labels[0]


def of_yolox(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """(1, A, 5 + C): centre and logarithm of the sides in strides from each cell of three grids, an object's score, and
    the classes' scores of an object.
    """
    cells, steps = grid_cells(asked.size)
    (values,) = found
    is_right = values.ndim == 3 and values.shape[:2] == (1, len(cells)) and values.shape[2] > 5
    asked.expect(is_right, found, f"YOLOX's (1, {len(cells)}, 5 + classes)")
    _refuse_label(values.shape[2] - 5, asked)
    scores = values[0, :, 4] * values[0, :, 5 + asked.label]
    rows = np.flatnonzero(scores >= asked.threshold)
    rows = rows[values[0, rows, 5:].argmax(axis=1) == asked.label]
    picked = values[0, rows, :4].astype(np.float64)
    if (picked[:, 2:] > MAX_LOG_SIDE).any():
        raise UserError(
            f"{asked.path} makes boxes of e**{picked[:, 2:].max():g} strides: are they decoded inside? export without "
            "--decode_in_inference"
        )
    centers = (picked[:, :2] + cells[rows]) * steps[rows]
    sides = np.exp(picked[:, 2:]) * steps[rows]
    return _suppressed(centers, sides, scores[rows], asked)


def of_yolo(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """(1, 4 + C, A): centre and sides in the input's pixels, and the classes' scores, of A boxes."""
    (values,) = found
    asked.expect(values.ndim == 3 and len(values) == 1 and values.shape[1] > 4, found, "(1, 4 + classes, boxes)")
    _refuse_label(values.shape[1] - 4, asked)
    scores = values[0, 4 + asked.label]
    rows = np.flatnonzero(scores >= asked.threshold)
    picked = values[0][:, rows]
    if picked[4:].max(initial=0) > 1.001:  # keypoints stand where the classes would
        raise UserError(
            f"{asked.path} makes scores of classes up to {picked[4:].max():g}, expected 0 to 1: is it a detector, and "
            "not a pose network?"
        )
    best = picked[4:].argmax(axis=0) == asked.label
    picked, scores = picked[:4, best].T.astype(np.float64), scores[rows[best]]
    return _suppressed(picked[:, :2], picked[:, 2:], scores, asked)


def of_yolo_end_to_end(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """(1, M, 6) x1, y1, x2, y2, score and label."""
    (values,) = found
    asked.expect(values.ndim == 3 and values.shape[::2] == (1, 6), found, "(1, M, 6)")
    dets, labels = values[0, :, :5].astype(np.float64), values[0, :, 5]
    sure = labels[dets[:, 4] >= asked.threshold]
    broken = sure[sure != np.floor(sure)]
    if len(broken):
        raise UserError(f"{asked.path} makes labels such as {broken[0]:g}; expected whole numbers")
    return dets, labels


def of_torchvision(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """boxes (M, 4) x1, y1, x2, y2, labels (M,) and scores (M,)."""
    boxes, labels, scores = found
    is_right = boxes.ndim == 2 and boxes.shape[1] == 4 and labels.shape == scores.shape == boxes.shape[:1]
    asked.expect(is_right, found, "boxes (M, 4), labels (M), scores (M)")
    return np.concatenate([boxes, scores[:, None]], axis=1).astype(np.float64), labels


def of_zoo_ssd(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """bboxes (1, M, 4) x1, y1, x2, y2 as shares of the input's sides, labels (1, M) and scores (1, M)."""
    boxes, labels, scores = found
    is_right = boxes.ndim == 3 and boxes.shape[::2] == (1, 4) and labels.shape == scores.shape == boxes.shape[:2]
    asked.expect(is_right, found, "bboxes (1, M, 4), labels (1, M), scores (1, M)")
    corners = boxes[0].astype(np.float64) * np.tile(asked.size, 2)
    return np.concatenate([corners, scores[0, :, None]], axis=1), labels[0]


def of_paddledetection(found: Sequence[np.ndarray], asked: Asked) -> Boxes:
    """(M, 6) label, score, x1, y1, x2, y2 in the picture's pixels, and where it is given the number of boxes."""
    rows, expected = found[0], "(M, 6) label, score, x1, y1, x2, y2, and their number"
    if len(found) == 2:
        asked.expect(found[1].size == 1 and 0 <= found[1].min() < np.inf, found, expected)
        rows = rows[: int(found[1].min())]
        if not len(rows):  # of pictures without anything: some files make one row of -1
            rows = np.zeros((0, 6))
    asked.expect(rows.ndim == 2 and rows.shape[1] == 6, found, expected)
    rows = rows.astype(np.float64)
    return rows[:, [2, 3, 4, 5, 1]], rows[:, 0]


@lru_cache(maxsize=4)
def grid_cells(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Cells (A, 2) x, y of the three grids of an input of (width, height), and their strides (A, 1)."""
    cells, steps = [], []
    for step in STRIDES:
        grid = np.meshgrid(range(size[0] // step), range(size[1] // step))
        cells.append(np.stack(grid, axis=-1).reshape(-1, 2))
        steps.append(np.full((len(cells[-1]), 1), step))
    return np.concatenate(cells), np.concatenate(steps)


def _refuse_label(classes: int, asked: Asked) -> None:
    if not 0 <= asked.label < classes:
        raise UserError(f"--person-label {asked.label}: {asked.path} has {classes} classes, the first is 0")


def _suppressed(centers: np.ndarray, sides: np.ndarray, scores: np.ndarray, asked: Asked) -> Boxes:
    """Boxes of people, of each person the one of the highest score. centers, sides (M, 2), scores (M,)."""
    boxes = np.concatenate([centers - sides / 2, sides], axis=1)
    usable = np.isfinite(boxes).all(axis=1) & (sides > 0).all(axis=1)
    boxes, scores = boxes[usable], scores[usable].astype(np.float64)
    keep = box_nms(boxes, scores, asked.overlap, MAX_PEOPLE)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:], scores[:, None]], axis=1)
    return corners[keep], np.full(len(keep), asked.label)
