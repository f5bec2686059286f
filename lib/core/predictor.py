"""From pictures and boxes to joints, whatever runs the network. No Paddle here.

A `run` function stands for the network: uint8 crops (N, h, w, 3) in the network's colour order -> heatmaps
(N, K, H, W) float32. `lib.core.inference` makes one of a Paddle network, `lib.core.onnx_network` one of an ONNX file.
"""

from dataclasses import dataclass

import numpy as np

from lib.core.heatmap import flip_back, get_final_preds, shift_right
from lib.utils.errors import RunError
from lib.utils.image import crop_person
from lib.utils.transforms import crop_of_box, get_affine_transform


def predict_heatmaps(run, crops, flip_pairs=None, shift_heatmap=True):
    """Heatmaps (N, K, H, W) float32 of uint8 crops (N, h, w, 3).

    flip_pairs: average with the mirrored crops' heatmaps, mirrored back and, with shift_heatmap, shifted right by one
    pixel (the flip test); None: without. Raises RunError where the heatmaps are not finite.
    """
    heatmaps = run(crops)
    if flip_pairs is not None:
        mirrored = flip_back(run(np.ascontiguousarray(crops[:, :, ::-1])), flip_pairs)
        heatmaps = (heatmaps + (shift_right(mirrored) if shift_heatmap else mirrored)) * 0.5
    if not np.isfinite(heatmaps).all():  # the highest of them would be drawn as the first pixel
        raise RunError("the network's heatmaps are not finite: its weights are not either, or are far too large")
    return heatmaps


@dataclass(frozen=True)
class PoseSettings:
    """What a prediction depends on besides the weights.

    image_size: (width, height) of the crops; flip_pairs None: no flip test; decode and sigma: see `get_final_preds`.
    """

    image_size: tuple
    flip_pairs: tuple | None = None
    shift_heatmap: bool = True
    decode: str = "quarter"
    sigma: float = 2.0
    unbiased: bool = False
    color_rgb: bool = False
    batch_size: int = 32


class PosePredictor:
    """The joints of people in a picture: crop, network, decode."""

    def __init__(self, run, settings):
        self.run, self.settings = run, settings

    def predict(self, image, boxes):
        """Joints of the persons in `boxes`.

        image: (H, W, 3) uint8 BGR; boxes: (N, 4) x, y, width, height in its pixels, N may be 0; they are fitted to the
        network's aspect and grown by 1.25.
        Returns keypoints (N, K, 2) float32, x and y in picture pixels (K is 0 where N is), and scores (N, K).
        """
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        size = self.settings.batch_size
        parts = [self._predict_batch(image, boxes[start : start + size]) for start in range(0, len(boxes), size)]
        if not parts:
            return np.zeros((0, 0, 2), np.float32), np.zeros((0, 0), np.float32)
        keypoints, scores = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return keypoints, scores

    def _predict_batch(self, image, boxes):
        settings = self.settings
        crops, (centers, scales) = [], crop_of_box(boxes, settings.image_size)
        for center, scale in zip(centers, scales, strict=True):
            matrix = get_affine_transform(center, scale, 0, settings.image_size, unbiased=settings.unbiased)
            crops.append(crop_person(image, matrix, settings.image_size, settings.color_rgb))
        heatmaps = predict_heatmaps(self.run, np.stack(crops), settings.flip_pairs, settings.shift_heatmap)
        keypoints, scores = get_final_preds(
            heatmaps, centers, scales, settings.decode, settings.sigma, settings.unbiased
        )
        return keypoints, scores[..., 0]
