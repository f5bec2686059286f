"""Finds the joints of people in pictures and videos: writes them with the poses drawn, and the joints as JSON."""

import argparse

import _init_paths  # noqa: F401

from lib.config.cli import make_parser
from lib.config.schema import Config
from lib.deploy.runtimes import RUNTIME_FLAGS, add_runtime_options
from lib.inference.person_boxes import find_people_by
from lib.inference.pose_app import PoseApp, add_result_options, extra_settings, run_app, settings_of
from lib.tracking.options import add_track_flag, settle_track
from lib.tracking.track_app import TrackApp, run_tracking
from lib.tracking.tracker import TrackerSettings
from lib.utils.media import Found, find_media
from lib.utils.runtime import make_logger, run_script
from lib.visualization.style import style_of
from lib.zoo.experiment import choose_defaults, experiment_of
from lib.zoo.index import DEFAULT_NETWORK


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_parser(__doc__, by_name=True)
    weights = f"weights (.pdparams, .pdckpt), .onnx, or a name of fetch.py --list (default {DEFAULT_NETWORK})"
    on_or_off = argparse.BooleanOptionalAction
    about = "a picture, a video, a folder of them, a pattern such as 'photos/*.jpg', or a stream: 0, rtsp://..., http://..."
    parser.add_argument("--img-file", "--img", "--video", metavar="PATH", required=True, help=about)
    parser.add_argument("--model-file", "--model", metavar="FILE", help=weights)
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    add_result_options(parser, "output/infer")
    add_track_flag(parser)
    add_runtime_options(parser, None)
    arguments = parser.parse_intermixed_args()
    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"), *RUNTIME_FLAGS)
    choose_defaults(arguments)
    return arguments, experiment_of(arguments, "TEST.BATCH_SIZE", flags)


def main() -> None:
    arguments, config = parse_arguments()
    from lib.inference.build import build_predictor, detector_provider, open_network

    if arguments.track:
        settle_track(arguments)
    found = Found([]) if arguments.track else find_media(arguments.img_file)
    find_people = find_people_by(arguments, detector_provider(config))
    run, lines = open_network(config, gpu_asked=arguments.gpus is not None)
    if arguments.track:
        about = (config.skeleton, arguments.output, make_logger(), extra_settings(arguments), style_of(arguments))
        tracking = TrackApp(build_predictor(config, run), find_people, *about)
        lines = [*lines, find_people.line]
        run_tracking(tracking, lines, arguments.img_file, TrackerSettings(), detect_every=arguments.detect_every)
        return
    settings = settings_of(arguments, config.skeleton, sure=config.test.in_vis_thre, unbiased=config.test.udp)
    app = PoseApp(build_predictor(config, run), find_people, settings, make_logger(), arguments.show)
    run_app(app, found.sources, (*lines, find_people.line, *found.lines))


if __name__ == "__main__":
    run_script(main)
