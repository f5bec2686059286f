"""Validates a pose network, or saved predictions: prints the table, writes pred.mat and results.json."""

import argparse
from functools import partial

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser
from lib.config.schema import Config
from lib.utils.runtime import run_script


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_parser(__doc__)
    on_or_off = argparse.BooleanOptionalAction
    about = "weights (.pdparams), a checkpoint (.pdckpt), or .onnx"
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
    arguments = parser.parse_intermixed_args()
    if arguments.pred_file and arguments.track_file:
        parser.error("--pred-file and --track-file are different things to score: give one")
    if arguments.coco_bbox_file:  # asking for a file of detected boxes is asking for detected boxes
        arguments.use_detect_bbox = False
    flags = [("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST")]
    flags += [("post_process", "TEST.POST_PROCESS"), ("shift_heatmap", "TEST.SHIFT_HEATMAP")]
    flags += [("use_detect_bbox", "TEST.USE_GT_BBOX"), ("coco_bbox_file", "TEST.COCO_BBOX_FILE")]
    return arguments, config_from(arguments, "TEST.BATCH_SIZE", flags)


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


if __name__ == "__main__":
    run_script(main)
