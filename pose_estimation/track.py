"""Follows people through a video: their poses and steady numbers, drawn and as JSON in PoseTrack18's form."""

import argparse
from collections.abc import Sequence

import _init_paths  # noqa: F401
from deploy import add_assumptions, assumptions

from lib.core.predictor import PosePredictor
from lib.core.skeletons import Skeleton
from lib.deploy.runtimes import RUNTIME_FLAGS, add_runtime_options
from lib.inference.person_boxes import add_box_options, find_people_by
from lib.inference.results.extra_results import add_extra_options, extra_settings
from lib.tracking.options import add_tracker_options, smoother_maker, tracker_settings
from lib.tracking.track_app import TrackApp, run_tracking
from lib.utils.errors import UserError
from lib.utils.parser import OneLineParser, count
from lib.utils.runtime import make_logger, run_script
from lib.visualization.style import add_style_options, style_of


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = "a video, a folder of frames, or a stream: a camera's number such as 0, rtsp://..., http://..."
    parser.add_argument("--video", "--img", "--img-file", metavar="PATH", required=True, help=about)
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="X.onnx", help="an exported model: runs without Paddle")
    model.add_argument("--cfg", metavar="YAML", help="an experiment, with --model-file")
    parser.add_argument("--model-file", metavar="FILE", help="weights (.pdparams), a checkpoint, or .onnx")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="--cfg: override the experiment")
    about = "average with the mirrored picture"
    parser.add_argument("--flip-test", action=argparse.BooleanOptionalAction, help=about)
    parser.add_argument("--gpus", help="the CUDA GPU to use, such as 0; cpu for none")
    about = "persons per batch"
    parser.add_argument("--batch_size", "--batch-size", type=count, metavar="N", help=about)
    parser.add_argument("--output", metavar="DIR", default="output/track", help="for results (default %(default)s)")
    add_style_options(parser)
    add_extra_options(parser)
    add_box_options(parser)
    add_tracker_options(parser)
    add_runtime_options(parser, None)
    add_assumptions(parser)
    arguments = parser.parse_intermixed_args()
    if not arguments.model and not arguments.cfg:
        if not arguments.model_file:
            parser.error("one of the arguments --model --cfg is required")
        arguments.model = arguments.model_file  # the word of the other scripts
        arguments.model_file = None
    return arguments


def open_predictor(arguments: argparse.Namespace) -> tuple[PosePredictor, Skeleton, Sequence[str], str]:
    """(predictor, skeleton, lines that say what runs where, the provider for the detector)."""
    if arguments.model:
        if arguments.model_file or arguments.overrides:
            raise UserError("--model takes no --model-file and no KEY VALUE: these are of --cfg")
        from lib.deploy.onnx_predictor import OnnxPosePredictor

        provider = arguments.provider or ("cpu" if arguments.gpus == "cpu" else "auto")
        predictor = OnnxPosePredictor(
            arguments.model, flip_test=bool(arguments.flip_test), provider=provider, assumed=assumptions(arguments),
            batch_size=arguments.batch_size or 8, precision=arguments.precision or "auto",
        )  # fmt: skip
        return predictor, predictor.skeleton, predictor.lines, provider
    from lib.config.cli import config_from
    from lib.inference.build import build_predictor, detector_provider, open_network

    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"), *RUNTIME_FLAGS)
    config = config_from(arguments, "TEST.BATCH_SIZE", flags)
    run, lines = open_network(config, gpu_asked=arguments.gpus is not None)
    return build_predictor(config, run), config.skeleton, lines, detector_provider(config)


def main() -> None:
    arguments = parse_arguments()
    settings = tracker_settings(arguments)
    predictor, skeleton, lines, provider = open_predictor(arguments)
    find_people = find_people_by(arguments, provider)
    about = (skeleton, arguments.output, make_logger(), extra_settings(arguments), style_of(arguments))
    app = TrackApp(predictor, find_people, *about)
    options = {"make_smoother": smoother_maker(arguments), "trail": arguments.trail}
    options["detect_every"] = arguments.detect_every or 1
    run_tracking(app, (*lines, find_people.line), arguments.video, settings, **options)


if __name__ == "__main__":
    run_script(main)
