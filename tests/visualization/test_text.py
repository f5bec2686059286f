"""Text in pictures: its letters, its place and its length."""

import numpy as np
import pytest

from lib.visualization.palette import DARK, WHITE, text_color
from lib.visualization.text import draw_label, draw_names, draw_outlined, joint_label, shortened, text_size


@pytest.mark.parametrize(
    ("name", "label"),
    [("left_knee", "left knee"), ("épaule_gauche", "epaule gauche"), ("左膝", "joint 7"), ("a?", "a?")],
)
def test_names_are_written_in_the_fonts_letters_or_as_their_number(name, label):
    assert joint_label(name, 7) == label


def test_text_is_shortened_in_its_middle():
    text = shortened("a_long_name_of_a_picture.jpg", 120, 10)
    assert text.startswith("a_l") and text.endswith("jpg") and ".." in text and text_size(text, 10)[0] <= 120
    assert shortened("a.jpg", 120, 10) == "a.jpg"


@pytest.mark.parametrize("base", [(-30, -30), (500, 500), (-30, 500), (500, -30)])
def test_outlined_text_is_moved_into_the_picture(base):
    def ink(place):
        image = np.full((60, 90, 3), 90, np.uint8)
        draw_outlined(image, "17", place, 12)
        return (image != 90).any(axis=2).sum()

    assert ink(base) == ink((30, 35)) > 50


@pytest.mark.parametrize(("color", "expected"), [((66, 228, 240), DARK), ((178, 114, 0), WHITE), (WHITE, DARK)])
def test_labels_are_black_on_light_and_white_on_dark(color, expected):
    assert text_color(color) == expected
    image = np.full((60, 90, 3), 90, np.uint8)
    draw_label(image, "17", (20, 40), 16, color)
    assert (image == expected).all(axis=2).any()


def test_names_of_joints_in_one_place_do_not_cover_each_other():
    def ink(names):
        image = np.full((120, 200, 3), 90, np.uint8)
        draw_names(image, names, np.full((len(names), 2), 60.0), 5, 10)
        return (image > 180).all(axis=2).sum()

    assert ink(["nose"] * 3) > 2.5 * ink(["nose"])
