"""Runs a Paddle network on the device; shared by training, validation and inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import paddle

from ..core.heatmap import coords_of_index, reach_of, refine_peaks
from ..core.loss import JointsMSELoss
from ..core.predictor import Measured
from ..core.transforms import mirrored_order
from ..utils.image import normalization

if TYPE_CHECKING:
    from ..core.predictor import PoseSettings


def to_device(array: np.ndarray) -> paddle.Tensor:
    """A numpy array as a tensor on the device; to a GPU it travels from pinned memory, while the GPU works."""
    if paddle.get_device() == "cpu":
        return paddle.to_tensor(array)
    return paddle.to_tensor(array, place=paddle.CUDAPinnedPlace()).cuda(blocking=False)


def normalize_crops(crops: np.ndarray, pixel_scale: float = 255.0) -> paddle.Tensor:
    """uint8 crops (N, h, w, 3), numpy -> network input (N, 3, h, w) float32 on the device, as image.crops_to_input."""
    images = to_device(crops)
    factor, offset = (paddle.to_tensor(values).reshape([1, 3, 1, 1]) for values in normalization(pixel_scale))
    return images.transpose([0, 3, 1, 2]).astype("float32") * factor + offset


def build_target(horizontal: np.ndarray, vertical: np.ndarray) -> paddle.Tensor:
    """Targets (N, K, H, W) on the device, from the numpy vectors of heatmap.gaussian_vectors."""
    return to_device(vertical).unsqueeze(3) * to_device(horizontal).unsqueeze(2)


def argmax_places(heatmaps: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Where each heatmap (N, K, H, W) is highest, on the device.

    Returns index (N, K) int64, counted in reading order and 0 where the maximum is not above 0, and the maxima (N, K).
    """
    index = heatmaps.flatten(start_axis=2).argmax(axis=2)
    maxima = _values_at(heatmaps, index)
    return index * (maxima > 0).astype("int64"), maxima


def _values_at(heatmaps: paddle.Tensor, places: paddle.Tensor) -> paddle.Tensor:
    """The values of heatmaps (N, K, H, W) at places (N, K, ...), counted in reading order in each."""
    persons, joints, height, width = heatmaps.shape
    first = paddle.arange(persons * joints).reshape([persons, joints, *[1] * (places.ndim - 2)]) * (height * width)
    # by one list of numbers: Paddle's functions that take places along an axis are ten times slower on CPUs
    return paddle.gather(heatmaps.flatten(), (first + places).flatten()).reshape(places.shape)


def _patches(heatmaps: paddle.Tensor, index: paddle.Tensor, reach: int) -> paddle.Tensor:
    """`heatmap.peak_patches` on the device, around places (N, K) as of `argmax_places`."""
    height, width = heatmaps.shape[2:]
    steps = paddle.arange(-reach, reach + 1)
    rows = ((index // width).unsqueeze(2) + steps).unsqueeze(3)  # (N, K, side, 1)
    columns = ((index % width).unsqueeze(2) + steps).unsqueeze(2)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    places = rows.clip(0, height - 1) * width + columns.clip(0, width - 1)
    return _values_at(heatmaps, places) * inside.astype(heatmaps.dtype)


class PaddleRun:
    """The `run` function of a Paddle network (see lib.core.predictor), in evaluation mode."""

    flip_merged = False  # the flip test is the caller's, not the network's own
    runs_on = f"Paddle {paddle.__version__}"

    def __init__(self, network: paddle.nn.Layer, pixel_scale: float = 255.0) -> None:
        self.network, self.pixel_scale = network, pixel_scale
        network.eval()

    @paddle.no_grad()
    def __call__(self, crops: np.ndarray) -> np.ndarray:
        return self._heatmaps(normalize_crops(crops, self.pixel_scale)).numpy()

    def _heatmaps(self, images: paddle.Tensor) -> paddle.Tensor:
        return self.network(images).astype("float32")

    @paddle.no_grad()
    def measure(self, batch: dict[str, np.ndarray], settings: PoseSettings, use_target_weight: bool) -> Measured:
        """`validation.measure_on_host` on the device: of the heatmaps only the peaks' surroundings come back."""
        images = normalize_crops(batch["crop"], self.pixel_scale)
        if settings.flip_pairs is None:
            heatmaps = self._heatmaps(images)
        else:  # one batch of twice the size
            straight, mirrored = self._heatmaps(paddle.concat([images, images.flip(axis=3)])).chunk(2)
            order = mirrored_order(mirrored.shape[1], settings.flip_pairs)
            mirrored = paddle.index_select(mirrored, paddle.to_tensor(order), axis=1).flip(axis=3)
            if settings.shift_heatmap:
                mirrored = paddle.concat([mirrored[..., :1], mirrored[..., :-1]], axis=3)
            heatmaps = (straight + mirrored) * 0.5
        target = build_target(batch["horizontal"], batch["vertical"])
        criterion = JointsMSELoss(use_target_weight)
        loss = float(criterion(heatmaps, target, to_device(batch["target_weight"])))
        index, maxima = argmax_places(heatmaps)
        size = heatmaps.shape[:1:-1]
        peaks = coords_of_index(index.numpy(), size[0])
        patches = _patches(heatmaps, index, reach_of(settings.decode, settings.sigma)).numpy()
        coords = refine_peaks(peaks, patches, size, settings.decode, settings.sigma)
        return Measured(heatmaps, peaks, coords, maxima.numpy(), loss)
