"""Validates a pose network, or saved predictions: prints the table, writes pred.mat and results.json."""

import argparse

import _init_paths  # noqa: F401

from lib.utils.cli import config_from, make_parser, run_folder
from lib.utils.errors import UserError
from lib.utils.runtime import choose_device, import_paddle, make_logger, run_script


def parse_arguments():
    parser = make_parser(__doc__)
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("--model-file", metavar="FILE", help="weights (.pdparams) or a checkpoint (.pdckpt)")
    parser.add_argument("--flip-test", action=on_or_off, help="average with the mirrored picture (TEST.FLIP_TEST)")
    parser.add_argument("--post-process", action=on_or_off, help="quarter-pixel offset (TEST.POST_PROCESS)")
    parser.add_argument("--shift-heatmap", action=on_or_off, help="shift the mirrored heatmaps (TEST.SHIFT_HEATMAP)")
    parser.add_argument("--pred-file", metavar="MAT", help="score this pred.mat instead of running a network")
    arguments = parser.parse_intermixed_args()
    flags = (("model_file", "TEST.MODEL_FILE"), ("flip_test", "TEST.FLIP_TEST"))
    flags += (("post_process", "TEST.POST_PROCESS"), ("shift_heatmap", "TEST.SHIFT_HEATMAP"))
    return arguments, config_from(arguments, "TEST.BATCH_SIZE", flags)


def score_predictions(arguments, config):
    """Scores a prediction file; no network, no pictures, no Paddle."""
    from lib.core.report import read_predictions, report_results
    from lib.core.skeletons import SKELETONS
    from lib.dataset.build import build_evaluator

    evaluator = build_evaluator(config, SKELETONS[config.dataset.dataset])
    results = evaluator.evaluate(read_predictions(arguments.pred_file))
    folder, log_file, _ = run_folder(config, arguments.cfg, "valid")
    log = make_logger(log_file)
    log.info(f"=> load {len(evaluator)} samples")
    report_results(arguments.pred_file, results, {"predictions": arguments.pred_file}, folder, log)


def validate_network(arguments, config):
    """Runs the network over the validation set and scores what it predicts."""
    import_paddle()
    from lib.core.checkpoint import load_weights
    from lib.core.engine import validate
    from lib.core.loss import JointsMSELoss
    from lib.core.report import architecture_name, report_results, write_predictions
    from lib.dataset.build import build_dataset, build_evaluator, build_loader
    from lib.models.build import get_pose_net

    if not config.test.model_file:
        raise UserError("no weights to validate: give --model-file FILE, or --pred-file to score saved predictions")
    device = choose_device(config.gpus, asked=arguments.gpus is not None)
    dataset = build_dataset(config, training=False)
    has_truth = config.dataset.test_set != "test"
    evaluator = build_evaluator(config, dataset.skeleton, len(dataset)) if has_truth else None
    network = get_pose_net(config.model)
    loaded = load_weights(network, config.test.model_file)

    folder, log_file, _ = run_folder(config, arguments.cfg, "valid")
    log = make_logger(log_file)
    for line in (device, loaded, f"=> load {len(dataset)} samples"):
        log.info(line)
    loader = build_loader(config, dataset, training=False)
    prefix = folder / "val" if config.debug.debug else None
    criterion = JointsMSELoss(config.loss.use_target_weight)
    try:
        predictions, _, loss, score = validate(config, loader, network, criterion, log, prefix)
    finally:
        loader.close()
    write_predictions(predictions, folder / "pred.mat")
    log.info(f"=> saving predictions to {folder / 'pred.mat'}")
    if evaluator is None:
        log.info("=> the test set has no ground truth here: pred.mat is for MPII's own evaluation")
        return
    conditions = {"model_file": config.test.model_file, "loss": loss, "accuracy": score, **describe_test(config)}
    report_results(architecture_name(config.model), evaluator.evaluate(predictions), conditions, folder, log)


def describe_test(config):
    """What a figure depends on besides the weights."""
    return {
        "boxes": "ground truth",
        "flip_test": config.test.flip_test,
        "post_process": config.test.post_process,
        "shift_heatmap": config.test.shift_heatmap,
        "color_order": "RGB" if config.dataset.color_rgb else "BGR",
        "pixel_scale": config.dataset.pixel_scale,
    }


def main():
    arguments, config = parse_arguments()
    if arguments.pred_file:
        score_predictions(arguments, config)
    else:
        validate_network(arguments, config)


if __name__ == "__main__":
    run_script(main)
