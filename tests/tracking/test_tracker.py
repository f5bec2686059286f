"""Following drawn blobs: each "person" is a patch of grain that moves over a still ground."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.core.poses import NOBODY, Poses
from lib.tracking.tracker import METHODS, PoseTracker, TrackerSettings

SIZE = (320, 180)
SIGMAS = np.full(5, 0.08)
SHAPE = np.array([[0, 0], [30, 0], [0, 60], [30, 60], [15, 30]], dtype=float)  # five joints of a body of 30 x 60


def grain(seed, size):
    noise = np.random.default_rng(seed).standard_normal((size[1], size[0], 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 50 * noise / noise.std(), 0, 255).astype(np.uint8)


GROUND, BODIES = grain(0, SIZE), [grain(seed, (40, 70)) for seed in (1, 2)]


def draw(*corners):
    """A frame with a body at each corner (x, y of the first joint), the last in front."""
    picture = GROUND.copy()
    for body, (x, y) in zip(BODIES, corners, strict=False):
        picture[y - 5 : y + 65, x - 5 : x + 35] = body
    return picture


def people_at(*corners, scores=None):
    boxes = [[x, y, 30, 60] for x, y in corners]
    return Poses.in_boxes(boxes, scores)


def poses_in(people):
    """A network that sees in each box the body whose box it is: joints at the box's corners and middle."""
    x, y, width, height = people.boxes.T
    corners = [(x, y), (x + width, y), (x, y + height), (x + width, y + height), (x + width / 2, y + height / 2)]
    keypoints = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    return replace(people, keypoints=keypoints, scores=np.full((len(people), 5), 0.9))


def step(tracker, picture, detected):
    people = tracker.propose(picture, detected)
    return tracker.update(poses_in(people))


def test_two_people_who_walk_keep_their_numbers():
    tracker = PoseTracker(SIGMAS)
    for shift in range(0, 60, 6):
        first, second = (40 + shift, 20), (220 - shift, 100)
        order = (second, first) if shift % 12 else (first, second)
        tracked = step(tracker, draw(first, second), people_at(*order))
        by_row = {int(y > 60): identity for y, identity in zip(tracked.boxes[:, 1], tracked.track_ids, strict=True)}
        assert by_row == {0: 1, 1: 2}


def test_who_the_detector_misses_goes_on_by_a_carried_box():
    tracker = PoseTracker(SIGMAS)
    step(tracker, draw((100, 50)), people_at((100, 50)))
    people = tracker.propose(draw((106, 52)), NOBODY)
    # 30 x 60 grown by 15%, moved by (6, 2)
    np.testing.assert_allclose(people.boxes, [[103.75, 47.5, 34.5, 69]], atol=2)
    np.testing.assert_allclose(people.box_scores, [0.9])
    poses = replace(people, keypoints=SHAPE[None] + (106, 52), scores=np.full((1, 5), 0.9))
    assert tracker.update(poses).track_ids.tolist() == [1]


def test_a_box_that_is_carried_and_detected_is_one_person():
    tracker = PoseTracker(SIGMAS)
    step(tracker, draw((100, 50)), people_at((100, 50)))
    people = tracker.propose(draw((103, 50)), people_at((103, 50), scores=[0.95]))
    np.testing.assert_allclose(people.boxes, [[103, 50, 30, 60]])  # the better score stays


def test_without_carried_boxes_the_missed_one_is_gone():
    tracker = PoseTracker(SIGMAS, METHODS["pose"])
    step(tracker, draw((100, 50)), people_at((100, 50)))
    assert len(tracker.propose(draw((106, 52)), NOBODY).boxes) == 0


@pytest.mark.parametrize(("method", "expected"), [("flow-queue", 1), ("flow", 2), ("pose-queue", 1), ("box", 2)])
def test_the_queue_brings_back_who_was_hidden(method, expected):
    tracker = PoseTracker(SIGMAS, METHODS[method])
    for _ in range(3):
        step(tracker, draw((100, 50)), people_at((100, 50)))
    for _ in range(5):
        people = tracker.propose(draw(), NOBODY)
        tracker.update(NOBODY)  # the network sees nobody there
        assert len(people.boxes) <= 1
    assert step(tracker, draw((102, 50)), people_at((102, 50))).track_ids.tolist() == [expected]


def test_who_is_hidden_for_longer_than_the_queue_is_new():
    tracker = PoseTracker(SIGMAS, TrackerSettings(flow="none"))
    step(tracker, draw((100, 50)), people_at((100, 50)))
    for _ in range(10):
        tracker.propose(draw(), NOBODY)
        tracker.update(NOBODY)
    assert step(tracker, draw((100, 50)), people_at((100, 50))).track_ids.tolist() == [2]


@pytest.mark.parametrize(("method", "expected"), [("flow-queue", [1, 2]), ("box", [2, 3])])
def test_flow_follows_a_camera_that_pans_where_place_alone_does_not(method, expected):
    tracker = PoseTracker(SIGMAS, METHODS[method])
    picture = draw((100, 50), (140, 50))
    step(tracker, picture, people_at((100, 50), (140, 50)))
    # the first is now nearer to where the second was, and the second where nobody was
    tracked = step(tracker, np.roll(picture, 24, axis=1), people_at((124, 50), (164, 50)))
    assert tracked.track_ids[np.argsort(tracked.boxes[:, 0])].tolist() == expected


def test_low_boxes_and_joints_are_dropped():
    tracker = PoseTracker(SIGMAS)
    people = tracker.propose(draw((100, 50)), people_at((100, 50), (200, 50), scores=[0.5, 0.49]))
    assert people.boxes[:, 0].tolist() == [100]
    poses = poses_in(people)
    poses.scores[0, :3] = 0.39  # two joints are left, fewer than least_joints
    assert len(tracker.update(poses)) == 0


def test_joints_of_nan_do_not_show_and_do_not_spread():
    tracker = PoseTracker(SIGMAS, TrackerSettings(carry_boxes=False))
    for shift in (0, 4, 8):
        people = tracker.propose(draw((100 + shift, 50)), people_at((100 + shift, 50)))
        poses = poses_in(people)
        poses.keypoints[0, 0] = np.nan
        poses.scores[0, 1] = np.nan
        tracked = tracker.update(poses)
        assert tracked.track_ids.tolist() == [1] and tracked.scores[0, :2].tolist() == [0, 0]
    people = tracker.propose(draw((112, 50)), people_at((112, 50)))
    unknown = replace(people, keypoints=np.full((1, 5, 2), np.nan), scores=np.ones((1, 5)))
    assert len(tracker.update(unknown)) == 0


def test_two_poses_on_one_person_are_one():
    tracker = PoseTracker(SIGMAS)
    detected = Poses.in_boxes([[100, 50, 30, 60], [100, 50, 60, 60]], [0.7, 0.9])
    people = tracker.propose(draw((100, 50)), detected)
    keypoints = np.stack([SHAPE, SHAPE + 0.5]) + (100, 50)
    tracked = tracker.update(replace(people, keypoints=keypoints, scores=np.full((2, 5), 0.9)))
    assert tracked.track_ids.tolist() == [1]
    np.testing.assert_array_equal(tracked.keypoints, keypoints[:1])
    assert tracked.boxes[0, 2] == 60  # the one with the better box


def test_frames_that_cannot_be_read_take_their_place_in_the_queue():
    tracker = PoseTracker(SIGMAS)
    step(tracker, draw((100, 50)), people_at((100, 50)))
    for _ in range(9):
        tracker.skip()
    assert step(tracker, draw((103, 50)), people_at((103, 50))).track_ids.tolist() == [1]
    for _ in range(10):
        tracker.skip()
    assert step(tracker, draw((103, 50)), people_at((103, 50))).track_ids.tolist() == [2]


def test_a_frame_of_another_size_goes_on():
    tracker = PoseTracker(SIGMAS)
    picture = draw((100, 50))
    step(tracker, picture, people_at((100, 50)))
    large = cv2.resize(picture, (640, 360))
    people = tracker.propose(large, Poses.in_boxes([[200, 100, 60, 120]]))
    assert tracker.update(poses_in(people)).track_ids.tolist() == [1]


def test_nobody_at_all_is_fine():
    tracker = PoseTracker(SIGMAS)
    for _ in range(3):
        assert len(step(tracker, GROUND, NOBODY)) == 0
