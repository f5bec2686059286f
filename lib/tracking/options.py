"""The command-line options of tracking, one for each constant of the method."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

from ..utils.errors import UserError
from ..utils.parser import count, number, positive
from ..visualization.tracks import TRAIL_LENGTH
from . import flow
from .smoothing import PoseSmoother
from .tracker import METHODS, TrackerSettings

DEFAULTS = TrackerSettings()
# option -> (field of TrackerSettings, type, what it is)
OPTIONS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "--flow": ("flow", str, "optical flow"),
    "--flow-side": ("flow_side", count, "longest side, in pixels, of the image for optical flow"),
    "--queue": ("queue", count, "frames to look back for a match (the paper's L_Q)"),
    "--box-growth": ("box_growth", number, "growth of propagated boxes (paper)"),
    "--carried-thr": ("carried_threshold", number, "minimum keypoint score for a propagated box"),
    "--joint-thr": ("joint_threshold", number, "minimum keypoint score (paper)"),
    "--nms-thr": ("nms_threshold", number, "IoU threshold of box NMS"),
    "--same-pose": ("same_pose", number, "OKS threshold of pose NMS within a frame"),
    "--least-similarity": ("least_similarity", number, "minimum similarity to keep an identity"),
    "--least-joints": ("least_joints", count, "minimum number of keypoints; poses with fewer are dropped"),
}


def add_tracker_options(parser: argparse.ArgumentParser) -> None:
    """The options of `tracker_settings` and `smoother_maker`; boxes' own threshold, --bbox-thr, becomes the paper's."""
    group = parser.add_argument_group("tracking (section 3 of the paper, and its defaults)")
    about = "the paper's method (flow-queue), a part of it, or a baseline (default %(default)s)"
    group.add_argument("--method", default="flow-queue", choices=METHODS, help=about)
    for option, (name, kind, about) in OPTIONS.items():
        choices = flow.METHODS if option == "--flow" else None
        default = getattr(DEFAULTS, name)
        text, shown = f"{about} (default {default}, or as --method has it)", None if choices else option[2:].upper()
        group.add_argument(option, dest=name, type=kind, choices=choices, metavar=shown, help=text)
    about = "do not propagate boxes by optical flow"
    group.add_argument("--no-carried-boxes", dest="carry_boxes", action="store_const", const=False, help=about)
    parser.set_defaults(bbox_thr=DEFAULTS.box_threshold)
    add_detect_every(parser)
    about = "length of the trails in frames, 0 for none (default %(default)s)"
    group.add_argument("--trail", type=whole, default=TRAIL_LENGTH, metavar="FRAMES", help=about)
    group.add_argument("--smooth", action="store_true", help="smooth the keypoints (one-euro filter)")
    about = "cutoff frequency of --smooth at rest; lower is smoother (default 1)"
    group.add_argument("--smooth-cutoff", type=positive, default=1.0, metavar="HZ", help=about)
    about = "increase of the cutoff of --smooth, in Hz per pixel/second (default 0.02)"
    group.add_argument("--smooth-speed", type=number, default=0.02, metavar="HZ", help=about)


def tracker_settings(arguments: argparse.Namespace) -> TrackerSettings:
    """The TrackerSettings of parsed options."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(TrackerSettings)}
    given["box_threshold"] = arguments.bbox_thr
    return replace(METHODS[arguments.method], **{name: value for name, value in given.items() if value is not None})


def add_track_flag(parser: argparse.ArgumentParser) -> None:
    """--track, for the scripts that find poses in pictures; track.py has the method's options."""
    about = "follow the people of one video, or folder of frames, with the paper's settings; more options: track.py"
    parser.add_argument("--track", action="store_true", help=about)
    add_detect_every(parser)


def add_detect_every(parser: argparse.ArgumentParser) -> None:
    """--detect-every, for whoever follows people."""
    about = "search one of N frames for people; in between, the boxes are the tracker's (default 1)"
    parser.add_argument("--detect-every", type=count, metavar="N", help=about)


def settle_track(arguments: argparse.Namespace) -> None:
    """With --track: boxes count from the paper's score on; raises UserError for options that say nothing of tracks."""
    for option in ("save_heatmaps", "show"):
        if getattr(arguments, option):
            raise UserError(f"--{option.replace('_', '-')} is not for --track: it writes a video and JSON")
    arguments.bbox_thr = max(arguments.bbox_thr, DEFAULTS.box_threshold)
    arguments.detect_every = arguments.detect_every or 1


def smoother_maker(arguments: argparse.Namespace) -> Callable[[float], PoseSmoother] | None:
    """What makes the PoseSmoother of a rate, None without --smooth. Raises UserError for a filter that would swing."""
    if arguments.smooth_speed < 0:
        raise UserError(f"--smooth-speed {arguments.smooth_speed:g}: expected a number from 0 on")
    values = {"cutoff": arguments.smooth_cutoff, "speed": arguments.smooth_speed}
    return partial(PoseSmoother, **values) if arguments.smooth else None


def whole(word: str) -> int:
    """argparse's type of a whole number from 0 on."""
    return 0 if word == "0" else count(word)
