import numpy as np

from lib.core.boxes import box_nms, box_of_joints, box_overlaps, cut_at_border


def test_a_box_around_joints_grows_by_fifteen_percent_in_length():
    joints = np.array([[[10.0, 20.0], [110.0, 60.0], [900.0, 900.0]]])
    box = box_of_joints(joints, [[True, True, False]])
    # 100 x 40 grows to 115 x 46 about its middle, (60, 40)
    np.testing.assert_allclose(box, [[2.5, 17.0, 115.0, 46.0]])


def test_joints_of_nan_are_left_out_and_nobody_has_a_box_of_nan():
    joints = np.array([[[np.nan, 20.0], [10.0, 10.0], [20.0, 30.0]], [[1.0, 1.0]] * 3])
    boxes = box_of_joints(joints, [[True] * 3, [False] * 3], growth=0)
    np.testing.assert_allclose(boxes, [[10, 10, 10, 20], [np.nan] * 4])
    assert box_of_joints(np.zeros((0, 3, 2)), np.zeros((0, 3))).shape == (0, 4)


def test_overlaps_by_hand():
    # two squares of 10 that share 5 x 10: 50 / 150
    overlaps = box_overlaps([[0, 0, 10, 10]], [[5, 0, 10, 10], [0, 0, 10, 10], [10, 0, 5, 5], [2, 2, 0, 0]])
    np.testing.assert_allclose(overlaps, [[1 / 3, 1, 0, 0]])


def test_nms_agrees_with_the_original(reference):
    recorded = reference("oks_nms.npz")
    boxes = recorded["dets"][:, :4].astype(float)
    boxes[:, 2:] += 1 - boxes[:, :2]  # the original's corners are pixels, so that a box from 0 to 9 is 10 wide
    assert box_nms(boxes, recorded["dets"][:, 4], 0.5) == recorded["box_nms_keep_05"].tolist()


def test_nms_keeps_the_best_of_each_group():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [50, 0, 10, 10], [0.5, 0, 10, 10]], dtype=float)
    assert box_nms(boxes, [0.6, 0.9, 0.3, 0.8], 0.5) == [1, 2]
    assert box_nms(boxes, [0.6, 0.9, 0.3, 0.8], 0.905) == [1, 3, 0, 2]  # 9.5 / 10.5 is not above
    assert box_nms(boxes, [0.6, 0.9, 0.3, 0.8], 0.905, limit=2) == [1, 3]
    assert box_nms(np.zeros((0, 4)), np.zeros(0), 0.5) == []


def test_boxes_are_cut_at_the_border():
    boxes = np.array([[-5, -5, 10, 10], [100, 0, 10, 10], [90, 40, 30, 30], [np.nan] * 4])
    cut, inside = cut_at_border(boxes, (100, 50))
    np.testing.assert_allclose(cut[[0, 2]], [[0, 0, 5, 5], [90, 40, 10, 10]])
    assert inside.tolist() == [True, False, True, False]
