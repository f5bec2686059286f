"""Finds the joints of people in pictures and videos: writes them with the poses drawn, and the joints as JSON."""

import argparse

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser
from lib.config.schema import Config
from lib.inference.person_boxes import find_people_by
from lib.inference.pose_app import PoseApp, add_result_options, run_app, settings_of
from lib.tracking.options import add_track_flag, settle_track
from lib.tracking.track_app import TrackApp, run_tracking
from lib.tracking.tracker import TrackerSettings
from lib.utils.media import find_media
from lib.utils.runtime import make_logger, run_script


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_parser(__doc__)
    weights = "weights (.pdparams), a checkpoint (.pdckpt), or .onnx"
    on_or_off = argparse.BooleanOptionalAction
    about = "a picture, a video, a folder of them, or a pattern in quotes such as 'photos/*.jpg'"
    parser.add_argument("--img-file", "--img", "--video", metavar="PATH", required=True, help=about)
    parser.add_argument("--model-file", "--model", metavar="FILE", help=weights)
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    add_result_options(parser, "output/infer")
    add_track_flag(parser)
    arguments = parser.parse_intermixed_args()
    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"))
    return arguments, config_from(arguments, "TEST.BATCH_SIZE", flags)


def main() -> None:
    arguments, config = parse_arguments()
    from lib.inference.build import build_predictor, open_network

    if arguments.track:
        settle_track(arguments)
    paths = [] if arguments.track else find_media(arguments.img_file)
    find_people = find_people_by(arguments, "cpu" if config.gpus in ("", "cpu") else "auto")
    run, lines = open_network(config, gpu_asked=arguments.gpus is not None)
    if arguments.track:
        tracking = TrackApp(build_predictor(config, run), find_people, config.skeleton, arguments.output, make_logger())
        run_tracking(tracking, (*lines, find_people.line), arguments.img_file, TrackerSettings())
        return
    settings = settings_of(arguments, config.skeleton, sure=config.test.in_vis_thre, unbiased=config.test.udp)
    app = PoseApp(build_predictor(config, run), find_people, settings, make_logger(), arguments.show)
    run_app(app, paths, (*lines, find_people.line))


if __name__ == "__main__":
    run_script(main)
