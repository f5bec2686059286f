"""What convert.py does with the weights of other projects: selects them, records their images, writes both."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config.config import read_config
from ..config.schema import Config, ModelConfig
from ..utils.errors import UserError
from ..utils.files import file_digest
from ..utils.image import MEAN, STD
from ..utils.runtime import make_folder, replacing
from .convert import KIND_WORDS, PICTURES, depth_of
from .weight_record import WeightRecord, parse_record, read_record, record_path, write_record
from .weights import match_weights

NAMES_SHOWN = 5
PICTURE_KEYS = ("color_order", "pixel_scale", "mean", "deviation")  # in the order of PICTURES


def check_output(source: Path, output: Path) -> None:
    """Raises UserError if the result cannot be written, or would replace a file that is no result."""
    if output.suffix != ".pdparams":
        raise UserError(f"--output {output}: the name must end in .pdparams")
    folder = next(parent for parent in output.parents if parent.exists())  # the others are made in the end
    if not folder.is_dir() or not os.access(folder, os.W_OK) or output.is_dir():
        raise UserError(f"--output {output}: cannot be written")
    if source.exists() and output.exists() and source.samefile(output):
        raise UserError(f"--output {output} is the source itself: choose another name")
    record = record_path(output)
    if record.exists() and parse_record(record) is None:
        raise UserError(f"--output {output}: {record} exists and is no record of weights: choose another name")


def say_names(what: str, names: Sequence[str]) -> None:
    """Prints one line: how many names, and the first few."""
    shown = f": {', '.join(names[:NAMES_SHOWN])}" if names else ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    print(f"=> {what}: {len(names)}{shown}{more}")


def select_weights(
    source: Path, experiment_file: str, backbone_only: bool, model: ModelConfig, weights: Mapping[str, np.ndarray],
    expected: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Selects the weights that fill the whole of `expected` and prints what was loaded, missing and unused.

    Args:
        weights: renamed weights of the source.
        expected: the tensors of the network to fill.

    Raises:
        UserError: a weight is missing, has another shape, or belongs to a part that this network lacks.
    """
    match = match_weights(weights, expected)
    print(f"=> loaded: {len(match.matched)} of {len(expected)}")
    for what, names in (("missing", match.missing), ("of another shape", match.mismatched), ("unused", match.unused)):
        say_names(what, names)
    if not match.matched:
        raise UserError(
            f"{source}: none of its {len(weights)} weights fits this network (it has names such as "
            f"{next(iter(weights))}): is it a ResNet, and of MODEL.DEPTH {model.depth}?"
        )
    if not backbone_only and not any(name.startswith(("deconv_layers.", "final_layer.")) for name in weights):
        raise UserError(
            f"{source} has a backbone, but no head for a pose network: convert it with --backbone-only and "
            "give the result as MODEL.PRETRAINED"
        )
    parts = ("backbone.",) if backbone_only else ("backbone.", "deconv_layers.", "final_layer.")
    strange = [name for name in match.unused if name.startswith(parts) and not name.startswith("backbone.fc.")]
    wrong = match.missing + match.mismatched + strange
    if wrong:
        reason = explain(model, weights, wrong)
        raise UserError(f"{source} is of another network than {experiment_file}: {reason}")
    return match.matched


def explain(model: ModelConfig, weights: Mapping[str, np.ndarray], wrong: Sequence[str]) -> str:
    """Why renamed weights do not fit, and what to do; wrong: the names that do not fit."""
    depth = depth_of(weights)
    final = "final_layer.weight"
    if depth not in (None, model.depth):
        return f"it has MODEL.DEPTH {depth}, not {model.depth}"
    if final in wrong and final in weights and len(weights[final]) != model.num_joints:
        return (
            f"its head is for MODEL.NUM_JOINTS {len(weights[final])}, not {model.num_joints}; convert it with the "
            "experiment it is of and give the result as MODEL.PRETRAINED: training then starts another head"
        )
    return f"weights that do not fit: {len(wrong)} (such as {wrong[0]}); check MODEL.DEPTH and MODEL.EXTRA"


def describe_source(source: Path, kind: str) -> tuple[dict[str, Any], str]:
    """What images the weights expect: the known fields of a WeightRecord, and where they come from.

    The source's own record counts first, then the run folder it lies in, then what is usual for its kind.
    """
    record, line = read_record(source)
    if line:
        print(line)
    if record:
        return record.model_dump(include={"kind", "style", *PICTURE_KEYS}), "its record"
    run_config = source.parent / "config.yaml"
    if kind == "paddle" and run_config.is_file():
        try:
            run = read_config(run_config, warn=lambda line: None)
        except UserError:
            pass  # of somebody else's program
        else:
            order = "RGB" if run.dataset.color_rgb else "BGR"
            pictures = dict(zip(PICTURE_KEYS, (order, run.dataset.pixel_scale, MEAN, STD), strict=True))
            return {"kind": "ours", "style": run.model.style, **pictures}, "config.yaml beside it"
    return {"kind": kind, **dict(zip(PICTURE_KEYS, PICTURES[kind], strict=True))}, f"usual for {KIND_WORDS[kind]}"


def make_record(arguments: argparse.Namespace, config: Config, kind: str) -> WeightRecord:
    """The WeightRecord of the result, without its digest; prints what images the weights expect."""
    account, whose_word = describe_source(Path(arguments.source), kind)
    if account.setdefault("style", config.model.style) != config.model.style:
        raise UserError(
            f"{arguments.source} is of MODEL.STYLE {account['style']} (says {whose_word}), not {config.model.style}"
        )
    if arguments.color_order:
        account["color_order"] = arguments.color_order.upper()
    if arguments.pixel_scale not in (None, account["pixel_scale"]):
        account |= {"pixel_scale": arguments.pixel_scale, "mean": MEAN, "deviation": STD}
    record = WeightRecord(
        **account,
        source=Path(arguments.source).name,
        part="backbone" if arguments.backbone_only else "pose network",
        depth=config.model.depth,
        joint_count=None if arguments.backbone_only else config.model.num_joints,
        image_size=config.model.image_size,
        sha256="",
    )
    options = {"--color-order": arguments.color_order, "--pixel-scale": arguments.pixel_scale}
    given = [option for option, value in options.items() if value is not None]
    print(f"=> expects {record.describe_pictures()} ({', '.join([whose_word, *given])})")
    return record


def write_weights(
    state: Mapping[str, Any], record: WeightRecord, output: Path, save: Callable[[Any, str], None]
) -> None:
    """Writes weights and record with `save`. The record first: weights without one would be used unchecked."""
    make_folder(output.parent)
    with replacing(output) as temporary:
        save(state, str(temporary))
        write_record(record.model_copy(update={"sha256": file_digest(temporary)}), record_path(output))


def write_result(
    state: Mapping[str, Any], record: WeightRecord, output: Path, save: Callable[[Any, str], None]
) -> None:
    """`write_weights`, and says so."""
    write_weights(state, record, output, save)
    print(f"=> wrote {output} and {record_path(output).name} beside it")
