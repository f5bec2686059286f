"""What is drawn besides joints and limbs, and the options that choose it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class DrawStyle:
    """boxes: the people's boxes, with the detector's scores; names: the joints' names beside them."""

    boxes: bool = True
    names: bool = False


PLAIN = DrawStyle()


def add_style_options(parser: argparse.ArgumentParser) -> None:
    """The options of `style_of`."""
    parser.add_argument("--no-boxes", action="store_true", help="draw no bounding boxes and no box scores")
    parser.add_argument("--names", action="store_true", help="draw the name of each keypoint beside it")


def style_of(arguments: argparse.Namespace) -> DrawStyle:
    """The DrawStyle of parsed options."""
    return DrawStyle(boxes=not arguments.no_boxes, names=arguments.names)
