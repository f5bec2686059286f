"""From crops to heatmaps with Paddle, on the device: what training, validation and inference share."""

import paddle

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


class PaddleRun:
    """The `run` function of a Paddle network (see lib.core.predictor), in evaluation mode."""

    flip_merged = False  # the flip test is the caller's, not the network's own

    def __init__(self, network, pixel_scale=255.0):
        self.network, self.pixel_scale = network, pixel_scale
        network.eval()

    @paddle.no_grad()
    def __call__(self, crops):
        return self.network(normalize_crops(crops, self.pixel_scale)).numpy()
