"""Validates a pose network, or saved predictions: prints the table, writes pred.mat and results.json."""

import argparse
from functools import partial

import _init_paths  # noqa: F401

from lib.config.cli import make_parser, run_place
from lib.config.schema import Config
from lib.deploy.runtimes import RUNTIME_FLAGS, add_runtime_options
from lib.utils.runtime import run_script
from lib.zoo.experiment import experiment_of


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_parser(__doc__, by_name=True)
    on_or_off = argparse.BooleanOptionalAction
    about = "weights (.pdparams), a checkpoint (.pdckpt), .onnx, or a name of fetch.py --list"
    parser.add_argument("--model-file", "--model", metavar="FILE", help=about)
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    parser.add_argument("--post-process", action=on_or_off, help="refine the highest pixel as TEST.DECODE says")
    parser.add_argument("--shift-heatmap", action=on_or_off, help="shift the mirrored heatmaps (TEST.SHIFT_HEATMAP)")
    detected = "COCO: detected boxes, those of --coco-bbox-file (TEST.USE_GT_BBOX false)"
    parser.add_argument("--use-detect-bbox", action="store_const", const=False, help=detected)
    parser.add_argument("--coco-bbox-file", metavar="JSON", help="COCO: detected boxes (TEST.COCO_BBOX_FILE)")
    parser.add_argument(
        "--pred-file", metavar="FILE", help="score this pred.mat, or COCO result JSON, instead of running a network"
    )
    about = "PoseTrack18: score these tracks, a file of track.py or a folder of them, instead of running a network"
    parser.add_argument("--track-file", metavar="PATH", help=about)
    about = "also write report/index.html into the run folder: errors by kind, intervals, pictures (see report.py)"
    parser.add_argument("--report", action="store_true", help=about)
    add_runtime_options(parser, None)
    arguments = parser.parse_intermixed_args()
    if arguments.report and arguments.track_file:
        parser.error("--report is for poses; --track-file has none that it can compare")
    if arguments.pred_file and arguments.track_file:
        parser.error("--pred-file and --track-file are different things to score: give one")
    if arguments.coco_bbox_file:  # asking for a file of detected boxes is asking for detected boxes
        arguments.use_detect_bbox = False
    flags = [("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST")]
    flags += [("post_process", "TEST.POST_PROCESS"), ("shift_heatmap", "TEST.SHIFT_HEATMAP")]
    flags += [("use_detect_bbox", "TEST.USE_GT_BBOX"), ("coco_bbox_file", "TEST.COCO_BBOX_FILE")]
    return arguments, experiment_of(arguments, "TEST.BATCH_SIZE", [*flags, *RUNTIME_FLAGS])


def main() -> None:
    arguments, config = parse_arguments()
    from lib.evaluation.scoring import score_predictions, score_track_file, validate_network

    if arguments.track_file:
        score_track_file(config, arguments.cfg, arguments.track_file)
    elif arguments.pred_file:
        score_predictions(config, arguments.cfg, arguments.pred_file)
    else:
        from lib.inference.build import open_network

        validate_network(config, arguments.cfg, partial(open_network, config, gpu_asked=arguments.gpus is not None))
    if arguments.report:
        from lib.analysis.report import report_run

        report_run(config, run_place(config, arguments.cfg), arguments.pred_file)


if __name__ == "__main__":
    run_script(main)
