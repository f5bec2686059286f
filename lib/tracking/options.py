"""The command-line options of tracking: every constant of the method has one. No Paddle here."""
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
    "--flow-side": ("flow_side", count, "longest side of the picture that flow is computed on, in pixels"),
    "--queue": ("queue", count, "how many frames back poses are looked for (the paper's L_Q)"),
    "--box-growth": ("box_growth", number, "by which share boxes around carried joints grow in length (paper)"),
    "--carried-thr": ("carried_threshold", number, "joints from this score on are within a carried box"),
    "--joint-thr": ("joint_threshold", number, "joints count from this score on (paper)"),
    "--nms-thr": ("nms_threshold", number, "boxes that overlap by more are one person"),
    "--same-pose": ("same_pose", number, "poses of a frame with a higher OKS are one person"),
    "--least-similarity": ("least_similarity", number, "who is less like all before gets a new number"),
    "--least-joints": ("least_joints", count, "people with fewer joints are left out"),
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
    about = "do not look for people where flow carries the last frame's joints"
    group.add_argument("--no-carried-boxes", dest="carry_boxes", action="store_const", const=False, help=about)
    parser.set_defaults(bbox_thr=DEFAULTS.box_threshold)
    about = "length of the trails in frames, 0 for none (default %(default)s)"
    group.add_argument("--trail", type=whole, default=TRAIL_LENGTH, metavar="FRAMES", help=about)
    group.add_argument("--smooth", action="store_true", help="take the tremble out of the joints (one-euro filter)")
    about = "--smooth: Hz at rest, lower is smoother (default 1)"
    group.add_argument("--smooth-cutoff", type=positive, default=1.0, metavar="HZ", help=about)
    about = "--smooth: by how many Hz that rises with each pixel a second (default 0.02)"
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


def settle_track(arguments: argparse.Namespace) -> None:
    """With --track: boxes count from the paper's score on; raises UserError for options that say nothing of tracks."""
    for option in ("save_heatmaps", "show"):
        if getattr(arguments, option):
            raise UserError(f"--{option.replace('_', '-')} is not for --track: it writes a video and JSON")
    arguments.bbox_thr = max(arguments.bbox_thr, DEFAULTS.box_threshold)


def smoother_maker(arguments: argparse.Namespace) -> Callable[[float], PoseSmoother] | None:
    """What makes the PoseSmoother of a rate, None without --smooth. Raises UserError for a filter that would swing."""
    if arguments.smooth_speed < 0:
        raise UserError(f"--smooth-speed {arguments.smooth_speed:g}: expected a number from 0 on")
    values = {"cutoff": arguments.smooth_cutoff, "speed": arguments.smooth_speed}
    return partial(PoseSmoother, **values) if arguments.smooth else None


def whole(word: str) -> int:
    """argparse's type of a whole number from 0 on."""
    return 0 if word == "0" else count(word)
