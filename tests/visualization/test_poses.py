"""Drawing: what is drawn, where, and which files the DEBUG flags make."""

import cv2
import numpy as np
import pytest

from lib.config.schema import DebugConfig
from lib.core.skeletons import MPII
from lib.visualization.poses import (
    LEFT_COLOR,
    MIDDLE_COLOR,
    RIGHT_COLOR,
    draw_pose,
    heatmap_grid,
    make_grid,
    save_debug_images,
)

NOBODY = np.zeros(16, dtype=bool)


def joints_at(**places):
    joints, drawn = np.zeros((16, 2)), NOBODY.copy()
    for name, place in places.items():
        joints[MPII.joints.index(name)] = place
        drawn[MPII.joints.index(name)] = True
    return joints, drawn


@pytest.mark.parametrize(
    ("name", "color"), [("left_knee", LEFT_COLOR), ("right_knee", RIGHT_COLOR), ("head_top", MIDDLE_COLOR)]
)
def test_a_joint_is_a_dot_in_the_colour_of_its_side(name, color):
    image = np.zeros((60, 80, 3), np.uint8)
    assert draw_pose(image, *joints_at(**{name: (50, 20)}), MPII) is image
    assert tuple(image[20, 50]) == color
    assert (image[:, :40] == 0).all() and (image[40:] == 0).all()


def test_a_limb_is_drawn_only_where_both_its_ends_are():
    image = np.zeros((60, 80, 3), np.uint8)
    draw_pose(image, *joints_at(left_hip=(10, 30), left_knee=(70, 30)), MPII)
    np.testing.assert_allclose(image[30, 40], LEFT_COLOR, atol=30)  # smoothed edges
    image = np.zeros((60, 80, 3), np.uint8)
    draw_pose(image, *joints_at(left_hip=(10, 30), left_ankle=(70, 30)), MPII)
    assert (image[:, 20:60] == 0).all()


def test_nothing_is_drawn_of_a_person_without_joints():
    image = np.zeros((60, 80, 3), np.uint8)
    draw_pose(image, np.full((16, 2), np.nan), NOBODY, MPII)
    assert not image.any()


def test_joints_outside_the_picture_do_no_harm():
    image = np.zeros((60, 80, 3), np.uint8)
    draw_pose(image, *joints_at(left_hip=(-500, 30), left_knee=(2000, 30)), MPII)
    np.testing.assert_allclose(image[30, 40], LEFT_COLOR, atol=30)  # the limb crosses the picture


def test_a_grid_puts_pictures_side_by_side_row_by_row():
    images = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]
    grid = make_grid(images, columns=2, gap=1)
    assert grid.shape == (2 * 5 + 1, 2 * 7 + 1, 3)
    assert (grid[1:5, 1:7] == 10).all() and (grid[1:5, 8:14] == 20).all() and (grid[6:10, 1:7] == 30).all()
    assert (grid[6:10, 8:14] == 255).all()
    assert (grid[0] == 255).all()


def test_a_heatmap_grid_has_a_row_a_person_with_the_crop_first():
    crops = np.full((2, 32, 24, 3), 100, np.uint8)
    heatmaps = np.zeros((2, 3, 8, 6))
    heatmaps[1, 2, 4, 3] = 1
    grid = heatmap_grid(crops, heatmaps)
    height, width = 80 + 2, 60 + 2  # of a cell, enlarged ten times, and its gap
    assert grid.shape == (2 * height + 2, 4 * width + 2, 3)
    assert (grid[2:82, 2:62] == 100).all()
    hot, cold = grid[2 + height + 45, 2 + 3 * width + 35], grid[2 + height, 2 + 3 * width]
    assert hot[2] > hot[0] and cold[0] > cold[2]  # red where the heatmap is high, blue where it is low


def batch():
    return {
        "crop": np.zeros((3, 64, 64, 3), np.uint8),
        "joints": np.full((3, 16, 2), 30.0),
        "target_weight": np.ones((3, 16, 1)),
    }


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("SAVE_BATCH_IMAGES_GT", "gt"), ("SAVE_BATCH_IMAGES_PRED", "pred"), ("SAVE_HEATMAPS_GT", "hm_gt"),
        ("SAVE_HEATMAPS_PRED", "hm_pred"),
    ],
)  # fmt: skip
def test_each_debug_flag_writes_its_own_picture_and_no_other(tmp_path, flag, name):
    heatmaps = np.zeros((3, 16, 16, 16), np.float32)
    save_debug_images(DebugConfig(**{flag: True}), tmp_path / "val_0", batch(), heatmaps, heatmaps, MPII)
    assert [path.name for path in tmp_path.iterdir()] == [f"val_0_{name}.jpg"]
    assert cv2.imread(str(tmp_path / f"val_0_{name}.jpg")) is not None


def test_predicted_joints_are_drawn_at_the_crops_scale(tmp_path):
    heatmaps = np.zeros((1, 16, 16, 16), np.float32)
    heatmaps[:, :, 4, 12] = 1  # 48, 16 in the crop
    one = {name: values[:1] for name, values in batch().items()}
    save_debug_images(DebugConfig(SAVE_BATCH_IMAGES_PRED=True), tmp_path / "x", one, heatmaps, heatmaps, MPII)
    crop = cv2.imread(str(tmp_path / "x_pred.jpg"))[2:194, 2:194].astype(int)  # enlarged three times
    assert crop[3 * 16, 3 * 48].max() > 100
    assert crop[:, : 3 * 32].max() < 60
