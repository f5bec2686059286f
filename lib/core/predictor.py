"""From images and boxes to keypoints, with any runtime.

A `run` function stands for the network: uint8 crops (N, h, w, 3) in the network's colour order -> heatmaps
(N, K, H, W) float32. `lib.models.paddle_network` makes one of a Paddle network, `lib.deploy.onnx_network`
one of an ONNX file.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..utils.errors import RunError, explaining_memory
from ..utils.image import crop_person
from ..utils.progress import Stopwatch
from .heatmap import flip_back, get_final_preds, shift_right
from .inputs import checked_boxes, checked_picture
from .poses import PersonHeatmaps, Poses
from .transforms import crop_of_box, get_affine_transform


class Run(Protocol):
    """A network: crops (N, h, w, 3) uint8 in its colour order -> heatmaps (N, K, H, W) float32.

    flip_merged: whether the network itself averages with the mirrored crops; runs_on: what runs it, in words.
    """

    flip_merged: bool
    runs_on: str

    def __call__(self, crops: np.ndarray) -> np.ndarray: ...


def predict_heatmaps(
    run: Run, crops: np.ndarray, flip_pairs: Sequence[tuple[int, int]] | None = None, shift_heatmap: bool = True
) -> np.ndarray:
    """Heatmaps (N, K, H, W) float32 of uint8 crops (N, h, w, 3).

    flip_pairs: average with the mirrored crops' heatmaps, mirrored back and, with shift_heatmap, shifted right by one
    pixel (the flip test); None: without. Raises RunError where the heatmaps are not finite.
    """
    if flip_pairs is None:
        heatmaps = run(crops)
    else:  # one batch of twice the size
        heatmaps, mirrored = np.split(run(np.concatenate([crops, crops[:, :, ::-1]])), 2)
        mirrored = flip_back(mirrored, flip_pairs)
        heatmaps = (heatmaps + (shift_right(mirrored) if shift_heatmap else mirrored)) * 0.5
    if not np.isfinite(heatmaps).all():  # the highest of them would be drawn as the first pixel
        raise RunError("the network's heatmaps are not finite: its weights are not either, or are far too large")
    return heatmaps


@dataclass(frozen=True)
class PoseSettings:
    """What a prediction depends on besides the weights.

    image_size: (width, height) of the crops; flip_pairs None: no flip test; decode and sigma: see `get_final_preds`;
    padding: how much a person's box grows; batch_size: persons that go through the network at once.
    """

    image_size: tuple
    flip_pairs: tuple | None = None
    shift_heatmap: bool = True
    decode: str = "quarter"
    sigma: float = 2.0
    unbiased: bool = False
    color_rgb: bool = False
    batch_size: int = 32
    padding: float = 1.25


class PosePredictor:
    """The joints of people in a picture: crop, network, decode. `clock` counts the seconds of each."""

    def __init__(self, run: Run, settings: PoseSettings, clock: Stopwatch | None = None) -> None:
        self.run, self.settings, self.clock = run, settings, clock or Stopwatch()

    def predict(self, image: np.ndarray, boxes: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Joints of the persons in `boxes`.

        image: (H, W, 3) uint8 BGR, and what else `checked_picture` takes; boxes: (N, 4) x, y, width, height in its
        pixels, N may be 0; they are fitted to the network's aspect and grown by 1.25 (the settings' padding).
        Returns keypoints (N, K, 2) float32, x and y in picture pixels (K is 0 where N is), and scores (N, K).
        Raises UserError for other pictures, and for boxes that `checked_boxes` refuses.
        """
        image = checked_picture(image)
        checked = checked_boxes(boxes, image.shape[1::-1])
        (poses,) = self.predict_many([image], [Poses.in_boxes(checked)])
        return poses.keypoints, poses.scores

    def predict_many(
        self, images: Sequence[np.ndarray], people: Sequence[Poses], keep_heatmaps: bool = False
    ) -> list[Poses]:
        """`people`, one Poses for each image, with keypoints and scores, and with heatmaps if asked for.

        images: (H, W, 3) uint8 BGR each. People of several images share batches. If nobody is in any image, K stays 0.
        """
        counts = [len(each) for each in people]
        owners = np.repeat(np.arange(len(images)), counts)
        all_boxes = np.concatenate([each.boxes for each in people])
        centers, scales = crop_of_box(all_boxes, self.settings.image_size, self.settings.padding)
        parts = []
        for start in range(0, len(all_boxes), self.settings.batch_size):
            batch = slice(start, start + self.settings.batch_size)
            pictures = [images[owner] for owner in owners[batch]]
            parts.append(self._predict_batch(pictures, centers[batch], scales[batch], keep_heatmaps))
        if not parts:
            return list(people)
        keypoints, scores, *maps = (np.concatenate(column) for column in zip(*parts, strict=True))
        heatmaps = PersonHeatmaps(maps[0], centers, scales) if maps else None
        predicted = []
        for each, end, count in zip(people, np.cumsum(counts).tolist(), counts, strict=True):
            rows = slice(end - count, end)
            own_heatmaps = heatmaps[rows] if heatmaps else None
            predicted.append(replace(each, keypoints=keypoints[rows], scores=scores[rows], heatmaps=own_heatmaps))
        return predicted

    def warm_up(self) -> None:
        """Runs the network once on an empty crop: the first run of many a network takes longer than the others."""
        width, height = self.settings.image_size
        self.run(np.zeros((1, height, width, 3), np.uint8))
        self.clock.seconds.clear()

    def _predict_batch(
        self, images: Sequence[np.ndarray], centers: np.ndarray, scales: np.ndarray, keep_heatmaps: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray]:
        settings = self.settings
        cut = []
        with self.clock.part("preprocess"):
            for image, center, scale in zip(images, centers, scales, strict=True):
                matrix = get_affine_transform(center, scale, 0, settings.image_size, unbiased=settings.unbiased)
                cut.append(crop_person(image, matrix, settings.image_size, settings.color_rgb))
            crops = np.stack(cut)
        needing_memory = explaining_memory(f"the network, with {len(crops)} people at once", "lower --batch-size")
        with self.clock.part("network"), needing_memory:
            heatmaps = predict_heatmaps(self.run, crops, settings.flip_pairs, settings.shift_heatmap)
        with self.clock.part("decode"):
            keypoints, scores = get_final_preds(
                heatmaps, centers, scales, settings.decode, settings.sigma, settings.unbiased
            )
        return (keypoints, scores[..., 0], heatmaps.max(axis=1)) if keep_heatmaps else (keypoints, scores[..., 0])


@dataclass(frozen=True)
class Measured:
    """What came of a batch of N persons.

    heatmaps: (N, K, H, W), an array or a tensor; peaks (N, K, 2): their highest pixels; coords (N, K, 2): decoded,
    heatmap pixels; maxvals (N, K): how high they are; loss: JointsMSELoss.
    """

    heatmaps: object
    peaks: np.ndarray
    coords: np.ndarray
    maxvals: np.ndarray
    loss: float
