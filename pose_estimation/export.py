"""Exports a pose network to ONNX, runs the file and compares it with Paddle. Nothing is installed or fetched."""

import argparse
import importlib.util
import logging
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import _init_paths  # noqa: F401
import numpy as np

from lib.config.cli import config_from, make_experiment_parser
from lib.config.config import parse_overrides, read_config
from lib.utils.errors import UserError
from lib.utils.runtime import make_folder, replacing, run_script

FLOAT_OUTPUT, INT8_OUTPUT = "./output/onnx/posenet.onnx", "./output/onnx/posenet_int8.onnx"
OPSETS = range(13, 20)  # from 13 on 8 bits per channel; above 19 paddle2onnx 1.3 (for Paddle 2) ends the process
DEFAULT_OPSET = 17  # the newest that ONNX Runtime 1.12 and TensorRT 8.6 read; OpenCV 5.0 was tried and does
NEEDED = ("onnx", "paddle2onnx", "onnxruntime")
EPILOG = """
The file is run in ONNX Runtime and must agree with Paddle to 1e-4 of the heatmaps' maximum; else none is written. Input
`input` (batch, 3, height, width), output `heatmaps` (batch, joints, height / 4, width / 4 for multiples of 32). What a
picture needs stands in the file's metadata; deploy.py reads it.
needs  pip install -r requirements/cpu.txt (paddle2onnx, onnx, onnxruntime)
"""


def parse_arguments():
    parser = make_experiment_parser(__doc__)
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model-file", metavar="FILE", help="weights (.pdparams) or a checkpoint (.pdckpt)")
    parser.add_argument("--output", metavar="X.onnx", help=f"default {FLOAT_OUTPUT}, with --int8 {INT8_OUTPUT}")
    parser.add_argument("--fixed", action="store_true", help="one picture of MODEL.IMAGE_SIZE, not any number and size")
    parser.add_argument(
        "--opset", type=int, default=DEFAULT_OPSET, metavar="N", choices=OPSETS,
        help=f"ONNX's version, {OPSETS[0]} to {OPSETS[-1]}; default {DEFAULT_OPSET}, read by most runtimes",
    )  # fmt: skip
    parser.add_argument("--merge-flip", action="store_true", help="put the flip test into the graph")
    parser.add_argument("--int8", action="store_true", help="weights and values of 8 bits; needs --calib")
    parser.add_argument(
        "--calib", metavar="DATASET_YAML",
        help="the experiment whose training persons give the ranges of values, and whose validation set the scores",
    )  # fmt: skip
    parser.add_argument("--calib-persons", type=int, default=96, metavar="N", help="so many of them; default 96")
    arguments = parser.parse_intermixed_args()
    arguments.output = arguments.output or (INT8_OUTPUT if arguments.int8 else FLOAT_OUTPUT)
    return arguments, config_from(arguments, flags=(("model_file", "TEST.MODEL_FILE"),))


def check_arguments(arguments, config):
    """Raises UserError for what cannot be, before anything is loaded."""
    output, weights = Path(arguments.output), config.test.model_file
    if output.suffix.lower() != ".onnx":
        raise UserError(f"--output {output}: the name must end in .onnx")
    if output.is_dir():
        raise UserError(f"--output {output} is a folder")
    if arguments.int8 and not arguments.calib:
        raise UserError("--int8 needs --calib YAML: the experiment whose persons give the ranges of values")
    if arguments.calib and not arguments.int8:
        raise UserError("--calib is for --int8, which is not given")
    if Path(weights).suffix.lower() == ".onnx":
        raise UserError(f"{weights} is exported already: give weights (.pdparams) or a checkpoint (.pdckpt)")
    for name in (*NEEDED, *(("ml_dtypes",) if arguments.int8 else ())):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"exporting needs {name}: pip install -r requirements/cpu.txt")


def read_calibration(arguments, config):
    """The Config of --calib, with the network, pictures and decoding of the experiment that is exported.

    KEY VALUE pairs count for both. Raises UserError where it is of other joints or has no ground truth.
    """
    calibration = read_config(arguments.calib, parse_overrides(arguments.overrides))
    if calibration.skeleton.joints != config.skeleton.joints:
        raise UserError(
            f"--calib {arguments.calib} is of the joints of {calibration.skeleton.name}, but the network of "
            f"{config.skeleton.name}"
        )
    seen = {"color_rgb": config.dataset.color_rgb, "pixel_scale": config.dataset.pixel_scale}
    dataset = calibration.dataset.model_copy(update=seen)
    kept = ("udp", "decode", "post_process", "shift_heatmap")
    test = calibration.test.model_copy(update={key: getattr(config.test, key) for key in kept})
    return calibration.model_copy(update={"model": config.model, "dataset": dataset, "test": test})


def calibration_crops(config, count):
    """uint8 crops (n, h, w, 3) of n training persons, seeded and not augmented; n <= count is of whole batches.

    Raises UserError where n would be 0.
    """
    from lib.dataset.build import read_persons
    from lib.dataset.joints_dataset import JointsDataset, SampleSettings
    from lib.deploy.onnx_int8 import CALIBRATION_BATCH

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


def score(path, config):
    """What the evaluator of a Config's validation set says of an exported file."""
    from lib.dataset.build import build_dataset, build_loader
    from lib.deploy.onnx_export import open_exported
    from lib.evaluation.build import build_evaluator
    from lib.evaluation.validation import validate

    dataset = build_dataset(config, training=False)
    evaluator = build_evaluator(config, dataset.persons)
    if evaluator.no_truth:
        raise UserError(f"the set {config.dataset.test_set} has no ground truth to score the network by")
    loader = build_loader(config, dataset, training=False)
    try:
        run = open_exported(path, config)
        predictions, scores, _, _ = validate(config, loader, run, logging.Logger("quiet", logging.ERROR))
    finally:
        loader.close()
    return evaluator.evaluate(predictions, scores)


def milliseconds(path, config, crop, rounds=10):
    """The median time of one crop through an exported file."""
    from lib.deploy.onnx_export import open_exported

    run, times = open_exported(path, config), []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        run(crop[None])
        times.append((time.perf_counter() - start) * 1000)
    return float(np.median(times[2:]))  # the first are slower


def quantized_graph(graph, run, settings, calibration, crops):
    """The Graph of the network in 8 bits; prints figures and times of both, on this machine.

    Raises RunError where the network it is made of differs from Paddle's.
    """
    import onnx

    from lib.deploy.onnx_export import check_difference, largest_difference, write_model
    from lib.deploy.onnx_graph import Graph
    from lib.deploy.onnx_int8 import quantize, split_deconvolutions
    from lib.evaluation.report import table_lines

    print(f"=> {split_deconvolutions(graph)} deconvolutions as convolutions and depth-to-space")
    config, lines = settings.config, []
    with TemporaryDirectory() as folder:
        for name in ("float", "int8"):
            path = Path(folder) / f"{name}.onnx"
            if name == "int8":
                graph = Graph(quantize(onnx.load(str(Path(folder) / "float.onnx")), crops, config.dataset.pixel_scale))
            write_model(graph, settings, path)
            if name == "float":
                check_difference(largest_difference(path, run, settings))
            lines += table_lines(name, score(path, calibration))[2 if lines else 0 :]
            size = path.stat().st_size / 1e6
            print(f"=> {name}: {size:.1f} MB, {milliseconds(path, config, crops[0]):.1f} ms for one person here")
    print("\n".join(lines))
    return graph


def write_checked(graph, run, settings, output, is_float):
    """Writes the file, or none where it is a float one that differs from Paddle; prints what it is."""
    from lib.deploy.onnx_export import check_difference, largest_difference, trial_sizes, write_model

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


def main():
    arguments, config = parse_arguments()
    check_arguments(arguments, config)
    calibration = crops = None
    if arguments.int8:
        calibration = read_calibration(arguments, config)
        crops = calibration_crops(calibration, arguments.calib_persons)
    from lib.inference.build import open_network

    run, lines = open_network(config.model_copy(update={"gpus": "cpu"}))
    make_folder(Path(arguments.output).parent)
    print("\n".join(lines))
    from lib.core.transforms import mirrored_order
    from lib.deploy.onnx_export import ExportSettings, convert
    from lib.deploy.onnx_graph import merge_flip

    graph, folded = convert(run.network, arguments.opset)
    print(f"=> opset {graph.opset}, {folded} BatchNorms folded into convolutions")
    if arguments.int8:
        graph = quantized_graph(graph, run, ExportSettings(config), calibration, crops)
    if arguments.merge_flip:
        order = mirrored_order(config.model.num_joints, config.skeleton.flip_pairs)
        merge_flip(graph, order, config.test.shift)
        print("=> the flip test is in the graph: give no --flip-test with it")
    settings = ExportSettings(config, arguments.fixed, arguments.merge_flip)
    write_checked(graph, run, settings, arguments.output, not arguments.int8)
    print(f"=> Model saved as: {arguments.output}")
    print("=> Done.")


if __name__ == "__main__":
    run_script(main)
