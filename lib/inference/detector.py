"""Person boxes by a detector in ONNX, of one of the forms of `detectors.forms`."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..deploy.runtimes import open_session
from ..deploy.session import running
from ..utils.errors import RunError, UserError
from .detectors.answers import MAX_PEOPLE, Asked
from .detectors.forms import form_of
from .detectors.pixels import KNOWN, Pixels, Placed, prepare

CERTAIN = 0.5  # the score of a box that is no accident


@dataclass(frozen=True)
class DetectorSettings:
    """What a detector expects and which of its boxes count; None: what its form says.

    threshold: boxes from this score on; person_label: the label of people; size: (width, height) of its input where
    the file leaves it open; mean, deviation: of the three channels, pixels from 0 to 255, in the order it wants them,
    RGB with color_rgb and otherwise BGR; form: a name of FORMS, None to recognise it.
    """

    threshold: float = 0.3
    person_label: int | None = None
    size: tuple | None = None
    mean: tuple | None = None
    deviation: tuple | None = None
    color_rgb: bool | None = None
    form: str | None = None


class PersonDetector:
    """Finds people with an ONNX file: pictures in, boxes out.

    form: the DetectorForm; line: says file, form, size and pixels of the input, and where it runs; others: {label:
    number of boxes} that it found and that are no people, of forms that give them. Raises UserError where the file is
    of no known form. provider: see `open_session`; in float32, as bfloat16 has 8 bits for a place of some hundred
    pixels.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: DetectorSettings | None = None, provider: str = "auto"
    ) -> None:
        self.path, self.settings = path, settings or DetectorSettings()
        settings = self.settings
        self.session = open_session(path, provider, precision="float32")
        self.form, self.outputs, self.input = form_of(self.session, path, settings.form, settings.size)
        self._others = [item.name for item in self.session.inputs if item.name != self.input.name]
        self.pixels = self.form.pixels.changed(settings.color_rgb, settings.mean, settings.deviation)
        self.person_label = self.form.person_label if settings.person_label is None else settings.person_label
        self.size = self._input_size()
        self._is_fixed = any(self.input.sides)
        self.others: Counter[int] = Counter()
        most = "up to " if self.form.placing.multiple and not self._is_fixed else ""
        size = f"{most}{self.size[0]}x{self.size[1]}"
        self.line = (
            f"=> boxes from {path}, score >= {settings.threshold:g}, runs on {self.session.runs_on}; "
            f"form {self.form.name}, input {size}, {self.form.placing.words}, {self.pixels}"
        )

    def _input_size(self) -> tuple[int, int]:
        chosen, fixed = self.settings.size or self.form.size, self.input.sides
        size = (fixed[0] or chosen[0], fixed[1] or chosen[1])
        if not all(fixed) and any(side % self.form.multiple for side in size):
            raise UserError(
                f"--detector-size {size[0]} {size[1]}: {self.path}, of the form {self.form.name}, needs sides that are "
                f"multiples of {self.form.multiple}"
            )
        return size

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The people of an (H, W, 3) uint8 BGR picture, those of the highest score first, 300 at most.

        Returns boxes (M, 4) float64 x, y, width, height in its pixels, cut at its border, and scores (M,). Raises
        UserError for an answer that is not of the detector's form, RunError where it fails.
        """
        return self._detect(image, self.pixels)

    def better_pixels(self, image: np.ndarray) -> tuple[Pixels, np.ndarray] | None:
        """(Pixels, scores of the people found with them) that find most people in a picture where there seem none.

        None where nobody is found for certain, or the user or the index says what the pixels are.
        """
        settings, best = self.settings, None
        if any(value is not None for value in (settings.mean, settings.deviation, settings.color_rgb)):
            return None
        others = dict(self.others)
        for pixels in KNOWN:
            scores = np.zeros(0)
            if pixels != self.pixels:
                with contextlib.suppress(UserError, RunError):  # it may not take such values
                    _, scores = self._detect(image, pixels)
            if scores.max(initial=0) >= CERTAIN and (best is None or scores.sum() > best[1].sum()):
                best = pixels, scores
        self.others = Counter(others)
        return best

    def _detect(self, image: np.ndarray, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
        placed = self.form.placing.place(image.shape[1::-1], self.size, self._is_fixed)
        with running(self.path):
            found = self.session.run(list(self.outputs), self._feed(image, placed, pixels))
        asked = Asked(self.path, placed.canvas, self.person_label, self.settings.threshold, self.form.overlap)
        with np.errstate(all="ignore"):  # a network may answer anything
            dets, labels = self.form.decode(found, asked)
            dets = self._sure(dets, labels)
            corners = dets[:, :4] if self.form.in_picture_pixels else placed.to_picture(dets[:, :4])
        left, top, right, bottom = np.clip(corners, 0, np.tile(placed.picture, 2)).T
        boxes = np.stack([left, top, right - left, bottom - top], axis=1)
        seen = (boxes[:, 2:] > 0).all(axis=1)
        return boxes[seen], dets[seen, 4]

    def _feed(self, image: np.ndarray, placed: Placed, pixels: Pixels) -> dict[str, np.ndarray]:
        """The input of the picture, and those of PaddleDetection for its size: both y, x."""
        values = prepare(image, placed, pixels, self.form.placing.fill)
        others = {"scale_factor": placed.factors[::-1], "im_shape": placed.inner[::-1]}
        feed = {self.input.name: self.input.arranged(values)}
        return feed | {name: np.array([others[name]], np.float32) for name in self._others}

    def _sure(self, dets: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The dets (M, 5) of people from the threshold on, those of the highest score first, none of them NaN."""
        sure = dets[:, 4] >= self.settings.threshold
        picked = (labels == self.person_label) & sure
        self.others.update(int(value) for value in labels[sure & ~picked].tolist())
        dets = dets[picked & np.isfinite(dets).all(axis=1)]
        if dets[:, 4].max(initial=0) > 1.001:
            raise UserError(
                f"{self.path} makes scores up to {dets[:, 4].max():g}; expected 0 to 1 of the form {self.form.name}: "
                "give another --detector-form"
            )
        return dets[np.argsort(-dets[:, 4], kind="stable")][:MAX_PEOPLE]
