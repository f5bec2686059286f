"""Opens the networks behind a Pose: the pose network and the detector, by file or by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.skeleton_file import read_skeleton
from ..core.predictor import PosePredictor
from ..core.skeletons import Skeleton
from ..deploy.onnx_predictor import OnnxPosePredictor, assumed_metadata
from ..deploy.runtimes import PROVIDERS, open_session
from ..inference.by_name import detector_file, model_file
from ..inference.detector import DetectorSettings, PersonDetector
from ..utils.errors import RunError, UserError, explaining_packages
from ..utils.files import could_be_name

MODELS = "expected an .onnx file, a name of the index (simple-baselines fetch --list), or weights with cfg="


@dataclass(frozen=True)
class Opened:
    """A pose network. sure: joints above it make a person's score; lines: what runs where, in words."""

    predictor: PosePredictor
    skeleton: Skeleton
    lines: tuple[str, ...]
    sure: float = 0.2


@dataclass(frozen=True)
class NetworkOptions:
    """How a pose network is opened; see Pose."""

    cfg: str | os.PathLike[str] | None = None
    skeleton: Skeleton | str | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    pixel_scale: float | None = None
    rgb: bool | None = None
    size: tuple[int, int] | None = None
    flip_test: bool | None = None
    provider: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None


def open_model(model: str | os.PathLike[str], options: NetworkOptions) -> Opened:
    """The pose network of a file or a name. Raises UserError."""
    if not isinstance(model, (str, os.PathLike)) or not os.fspath(model):
        raise UserError(f"model is {model!r}: {MODELS}")
    if options.provider not in PROVIDERS:
        raise UserError(f"provider={options.provider!r}: expected one of {', '.join(PROVIDERS)}")
    batch_size = options.batch_size
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise UserError(f"batch_size={batch_size!r}: expected a whole number above 0")
    refuse_values(options)
    given = os.fspath(model)
    if options.cfg is not None:
        with explaining_packages("cfg=", "in a clone: pip install '.[paddle]'"):
            return _of_experiment(given, options)
    if not could_be_name(given) and Path(given).suffix.lower() != ".onnx":
        weights = Path(given).suffix.lower() in (".pdparams", ".pdckpt")
        needed = "weights need cfg=, their experiment's YAML file" if weights else MODELS
        raise UserError(f"model {given} is no .onnx file: {needed}")
    skeleton = options.skeleton
    assumed = assumed_metadata(
        read_skeleton(skeleton) if isinstance(skeleton, str) else skeleton,
        None if options.mean is None else list(options.mean), None if options.std is None else list(options.std),
        options.pixel_scale, options.rgb,
    )  # fmt: skip
    path = model_file(given)
    try:
        predictor = OnnxPosePredictor(
            path, options.size or (None, None), bool(options.flip_test), options.provider, assumed, batch_size or 8,
            options.precision,
        )
    except UserError:
        if is_detector(path):
            raise UserError(f"model {given} finds boxes: give it as detector=, and a pose network as model") from None
        raise
    return Opened(predictor, predictor.skeleton, tuple(predictor.lines))


def refuse_values(options: NetworkOptions) -> None:
    """Raises UserError for values that an argument cannot have."""
    for name in ("mean", "std", "size"):
        value, count = getattr(options, name), 2 if name == "size" else 3
        if value is None:
            continue
        numbers = np.asarray(value) if isinstance(value, (list, tuple, np.ndarray)) else np.empty(0)
        whole = "biu" if name == "size" else "biuf"
        if numbers.shape != (count,) or numbers.dtype.kind not in whole or not np.isfinite(numbers).all():
            expected = "(width, height), two whole numbers" if name == "size" else "three numbers, one of each channel"
            raise UserError(f"{name}={value!r}: expected {expected}")
        if name != "mean" and (numbers <= 0).any():
            raise UserError(f"{name}={value!r}: expected numbers above 0")
    scale = options.pixel_scale
    if scale is not None and (isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < np.inf):
        raise UserError(f"pixel_scale={scale!r}: expected a number above 0, such as 255 or 1")
    for name in ("rgb", "flip_test"):
        if getattr(options, name) not in (None, True, False):
            raise UserError(f"{name}={getattr(options, name)!r}: expected True or False")
    if not isinstance(options.skeleton, (Skeleton, str, type(None))):
        raise UserError(f'skeleton={options.skeleton!r:.80}: expected "coco", "mpii", a JSON file or a Skeleton')


def _of_experiment(model: str, options: NetworkOptions) -> Opened:
    """A network whose experiment, a YAML file, says what it is: weights need Paddle, .onnx files do not."""
    from ..config.config import read_config  # here: it needs packages that exported models do without
    from ..inference.build import build_predictor, open_network

    named = [name for name in ("skeleton", "mean", "std", "pixel_scale", "rgb", "size")
             if getattr(options, name) is not None]  # fmt: skip
    if named:
        raise UserError(f"{named[0]}= is for .onnx files without metadata: with cfg= the experiment says it")
    values = {
        "TEST.MODEL_FILE": model, "TEST.FLIP_TEST": options.flip_test, "TEST.BATCH_SIZE": options.batch_size,
        "TEST.PROVIDER": options.provider, "TEST.PRECISION": options.precision,
    }  # fmt: skip
    given: dict[str, Any] = {key: value for key, value in values.items() if value not in (None, "auto")}
    assert options.cfg is not None
    if not os.path.isfile(options.cfg):
        raise UserError(f"cfg: there is no experiment file {options.cfg}")
    config = read_config(options.cfg, given)
    run, lines = open_network(config)
    return Opened(build_predictor(config, run), config.skeleton, tuple(lines), config.test.in_vis_thre)


def open_detector(
    detector: str | os.PathLike[str] | PersonDetector | None, threshold: float | None, provider: str
) -> PersonDetector | None:
    """The PersonDetector of a file, a name or an opened one; None for None. Raises UserError."""
    if detector is None or isinstance(detector, PersonDetector):
        return detector
    if not isinstance(detector, (str, os.PathLike)) or not os.fspath(detector):
        raise UserError(f"detector is {detector!r}: expected an .onnx file, a name of the index, or None")
    if threshold is None:
        threshold = DetectorSettings().threshold
    if not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise UserError(f"detector_threshold={threshold!r}: expected a score from 0 to 1")
    path, known = detector_file(os.fspath(detector))
    try:
        return PersonDetector(path, DetectorSettings(threshold, **known), provider)
    except UserError:
        if has_heatmaps(path):
            raise UserError(f"detector {detector} gives heatmaps, as a pose network does: give it as model") from None
        raise


def is_detector(path: str) -> bool:
    """Whether an ONNX file is a detector of a known form."""
    try:
        PersonDetector(path, provider="cpu")
    except (UserError, RunError):
        return False
    return True


def has_heatmaps(path: str) -> bool:
    """Whether an ONNX file has an output (N, joints, height, width)."""
    try:
        return any(len(output.shape) == 4 for output in open_session(path, "cpu").outputs)
    except (UserError, RunError):
        return False
