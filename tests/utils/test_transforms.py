"""The crop's geometry against the original's recorded matrices and against cases worked out by hand."""

import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.utils.transforms import (
    affine_transform,
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
