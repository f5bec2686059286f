"""Groups of people by hand: angles of torsos, overlaps, borders, flags."""

import numpy as np
import pytest

from lib.analysis.groups import borders, groups_of, overlaps, torso_angles
from lib.analysis.predictions import People
from lib.core.skeletons import MPII, Skeleton


def people(joints, shown=None, hidden=None, boxes=None, picture_of=None):
    joints = np.asarray(joints, dtype=float)
    count = len(joints)
    shown = np.ones(joints.shape[:2], dtype=bool) if shown is None else shown
    boxes = np.tile([0.0, 0, 100, 100], (count, 1)) if boxes is None else np.asarray(boxes, dtype=float)
    picture_of = np.arange(count) if picture_of is None else np.asarray(picture_of)
    pictures = [f"{number}.jpg" for number in picture_of]
    return People(pictures, picture_of, list(range(count)), joints, shown, hidden, boxes, np.ones(count))


def turned(degrees):
    """MPII's joints of a person whose torso is turned by so much from upright."""
    joints = np.zeros((16, 2))
    angle = np.radians(degrees)
    up = 100 * np.array([np.sin(angle), -np.cos(angle)])
    across = np.array([-up[1], up[0]]) / 4
    for name, place in (("left_hip", -across), ("right_hip", across), ("left_shoulder", up - across),
                        ("right_shoulder", up + across)):  # fmt: skip
        joints[MPII.joints.index(name)] = place + 300
    return joints


def test_angles_of_torsos():
    angles = [0, 30, -30, 90, 180]
    found = torso_angles(people([turned(angle) for angle in angles]), MPII)
    assert found == pytest.approx([0, 30, 30, 90, 180])
    shown = np.ones((1, 16), dtype=bool)
    shown[0, MPII.joints.index("left_hip")] = False
    assert np.isnan(torso_angles(people([turned(0)], shown), MPII)).all()
    assert np.isnan(torso_angles(people(np.zeros((1, 2, 2))), Skeleton("hand", ("wrist", "thumb")))).all()


def test_overlaps_are_with_others_of_the_same_picture():
    boxes = [[0, 0, 100, 100], [50, 0, 100, 100], [0, 0, 100, 100]]
    found = overlaps(people(np.zeros((3, 1, 2)), boxes=boxes, picture_of=[0, 0, 1]))
    assert found == pytest.approx([1 / 3, 1 / 3, 0])


def test_distances_to_the_border_are_in_sides_of_the_person():
    joints = np.array([[[10, 50], [110, 60]], [[50, 50], [90, 60]]], dtype=float)
    found = borders(people(joints), {"0.jpg": (200, 120)})
    assert found[0] == pytest.approx(0.1) and np.isnan(found[1])


def test_each_topic_parts_the_people_and_empty_groups_are_left_out():
    hidden = np.zeros((30, 16), dtype=bool)
    hidden[3, 4] = True
    boxes = [[0, 0, side, side] for side in range(10, 40)]
    shown = np.ones((30, 16), dtype=bool)
    shown[:5, 8:] = False
    shown[5:7, 2:] = False
    found = groups_of(people([turned(5)] * 30, shown, hidden, boxes), MPII, {})
    topics = {}
    for group in found:
        topics.setdefault(group.topic, {})[group.label] = group.mask
    assert {name: list(labels) for name, labels in topics.items()} == {
        "size": ["below 20 px", "20 to 29 px", "29 px and more"],
        "joints": ["fewer than 8", "8 to 15", "all 16"],
        "flag": ["visible", "occluded"],
        "torso": ["up to 15°"],
        "crowding": ["no overlap"],
    }
    assert [int(mask[:, 0].sum()) for mask in topics["size"].values()] == [10, 9, 11]
    assert [int(mask[:, 0].sum()) for mask in topics["joints"].values()] == [2, 5, 23]
    assert topics["flag"]["occluded"].sum() == 1
    assert topics["flag"]["visible"].sum() == shown.sum() - 1
