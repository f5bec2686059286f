"""What a Pose answers: the people of one picture, to draw, to save and to hand on to other libraries."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import poses as core
from ..core.skeletons import Skeleton
from ..inference.results.extra_results import COLUMNS
from ..inference.results.pose_results import ResultSettings, drawn_pictures, person_entries, write_entries
from ..utils.errors import UserError
from ..utils.files import pluralize
from ..utils.media import Frame, write_picture
from ..visualization.tracks import TrackDrawing

if TYPE_CHECKING:
    import pandas
    import supervision

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SHOWN = 10  # people in a repr


@dataclass(frozen=True, repr=False, eq=False)  # arrays have no truth value: two Poses are equal if they are one
class Poses(core.Poses):
    """The N people of one picture, and their K joints, in the picture's pixels: x to the right, y down.

    keypoints: (N, K, 2) float32 x, y; scores: (N, K), 0 to about 1, how sure the network is of each joint.
    boxes: (N, 4) float64 x, y, width, height; box_scores: (N,), the detector's, 1 for boxes that were given.
    track_ids: (N,) int, from 1 on where people are tracked, 0 elsewhere.
    names: K names of the joints; skeleton: these with their limbs; image: (H, W, 3) uint8 BGR.
    path: of the file; frame: a video's frame from 0, None of a picture; seconds: its time since the first frame.
    len() is N; poses[0], poses[1:], poses[poses.box_scores > 0.5] and a for loop give Poses of some of the people.
    """

    skeleton: Skeleton = field(default=Skeleton("", ()))
    image: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))
    path: Path = Path("picture")
    frame: int | None = None
    seconds: float | None = None
    sure: float = 0.2  # joints above it make a person's score

    @classmethod
    def of(cls, found: core.Poses, frame: Frame, skeleton: Skeleton, sure: float = 0.2) -> Poses:
        """The Poses of what a predictor or a tracker found in a frame."""
        count, joints = len(found), len(skeleton.joints)
        return cls(
            found.boxes, found.box_scores, found.keypoints.reshape(count, joints, 2),
            found.scores.reshape(count, joints), found.track_ids, None, skeleton, frame.image, frame.path,
            frame.number, frame.seconds, sure,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The K names of the joints."""
        return self.skeleton.joints

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        place = "" if self.frame is None else f" frame {self.frame} of"
        about = f"{len(self.names)} joints ({self.skeleton.name})"
        people = pluralize(len(self), "person", "people")
        lines = [f"Poses: {people} in{place} {self.path.name} ({width}x{height}), {about}"]
        for row in range(min(len(self), SHOWN)):
            who = f"track {self.track_ids[row]}" if self.track_ids[row] else f"person {row}"
            x, y, box_width, box_height = self.boxes[row]
            lines.append(
                f"  {who}: box x {x:.0f} y {y:.0f} width {box_width:.0f} height {box_height:.0f}, score "
                f"{self.box_scores[row]:.2f}; joints' mean score {self.scores[row].mean():.2f}"
            )
        if len(self) > SHOWN:
            lines.append(f"  and {len(self) - SHOWN} more")
        return "\n".join(lines)

    def plot(self, threshold: float = 0.2) -> np.ndarray:
        """A copy of the picture, (H, W, 3) uint8 BGR, with boxes and poses drawn; tracked people in their colours.

        threshold: joints are drawn from this score on.
        """
        if self.track_ids.any():
            return TrackDrawing(self.skeleton, 0).draw(self.image, self, self.keypoints, self.scores >= threshold)
        return drawn_pictures(self._as_frame(), self, self._settings(threshold))["pose"]

    def save(self, path: str | os.PathLike[str], threshold: float = 0.2) -> Path:
        """Writes the drawn picture (.jpg, .png and others) or, for .json, what `to_coco` gives; returns the path.

        The folder must be there. threshold: see `plot`. Raises UserError for another ending, RunError where the disk
        does not take it.
        """
        path = Path(path)
        if not path.parent.is_dir():
            raise UserError(f"path {path}: there is no folder {path.parent}")
        ending = path.suffix.lower()
        if ending == ".json":
            write_entries(self.to_coco(), path)
        elif ending in PICTURES:
            write_picture(self.plot(threshold), path)
        else:
            raise UserError(f"path {path}: expected one of the endings .json {' '.join(PICTURES)}")
        return path

    def to_coco(self, image_id: int | str | None = None) -> list[dict[str, Any]]:
        """A dictionary for each person in COCO's result form, as infer.py writes it.

        image_id: the picture's; None: the number in the file's name, or the name, and of a video the frame's number.
        """
        entries = person_entries(self._as_frame(), self, self._settings())
        return entries if image_id is None else [{**entry, "image_id": image_id} for entry in entries]

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas table with a row for each joint: file, frame, seconds, person, keypoint, x, y, score.

        person: the track id, or the number from 1 on. Raises UserError where pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UserError("to_dataframe() needs pandas: pip install pandas") from error
        rows = [
            (str(self.path), self.frame, self.seconds, track_id or row, name, float(x), float(y), float(score))
            for row, track_id in enumerate(self.track_ids.tolist(), 1)
            for name, (x, y), score in zip(self.names, self.keypoints[row - 1], self.scores[row - 1], strict=True)
        ]
        return pandas.DataFrame(rows, columns=list(COLUMNS))

    def to_supervision(self) -> supervision.KeyPoints:
        """The keypoints as supervision's KeyPoints, which its annotators draw; class_id is 0, `tracker_id` is data.

        Raises UserError where supervision (0.29 or newer) is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise UserError("to_supervision() needs supervision: pip install supervision") from error
        values = {"xy": self.keypoints.astype(np.float32), "keypoint_confidence": self.scores.astype(np.float32)}
        try:
            return supervision.KeyPoints(
                **values, class_id=np.zeros(len(self), int), data={"tracker_id": self.track_ids}
            )
        except TypeError as error:
            raise UserError("to_supervision() needs supervision 0.29 or newer: pip install -U supervision") from error

    def _as_frame(self) -> Frame:
        return Frame(self.image, self.path, self.frame, self.seconds)

    def _settings(self, threshold: float = 0.2) -> ResultSettings:
        return ResultSettings(Path(), self.skeleton, threshold, sure=self.sure)
