"""Opens the networks behind a Pose: the pose network and the detector, by file or by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.skeleton_file import read_skeleton
from ..core.predictor import PosePredictor
from ..core.skeletons import Skeleton
from ..deploy.onnx_predictor import OnnxPosePredictor, assumed_metadata
from ..deploy.runtimes import PROVIDERS
from ..inference.by_name import detector_file, model_file
from ..inference.detector import DetectorSettings, PersonDetector
from ..utils.errors import UserError, explaining_packages
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
    given = os.fspath(model)
    if options.cfg is not None:
        with explaining_packages("cfg=", "pip install 'paddle-simple-baselines[paddle]'"):
            return _of_experiment(given, options)
    if not could_be_name(given) and Path(given).suffix.lower() != ".onnx":
        raise UserError(f"model {given} is no .onnx file: {MODELS}")
    skeleton = options.skeleton
    assumed = assumed_metadata(
        read_skeleton(skeleton) if isinstance(skeleton, str) else skeleton,
        options.mean and list(options.mean), options.std and list(options.std), options.pixel_scale, options.rgb,
    )  # fmt: skip
    predictor = OnnxPosePredictor(
        model_file(given), options.size or (None, None), bool(options.flip_test), options.provider, assumed,
        batch_size or 8, options.precision,
    )  # fmt: skip
    return Opened(predictor, predictor.skeleton, tuple(predictor.lines))


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
    detector: str | os.PathLike[str] | PersonDetector | None, threshold: float, provider: str
) -> PersonDetector | None:
    """The PersonDetector of a file, a name or an opened one; None for None. Raises UserError."""
    if detector is None or isinstance(detector, PersonDetector):
        return detector
    if not isinstance(detector, (str, os.PathLike)) or not os.fspath(detector):
        raise UserError(f"detector is {detector!r}: expected an .onnx file, a name of the index, or None")
    if not isinstance(threshold, (int, float)) or not 0 <= threshold <= 1:
        raise UserError(f"detector_threshold={threshold!r}: expected a score from 0 to 1")
    path, known = detector_file(os.fspath(detector))
    return PersonDetector(path, DetectorSettings(threshold, **known), provider)
