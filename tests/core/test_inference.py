"""From crops to heatmaps on the device, against the same computed with NumPy."""

import numpy as np
import paddle
import pytest

from lib.core.heatmap import gaussian_vectors, generate_target
from lib.core.inference import build_target, normalize_crops, predict_heatmaps
from lib.utils.image import crops_to_input


@pytest.mark.parametrize("pixel_scale", [255.0, 1.0])
def test_crops_are_normalised_on_the_device_as_they_are_without_it(pixel_scale):
    crops = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    values = normalize_crops(crops, pixel_scale)
    assert values.shape == [2, 3, 8, 6] and values.dtype == paddle.float32
    np.testing.assert_allclose(values.numpy(), crops_to_input(crops, pixel_scale), rtol=1e-6, atol=1e-6)


def test_targets_are_built_on_the_device_as_they_are_without_it():
    joints = np.random.default_rng(0).uniform(-20, 280, (3, 16, 2))
    arguments = joints, np.ones((3, 16)), (256, 192), (64, 48), 2
    horizontal, vertical, _ = gaussian_vectors(*arguments)
    target = build_target(horizontal, vertical)
    np.testing.assert_allclose(target.numpy(), generate_target(*arguments)[0], atol=1e-7)
    assert target.shape == [3, 16, 48, 64]


def fake_heatmaps(images):
    """What FakeNetwork answers, in NumPy: the three channels at a quarter, each weighted by its place."""
    place = 1 + np.arange(images.shape[3] // 4) / 10 + np.arange(images.shape[2] // 4)[:, None]
    return images[:, :, ::4, ::4] * place * np.array([1, 2, 3])[:, None, None]


class FakeNetwork(paddle.nn.Layer):
    def forward(self, images):
        return paddle.to_tensor(fake_heatmaps(images.numpy()).astype("float32"))


IMAGES = np.random.default_rng(3).normal(size=(2, 3, 16, 24)).astype(np.float32)


def test_without_flip_test_the_networks_heatmaps_come_back_as_they_are():
    heatmaps = predict_heatmaps(FakeNetwork(), paddle.to_tensor(IMAGES))
    assert isinstance(heatmaps, np.ndarray) and heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, fake_heatmaps(IMAGES), rtol=1e-6)


@pytest.mark.parametrize("shift", [True, False])
def test_the_flip_test_averages_with_the_mirrored_pictures_heatmaps(shift):
    heatmaps = predict_heatmaps(FakeNetwork(), paddle.to_tensor(IMAGES), [(0, 2)], shift)
    straight, mirrored = fake_heatmaps(IMAGES), fake_heatmaps(IMAGES[..., ::-1])
    expected = np.empty_like(straight)
    for joint, twin in ((0, 2), (1, 1), (2, 0)):
        for column in range(6):
            source = max(column - 1, 0) if shift else column  # one pixel to the right; the first column stays
            other = mirrored[:, twin, :, 5 - source]
            expected[:, joint, :, column] = (straight[:, joint, :, column] + other) / 2
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, expected, rtol=1e-5, atol=1e-6)


def test_prediction_keeps_no_gradient():
    layer = paddle.nn.Conv2D(3, 2, 1)
    seen = []
    layer.register_forward_post_hook(lambda _layer, _inputs, output: seen.append(output.stop_gradient))
    predict_heatmaps(layer, paddle.to_tensor(IMAGES), [(0, 1)])
    assert seen == [True, True]
