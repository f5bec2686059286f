import numpy as np

from lib.core.skeletons import COCO, MPII, Skeleton
from lib.tracking.similarity import OTHER_SIGMA, match_greedily, pose_similarity, tracking_sigmas

SIGMAS = np.full(4, 0.1)
POSE = np.array([[0, 0, 1.0], [10, 0, 1], [0, 10, 1], [10, 10, 1]])


def similarity(pose, other, least=1):
    return pose_similarity(pose[None], [100.0], other[None], [100.0], SIGMAS, least)[0, 0]


def test_the_same_pose_is_alike_and_a_moved_one_less_by_the_formula():
    assert similarity(POSE, POSE) == 1
    moved = POSE + (3, 4, 0)
    # d^2 = 25, area 100, k = 0.2: exp(-25 / (2 * 100 * 0.04))
    np.testing.assert_allclose(similarity(POSE, moved), np.exp(-25 / 8), rtol=1e-9)


def test_only_joints_that_both_show_count():
    hidden = POSE.copy()
    hidden[0] = (900, 900, 0)
    gone = POSE.copy()
    gone[1] = (np.nan, np.nan, 0.9)
    assert similarity(hidden, POSE) == similarity(POSE, hidden) == 1
    assert similarity(gone, POSE) == similarity(POSE, gone) == 1
    assert similarity(hidden, gone, least=2) == 1
    assert similarity(hidden, gone, least=3) == 0


def test_arguments_are_left_as_they_are():
    other = POSE[None].copy()
    pose_similarity(POSE[None], [1.0], other, [1.0], SIGMAS)
    assert (other == POSE).all()


def test_the_most_alike_pair_is_matched_first():
    alike = np.array([[0.9, 0.8, 0.1], [0.95, 0.2, 0.3]])
    # 1-7 first (0.95); then row 0 cannot have 7 and takes 8
    assert match_greedily(alike, [7, 8, 7], 0.2) == [8, 7]
    assert match_greedily(alike, [7, 8, 7], 0.85) == [None, 7]


def test_of_equal_pairs_the_newest_comes_first_and_no_one_is_matched_at_nothing():
    assert match_greedily(np.array([[0.5, 0.5]]), [3, 4], 0.1) == [3]
    assert match_greedily(np.zeros((2, 2)), [3, 4], 0.0) == [None, None]
    assert match_greedily(np.zeros((2, 0)), [], 0.1) == [None, None]


def test_sigmas_are_the_skeletons_own_or_by_name():
    assert tracking_sigmas(COCO).tolist() == list(COCO.sigmas)
    by_name = dict(zip(MPII.joints, tracking_sigmas(MPII).tolist(), strict=True))
    assert by_name["left_hip"] == by_name["right_hip"] == 0.107 and by_name["head_top"] == 0.035
    assert tracking_sigmas(Skeleton("own", ("tail", "left_knee"))).tolist() == [OTHER_SIGMA, 0.087]
