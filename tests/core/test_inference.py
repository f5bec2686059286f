"""From crops to heatmaps on the device, against the same computed with NumPy."""

import numpy as np
import paddle
import pytest

from lib.core.heatmap import gaussian_vectors, generate_target
from lib.core.inference import PaddleRun, build_target, normalize_crops
from lib.core.predictor import predict_heatmaps
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


CROPS = np.random.default_rng(3).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)


def test_a_paddle_network_runs_on_normalised_crops_in_evaluation_mode_and_keeps_no_gradient():
    network, seen = paddle.nn.Sequential(paddle.nn.Conv2D(3, 2, 1), paddle.nn.BatchNorm2D(2)), []
    network.register_forward_post_hook(lambda _layer, inputs, output: seen.append((inputs[0], output.stop_gradient)))
    run = PaddleRun(network, pixel_scale=255.0)
    heatmaps = run(CROPS)
    assert isinstance(heatmaps, np.ndarray) and heatmaps.shape == (2, 2, 16, 24)
    np.testing.assert_allclose(seen[0][0].numpy(), crops_to_input(CROPS, 255.0), rtol=1e-6, atol=1e-6)
    assert seen[0][1] and not network.training
    np.testing.assert_array_equal(run(CROPS), heatmaps)  # BatchNorm's statistics stand still


def test_the_flip_test_of_a_paddle_network_mirrors_its_pictures():
    run = PaddleRun(paddle.nn.Conv2D(3, 2, 1))
    straight, mirrored = run(CROPS), run(np.ascontiguousarray(CROPS[:, :, ::-1]))
    expected = (straight + mirrored[:, ::-1, :, ::-1]) / 2
    np.testing.assert_allclose(predict_heatmaps(run, CROPS, [(0, 1)], shift_heatmap=False), expected, rtol=1e-6)
