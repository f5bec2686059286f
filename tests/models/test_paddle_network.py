"""From crops to heatmaps on the device, against the same computed with NumPy."""

import numpy as np
import paddle
import pytest

from lib.core.heatmap import gaussian_vectors, generate_target
from lib.core.predictor import PoseSettings, predict_heatmaps
from lib.evaluation.validation import measure_on_host
from lib.models.paddle_network import PaddleRun, argmax_places, build_target, normalize_crops
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


# -- measures of a batch, on the device and with NumPy ---------------------------------------------------------------

PAIRS = ((0, 1), (2, 3))


def batch_of(rng, count=3, joint_count=5):
    """A batch as JointsDataset.collate makes it: random crops of 64x48 (width x height), some joints not annotated."""
    joints, visible = rng.uniform(-10, 70, (count, joint_count, 2)), rng.integers(0, 2, (count, joint_count))
    horizontal, vertical, weight = gaussian_vectors(joints, visible, (64, 48), (64, 48), 2)
    crops = rng.integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)
    return {"crop": crops, "horizontal": horizontal, "vertical": vertical, "target_weight": weight}


@pytest.mark.parametrize("flip_pairs", [None, PAIRS])
@pytest.mark.parametrize("decode", ["none", "quarter", "dark"])
@pytest.mark.parametrize(("shift", "weighted"), [(True, True), (False, False)])
def test_a_batch_is_measured_on_the_device_as_it_is_without_it(flip_pairs, decode, shift, weighted):
    rng = np.random.default_rng(11)
    paddle.seed(1)
    smooth = paddle.nn.Conv2D(3, 5, 15, padding=7)  # peaks everywhere, at the border too
    run, batch = PaddleRun(smooth), batch_of(rng)
    settings = PoseSettings((64, 48), flip_pairs, shift, decode)
    found, expected = run.measure(batch, settings, weighted), measure_on_host(run, batch, settings, weighted)
    np.testing.assert_allclose(found.heatmaps.numpy(), expected.heatmaps, atol=1e-5)
    np.testing.assert_array_equal(found.peaks, expected.peaks)
    np.testing.assert_allclose(found.coords, expected.coords, atol=1e-3)
    np.testing.assert_allclose(found.maxvals, expected.maxvals, atol=1e-5)
    assert found.loss == pytest.approx(expected.loss, rel=1e-5)
    assert (found.coords == found.peaks).all() == (decode == "none")
    peaks = expected.peaks
    assert ((peaks <= 1) | (peaks >= [62, 46])).any() and ((peaks > 3) & (peaks < 44)).all(axis=-1).any()


def test_heatmaps_that_are_nowhere_above_zero_have_their_peak_in_the_first_pixel_on_the_device_too():
    index, maxima = argmax_places(paddle.to_tensor(np.float32([[[[-2, -1], [-3, -4]], [[0, 0], [0, 0.5]]]])))
    assert index.numpy().tolist() == [[0, 3]] and maxima.numpy().tolist() == [[-1, 0.5]]


def test_heatmaps_that_are_not_finite_are_refused_on_the_device_too():
    network = paddle.nn.Conv2D(3, 5, 1)
    network.bias.set_value(np.float32([0, 0, np.nan, 0, 0]))
    batch = batch_of(np.random.default_rng(0))
    measured = PaddleRun(network).measure(batch, PoseSettings((64, 48)), use_target_weight=False)
    assert np.isnan(measured.loss)  # by which validate stops
