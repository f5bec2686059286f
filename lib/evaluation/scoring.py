"""What valid.py does: scores a network, saved predictions or saved tracks, and reports the figures."""

from collections.abc import Callable
from typing import Any

from ..config.cli import run_folder
from ..config.names import architecture_name
from ..config.schema import Config
from ..config.skeleton_pairs import pair_lines
from ..core.predictor import Run
from ..dataset.build import annotation_digest, build_dataset, build_loader, read_persons
from ..utils.errors import UserError
from ..utils.runtime import make_logger
from .build import build_evaluator, metric_of, validation_settings
from .report import report_results
from .tracks import score_tracks
from .validation import validate


def score_predictions(config: Config, experiment_file: str, path: str) -> None:
    """Scores a prediction file (pred.mat or COCO's result form); no network, no images."""
    evaluator = build_evaluator(config)
    if evaluator.skip_reason:
        raise UserError(f"{path} cannot be scored: {evaluator.skip_reason}")
    results = evaluator.evaluate_file(path)
    folder, log_file, _ = run_folder(config, experiment_file, "valid")
    log = make_logger(log_file)
    log.info(f"=> load {len(evaluator)} samples")
    for line in evaluator.notes:
        log.info(line)
    report_results(path, results, {"predictions": path, "notes": evaluator.notes}, folder, log)


def score_track_file(config: Config, experiment_file: str, path: str) -> None:
    """Scores saved tracks, a file or a folder of them; no network, no images."""
    data = config.dataset
    if data.dataset != "posetrack18":
        raise UserError(f"--track-file is scored against PoseTrack18's form: DATASET.DATASET is {data.dataset}")
    results, count = score_tracks(path, config.dataset_root, data.test_set, config.skeleton)
    folder, log_file, _ = run_folder(config, experiment_file, "valid")
    log = make_logger(log_file)
    log.info(f"=> {count} labelled frames")
    report_results(path, results, {"tracks": path}, folder, log)


def validate_network(
    config: Config, experiment_file: str, open_network: Callable[[], tuple[Run, list[str]]], count: int | None = None
) -> dict[str, float]:
    """Runs a network over the validation set, scores its predictions and returns the figures; {} without ground truth.

    Args:
        open_network: gives the network and the lines that say what runs where. It is called after the data set was
            read, so that wrong annotations are reported before a network is loaded.
        count: how many of the first persons, for a quick look; None for all.
    """
    if not config.test.model_file:
        raise UserError("no weights to validate: give --model-file FILE, or --pred-file to score saved predictions")
    persons = read_persons(config, training=False)
    evaluator = build_evaluator(config, persons)
    if count is not None:
        persons = persons.choose(evaluator.first(count))
    dataset = build_dataset(config, training=False, persons=persons)
    run, lines = open_network()
    folder, log_file, _ = run_folder(config, experiment_file, "valid")
    log = make_logger(log_file)
    notes = list(dict.fromkeys([*dataset.persons.note.splitlines(), *evaluator.notes]))
    for line in (*lines, *pair_lines(config), f"=> load {len(dataset)} samples", *notes):
        log.info(line)
    loader = build_loader(config, dataset, training=False)
    prefix = folder / "val" if config.debug.debug else None
    try:
        predictions, scores, loss, accuracy = validate(validation_settings(config), loader, run, log, prefix)
    finally:
        loader.close()
    log.info(f"=> saving predictions to {evaluator.save(predictions, scores, folder)}")
    if evaluator.skip_reason:
        log.info(f"=> predictions are saved, not scored: {evaluator.skip_reason}")
        return {}
    results = evaluator.evaluate(predictions, scores)
    conditions = {"model_file": config.test.model_file, "runs_on": run.runs_on, **describe_test(config), "notes": notes}
    conditions["flip_test"] |= run.flip_merged
    if config.test.use_gt_bbox:  # a detected person's joints are not known
        conditions |= {"loss": loss, "accuracy": accuracy}
    report_results(architecture_name(config.model), results, conditions, folder, log)
    return results


def describe_test(config: Config) -> dict[str, Any]:
    """What a figure depends on besides the weights, for results.json."""
    test = config.test
    skeleton = config.skeleton
    metric = metric_of(config)
    described: dict[str, Any] = {
        "annotations": annotation_digest(config),
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
