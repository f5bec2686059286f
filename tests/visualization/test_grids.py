"""Grids: where their cells are, what is written over and below them, and which files the DEBUG flags make."""

import cv2
import numpy as np
import pytest

from lib.config.schema import DebugConfig
from lib.core.skeletons import MPII
from lib.visualization.grids import captioned_grid, heatmap_grid, make_grid, pose_grid, save_debug_images
from lib.visualization.palette import LEFT_COLOR, RIGHT_COLOR


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
    height, width = 128 + 2, 96 + 2  # of a cell, enlarged 16 times, and its gap
    assert grid.shape == (2 * height + 2, 4 * width + 2, 3)
    assert (grid[2:130, 2:98] == 100).all()
    hot, cold = grid[2 + height + 72, 2 + 3 * width + 56], grid[2 + height, 2 + 3 * width]
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


def test_a_row_of_names_stands_over_the_heatmaps():
    crops, heatmaps = np.full((2, 32, 24, 3), 100, np.uint8), np.zeros((2, 16, 8, 6))
    plain, named = heatmap_grid(crops, heatmaps), heatmap_grid(crops, heatmaps, MPII.joints)
    above = len(named) - len(plain)
    np.testing.assert_array_equal(named[above:], plain)
    columns = np.array_split(named[:above, 2:-2].min(axis=(0, 2)), 17)
    assert all(column.min() < 100 for column in columns)  # there is ink in each


def grid_of(captions, names=MPII):
    joints = np.stack([np.column_stack([np.linspace(20, 170, 16), np.linspace(20, 230, 16)])] * 4)
    crops = np.full((4, 256, 192, 3), 100, np.uint8)
    return captioned_grid(crops, joints, np.ones((4, 16), dtype=bool), names, captions)


def test_captions_stand_above_the_crops_and_the_legend_below():
    short, long = (grid_of([(text, "a.jpg")] * 4) for text in ("1", "1 " + "no joint, small box, " * 9))
    assert short.shape == long.shape  # what is too long is shortened
    strip = long[8:20]
    assert (strip < 100).any() and (strip[:, :6] == 255).all() and (strip[:, 198:204] == 255).all()
    legend = short[-60:]
    for color in (LEFT_COLOR, RIGHT_COLOR):
        assert (legend == color).all(axis=2).any()


def test_joints_of_a_captioned_grid_are_numbered():
    numbered = grid_of([("1", "a.jpg")] * 4)
    crops = np.full((1, 256, 192, 3), 100, np.uint8)
    joints = np.column_stack([np.linspace(20, 170, 16), np.linspace(20, 230, 16)])[None]
    plain = pose_grid(crops, joints, np.ones((1, 16), dtype=bool), MPII)[2:-2, 2:-2]
    top = np.flatnonzero((numbered[:, 6] == 100).all(axis=1))[0]
    changed = (numbered[top : top + 256, 6:198] != plain).any(axis=2)
    assert 200 < changed.sum() < changed.size / 4
