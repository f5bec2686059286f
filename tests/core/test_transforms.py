"""The crop's geometry against the original's recorded matrices and against cases worked out by hand."""

import json

import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.core.transforms import (
    affine_transform,
    crop_of_box,
    fliplr_joints,
    get_affine_transform,
    mirrored_order,
    transform_preds,
)


def test_matrices_and_their_inverses_are_the_originals(reference):
    record = reference("affine.npz")
    assert len(record["center"]) == 40
    for row in range(40):
        size = tuple(int(side) for side in record["output_size"][row])
        arguments = record["center"][row], record["scale"][row], float(record["rotation_deg"][row]), size
        np.testing.assert_allclose(get_affine_transform(*arguments), record["matrix"][row], atol=1e-4, rtol=0)
        inverse = get_affine_transform(*arguments, inverse=True)
        np.testing.assert_allclose(inverse, record["inverse"][row], atol=1e-4, rtol=0)


def test_moved_points_are_the_originals(reference):
    record = reference("affine.npz")
    for points, matrix, moved in zip(record["points"], record["matrix"], record["points_moved"], strict=True):
        np.testing.assert_allclose(affine_transform(points, matrix), moved, atol=0.01, rtol=0)


def test_the_width_of_a_float32_scale_is_rounded_to_float32_as_in_the_original():
    scale, center, size = np.array([1.6171092, 2.1561456], np.float32), (388.4206, 217.06105), (192, 256)
    rounded = float(scale[0] * np.float32(200))
    assert rounded != float(scale[0]) * 200
    matrix = get_affine_transform(center, scale, 0, size)
    np.testing.assert_array_equal(matrix, get_affine_transform(center, rounded / 200, 0, size))
    assert not np.array_equal(matrix, get_affine_transform(center, float(scale[0]), 0, size))


def test_inverse_undoes_the_matrix():
    arguments = (310.0, 215.0), (1.3, 1.7), 33.0, (192, 256)
    points = np.array([[0.0, 0.0], [310.0, 215.0], [640.0, 480.0]])
    there = affine_transform(points, get_affine_transform(*arguments))
    back = affine_transform(there, get_affine_transform(*arguments, inverse=True))
    np.testing.assert_allclose(back, points, atol=1e-3)


def test_centre_lands_in_the_middle_and_box_width_fills_the_output():
    matrix = get_affine_transform((100, 80), 1.0, 0, (256, 256))  # a box of 200 px: 1.28 crop pixels each
    np.testing.assert_allclose(affine_transform([100, 80], matrix), [128, 128], atol=1e-4)
    np.testing.assert_allclose(affine_transform([0, 80], matrix), [0, 128], atol=1e-4)
    np.testing.assert_allclose(affine_transform([100, 180], matrix), [128, 256], atol=1e-4)


def test_positive_rotation_turns_the_content_anticlockwise():
    matrix = get_affine_transform((100, 100), 1.0, 90, (200, 200))
    right_of_the_centre = affine_transform([150, 100], matrix)
    np.testing.assert_allclose(right_of_the_centre, [100, 50], atol=1e-4)  # is now above it


def test_only_the_width_of_the_box_counts_and_one_number_is_a_square():
    expected = get_affine_transform((50, 60), (1.5, 1.5), 10, (192, 256))
    np.testing.assert_array_equal(get_affine_transform((50, 60), (1.5, 9.0), 10, (192, 256)), expected)
    np.testing.assert_array_equal(get_affine_transform((50, 60), 1.5, 10, (192, 256)), expected)
    assert not np.allclose(get_affine_transform((50, 60), (1.6, 1.5), 10, (192, 256)), expected)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 5, 2)])
def test_points_of_any_leading_shape_are_moved_alike(shape):
    points = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    matrix = np.array([[2.0, 0, 1], [0, 3.0, -1]])
    moved = affine_transform(points, matrix)
    assert moved.dtype == np.float64
    np.testing.assert_array_equal(moved, points * [2, 3] + [1, -1])


def test_heatmap_pixels_go_back_to_the_picture():
    center, scale, size = np.array([300.0, 200.0]), np.array([1.2, 1.6]), (48, 64)
    points = np.array([[310.0, 190.0], [250.0, 260.0]])
    heatmap_points = affine_transform(points, get_affine_transform(center, scale, 0, size))
    np.testing.assert_allclose(transform_preds(heatmap_points, center, scale, size), points, atol=0.01)


def test_mirroring_swaps_left_and_right_and_reflects_about_the_middle_of_the_pixels():
    joints = np.array([[0.0, 5.0], [9.0, 6.0], [4.0, 7.0]])
    moved, visible = fliplr_joints(joints, np.array([1, 1, 1]), 10, [(0, 1)])
    np.testing.assert_array_equal(moved, [[0, 6], [9, 5], [5, 7]])
    np.testing.assert_array_equal(visible, [1, 1, 1])


def test_mirroring_zeroes_joints_that_are_not_visible_and_moves_their_flags_along():
    joints = np.array([[1.0, 5.0], [9.0, 6.0], [4.0, 7.0]])
    moved, visible = fliplr_joints(joints, np.array([0, 1, 0]), 10, [(0, 1)])
    np.testing.assert_array_equal(moved, [[0, 6], [0, 0], [0, 0]])
    np.testing.assert_array_equal(visible, [1, 0, 0])


def test_mirroring_leaves_its_arguments_alone_and_twice_is_the_identity():
    rng = np.random.default_rng(0)
    joints, visible = rng.uniform(0, 99, (16, 2)), np.ones(16)
    before = joints.copy()
    once, flags = fliplr_joints(joints, visible, 100, MPII.flip_pairs)
    np.testing.assert_array_equal(joints, before)
    twice, _ = fliplr_joints(once, flags, 100, MPII.flip_pairs)
    np.testing.assert_allclose(twice, joints, atol=1e-9)
    assert not np.allclose(once, joints)


def test_mirrored_order_exchanges_pairs_and_keeps_the_rest():
    assert mirrored_order(5, [(0, 3), (1, 2)]).tolist() == [3, 2, 1, 0, 4]


# -- unbiased data processing ----------------------------------------------------------------------------------------


def test_an_unbiased_boxs_corners_land_on_the_centres_of_the_corner_pixels():
    center, scale = np.array([310.0, 215.0]), np.array([1.2, 1.6])  # a box of 240 x 320
    matrix = get_affine_transform(center, scale, 0, (192, 256), unbiased=True)
    corners = center + np.array([[-120, -160], [120, -160], [-120, 160], [120, 160], [0, 0]])
    expected = [[0, 0], [191, 0], [0, 255], [191, 255], [95.5, 127.5]]
    np.testing.assert_allclose(affine_transform(corners, matrix), expected, atol=1e-6)


def test_an_unbiased_crop_covers_what_the_originals_does_whatever_the_boxs_aspect():
    # MPII's scale is square whatever the network's input: only the width counts, the crop has the input's aspect
    for scale in (1.2, (1.2, 1.2), (1.2, 1.6), (1.2, 9.0)):
        matrix = get_affine_transform((310.0, 215.0), scale, 0, (192, 256), unbiased=True)
        corners = np.array([[310.0 - 120, 215 - 160], [310 + 120, 215 + 160]])
        np.testing.assert_allclose(affine_transform(corners, matrix), [[0, 0], [191, 255]], atol=1e-6)


@pytest.mark.parametrize(("rotation", "size"), [(0, (192, 256)), (33.0, (192, 256)), (-75.0, (256, 256))])
def test_the_unbiased_inverse_undoes_the_matrix(rotation, size):
    arguments = (310.0, 215.0), (1.2, 1.6), rotation, size
    points = np.array([[0.0, 0.0], [310.0, 215.0], [640.0, 480.0]])
    there = affine_transform(points, get_affine_transform(*arguments, unbiased=True))
    back = affine_transform(there, get_affine_transform(*arguments, inverse=True, unbiased=True))
    np.testing.assert_allclose(back, points, atol=1e-6)
    assert np.abs(there - points).min() > 1


@pytest.mark.parametrize("rotation", [90, -30, 140])
def test_an_unbiased_crop_turns_as_the_originals_does(rotation):
    arguments = (100.0, 100.0), 1.0, rotation, (201, 201)
    points = np.array([[150.0, 100.0], [100.0, 30.0]]) - 100
    biased, unbiased = (get_affine_transform(*arguments, unbiased=way) for way in (False, True))
    turned = affine_transform(points, unbiased) - affine_transform([0, 0], unbiased)
    expected = affine_transform(points, biased) - affine_transform([0, 0], biased)
    np.testing.assert_allclose(turned, expected * 200 / 201, atol=1e-3)
    if rotation == 90:
        np.testing.assert_allclose(turned, [[0, -50], [-70, 0]], atol=1e-6)  # anticlockwise


def test_a_mirrored_picture_gives_the_mirrored_crop_only_with_unbiased_data_processing():
    width, size, center, joints = 640, (192, 256), np.array([311.3, 214.8]), np.array([[280.4, 200.2], [330.0, 150.5]])
    for unbiased, off in ((True, 0), (False, 1)):
        place = get_affine_transform(center, (1.2, 1.6), 0, size, unbiased=unbiased)
        other = get_affine_transform((width - 1 - center[0], center[1]), (1.2, 1.6), 0, size, unbiased=unbiased)
        first, second = affine_transform(joints, place), affine_transform(joints * [-1, 1] + [width - 1, 0], other)
        np.testing.assert_allclose(second[:, 0], 191 - first[:, 0] + off, atol=1e-3)


# -- the crop of a box -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "width", "height"),
    [((10, 20, 30, 80), 60, 80), ((10, 20, 90, 80), 90, 120), ((10, 20, 60, 80), 60, 80)],
)
def test_a_box_grows_to_the_inputs_aspect_and_by_a_quarter_about_its_middle(box, width, height):
    center, scale = crop_of_box(box, (192, 256))
    np.testing.assert_allclose(center, [10 + box[2] / 2, 20 + box[3] / 2])
    np.testing.assert_allclose(scale * 200, [1.25 * width, 1.25 * height], rtol=1e-6)
    _, larger = crop_of_box(box, (192, 256), padding=1.5)
    np.testing.assert_allclose(larger, scale * 1.2, rtol=1e-6)


def test_crops_of_detected_boxes_are_the_originals(shared):
    boxes = np.load(shared / "reference" / "coco4_r50_256x192.npz")["boxes"]  # center, scale, area, score
    detections = json.loads((shared / "data" / "coco4" / "person_detections_val2017.json").read_text())
    assert len(boxes) == len(detections) == 118
    crops = [np.concatenate(crop_of_box(detection["bbox"], (192, 256))) for detection in detections]
    np.testing.assert_array_equal(crops, boxes[:, :4])
