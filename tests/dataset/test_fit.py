"""Boxes, joints and pictures that contradict each other are refused with the likely cause; good ones are not."""

import re

import numpy as np
import pytest

from lib.dataset.checks.fit import odd_areas, refuse_misfits
from lib.utils.errors import UserError

COUNT, PICTURE = 12, (640, 480)


def people(seed=0):
    """Boxes (N, 4) in a picture of 640x480, joints (N, 5, 2) in them, visible (N, 5), sizes (N, 2)."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform((200, 150), (400, 250), (COUNT, 2)), rng.uniform(60, 200, (COUNT, 2))
    joints = corner[:, None] + rng.uniform(0.05, 0.95, (COUNT, 5, 2)) * size[:, None]
    return np.hstack([corner, size]), joints, np.ones((COUNT, 5)), np.tile(np.array(PICTURE, float), (COUNT, 1))


def complaint(boxes, joints, visible, sizes=None):
    with pytest.raises(UserError) as caught:
        refuse_misfits("a.json", boxes, joints, visible, sizes)
    message = str(caught.value)
    assert message.startswith("a.json: ") and "\n" not in message
    return message


def test_people_in_their_boxes_are_fine():
    boxes, joints, visible, sizes = people()
    for arrays in ((visible, sizes), (visible,), (visible * 0, sizes)):
        assert refuse_misfits("a.json", boxes, joints, *arrays) == ""
    empty = boxes * [1, 1, 0, 1]  # left out, and counted where that is said
    assert refuse_misfits("a.json", empty, joints + 400, visible, sizes) == ""


def test_a_few_that_contradict_each_other_are_a_warning():
    boxes, joints, visible, sizes = people()
    some = joints.copy()
    some[:1] += 1000
    assert refuse_misfits("a.json", boxes, some, visible) == ""
    some[:5] += 1000
    assert refuse_misfits("a.json", boxes, some, visible, sizes) == (
        "=> WARNING: 42% of the visible joints are outside their box, 42% of the visible joints are outside their "
        "picture: boxes and joints are of different persons, or of pictures of different sizes?"
    )


def test_corners_in_place_of_sizes_are_named():
    boxes, joints, visible, sizes = people()
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    message = complaint(corners, joints, visible, sizes)
    assert "of the boxes reach far out of their picture: the boxes look like x1 y1 x2 y2; expected" in message


def test_corners_are_named_where_they_stay_in_the_picture_too():
    boxes, joints, visible, sizes = people()
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]) / 2
    message = complaint(corners, joints / 2, visible, sizes)
    assert "above the middle of their box: the boxes look like x1 y1 x2 y2; expected x y width height" in message


def test_centres_in_place_of_corners_are_named():
    boxes, joints, visible, sizes = people()
    centred = np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])
    assert "the boxes look like centre x y, width, height; expected" in complaint(centred, joints, visible, sizes)


def test_shares_of_the_sides_are_named():
    boxes, joints, visible, sizes = people()
    shares = joints / PICTURE
    assert "are shares of the picture's sides, not pixels" in complaint(boxes, shares, visible, sizes)
    small = boxes / (*PICTURE, *PICTURE)
    assert "the boxes look like shares of the picture's sides" in complaint(small, joints, visible, sizes)


def test_a_scale_in_pixels_is_named_even_of_one_person():
    boxes, joints, visible, _ = people()
    large = np.hstack([boxes[:, :2] - 100 * boxes[:, 2:], 200 * boxes[:, 2:]])[:1]
    message = complaint(large, joints[:1], visible[:1])
    assert re.search(r"boxes are 2\d\d times as long .* scale is the person's height in pixels divided by 200", message)
    tiny = np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:] / 200])[:1]
    assert "scale is the person's height in pixels divided by 200" in complaint(tiny, joints[:1], visible[:1])


def test_centers_that_are_shares_are_named():
    boxes, joints, visible, _ = people()
    shares = np.hstack([np.full((COUNT, 2), 0.5) - boxes[:, 2:] / 2, boxes[:, 2:]])
    assert "the centers look like shares of the picture's sides" in complaint(shares, joints, visible)


def test_pictures_of_another_size_are_named():
    boxes, joints, visible, sizes = people()
    message = complaint(boxes * 4, joints * 4, visible, sizes)
    assert "of the visible joints are outside their picture: it was annotated at another size" in message


def test_other_peoples_boxes_are_said_to_be_such():
    boxes, joints, visible, _ = people()
    message = complaint(boxes, joints + 400, visible)
    assert "0% of the visible joints are inside their box: boxes and joints are of different persons" in message


def test_areas_are_between_a_hundredth_and_one_and_a_half_of_the_box():
    boxes = np.tile([0.0, 0, 10, 20], (5, 1))
    assert odd_areas(np.array([1.9, 2.1, 200, 299, 301]), boxes).tolist() == [True, False, False, False, True]
