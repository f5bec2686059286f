"""Encoding joints as heatmaps and decoding them, against the records, plain loops and cases worked out by hand."""

import math

import numpy as np
import pytest

from lib.core.heatmap import (
    flip_back,
    gaussian_vectors,
    generate_target,
    get_final_preds,
    get_max_preds,
    quarter_offset,
    shift_right,
)


def target_by_loop(joints, visible, image_size, heatmap_size, sigma):
    """One person's targets and weights, joint by joint and pixel by pixel, as the paper's code makes them."""
    width, height = heatmap_size
    target = np.zeros((len(joints), height, width), np.float32)
    weight = np.array(visible, np.float32)
    reach = sigma * 3
    for joint, (x, y) in enumerate(joints):
        mu_x = int(x / (image_size[0] / width) + 0.5)  # int() cuts towards zero
        mu_y = int(y / (image_size[1] / height) + 0.5)
        left, top, right, bottom = mu_x - reach, mu_y - reach, mu_x + reach + 1, mu_y + reach + 1
        if left >= width or top >= height or right < 0 or bottom < 0:
            weight[joint] = 0
        if weight[joint] > 0.5:
            for row in range(max(top, 0), min(bottom, height)):
                for column in range(max(left, 0), min(right, width)):
                    square = (column - mu_x) ** 2 + (row - mu_y) ** 2
                    target[joint, row, column] = math.exp(-square / (2 * sigma**2))
    return target, weight[:, None]


@pytest.mark.parametrize("name", ["mpii", "coco", "large"])
def test_targets_and_weights_are_the_originals(reference, name):
    record = {key: value for key, value in reference("target.npz").items() if key.startswith(name)}
    arguments = [record[f"{name}_{key}"].tolist() for key in ("image_size", "heatmap_size", "sigma")]
    target, weight = generate_target(
        record[f"{name}_joints"][..., :2], record[f"{name}_joints_vis"][..., 0], *arguments
    )
    assert target.dtype == weight.dtype == np.float32
    np.testing.assert_allclose(target, record[f"{name}_target"], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(weight, record[f"{name}_weight"])
    assert 0 < weight.mean() < 1  # the record holds joints of both kinds


@pytest.mark.parametrize(
    ("image_size", "heatmap_size", "sigma"),
    [((256, 256), (64, 64), 2), ((192, 256), (48, 64), 2), ((96, 64), (24, 16), 1), ((128, 128), (32, 32), 3)],
)
def test_vectors_multiply_to_what_a_plain_loop_draws(image_size, heatmap_size, sigma):
    rng = np.random.default_rng(1)
    joints = rng.uniform(-60, 320, (3, 12, 2))
    width, height = image_size
    joints[0, :8] = [
        (0, 0), (width - 1, height - 1), (-0.5, -0.5), (-3, 5), (width + 4 * 3 * sigma, 5), (-4 * 3 * sigma - 8, 5),
        (5, -4 * (3 * sigma + 1)), (5, height + 4 * 3 * sigma - 3),
    ]  # fmt: skip
    visible = rng.integers(0, 2, (3, 12))
    visible[0, :8] = 1
    horizontal, vertical, weight = gaussian_vectors(joints, visible, image_size, heatmap_size, sigma)
    product = vertical[..., :, None] * horizontal[..., None, :]
    for person in range(3):
        expected = target_by_loop(joints[person], visible[person], image_size, heatmap_size, sigma)
        np.testing.assert_allclose(product[person], expected[0], atol=1e-6)
        np.testing.assert_array_equal(weight[person], expected[1])
    np.testing.assert_array_equal(product, generate_target(joints, visible, image_size, heatmap_size, sigma)[0])


def target_of(x, y, visible=1.0, sigma=2):
    target, weight = generate_target([[[x, y]]], [[visible]], (256, 256), (64, 64), sigma)
    return target[0, 0], weight[0, 0, 0]


def test_the_gaussian_is_one_at_its_peak_and_ends_at_three_sigma():
    target, weight = target_of(128, 80)
    assert weight == 1 and target[20, 32] == 1
    assert target[20, 32 + 2] == pytest.approx(math.exp(-0.5))
    assert target[20, 32 + 6] == pytest.approx(math.exp(-4.5)) and target[20, 32 + 7] == 0
    assert target[20 - 6, 32 - 6] == pytest.approx(math.exp(-9)) and target[20 - 7, 32] == 0


@pytest.mark.parametrize(("x", "column"), [(129.9, 32), (130, 33), (126, 32), (125.9, 31), (0, 0), (253.9, 63)])
def test_a_joint_is_rounded_half_up_to_a_heatmap_pixel(x, column):
    assert target_of(x, 80)[0].max(axis=0).argmax() == column


def test_negative_coordinates_are_cut_towards_zero():
    # -5 / 4 + 0.5 = -0.75, which int() makes 0 and floor would make -1
    target, weight = target_of(-5, 80)
    assert weight == 1 and target[20, 0] == 1


@pytest.mark.parametrize(("x", "weight"), [(69 * 4, 1), (70 * 4, 0), (-7 * 4 - 2, 1), (-8 * 4 - 2, 0)])
def test_a_joint_counts_as_long_as_the_reach_of_its_gaussian_is_not_past_the_border(x, weight):
    target, found = target_of(x, 80)
    assert found == weight
    assert bool(target.any()) == (x == 69 * 4)  # at -7 the weight stays though no pixel is reached, as in the original


@pytest.mark.parametrize(("visible", "drawn"), [(0.0, False), (0.5, False), (0.51, True), (1.0, True)])
def test_joints_that_are_not_visible_have_an_empty_target(visible, drawn):
    target, weight = target_of(100, 100, visible)
    assert bool(target.any()) == drawn
    assert weight == np.float32(visible)


def test_a_joint_that_is_not_annotated_may_hold_anything():
    for value in (math.nan, math.inf, -1e300):
        target, weight = target_of(value, value, visible=0)
        assert weight == 0 and not target.any(), value  # a NaN here would make the loss NaN: 0 * NaN is NaN


def decoded(record, decode):
    return get_final_preds(record["heatmap"], record["center"], record["scale"], decode)


def check_decoding(record):
    coords, maxvals = get_max_preds(record["heatmap"])
    np.testing.assert_array_equal(coords, record["max_preds"])
    np.testing.assert_array_equal(maxvals, record["maxvals"])
    for decode, key in (("quarter", "final_preds"), ("none", "final_preds_no_offset")):
        preds, confidence = decoded(record, decode)
        assert preds.dtype == np.float32
        np.testing.assert_allclose(preds, record[key], atol=0.01, rtol=0)
        np.testing.assert_array_equal(confidence, record["maxvals"])


def check_flipping(record, rows):
    back = flip_back(record["heatmap"], record["flip_pairs"])
    np.testing.assert_array_equal(back[:, :, rows], record["flip_back"])
    np.testing.assert_array_equal(shift_right(back)[:, :, rows], record["flip_back_shifted"])


def test_decoding_is_the_originals_for_one_recorded_person(reference):
    record = reference("decode_first.npz")
    assert (record["maxvals"] <= 0).any()  # with maps that are nowhere above 0
    check_decoding(record)


def test_mirroring_back_and_shifting_is_the_originals_for_one_recorded_person(reference):
    record = reference("decode_first.npz")
    check_flipping(record, record["rows"])


def test_decoding_is_the_originals_for_all_recorded_persons(shared):
    record = np.load(shared / "reference" / "decode.npz")
    check_decoding(record)
    check_flipping(record, slice(None))


def test_the_first_of_equal_maxima_in_reading_order_wins():
    heatmaps = np.zeros((1, 2, 8, 6), np.float32)
    heatmaps[0, 0, [2, 2, 5], [4, 5, 0]] = 0.7
    heatmaps[0, 1, [6, 3], [0, 5]] = 0.7
    coords, maxvals = get_max_preds(heatmaps)
    assert coords.tolist() == [[[4, 2], [5, 3]]]
    np.testing.assert_array_equal(maxvals[..., 0], np.float32([[0.7, 0.7]]))


@pytest.mark.parametrize(("value", "peak"), [(-0.5, -0.25), (-0.5, 0.0), (0.0, 0.0), (math.nan, math.nan)])
def test_a_map_that_is_nowhere_above_zero_gives_the_corner(value, peak):
    heatmaps = np.full((1, 1, 8, 6), value, np.float32)
    heatmaps[0, 0, 4, 3] = peak
    coords, maxvals = get_max_preds(heatmaps)
    assert coords.tolist() == [[[0, 0]]]
    assert not maxvals[0, 0, 0] > 0


def test_the_peak_moves_a_quarter_pixel_towards_the_higher_neighbour():
    heatmaps = np.zeros((1, 1, 10, 12), np.float32)
    heatmaps[0, 0, 5, 6], heatmaps[0, 0, 5, 7], heatmaps[0, 0, 4, 6] = 1.0, 0.4, 0.3
    assert quarter_offset(heatmaps, np.float32([[[6, 5]]])).tolist() == [[[6.25, 4.75]]]
    heatmaps[0, 0, 5, 5], heatmaps[0, 0, 6, 6] = 0.4, 0.9  # equal to the left and right; higher below
    assert quarter_offset(heatmaps, np.float32([[[6, 5]]])).tolist() == [[[6, 5.25]]]


@pytest.mark.parametrize(
    ("x", "y", "moves"),
    [(2, 2, True), (1, 5, False), (5, 1, False), (10, 8, True), (11, 5, False), (5, 9, False), (0, 0, False)],
)
def test_peaks_within_a_pixel_of_the_border_stay(x, y, moves):
    heatmaps = np.arange(120, dtype=np.float32).reshape(1, 1, 10, 12)  # rising to the right and down
    moved = quarter_offset(heatmaps, np.float32([[[x, y]]]))
    assert moved.tolist() == [[[x + 0.25, y + 0.25] if moves else [x, y]]]


def test_decoding_leaves_the_heatmaps_and_coordinates_alone():
    heatmaps = np.random.default_rng(0).normal(size=(2, 3, 8, 6)).astype(np.float32)
    before = heatmaps.copy()
    coords, _ = get_max_preds(heatmaps)
    kept = coords.copy()
    quarter_offset(heatmaps, coords)
    get_final_preds(heatmaps, np.zeros((2, 2)), np.ones((2, 2)))
    shift_right(heatmaps)
    np.testing.assert_array_equal(heatmaps, before)
    np.testing.assert_array_equal(coords, kept)


def test_mirroring_back_reverses_columns_and_exchanges_the_pairs():
    heatmaps = np.arange(12).reshape(1, 3, 1, 4)
    assert flip_back(heatmaps, [(0, 2)]).tolist() == [[[[11, 10, 9, 8]], [[7, 6, 5, 4]], [[3, 2, 1, 0]]]]


def test_shifting_moves_one_pixel_to_the_right_and_keeps_the_first_column():
    assert shift_right(np.array([[[[1, 2, 3], [4, 5, 6]]]])).tolist() == [[[[1, 1, 2], [4, 4, 5]]]]


@pytest.mark.parametrize(("image_size", "heatmap_size"), [((256, 256), (64, 64)), ((192, 256), (48, 64))])
def test_an_encoded_joint_decodes_within_half_a_heatmap_pixel(image_size, heatmap_size):
    width, height = image_size
    joints = np.random.default_rng(2).uniform((0, 0), (width - 4, height - 4), (20, 16, 2))
    target, _ = generate_target(joints, np.ones((20, 16)), image_size, heatmap_size, 2)
    coords, maxvals = get_max_preds(target)
    assert (maxvals == 1).all()
    assert np.abs(coords - joints / 4).max() <= 0.5 + 1e-6
    # and back in the picture: the box (in units of 200 px) shown at twice its size
    center, scale = np.array([[40.0, 30.0]] * 20), np.array([[width / 400, height / 400]] * 20)
    preds, _ = get_final_preds(target, center, scale, decode="none")
    expected = (joints - np.array(image_size) / 2) / 2 + center[0]
    assert np.abs(preds - expected).max() <= 1 + 0.01
