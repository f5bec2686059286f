import numpy as np
import pytest

from lib.tracking.flow import FlowEstimator

SIZE = (320, 180)


def grain(seed=0, size=SIZE):
    """A picture of blobs that flow can follow."""
    import cv2

    noise = np.random.default_rng(seed).standard_normal((size[1], size[0], 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.clip(128 + 60 * noise / noise.std(), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["dis", "farneback"])
def test_points_go_along_with_the_picture(method):
    picture, estimator = grain(), FlowEstimator(method)
    assert estimator.advance(picture) is None
    flow = estimator.advance(np.roll(picture, (3, 5), axis=(0, 1)))
    points = np.array([[[100.0, 60.0], [200.0, 120.0]], [[50.5, 90.25], [np.nan, 3.0]]])
    carried = flow.carry(points)
    np.testing.assert_allclose(carried[0], points[0] + (5, 3), atol=0.5)
    np.testing.assert_allclose(carried[1, 0], points[1, 0] + (5, 3), atol=0.5)
    assert np.isnan(carried[1, 1]).all()


def test_a_large_picture_is_made_small_and_its_points_stay_in_its_own_pixels():
    import cv2

    picture = cv2.resize(grain(), (1280, 720), interpolation=cv2.INTER_CUBIC)
    estimator = FlowEstimator(longest_side=320)
    estimator.advance(picture)
    flow = estimator.advance(np.roll(picture, (8, -16), axis=(0, 1)))
    assert flow.field.shape == (180, 320, 2)
    np.testing.assert_allclose(flow.carry([[640.0, 360.0]]), [[624.0, 368.0]], atol=1.5)


def test_without_flow_points_stay():
    estimator = FlowEstimator("none")
    estimator.advance(grain())
    flow = estimator.advance(grain(1))
    np.testing.assert_allclose(flow.carry([[3.0, 4.0], [319.0, 0.0]]), [[3.0, 4.0], [319.0, 0.0]], atol=1e-9)


def test_points_scale_with_a_frame_whose_size_changes():
    import cv2

    picture = grain()
    estimator = FlowEstimator(longest_side=160)
    estimator.advance(picture)
    flow = estimator.advance(cv2.resize(picture, (640, 360)))
    np.testing.assert_allclose(flow.carry([[99.5, 49.5]]), [[199.5, 99.5]], atol=2)
    tall = FlowEstimator()  # another aspect as well
    tall.advance(picture)
    assert np.isfinite(tall.advance(cv2.resize(picture, (90, 200))).carry([[10.0, 10.0]])).all()


def test_points_outside_the_picture_are_carried_with_its_border():
    picture, estimator = grain(), FlowEstimator()
    estimator.advance(picture)
    flow = estimator.advance(np.roll(picture, 4, axis=1))
    carried = flow.carry([[-30.0, 90.0], [1e6, 1e6]])
    assert np.isfinite(carried).all() and abs(carried[0, 1] - 90) < 3


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="flownet"):
        FlowEstimator("flownet")


def test_tiny_frames_have_a_flow(seed=2):
    estimator = FlowEstimator()
    estimator.advance(grain(seed, (8, 6)))
    assert np.isfinite(estimator.advance(grain(seed, (8, 6))).carry([[3.0, 3.0]])).all()
