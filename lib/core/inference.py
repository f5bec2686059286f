"""From crops to heatmaps, on the device: what training, validation and inference share."""

import paddle

from lib.core.heatmap import flip_back, shift_right
from lib.utils.image import normalization


def normalize_crops(crops, pixel_scale=255.0):
    """uint8 crops (N, h, w, 3), numpy -> network input (N, 3, h, w) float32 on the device, as image.crops_to_input."""
    crops = paddle.to_tensor(crops)
    factor, offset = normalization(pixel_scale)
    factor, offset = (paddle.to_tensor(values).reshape([1, 3, 1, 1]) for values in (factor, offset))
    return crops.transpose([0, 3, 1, 2]).astype("float32") * factor + offset


def build_target(horizontal, vertical):
    """Targets (N, K, H, W) on the device, from the numpy vectors of heatmap.gaussian_vectors."""
    horizontal, vertical = paddle.to_tensor(horizontal), paddle.to_tensor(vertical)
    return vertical.unsqueeze(3) * horizontal.unsqueeze(2)


@paddle.no_grad()
def predict_heatmaps(network, images, flip_pairs=None, shift_heatmap=True):
    """Heatmaps (N, K, H, W) float32 numpy of normalised images (N, 3, h, w).

    flip_pairs: average with the mirrored picture's heatmaps, mirrored back and, with shift_heatmap, shifted right by
    one pixel (the flip test); None: without.
    """
    heatmaps = network(images).numpy()
    if flip_pairs is None:
        return heatmaps
    mirrored = flip_back(network(images.flip(axis=[3])).numpy(), flip_pairs)
    return (heatmaps + (shift_right(mirrored) if shift_heatmap else mirrored)) * 0.5
