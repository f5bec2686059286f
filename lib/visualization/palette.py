"""Every colour of the drawings. They are of Okabe and Ito's set, which colour-blind people can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton

Color = tuple[int, int, int]  # blue, green, red from 0 to 255, as OpenCV has them

ORANGE, SKY_BLUE, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE, GREY = "#0072b2", "#d55e00", "#cc79a7", "#555555"
LINE_COLORS = (BLUE, VERMILION, GREEN, PURPLE, SKY_BLUE, ORANGE, GREY)  # of plots, on white
GOOD_COLOR, ERROR_COLORS = "#c8d7e6", (ORANGE, VERMILION, PURPLE, GREY)  # of joints in the report
IDENTITY_HUES = (ORANGE, SKY_BLUE, YELLOW, GREEN, PURPLE, VERMILION, BLUE)  # neighbours are far apart


def bgr(text: str) -> Color:
    """The colour of a text such as #e69f00."""
    return int(text[5:7], 16), int(text[3:5], 16), int(text[1:3], 16)


LEFT_COLOR, RIGHT_COLOR, NEUTRAL_COLOR = bgr(SKY_BLUE), bgr(VERMILION), (235, 235, 235)
BOX_COLOR, RIM_COLOR, DARK, WHITE = (255, 255, 255), (30, 30, 30), (0, 0, 0), (255, 255, 255)
SIDE_COLORS = {"left": LEFT_COLOR, "right": RIGHT_COLOR, "": NEUTRAL_COLOR}


def joint_colors(skeleton: Skeleton) -> list[Color]:
    """K colours: by the side of each joint, neutral where it has none."""
    return [SIDE_COLORS[side] for side in skeleton.sides]


def limb_colors(skeleton: Skeleton) -> list[Color]:
    """A colour for each limb: of the side of its ends, neutral where it leads from left to right or has no side."""
    sides = skeleton.sides
    found = [{sides[first], sides[second]} - {""} for first, second in skeleton.limb_indices]
    return [SIDE_COLORS[ends.pop()] if len(ends) == 1 else NEUTRAL_COLOR for ends in found]


def identity_color(identity: int) -> Color:
    """The colour of a tracked person's number, always the same: 21 of them, 7 hues and lighter and darker ones."""
    shade, hue = divmod((identity - 1) % (3 * len(IDENTITY_HUES)), len(IDENTITY_HUES))
    color = bgr(IDENTITY_HUES[hue])
    blue, green, red = (round((value, value + (255 - value) * 0.45, value * 0.6)[shade]) for value in color)
    return blue, green, red


def text_color(background: Color) -> Color:
    """Black or white, whichever is read better on a colour."""
    blue, green, red = background
    return DARK if 0.114 * blue + 0.587 * green + 0.299 * red > 110 else WHITE
