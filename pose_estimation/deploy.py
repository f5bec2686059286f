"""Finds the joints of people in pictures and videos by an exported model: NumPy, OpenCV and ONNX Runtime, no Paddle."""

import argparse
from typing import Any

import _init_paths  # noqa: F401

from lib.config.skeleton_file import read_skeleton
from lib.deploy.onnx_predictor import OnnxPosePredictor, assumed_metadata
from lib.deploy.runtimes import add_runtime_options
from lib.inference.by_name import model_file
from lib.inference.person_boxes import find_people_by
from lib.inference.pose_app import PoseApp, add_result_options, extra_settings, run_app, settings_of
from lib.tracking.options import add_track_flag, settle_track
from lib.tracking.track_app import TrackApp, run_tracking
from lib.tracking.tracker import TrackerSettings
from lib.utils.errors import UserError
from lib.utils.media import Found, find_media
from lib.utils.parser import OneLineParser, count, number, positive
from lib.utils.runtime import make_logger, run_script
from lib.visualization.style import style_of


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = "a picture, a video, a folder of them, a pattern such as 'photos/*.jpg', or a stream: 0, rtsp://..., http://..."
    parser.add_argument("--img", "--img-file", "--video", metavar="PATH", required=True, help=about)
    about = "the model, as export.py writes it, or a name of fetch.py --list"
    parser.add_argument("--model", "--model-file", metavar="X.onnx", required=True, help=about)
    parser.add_argument("--type", default="ONNX", metavar="ONNX", help="the model's kind; ONNX is the only one")
    about = "{} of the network's input, for models that leave it open (default: what it was trained at)"
    parser.add_argument("--width", type=count, metavar="PIXELS", help=about.format("width"))
    parser.add_argument("--height", type=count, metavar="PIXELS", help=about.format("height"))
    parser.add_argument("--flip-test", action="store_true", help="average with the mirrored picture")
    add_runtime_options(parser)
    about = "persons per batch (default %(default)s)"
    parser.add_argument("--batch_size", "--batch-size", type=count, default=8, metavar="N", help=about)
    add_result_options(parser, "output/deploy")
    add_track_flag(parser)
    add_assumptions(parser)
    return parser.parse_args()


def add_assumptions(parser: argparse.ArgumentParser) -> None:
    """The options that stand for the metadata of models without any."""
    group = parser.add_argument_group("for models without metadata")
    group.add_argument("--dataset", metavar="NAME", help="the joints: coco, mpii, or a skeleton's JSON file")
    about = "per channel, after the division (default: ImageNet's)"
    group.add_argument("--mean", nargs=3, type=number, metavar="N", help=about)
    group.add_argument("--std", nargs=3, type=positive, metavar="N", help=about)
    about = "pixels are divided by this (default 255)"
    group.add_argument("--pixel-scale", type=positive, metavar="N", help=about)
    group.add_argument("--rgb", action="store_const", const=True, help="the model wants RGB pictures (default: BGR)")


def assumptions(arguments: argparse.Namespace) -> dict[str, Any]:
    """{field of ModelMetadata: value} of what was given in the metadata's place."""
    return assumed_metadata(
        arguments.dataset and read_skeleton(arguments.dataset), arguments.mean, arguments.std, arguments.pixel_scale,
        arguments.rgb,
    )


def main() -> None:
    arguments = parse_arguments()
    if arguments.type.upper() != "ONNX":
        raise UserError(f"--type {arguments.type}: only ONNX models run here; export.py makes one")
    if arguments.track:
        settle_track(arguments)
    found = Found([]) if arguments.track else find_media(arguments.img)
    size = (arguments.width, arguments.height)
    model = model_file(arguments.model)
    predictor = OnnxPosePredictor(
        model, size, arguments.flip_test, arguments.provider, assumptions(arguments), arguments.batch_size,
        arguments.precision,
    )  # fmt: skip
    find_people = find_people_by(arguments, arguments.provider)
    if arguments.track:
        about = (predictor.skeleton, arguments.output, make_logger(), extra_settings(arguments), style_of(arguments))
        tracking, lines = TrackApp(predictor, find_people, *about), (*predictor.lines, find_people.line)
        run_tracking(tracking, lines, arguments.img, TrackerSettings(), detect_every=arguments.detect_every)
        return
    settings = settings_of(arguments, predictor.skeleton, unbiased=predictor.metadata.unbiased)
    app = PoseApp(predictor, find_people, settings, make_logger(), arguments.show)
    run_app(app, found.sources, (*predictor.lines, find_people.line, *found.lines))


if __name__ == "__main__":
    run_script(main)
