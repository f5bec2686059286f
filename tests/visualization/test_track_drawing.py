import numpy as np

from lib.core.poses import NOBODY, Poses
from lib.core.skeletons import Skeleton
from lib.visualization.palette import identity_color
from lib.visualization.style import DrawStyle
from lib.visualization.tracks import TrackDrawing

PAIR = Skeleton("pair", ("left_hand", "right_hand"), limbs=(("left_hand", "right_hand"),))


def tracked(identity, left):
    joints = np.array([[[left + 5.0, 40.0], [left + 15.0, 60.0]]])
    box = np.array([[left, 30.0, 20, 40]])
    return Poses(box, np.ones(1), joints, np.ones((1, 2)), np.array([identity]))


def draw(drawing, *people):
    return drawing.draw(np.zeros((120, 200, 3), np.uint8), *people, people[0].keypoints, people[0].scores > 0)


def test_a_number_has_one_colour_and_neighbours_have_others():
    colors = [identity_color(number) for number in range(1, 22)]
    assert len(set(colors)) == 21 and colors == [identity_color(number) for number in range(22, 43)]
    for first, second in zip(colors, colors[1:], strict=False):
        assert np.abs(np.subtract(first, second)).max() > 80


def test_the_colour_is_on_box_and_limbs_and_the_frame_stays_as_it_was():
    frame, drawing = np.zeros((120, 200, 3), np.uint8), TrackDrawing(PAIR)
    person = tracked(3, 50.0)
    picture = drawing.draw(frame, person, person.keypoints, np.ones((1, 2), dtype=bool))
    assert not frame.any()
    assert picture[70, 60].tolist() == list(identity_color(3))  # the box's lower edge
    np.testing.assert_allclose(picture[50, 60], identity_color(3), atol=15)  # the limb's middle


def test_trails_fade_and_end_and_are_forgotten():
    drawing = TrackDrawing(PAIR, length=9)
    for left in range(20, 110, 10):
        picture = draw(drawing, tracked(1, float(left)))
    row = picture[69:72].max(axis=(0, 2))
    assert row[35] < row[95] and row[35] > 0  # old steps are darker
    for _ in range(9):
        picture = draw(drawing, NOBODY)
    assert not picture.any() and drawing._trails == {}


def test_without_trails_there_are_none():
    drawing = TrackDrawing(PAIR, length=0)
    for left in (20, 60):
        picture = draw(drawing, tracked(1, float(left)))
    assert not picture[:, :40].any()


def test_without_boxes_the_number_stays():
    person = tracked(3, 50.0)
    with_box = draw(TrackDrawing(PAIR), person)
    without = draw(TrackDrawing(PAIR, style=DrawStyle(boxes=False)), person)
    color = identity_color(3)
    assert (with_box[70, 60] == color).all() and not (without[70, 60] == color).all()
    assert (without[:30] == color).all(axis=2).any()
