"""Validates a pose network, or saved predictions: prints the table, writes pred.mat and results.json."""

import argparse

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser, run_folder
from lib.utils.errors import UserError
from lib.utils.runtime import make_logger, run_script


def parse_arguments():
    parser = make_parser(__doc__)
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("--model-file", metavar="FILE", help="weights (.pdparams), a checkpoint (.pdckpt), or .onnx")
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    parser.add_argument("--post-process", action=on_or_off, help="go on from the highest pixel as TEST.DECODE says")
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
    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"))
    flags += (("post_process", "TEST.POST_PROCESS"), ("shift_heatmap", "TEST.SHIFT_HEATMAP"))
    flags += (("use_detect_bbox", "TEST.USE_GT_BBOX"), ("coco_bbox_file", "TEST.COCO_BBOX_FILE"))
    return arguments, config_from(arguments, "TEST.BATCH_SIZE", flags)


def score_predictions(arguments, config):
    """Scores a prediction file; no network, no pictures, no Paddle."""
    from lib.evaluation.build import build_evaluator
    from lib.evaluation.report import report_results

    evaluator = build_evaluator(config)
    if evaluator.no_truth:
        raise UserError(f"{arguments.pred_file} cannot be scored: {evaluator.no_truth}")
    results = evaluator.evaluate_file(arguments.pred_file)
    folder, log_file, _ = run_folder(config, arguments.cfg, "valid")
    log = make_logger(log_file)
    log.info(f"=> load {len(evaluator)} samples")
    report_results(arguments.pred_file, results, {"predictions": arguments.pred_file}, folder, log)


def score_track_file(arguments, config):
    """Scores saved tracks; no network, no pictures, no Paddle."""
    from lib.evaluation.report import report_results
    from lib.evaluation.tracks import score_tracks

    data = config.dataset
    if data.dataset != "posetrack18":
        raise UserError(f"--track-file is scored against PoseTrack18's form: DATASET.DATASET is {data.dataset}")
    results, count = score_tracks(arguments.track_file, config.dataset_root, data.test_set, config.skeleton)
    folder, log_file, _ = run_folder(config, arguments.cfg, "valid")
    log = make_logger(log_file)
    log.info(f"=> {count} labelled frames")
    report_results(arguments.track_file, results, {"tracks": arguments.track_file}, folder, log)


def validate_network(arguments, config):
    """Runs the network over the validation set and scores what it predicts."""
    from lib.config.names import architecture_name
    from lib.dataset.build import build_dataset, build_loader
    from lib.evaluation.build import build_evaluator
    from lib.evaluation.report import report_results
    from lib.evaluation.validation import validate
    from lib.inference.build import open_network

    if not config.test.model_file:
        raise UserError("no weights to validate: give --model-file FILE, or --pred-file to score saved predictions")
    dataset = build_dataset(config, training=False)
    evaluator = build_evaluator(config, dataset.persons)
    run, lines = open_network(config, gpu_asked=arguments.gpus is not None)

    folder, log_file, _ = run_folder(config, arguments.cfg, "valid")
    log = make_logger(log_file)
    for line in (*lines, f"=> load {len(dataset)} samples", dataset.persons.note):
        if line:
            log.info(line)
    loader = build_loader(config, dataset, training=False)
    prefix = folder / "val" if config.debug.debug else None
    try:
        predictions, scores, loss, accuracy = validate(config, loader, run, log, prefix)
    finally:
        loader.close()
    log.info(f"=> saving predictions to {evaluator.save(predictions, scores, folder)}")
    if evaluator.no_truth:
        log.info(f"=> predictions are saved, not scored: {evaluator.no_truth}")
        return
    results = evaluator.evaluate(predictions, scores)
    conditions = {"model_file": config.test.model_file, **describe_test(config)}
    conditions["flip_test"] |= run.flip_merged
    if config.test.use_gt_bbox:  # a detected person's joints are not known
        conditions |= {"loss": loss, "accuracy": accuracy}
    report_results(architecture_name(config.model), results, conditions, folder, log)


def describe_test(config):
    """What a figure depends on besides the weights."""
    from lib.evaluation.build import metric_of

    test, skeleton, metric = config.test, config.skeleton, metric_of(config)
    described = {
        "boxes": "ground truth" if test.use_gt_bbox else "detected",
        "flip_test": test.flip_test,
        "decode": test.decoder,
        "shift_heatmap": test.shift,
        "udp": test.udp,
        "color_order": "RGB" if config.dataset.color_rgb else "BGR",
        "pixel_scale": config.dataset.pixel_scale,
        "decode_reduced": config.dataset.decode_reduced == "all",
        "metric": metric,
    }
    if metric == "ap":
        described |= {"oks_thre": test.oks_thre, "in_vis_thre": test.in_vis_thre, "soft_nms": test.soft_nms}
    if metric == "pck":
        described |= {"pck_reference": skeleton.pck_reference, "pck_threshold": skeleton.pck_threshold}
    if not test.use_gt_bbox:
        described |= {"coco_bbox_file": test.coco_bbox_file, "image_thre": test.image_thre}
    return described


def main():
    arguments, config = parse_arguments()
    if arguments.track_file:
        score_track_file(arguments, config)
    elif arguments.pred_file:
        score_predictions(arguments, config)
    else:
        validate_network(arguments, config)


if __name__ == "__main__":
    run_script(main)
