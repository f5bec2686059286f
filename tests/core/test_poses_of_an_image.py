"""Poses, from boxes on: some of the people of an image keep everything that is theirs."""

from dataclasses import replace

import numpy as np
import pytest

from lib.core.poses import NOBODY, PersonHeatmaps, Poses


@pytest.fixture
def poses():
    people = Poses.in_boxes([[0, 0, 10, 20], [5, 5, 30, 40], [9, 9, 1, 2]], [0.9, 0.8, 0.7])
    maps = PersonHeatmaps(np.arange(3 * 4 * 2.0).reshape(3, 4, 2), np.eye(3, 2), np.ones((3, 2)))
    keypoints = np.arange(3 * 5 * 2.0).reshape(3, 5, 2)
    return replace(
        people, keypoints=keypoints, scores=keypoints[..., 0], track_ids=np.array([4, 5, 6]), heatmaps=maps
    )


def test_boxes_alone_have_no_keypoints_and_count_fully():
    people = Poses.in_boxes([[0, 0, 10, 20]])
    assert (len(people), people.box_scores.tolist(), people.track_ids.tolist()) == (1, [1], [0])
    assert people.keypoints.shape == (1, 0, 2) and people.scores.shape == (1, 0)
    assert len(NOBODY) == 0 and NOBODY.boxes.shape == (0, 4)


@pytest.mark.parametrize("rows", [[2, 0], np.array([True, False, True]), slice(1, None), []])
def test_some_of_the_people_keep_what_is_theirs(poses, rows):
    rows = rows if isinstance(rows, slice) else np.array(rows, dtype=getattr(rows, "dtype", int))
    some = poses[rows]
    expected = np.arange(3)[rows]
    assert len(some) == len(expected)
    for name in ("boxes", "box_scores", "keypoints", "scores", "track_ids"):
        np.testing.assert_array_equal(getattr(some, name), getattr(poses, name)[expected])
    for name in ("values", "centers", "scales"):
        np.testing.assert_array_equal(getattr(some.heatmaps, name), getattr(poses.heatmaps, name)[expected])
