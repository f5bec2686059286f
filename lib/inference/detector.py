"""Person boxes by an ONNX detector in MMDeploy's form (such as RTMDet)."""

from __future__ import annotations

import os
from dataclasses import dataclass

import cv2
import numpy as np

from ..deploy.onnx_session import describe_outputs, open_session, picture_input, running, running_on
from ..utils.errors import UserError
from ..utils.image import crops_to_input

BORDER_VALUE = 114  # what the letterbox is filled up with


@dataclass(frozen=True)
class DetectorSettings:
    """What a detector expects and which of its boxes count.

    threshold: boxes from this score on; person_label: the label of people; size: (width, height) of its input where
    the file leaves it open; mean, deviation: of the three channels, pixels from 0 to 255, in the order it wants them,
    RGB with color_rgb and otherwise BGR. The defaults are RTMDet's.
    """

    threshold: float = 0.3
    person_label: int = 0
    size: tuple = (320, 320)
    mean: tuple = (103.53, 116.28, 123.675)
    deviation: tuple = (57.375, 57.12, 58.395)
    color_rgb: bool = False


class PersonDetector:
    """Finds people with an ONNX file: pictures in, `dets` (N, M, 5) x1, y1, x2, y2, score and `labels` (N, M) out.

    Raises UserError where the file has other inputs or outputs. provider: see `open_session`.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: DetectorSettings | None = None, provider: str = "auto"
    ) -> None:
        self.path, self.settings = path, settings or DetectorSettings()
        self.session = open_session(path, provider)
        self.input = picture_input(self.session, path)
        names = {output.name for output in self.session.get_outputs()}
        if not {"dets", "labels"} <= names or self.input.batch not in (None, 1):
            raise UserError(
                f"{path} has the outputs {describe_outputs(self.session)}; expected a detector with dets (N, M, 5) and "
                "labels (N, M), one picture at a time"
            )
        sides = zip(self.input.sides, self.settings.size, strict=True)
        self.size = tuple(fixed or chosen for fixed, chosen in sides)
        self.line = f"=> boxes from {path}, score >= {self.settings.threshold:g}, runs on {running_on(self.session)}"

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The people of an (H, W, 3) uint8 BGR picture, those of the highest score first.

        Returns boxes (M, 4) float64 x, y, width, height in its pixels, cut at its border, and scores (M,).
        """
        canvas, factors = letterbox(image, self.size)
        dets, labels = self._run(canvas)
        picked = (labels == self.settings.person_label) & (dets[:, 4] >= self.settings.threshold)
        picked &= np.isfinite(dets).all(axis=1)
        dets = dets[picked][np.argsort(-dets[picked, 4], kind="stable")]
        limits = np.tile(image.shape[1::-1], 2)
        left, top, right, bottom = np.clip(dets[:, :4] / np.tile(factors, 2), 0, limits).T
        boxes = np.stack([left, top, right - left, bottom - top], axis=1)
        seen = (boxes[:, 2:] > 0).all(axis=1)
        return boxes[seen], dets[seen, 4]

    def _run(self, canvas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        picture = canvas[None, :, :, ::-1] if settings.color_rgb else canvas[None]
        values = self.input.arranged(crops_to_input(picture, 1.0, settings.mean, settings.deviation))
        with running(self.path):
            dets, labels = self.session.run(["dets", "labels"], {self.input.name: values})
        if dets.ndim != 3 or dets.shape[2] != 5 or labels.shape != dets.shape[:2]:
            raise UserError(
                f"{self.path} makes dets {dets.shape} and labels {labels.shape}; expected (N, M, 5), (N, M)"
            )
        return dets[0].astype(np.float64), labels[0]


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, tuple[float, float]]:
    """A picture made smaller or larger to fit `size` (width, height) without changing its aspect, filled up with grey.

    The picture is at the top left. Returns it, (height, width, 3) uint8, and the two factors, x and y, of its pixels.
    """
    height, width = image.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    new = tuple(max(1, int(side * factor + 0.5)) for side in (width, height))
    canvas = np.full((size[1], size[0], 3), BORDER_VALUE, np.uint8)
    canvas[: new[1], : new[0]] = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    return canvas, (new[0] / width, new[1] / height)
