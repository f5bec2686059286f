"""From pictures and boxes to joints, with functions in the place of networks."""

import numpy as np
import pytest

from lib.core.poses import Poses
from lib.core.predictor import PosePredictor, PoseSettings, predict_heatmaps
from lib.utils.errors import RunError

CROPS = np.random.default_rng(3).integers(0, 256, (2, 16, 24, 3), dtype=np.uint8)


def fake_heatmaps(crops):
    """The three channels at a quarter, each weighted by its place."""
    place = 1 + np.arange(crops.shape[2] // 4) / 10 + np.arange(crops.shape[1] // 4)[:, None]
    planes = np.moveaxis(crops[:, ::4, ::4], -1, 1).astype(np.float32)
    return planes * (place * np.array([1, 2, 3])[:, None, None]).astype(np.float32)


def test_without_flip_test_the_networks_heatmaps_come_back_as_they_are():
    np.testing.assert_array_equal(predict_heatmaps(fake_heatmaps, CROPS), fake_heatmaps(CROPS))


@pytest.mark.parametrize("flip_pairs", [None, [(0, 2)]])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_heatmaps_that_are_not_finite_are_refused(flip_pairs, value):
    def broken(crops):
        heatmaps = fake_heatmaps(crops)
        heatmaps[-1, 1, 2, 3] = value  # one pixel of one joint
        return heatmaps

    with pytest.raises(RunError, match="the network's heatmaps are not finite"):
        predict_heatmaps(broken, CROPS, flip_pairs)


@pytest.mark.parametrize("shift", [True, False])
def test_the_flip_test_averages_with_the_mirrored_pictures_heatmaps(shift):
    heatmaps = predict_heatmaps(fake_heatmaps, CROPS, [(0, 2)], shift)
    straight, mirrored = fake_heatmaps(CROPS), fake_heatmaps(CROPS[:, :, ::-1])
    expected = np.empty_like(straight)
    for joint, twin in ((0, 2), (1, 1), (2, 0)):
        for column in range(6):
            source = max(column - 1, 0) if shift else column  # one pixel to the right; the first column stays
            other = mirrored[:, twin, :, 5 - source]
            expected[:, joint, :, column] = (straight[:, joint, :, column] + other) / 2
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, expected, rtol=1e-5, atol=1e-6)


def brightest(crops):
    """A network of one joint that sees the brightest place of a crop, one heatmap pixel for four of its own."""
    height, width = crops.shape[1] // 4, crops.shape[2] // 4
    return crops.mean(axis=3).reshape(len(crops), 1, height, 4, width, 4).mean(axis=(3, 5)).astype(np.float32)


def spotted_picture(spots, size=(300, 200)):
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    for x, y in spots:
        picture[y - 4 : y + 5, x - 4 : x + 5] = 255
    return picture


@pytest.mark.parametrize("unbiased", [False, True])
def test_each_box_finds_the_joint_that_is_in_it(unbiased):
    spots = [(60, 70), (220, 130)]
    settings = PoseSettings((64, 96), decode="dark", sigma=1.5, unbiased=unbiased)
    boxes = [(x - 20, y - 30, 40, 60) for x, y in spots]
    keypoints, scores = PosePredictor(brightest, settings).predict(spotted_picture(spots), boxes)
    assert keypoints.shape == (2, 1, 2) and scores.shape == (2, 1)
    # a crop pixel is 0.78 picture pixels here, a heatmap pixel 3.1; its centre is the middle of four crop pixels,
    # which the original's convention (x / 4) does not count in
    np.testing.assert_allclose(keypoints[:, 0], spots, atol=2.5)


def test_more_boxes_than_a_batch_give_the_same_as_one_by_one():
    spots = [(40 + 20 * number, 80) for number in range(7)]
    picture, predictor = spotted_picture(spots), PosePredictor(brightest, PoseSettings((64, 64), batch_size=3))
    boxes = [(x - 10, y - 10, 20, 20) for x, y in spots]
    singles = [predictor.predict(picture, [box])[0][0] for box in boxes]
    np.testing.assert_array_equal(predictor.predict(picture, boxes)[0], singles)


def test_no_box_gives_no_person_and_runs_no_network():
    keypoints, scores = PosePredictor(None, PoseSettings((64, 64))).predict(spotted_picture([]), [])
    assert len(keypoints) == len(scores) == 0


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_persons_of_several_pictures_get_the_joints_of_their_own(batch_size):
    spots = [[(60, 70), (220, 130)], [], [(40, 80), (90, 50), (200, 100)], []]
    predictor = PosePredictor(brightest, PoseSettings((64, 64), batch_size=batch_size))
    pictures = [spotted_picture(places) for places in spots]
    boxes = [[(x - 20, y - 20, 40, 40) for x, y in places] for places in spots]
    every = predictor.predict_many(pictures, [Poses.in_boxes(part) for part in boxes])
    assert [len(poses.keypoints) for poses in every] == [2, 0, 3, 0]
    for picture, part, poses in zip(pictures, boxes, every, strict=True):
        keypoints, scores = predictor.predict(picture, part)
        if part:
            np.testing.assert_array_equal(poses.keypoints, keypoints)
            np.testing.assert_array_equal(poses.scores, scores)
        np.testing.assert_array_equal(poses.boxes, np.reshape(part, (-1, 4)))
        assert poses.heatmaps is None


def test_heatmaps_are_kept_where_asked_for_the_highest_of_each_place():
    def two_joints(crops):
        heatmaps = brightest(crops)
        return np.concatenate([heatmaps, 300 - heatmaps], axis=1)

    predictor = PosePredictor(two_joints, PoseSettings((64, 96)))
    picture, boxes = spotted_picture([(60, 70)]), [(40, 40, 40, 60)]
    (poses,) = predictor.predict_many([picture], [Poses.in_boxes(boxes)], keep_heatmaps=True)
    assert poses.heatmaps.values.shape == (1, 24, 16)
    assert poses.heatmaps.values.max() == 300 and poses.heatmaps.values.min() >= 150


def test_the_padding_counts():
    spot = [(60, 70)]
    narrow, wide = (
        PosePredictor(brightest, PoseSettings((64, 64), padding=padding)).predict_many(
            [spotted_picture(spot)], [Poses.in_boxes([(30, 40, 60, 60)])], keep_heatmaps=True
        )
        for padding in (1.25, 2.0)
    )
    np.testing.assert_allclose(wide[0].heatmaps.scales / narrow[0].heatmaps.scales, 1.6, rtol=1e-6)


def test_the_clock_counts_each_part_and_not_the_warm_up():
    predictor = PosePredictor(brightest, PoseSettings((64, 64)))
    predictor.warm_up()
    assert predictor.clock.seconds == {}
    predictor.predict(spotted_picture([(60, 70)]), [(30, 40, 60, 60)])
    assert predictor.clock.seconds.keys() == {"preprocess", "network", "decode"}
