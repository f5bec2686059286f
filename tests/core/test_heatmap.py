"""Encoding joints as heatmaps and decoding them, against the records, plain loops and cases worked out by hand."""

import math

import numpy as np
import pytest

from lib.core.heatmap import (
    dark_offset,
    flip_back,
    gaussian_vectors,
    generate_target,
    get_final_preds,
    get_max_preds,
    quarter_offset,
    shift_right,
)
from lib.core.transforms import affine_transform, get_affine_transform


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


# -- distribution-aware decoding -------------------------------------------------------------------------------------


def gaussians(places, sigma, size=(48, 64)):
    """Heatmaps (N, 1, H, W) of gaussians, not cut off, whose peaks are at sub-pixel places (N, 2)."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    squares = [(columns - x) ** 2 + (rows - y) ** 2 for x, y in places]
    return np.exp(-np.array(squares) / (2 * sigma**2))[:, None].astype(np.float32)


def dark(heatmaps, sigma=2):
    return dark_offset(heatmaps, get_max_preds(heatmaps)[0], sigma)[:, 0]


def dark_by_loop(heatmap, sigma):
    """One heatmap's peak by the paper's formulas: blur, logarithm, m - H^-1 g."""
    height, width = heatmap.shape
    side = {1.5: 9, 2: 11, 3: 17}[sigma]
    reach, deviation = side // 2, 0.3 * ((side - 1) * 0.5 - 1) + 0.8  # OpenCV's deviation for a width, as in its code
    kernel = [math.exp(-((tap - reach) ** 2) / (2 * deviation**2)) for tap in range(side)]
    padded = np.zeros((height + 2 * reach, width + 2 * reach))
    padded[reach : reach + height, reach : reach + width] = heatmap
    blurred = np.zeros((height, width))
    for down in range(side):
        for right in range(side):
            weight = kernel[down] * kernel[right] / sum(kernel) ** 2
            blurred += weight * padded[down : down + height, right : right + width]
    logs = np.log(np.maximum(blurred * heatmap.max() / blurred.max(), 1e-10))
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    gradient = [(logs[y, x + 1] - logs[y, x - 1]) / 2, (logs[y + 1, x] - logs[y - 1, x]) / 2]
    twist = (logs[y + 1, x + 1] - logs[y - 1, x + 1] - logs[y + 1, x - 1] + logs[y - 1, x - 1]) / 4
    hessian = [[(logs[y, x + 2] - 2 * logs[y, x] + logs[y, x - 2]) / 4, twist],
               [twist, (logs[y + 2, x] - 2 * logs[y, x] + logs[y - 2, x]) / 4]]  # fmt: skip
    return np.array([x, y]) - np.linalg.solve(hessian, gradient)


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_dark_finds_the_peak_of_a_gaussian_between_the_pixels(sigma):
    places = np.random.default_rng(4).uniform((12, 14), (35, 49), (100, 2))
    heatmaps = gaussians(places, sigma)
    assert np.abs(dark(heatmaps, sigma) - places).max() < 1e-3  # measured: 4e-4
    coords, _ = get_max_preds(heatmaps)
    assert np.abs(quarter_offset(heatmaps, coords)[:, 0] - places).max() > 0.2  # the published decoder


def test_dark_finds_the_peak_of_a_gaussian_that_lies_askew():
    rows, columns = np.mgrid[:64, :48]
    for angle in (0.3, 1.2, 2.5):
        right, down = columns - 20.3, rows - 30.4
        along = right * math.cos(angle) + down * math.sin(angle)
        across = down * math.cos(angle) - right * math.sin(angle)
        heatmap = np.exp(-((along / 4) ** 2) / 2 - ((across / 1.5) ** 2) / 2)[None, None].astype(np.float32)
        np.testing.assert_allclose(dark(heatmap), [[20.3, 30.4]], atol=0.02)  # measured: 0.01


@pytest.mark.parametrize("sigma", [1.5, 2, 3])
def test_dark_is_the_papers_formulas_written_as_a_loop(sigma):
    rng = np.random.default_rng(5)
    places = rng.uniform((4, 4), (43, 59), (30, 2))
    heatmaps = gaussians(places, 2) * np.float32(0.7) + rng.uniform(-0.01, 0.05, (30, 1, 64, 48)).astype(np.float32)
    expected = [dark_by_loop(heatmap[0], sigma) for heatmap in heatmaps]
    found = dark(heatmaps, sigma)
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=0)
    assert np.abs(found - np.round(found)).max() > 0.3


@pytest.mark.parametrize(
    ("x", "y", "moves"),
    [(2, 30, True), (1, 30, False), (0, 0, False), (45, 30, True), (46, 30, False), (47, 63, False), (20, 2, True),
     (20, 1, False), (20, 61, True), (20, 62, False)],
)  # fmt: skip
def test_dark_keeps_the_highest_pixel_where_its_five_pixels_are_not_inside(x, y, moves):
    (place,) = dark(gaussians([(x + 0.2, y - 0.2)], 2)).tolist()
    assert (place != [x, y]) == moves


def test_dark_keeps_the_highest_pixel_where_its_surroundings_are_no_peak():
    rows, columns = np.mgrid[:64, :48]
    for upwards in (1, -1):  # rising to both sides, or to top and bottom
        saddle = 1 + upwards * 0.02 * ((columns - 20.3) ** 2 - (rows - 30.3) ** 2)
        saddle = np.clip(saddle, 0, 1.5).astype(np.float32)
        saddle[30, 20] = 1.51
        assert dark(saddle[None, None]).tolist() == [[20, 30]]
    assert dark(np.full((1, 1, 64, 48), -0.5, np.float32)).tolist() == [[0, 0]]


def test_dark_takes_no_step_further_than_it_looks():
    heatmap = gaussians([(30, 30)], 4) * np.float32(0.5)
    heatmap[0, 0, 30, 20] = 0.6  # a single hot pixel: blurred it is gone, and the slope leads ten pixels away
    assert dark(heatmap).tolist() == [[20, 30]]


def test_a_higher_or_lower_heatmap_decodes_alike():
    heatmaps = gaussians([(20.3, 30.4), (11.8, 40.1)], 2)
    np.testing.assert_allclose(dark(heatmaps * np.float32(0.05)), dark(heatmaps), atol=1e-3)


def test_the_three_decoders_differ_by_what_they_add_to_the_highest_pixel():
    heatmaps, size = gaussians([(20.3, 30.4)], 2), np.array([48, 64])
    arguments = heatmaps, size[None] / 2, size[None] / 200  # the heatmap is the picture
    for decode, expected in (("none", (20, 30)), ("quarter", (20.25, 30.25)), ("dark", (20.3, 30.4))):
        preds, maxvals = get_final_preds(*arguments, decode)
        np.testing.assert_allclose(preds[0, 0], expected, atol=1e-3)
        assert maxvals[0, 0, 0] == heatmaps.max()  # the score is the heatmap's, not the blurred one's


# -- unbiased data processing ----------------------------------------------------------------------------------------

SIZES = [((192, 256), (48, 64), 2), ((256, 256), (64, 64), 2), ((288, 384), (72, 96), 3)]


def unbiased_target(joints, image_size, heatmap_size, sigma=2):
    """Targets (N, H, W) of joints (N, 2) in crop pixels."""
    return unbiased_target_and_weight(joints, image_size, heatmap_size, sigma)[0]


def unbiased_target_and_weight(joints, image_size, heatmap_size, sigma):
    visible = np.ones((len(joints), 1))
    target, weight = generate_target(joints[:, None], visible, image_size, heatmap_size, sigma, unbiased=True)
    return target[:, 0], weight[:, 0, 0]


def test_an_unbiased_gaussians_peak_is_not_rounded():
    target = unbiased_target(np.array([[100.0, 200.0]]), (192, 256), (48, 64))[0]
    x, y = 100 * 47 / 191, 200 * 63 / 255  # 24.6, 49.4
    for row, column in ((49, 25), (50, 23), (52, 27)):
        expected = math.exp(-((column - x) ** 2 + (row - y) ** 2) / 8)
        assert target[row, column] == pytest.approx(expected, abs=1e-6)
    assert np.flatnonzero(target.max(axis=0)).tolist() == list(range(25 - 6, 25 + 7))
    assert np.flatnonzero(target.max(axis=1)).tolist() == list(range(49 - 6, 49 + 7))


def test_the_corner_pixels_centres_of_crop_and_heatmap_are_one_place():
    corners = np.array([[0.0, 0.0], [191.0, 255.0]])
    target = unbiased_target(corners, (192, 256), (48, 64))
    assert target[0, 0, 0] == target[1, 63, 47] == 1


@pytest.mark.parametrize(("image_size", "heatmap_size", "sigma"), SIZES)
def test_joints_come_back_through_unbiased_crop_target_and_decoding(image_size, heatmap_size, sigma):
    rng = np.random.default_rng(6)
    image_size = np.array(image_size)
    center = rng.uniform(100, 400, (50, 2))
    scale = rng.uniform(0.3, 2, (50, 1)) * np.array([image_size[0] / image_size[1], 1])
    joints = center + rng.uniform(-0.35, 0.35, (50, 2)) * scale * 200  # in picture pixels
    crops = np.array([
        affine_transform(joint, get_affine_transform(*place, 0, image_size, unbiased=True))
        for joint, *place in zip(joints, center, scale, strict=True)
    ])  # fmt: skip
    target = unbiased_target(crops, image_size, heatmap_size, sigma)[:, None]
    pixel = scale * 200 / (np.array(heatmap_size) - 1)  # a heatmap pixel in picture pixels
    for decode, least, most in (("dark", 0, 1e-3), ("quarter", 0.2, 0.251), ("none", 0.4, 0.501)):
        preds, _ = get_final_preds(target, center, scale, decode, sigma, unbiased=True)
        assert least < (np.abs(preds[:, 0] - joints) / pixel).max() < most  # dark measured: 5e-4


def mirrored_back(draw, joints, width):
    """(targets of joints, targets of the joints in the mirrored crop, mirrored back)."""
    mirrored = [width - 1, 0] + joints * [-1, 1]
    return draw(joints), flip_back(draw(mirrored)[:, None], [])[:, 0]


@pytest.mark.parametrize(("image_size", "heatmap_size", "sigma"), SIZES)
def test_unbiased_targets_of_the_mirrored_crop_mirrored_back_are_the_targets(image_size, heatmap_size, sigma):
    joints = np.random.default_rng(7).uniform((-60, -10), np.array(image_size) + [60, 10], (300, 2))
    weights = []

    def draw(places):
        target, weight = unbiased_target_and_weight(places, image_size, heatmap_size, sigma)
        weights.append(weight)
        return target

    first, second = mirrored_back(draw, joints, image_size[0])
    np.testing.assert_allclose(first, second, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(*weights)
    np.testing.assert_array_equal(first.any(axis=(1, 2)), weights[0] == 1)
    assert 0.5 < weights[0].mean() < 1


def test_the_originals_targets_mirrored_back_are_three_quarters_of_a_pixel_to_the_left():
    # x -> (w - 1 - x) / 4 -> W - 1 - (w - 1 - x) / 4 = x / 4 - 3 / 4; rounded, three of four are a pixel to the left
    joints = np.column_stack([60 + np.arange(0.05, 16, 0.1), np.full(160, 100.0)])
    first, second = mirrored_back(
        lambda places: generate_target(places[:, None], np.ones((160, 1)), (192, 256), (48, 64), 2)[0][:, 0],
        joints, 192,
    )  # fmt: skip
    moved = get_max_preds(second[:, None])[0][:, 0] - get_max_preds(first[:, None])[0][:, 0]
    assert set(moved[:, 0].tolist()) == {-1, 0} and not moved[:, 1].any()
    assert moved[:, 0].mean() == pytest.approx(-0.75)


def test_a_flip_test_of_perfect_networks_is_unbiased_only_with_unbiased_data_processing():
    # networks that see x of the crop at its place in the heatmap, unrounded; the published flip test is an eighth of a
    # pixel to the right: the mirrored one is 3/4 to the left, and shifted by one
    joints = np.random.default_rng(8).uniform((50, 60), (140, 190), (50, 2))

    def seen_at(per_pixel):
        return lambda places: gaussians(places * per_pixel, 2)[:, 0]

    for per_pixel, shift, error in ((47 / 191, False, 0), (1 / 4, True, 1 / 8), (1 / 4, False, -3 / 8)):
        first, second = (heatmaps[:, None] for heatmaps in mirrored_back(seen_at(per_pixel), joints, 192))
        average = (first + (shift_right(second) if shift else second)) / 2
        off = dark(average)[:, 0] - joints[:, 0] * per_pixel
        assert np.abs(off - error).max() < 0.01


def test_every_decoder_can_be_asked_for():
    from typing import get_args

    from lib.config.schema import TestConfig
    from lib.core.heatmap import DECODERS

    assert set(get_args(TestConfig.model_fields["decode"].annotation)) == set(DECODERS)
