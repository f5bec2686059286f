"""Drawing people: what is drawn, where, how wide and in which colour."""

import numpy as np
import pytest

from lib.core.skeletons import COCO, MPII, Skeleton
from lib.visualization.palette import LEFT_COLOR, NEUTRAL_COLOR, RIGHT_COLOR, SIDE_COLORS, joint_colors, limb_colors
from lib.visualization.poses import box_labels, draw_people, draw_pose
from lib.visualization.style import DrawStyle

NOBODY = np.zeros(16, dtype=bool)


def joints_at(**places):
    joints, drawn = np.zeros((16, 2)), NOBODY.copy()
    for name, place in places.items():
        joints[MPII.joints.index(name)] = place
        drawn[MPII.joints.index(name)] = True
    return joints, drawn


@pytest.mark.parametrize(
    ("name", "color"), [("left_knee", LEFT_COLOR), ("right_knee", RIGHT_COLOR), ("head_top", NEUTRAL_COLOR)]
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


def width_of_limb(length, picture):
    """Rows that a level limb of a person of `length` pixels covers in a picture of picture x picture."""
    image = np.zeros((picture, picture, 3), np.uint8)
    middle, left = picture // 2, (picture - length) // 2
    draw_pose(image, *joints_at(left_hip=(left, middle), left_knee=(left + length, middle)), MPII)
    return int((image[:, middle].max(axis=1) > 100).sum())


def test_lines_grow_with_the_person_and_not_with_the_picture():
    widths = [width_of_limb(length, 1200) for length in (100, 400, 1100)]
    assert widths == sorted(set(widths))
    assert width_of_limb(400, 500) == width_of_limb(400, 1200)


def test_a_given_size_decides_where_few_joints_are_drawn():
    small, large = np.zeros((60, 80, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)
    draw_pose(small, *joints_at(left_hip=(40, 30)), MPII)
    draw_pose(large, *joints_at(left_hip=(40, 30)), MPII, size=800)
    assert (large > 0).sum() > 10 * (small > 0).sum()


def test_dots_that_lie_close_together_do_not_cover_each_other():
    hand = Skeleton("hand", tuple(f"joint_{number}" for number in range(5)))
    image = np.zeros((100, 900, 3), np.uint8)
    places = np.array([[100 + 10 * number, 50] for number in range(5)])
    draw_pose(image, places, np.ones(5, dtype=bool), hand, size=800)
    assert (image[50, 105] != NEUTRAL_COLOR).any()


def test_links_between_left_and_right_are_neutral():
    colors = dict(zip(COCO.limbs, limb_colors(COCO), strict=True))
    assert colors["left_shoulder", "right_shoulder"] == colors["left_hip", "right_hip"] == NEUTRAL_COLOR
    assert colors["left_shoulder", "left_hip"] == colors["nose", "left_eye"] == LEFT_COLOR
    assert colors["right_knee", "right_hip"] == RIGHT_COLOR


@pytest.mark.parametrize(
    ("names", "pairs", "sides"),
    [
        (("L_Shoulder", "R_Shoulder", "Nose"), None, ("left", "right", "")),
        (("shoulderR", "shoulderL"), None, ("right", "left")),
        (("genou_droit", "genou_gauche"), (("genou_gauche", "genou_droit"),), ("right", "left")),
        (("lhip", "rhip"), (("rhip", "lhip"),), ("left", "right")),
        (("left_of_court", "right_of_court"), (), ("", "")),  # whoever says that there are no pairs means it
        (("left_tip", "tail"), None, ("", "")),
    ],
)
def test_pairs_decide_which_joints_have_a_side(names, pairs, sides):
    skeleton = Skeleton("own", names, mirror_pairs=pairs)
    assert skeleton.sides == sides
    assert joint_colors(skeleton) == [SIDE_COLORS[side] for side in sides]


# -- boxes, labels, names ----------------------------------------------------------------------------------------------

JOINTS = np.column_stack([np.linspace(60, 200, 17), np.linspace(40, 170, 17)])[None]
BOXES = np.array([[50.0, 30, 160, 150]])


def people(*more, **style):
    shown = np.ones((1, 17), dtype=bool)
    return draw_people(np.full((220, 300, 3), 90, np.uint8), BOXES, JOINTS, shown, COCO, DrawStyle(**style), *more)


def test_boxes_are_drawn_unless_they_are_not_wanted():
    assert (people()[100, 50] == 255).all()
    assert (people(boxes=False)[100, 50] == 90).all()


def test_names_are_written_beside_the_joints():
    without, with_names = people(), people(names=True)
    changed = (without != with_names).any(axis=2)
    assert changed[:, 210:].any() and changed[:, :50].any()  # away from the middle, on both sides


@pytest.mark.parametrize("corner", [(-40, -40), (-40, 190), (270, -40), (270, 190), (100, 0)])
def test_labels_are_inside_the_picture_at_every_border(corner):
    nobody = np.zeros((1, 17), dtype=bool)
    boxes = np.array([[*corner, 80.0, 80.0]])
    image = np.full((220, 300, 3), 90, np.uint8)
    draw_people(image, boxes, JOINTS, nobody, COCO, DrawStyle(boxes=False), ["0.87"], [(0, 200, 255)])
    rows, columns = np.nonzero((image == (0, 200, 255)).all(axis=2))
    whole = np.full((220, 300, 3), 90, np.uint8)
    draw_people(whole, boxes * 0 + (100, 100, 80, 80), JOINTS, nobody, COCO, DrawStyle(boxes=False), ["0.87"],
                [(0, 200, 255)])  # fmt: skip
    assert len(rows) == (whole == (0, 200, 255)).all(axis=2).sum()  # nothing of it is cut off
    assert np.ptp(rows) > 10 and np.ptp(columns) > 20


def test_labels_are_larger_in_larger_pictures():
    def drawn(scale):
        image = np.zeros((scale * 400, scale * 600, 3), np.uint8)
        draw_people(image, BOXES * scale, JOINTS, np.zeros((1, 17), bool), COCO, DrawStyle(boxes=False), ["7"])
        return np.ptp(np.nonzero(image.any(axis=2))[0])

    assert drawn(4) > 2 * drawn(1)


def test_box_scores_are_those_of_detectors():
    assert box_labels(np.array([0.876, 1.0])) == ["0.88", "1.00"]
    assert box_labels(np.ones(2)) == []
