"""Exports a pose network to ONNX, runs the file and compares it with Paddle. Nothing is installed or fetched."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import _init_paths  # noqa: F401

from lib.config.cli import make_experiment_parser
from lib.config.schema import Config
from lib.deploy.model_metadata import DEFAULT_OPSET, OPSETS
from lib.utils.errors import UserError
from lib.utils.runtime import make_folder, run_script
from lib.zoo.experiment import experiment_of

FLOAT_OUTPUT, INT8_OUTPUT = "./output/onnx/posenet.onnx", "./output/onnx/posenet_int8.onnx"
NEEDED = ("onnx", "onnxruntime")
EPILOG = """
The file is run in ONNX Runtime and must agree with Paddle to 1e-4 of the heatmaps' maximum; else none is written. Input
`input` (batch, 3, height, width), output `heatmaps` (batch, joints, height / 4, width / 4 for multiples of 32). What a
picture needs stands in the file's metadata; deploy.py reads it.
needs  pip install -r requirements/cpu.txt (onnx, onnxruntime)
"""


def parse_arguments() -> tuple[argparse.Namespace, Config]:
    parser = make_experiment_parser(__doc__, by_name=True)
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model-file", "--model", metavar="FILE", help="weights (.pdparams, .pdckpt) or a name")
    parser.add_argument("--output", metavar="X.onnx", help=f"default {FLOAT_OUTPUT}, with --int8 {INT8_OUTPUT}")
    parser.add_argument("--fixed", action="store_true", help="fix the batch to 1 and the input to MODEL.IMAGE_SIZE")
    parser.add_argument(
        "--opset", type=int, default=DEFAULT_OPSET, metavar="N", choices=OPSETS,
        help=f"ONNX's version, {OPSETS[0]} to {OPSETS[-1]}; default {DEFAULT_OPSET}, read by most runtimes",
    )  # fmt: skip
    parser.add_argument("--merge-flip", action="store_true", help="put the flip test into the graph")
    parser.add_argument("--int8", action="store_true", help="quantize to 8 bits; needs --calib")
    parser.add_argument(
        "--calib", metavar="DATASET_YAML",
        help="experiment whose training set is used for calibration and whose validation set for the scores",
    )  # fmt: skip
    parser.add_argument("--calib-persons", type=int, default=96, metavar="N", help="training persons (default: 96)")
    arguments = parser.parse_intermixed_args()
    arguments.output = arguments.output or (INT8_OUTPUT if arguments.int8 else FLOAT_OUTPUT)
    return arguments, experiment_of(arguments, flags=(("model_file", "TEST.MODEL_FILE"),))


def check_arguments(arguments: argparse.Namespace, config: Config) -> None:
    """Raises UserError for inconsistent options, before anything is loaded."""
    output = Path(arguments.output)
    if output.suffix.lower() != ".onnx" or output.is_dir():
        raise UserError(f"--output {output}" + (" is a folder" if output.is_dir() else ": the name must end in .onnx"))
    if arguments.int8 and not arguments.calib:
        raise UserError("--int8 needs --calib YAML: the experiment whose persons give the ranges of values")
    if arguments.calib and not arguments.int8:
        raise UserError("--calib is for --int8, which is not given")
    if Path(config.test.model_file).suffix.lower() == ".onnx":
        raise UserError(f"{config.test.model_file} is exported already: give weights (.pdparams) or a .pdckpt")
    for name in (*NEEDED, *(("ml_dtypes",) if arguments.int8 else ())):
        if importlib.util.find_spec(name) is None:
            raise UserError(f"exporting needs {name}: pip install -r requirements/cpu.txt")


def main() -> None:
    arguments, config = parse_arguments()
    check_arguments(arguments, config)
    from lib.deploy.quantized import calibration_crops, quantized_graph, read_calibration, write_checked

    if arguments.int8:
        calibration = read_calibration(arguments.calib, arguments.overrides, config)
        crops = calibration_crops(calibration, arguments.calib_persons)
    from lib.inference.build import open_network

    run: Any
    test = config.test.model_copy(update={"provider": "auto", "precision": "auto"})  # of the file, not of the weights
    run, lines = open_network(config.model_copy(update={"gpus": "cpu", "test": test}))
    make_folder(Path(arguments.output).parent)
    print("\n".join(lines))
    from lib.core.transforms import mirrored_order
    from lib.deploy.onnx_export import ExportSettings, exported_graph
    from lib.deploy.onnx_graph import merge_flip

    graph = exported_graph(run.network, config.model.style, arguments.opset)
    print(f"=> opset {graph.opset}, BatchNorm folded into the convolutions: {len(graph.nodes)} nodes")
    if arguments.int8:
        graph = quantized_graph(graph, run, ExportSettings(config), calibration, crops)
    if arguments.merge_flip:
        order = mirrored_order(config.model.num_joints, config.skeleton.flip_pairs)
        merge_flip(graph, order, config.test.shift)
        print("=> the flip test is in the graph: give no --flip-test with it")
    settings = ExportSettings(config, arguments.fixed, arguments.merge_flip)
    write_checked(graph, run, settings, arguments.output, not arguments.int8)
    print(f"=> Model saved as: {arguments.output}\n=> Done.")


if __name__ == "__main__":
    run_script(main)
