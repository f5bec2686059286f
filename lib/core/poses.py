"""The people of one image: boxes, then keypoints, then track ids."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class PersonHeatmaps:
    """One heatmap for each of N persons. values: (N, H, W) float32, the highest of a person's K heatmaps at each pixel;
    centers, scales: (N, 2) of the crops that they cover, see `crop_of_box`."""

    values: np.ndarray
    centers: np.ndarray
    scales: np.ndarray

    def __getitem__(self, rows: Any) -> PersonHeatmaps:
        return PersonHeatmaps(self.values[rows], self.centers[rows], self.scales[rows])


@dataclass(frozen=True, eq=False)
class Poses:
    """The N people of one image, in its pixels. A detector fills the boxes, the network the keypoints, a tracker the
    track ids.

    boxes: (N, 4) x, y, width, height; box_scores: (N,), 1 for boxes that no detector found.
    keypoints: (N, K, 2) x, y; scores: (N, K). K is 0 before the network has run.
    track_ids: (N,) int, from 1 on in a tracked video, 0 elsewhere.
    heatmaps: PersonHeatmaps, or None unless asked for.
    """

    boxes: np.ndarray
    box_scores: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    track_ids: np.ndarray
    heatmaps: PersonHeatmaps | None = None

    @classmethod
    def in_boxes(cls, boxes: npt.ArrayLike, box_scores: npt.ArrayLike | None = None) -> Poses:
        """People of whom only the boxes (N, 4) and their scores (N,) are known; None: all 1."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        count = len(boxes)
        scores = np.ones(count) if box_scores is None else np.asarray(box_scores, dtype=np.float64)
        no_keypoints = np.zeros((count, 0, 2), np.float32)
        no_scores = np.zeros((count, 0), np.float32)
        return cls(boxes, scores, no_keypoints, no_scores, np.zeros(count, dtype=int))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: Any) -> Self:
        """Some of the people. rows: a person's number, a slice, or an array of numbers or of truth values (N,).

        One person is a Poses of length 1. Raises IndexError where there is no such person.
        """
        rows = self._as_rows(rows)
        return replace(
            self,
            boxes=self.boxes[rows],
            box_scores=self.box_scores[rows],
            keypoints=self.keypoints[rows],
            scores=self.scores[rows],
            track_ids=self.track_ids[rows],
            heatmaps=self.heatmaps[rows] if self.heatmaps else None,
        )

    def __iter__(self) -> Iterator[Self]:
        """One person after the other, each a Poses of length 1."""
        return (self[row] for row in range(len(self)))

    def _as_rows(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return rows
        if isinstance(rows, (list, tuple)):
            rows = np.array(rows, dtype=int if not rows else None)
        if np.ndim(rows):
            return rows
        row = operator.index(rows)
        if not -len(self) <= row < len(self):
            raise IndexError(f"there is no person {row}: {len(self)} were found")
        return slice(row % len(self), row % len(self) + 1)


NOBODY = Poses.in_boxes([])
