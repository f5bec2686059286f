"""OKS and suppression by it, against the record of the original and against figures worked out by hand."""

import json
import math

import numpy as np
import pytest

from lib.core.nms import oks_iou, oks_nms, soft_oks_nms
from lib.core.skeletons import COCO

SIGMAS = (0.05,)  # with areas of 200 square pixels, d pixels apart are an OKS of exp(-d^2 / (0.1^2 * 200 * 2))


def pose(x, score=1.0):
    """A pose of one joint."""
    return [[x, 0.0, score]]


def areas(count):
    return np.full(count, 200.0)


def test_the_oks_matrix_is_the_originals(reference):
    record = reference("oks_nms.npz")
    keypoints, area = record["keypoints"], record["area"]
    matrix = [oks_iou(keypoints[row], keypoints, area[row], area, COCO.sigmas) for row in range(16)]
    np.testing.assert_allclose(matrix, record["oks_matrix"], atol=1e-12, rtol=0)


def test_the_poses_kept_are_the_originals_for_each_threshold(reference):
    record = reference("oks_nms.npz")
    expected = json.loads(str(record["keep"]))
    assert len(expected) == 6
    for setting, kept in expected.items():
        threshold, visibility = setting.split(",")
        visibility = None if visibility == "None" else float(visibility)
        found = oks_nms(
            record["keypoints"], record["score"], record["area"], float(threshold), COCO.sigmas, visibility
        )
        assert found == kept, setting


def test_oks_is_the_mean_similarity_of_the_joints_by_the_mean_of_both_areas():
    # the first joint: 2 px apart, k = 2 * 0.05, mean area 200: exp(-4 / (0.01 * 200 * 2)); the second: in one place
    overlap = oks_iou([[0, 0, 1], [9, 9, 1]], [[[2, 0, 1], [9, 9, 1]]], 100.0, [300.0], (0.05, 0.1))
    assert overlap == pytest.approx([(math.exp(-1) + 1) / 2])


def test_only_joints_that_the_other_pose_shows_count_whatever_the_poses_own_scores():
    one, other = [[0, 0, 0.0], [9, 9, 0.0]], [[2, 0, 0.21], [9, 9, 0.2]]
    arguments = 200.0, [200.0], (0.05, 0.1)
    assert oks_iou(one, [other], *arguments, visibility_threshold=0.2) == pytest.approx([math.exp(-1)])
    assert oks_iou(other, [one], *arguments, visibility_threshold=0.2).tolist() == [0.0]  # it shows none


def test_a_pose_more_alike_than_the_threshold_goes_and_one_as_alike_stays():
    poses, scores = [pose(0), pose(2), pose(300)], [0.5, 0.9, 0.7]
    alike = float(oks_iou(pose(2), [pose(0)], 200.0, [200.0], SIGMAS)[0])
    assert oks_nms(poses, scores, areas(3), alike, SIGMAS) == [1, 2, 0]
    assert oks_nms(poses, scores, areas(3), alike - 1e-6, SIGMAS) == [1, 2]


def test_a_pose_that_is_gone_suppresses_nobody():
    # the middle one is like both others, which are unlike each other
    assert oks_nms([pose(0), pose(2), pose(4)], [0.9, 0.8, 0.7], areas(3), 0.3, SIGMAS) == [0, 2]


def test_of_equal_scores_the_last_comes_first():
    assert oks_nms([pose(0), pose(100), pose(200)], [0.5, 0.5, 0.5], areas(3), 0.9, SIGMAS) == [2, 1, 0]
    assert oks_nms([pose(0), pose(0), pose(0)], [0.5, 0.5, 0.4], areas(3), 0.9, SIGMAS) == [1]


def test_a_picture_without_poses_keeps_none():
    nothing = np.zeros((0, 1, 3)), np.zeros(0), np.zeros(0), 0.9, SIGMAS
    assert oks_nms(*nothing) == []
    keep, scores = soft_oks_nms(*nothing)
    assert (keep, len(scores)) == ([], 0)


def test_soft_suppression_lowers_a_score_by_each_better_pose():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    poses = [pose(0), pose(2), pose(300), pose(0)]  # OKS with the first: 1, 1/e, 0, 1; the last with the second: 1/e
    keep, lowered = soft_oks_nms(poses, scores, areas(4), 0.5, SIGMAS)
    little = math.exp(-(math.exp(-1) ** 2) / 0.5)  # 0.763
    assert keep == [0, 2, 1, 3]  # 0.8 * 0.763 is below 0.7
    assert lowered == pytest.approx([0.9, 0.7, 0.8 * little, 0.6 * math.exp(-1 / 0.5) * little])
    assert scores.tolist() == [0.9, 0.8, 0.7, 0.6]


def test_soft_suppression_keeps_the_20_best():
    scores = np.random.default_rng(0).permutation(25) / 25
    keep, kept_scores = soft_oks_nms([pose(100 * place) for place in range(25)], scores, areas(25), 0.9, SIGMAS)
    np.testing.assert_allclose(kept_scores, np.arange(24, 4, -1) / 25)
    np.testing.assert_array_equal(scores[keep], kept_scores)
