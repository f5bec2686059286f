"""From the configuration to a network, Paddle's or an ONNX file's. Imports Paddle only for Paddle's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.config import read_config
from ..core.predictor import PosePredictor
from ..device.device import choose_device, gpu_numbers
from ..evaluation.build import pose_settings
from ..utils.errors import UserError
from ..utils.runtime import import_paddle
from ..weights.weight_record import check_record

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..core.predictor import Run


GPU_PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


def open_network(config: Config, gpu_asked: bool = False) -> tuple[Run, list[str]]:
    """(run, lines): the `run` function of TEST.MODEL_FILE (see lib.core.predictor), and lines that say what runs where.

    gpu_asked: the user named the GPU, so that one that is not there is an error. Raises UserError.
    """
    model, path = config.model, config.test.model_file
    if not path:
        raise UserError("no weights: give --model-file FILE (.pdparams, .pdckpt or .onnx)")
    if Path(path).suffix.lower() == ".onnx":
        return _open_onnx(config, gpu_asked)
    if (config.test.provider, config.test.precision) != ("auto", "auto"):
        raise UserError(f"--provider and --precision are for .onnx files: {path} is none; export.py makes one")

    record_line = check_record(path, config)
    import_paddle()
    from ..models.build import get_pose_net
    from ..models.paddle_network import PaddleRun
    from ..weights.fill import load_weights

    device = choose_device(config.gpus, asked=gpu_asked)
    network = get_pose_net(model)
    lines = [device, load_weights(network, path), record_line]
    return PaddleRun(network, config.dataset.pixel_scale), [line for line in lines if line]


def _open_onnx(config: Config, gpu_asked: bool) -> tuple[Run, list[str]]:
    """`open_network` of an ONNX file."""
    from ..deploy.onnx_network import OnnxRun, check_metadata

    model, test = config.model, config.test
    width, height = model.extra.heatmap_size
    shape = (model.num_joints, height, width)
    gpu = next(iter(gpu_numbers(config.gpus)), None)
    run = OnnxRun(
        test.model_file, model.image_size, shape, config.dataset.pixel_scale, gpu, test.provider, test.precision
    )
    if gpu_asked and gpu is not None and run.runs_on not in GPU_PROVIDERS:
        raise UserError(f"GPU {gpu} was asked for, but the network would run on {run.runs_on}; give --gpus cpu")
    return run, [line for line in (*run.lines, check_metadata(run, config)) if line]


def detector_provider(config: Config) -> str:
    """The provider (see `lib.deploy.runtimes`) of a detector beside the network of a configuration."""
    if config.test.provider != "auto":
        return config.test.provider
    return "cpu" if config.gpus in ("", "cpu") else "auto"


def build_predictor(config: Config, run: Run) -> PosePredictor:
    """The PosePredictor of a configuration around a `run` function."""
    return PosePredictor(run, pose_settings(config))


def load_predictor(
    experiment: str | os.PathLike[str], model_file: str | os.PathLike[str], overrides: Mapping[str, Any] | None = None
) -> PosePredictor:
    """The PosePredictor of an experiment's YAML file and of weights: .pdparams, .pdckpt or .onnx.

    overrides: {dotted key: value} of the experiment, such as {"TEST.FLIP_TEST": True, "GPUS": "cpu"}.
    Raises UserError where either cannot be read, or where the two do not belong together.
    """
    config = read_config(experiment, {"TEST.MODEL_FILE": str(model_file), **(overrides or {})})
    run, _ = open_network(config)
    return build_predictor(config, run)
