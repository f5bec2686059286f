"""Export in 8 bits: the calibration images, the quantized network beside the float one, and writing either."""

import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from ..config.config import parse_overrides, read_config
from ..config.schema import Config
from ..core.predictor import Run
from ..dataset.build import build_dataset, build_loader, read_persons
from ..dataset.joints_dataset import JointsDataset, SampleSettings
from ..evaluation.build import build_evaluator, validation_settings
from ..evaluation.report import table_lines
from ..evaluation.validation import validate
from ..utils.errors import UserError
from ..utils.runtime import replacing
from .onnx_export import (
    ExportSettings,
    check_difference,
    largest_difference,
    open_exported,
    trial_sizes,
    write_model,
)
from .onnx_graph import Graph
from .onnx_int8 import CALIBRATION_BATCH, quantize, split_deconvolutions


def read_calibration(experiment_file: str, overrides: list[str], config: Config) -> Config:
    """Reads the experiment of --calib, and gives it the network, image values and decoding of the exported one.

    Args:
        overrides: the KEY VALUE pairs of the command line, which count for both experiments.

    Raises:
        UserError: the two experiments have different joints.
    """
    calibration = read_config(experiment_file, parse_overrides(overrides))
    if calibration.skeleton.joints != config.skeleton.joints:
        raise UserError(
            f"--calib {experiment_file} is of the joints of {calibration.skeleton.name}, but the network of "
            f"{config.skeleton.name}"
        )
    seen = {"color_rgb": config.dataset.color_rgb, "pixel_scale": config.dataset.pixel_scale}
    dataset = calibration.dataset.model_copy(update=seen)
    kept = ("udp", "decode", "post_process", "shift_heatmap")
    test = calibration.test.model_copy(update={key: getattr(config.test, key) for key in kept})
    return calibration.model_copy(update={"model": config.model, "dataset": dataset, "test": test})


def calibration_crops(config: Config, count: int) -> np.ndarray:
    """Crops (n, h, w, 3) uint8 of n <= count training persons in whole batches: seeded, not augmented.

    Raises UserError if n would be 0.
    """
    persons = read_persons(config, training=True)
    wanted = min(len(persons), count) // CALIBRATION_BATCH * CALIBRATION_BATCH
    if wanted <= 0:
        raise UserError(
            f"calibration needs {CALIBRATION_BATCH} persons at least: the set {config.dataset.train_set} has "
            f"{len(persons)}, --calib-persons is {count}"
        )
    order = np.random.default_rng(config.train.seed).permutation(len(persons))
    persons = persons.choose(np.isin(np.arange(len(persons)), order[:wanted]))
    settings = SampleSettings(
        config.model.image_size, config.model.extra.heatmap_size, color_rgb=config.dataset.color_rgb,
        unbiased=config.test.udp,
    )  # fmt: skip
    dataset = JointsDataset(persons, config.skeleton, settings)
    print(f"=> calibration: {len(dataset)} persons of the set {config.dataset.train_set}")
    return np.stack([dataset[index]["crop"] for index in range(len(dataset))])


def score(path: Path, config: Config) -> dict[str, float]:
    """The figures of an exported file on the validation set of a configuration."""
    dataset = build_dataset(config, training=False)
    evaluator = build_evaluator(config, dataset.persons)
    if evaluator.skip_reason:
        raise UserError(f"the set {config.dataset.test_set} has no ground truth to score the network by")
    loader = build_loader(config, dataset, training=False)
    try:
        run = open_exported(path, config)
        predictions, scores, _, _ = validate(
            validation_settings(config), loader, run, logging.Logger("quiet", logging.ERROR)
        )
    finally:
        loader.close()
    return evaluator.evaluate(predictions, scores)


def milliseconds(path: Path, config: Config, crop: np.ndarray, rounds: int = 10) -> float:
    """The median time of one crop through an exported file."""
    run = open_exported(path, config)
    times = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        run(crop[None])
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times[2:]))  # the first are slower


def quantized_graph(
    graph: Graph, run: Run, settings: ExportSettings, calibration: Config, crops: np.ndarray
) -> Graph:
    """Quantizes the network to 8 bits; prints figures and times of both networks on this machine.

    Raises RunError if the float network differs from Paddle's.
    """
    print(f"=> {split_deconvolutions(graph)} deconvolutions as convolutions and depth-to-space")
    config = settings.config
    lines: list[str] = []
    with TemporaryDirectory() as folder:
        for name in ("float", "int8"):
            path = Path(folder) / f"{name}.onnx"
            if name == "int8":
                model = onnx.load(str(Path(folder) / "float.onnx"))
                graph = Graph.of_model(quantize(model, crops, config.dataset.pixel_scale))
            write_model(graph, settings, path)
            if name == "float":
                check_difference(largest_difference(path, run, settings))
            lines += table_lines(name, score(path, calibration))[2 if lines else 0 :]
            size = path.stat().st_size / 1e6
            print(f"=> {name}: {size:.1f} MB, {milliseconds(path, config, crops[0]):.1f} ms for one person here")
    print("\n".join(lines))
    return graph


def write_checked(graph: Graph, run: Run, settings: ExportSettings, output: str, is_float: bool) -> None:
    """Writes the file and prints what it is. A float file that differs from Paddle raises RunError instead."""
    with replacing(output) as temporary:
        write_model(graph, settings, temporary)
        share = largest_difference(temporary, run, settings)
        tried = ", ".join(f"{count} of {width}x{height}" for count, (width, height) in trial_sizes(settings))
        if is_float:
            print(f"=> largest difference from Paddle: {share:.1e} of the maximum (pictures: {tried})")
            check_difference(share)
        else:  # noise is outside of the calibrated ranges: that it runs is all that this can show
            check_difference(share, np.inf)
            print(f"=> tried in ONNX Runtime (pictures: {tried})")
        print(f"=> {os.path.getsize(temporary) / 1e6:.1f} MB")
