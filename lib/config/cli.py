"""The command line that the scripts share. Imports no Paddle, so that --help and a typo answer at once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..utils.errors import UserError
from ..utils.parser import OneLineParser
from ..utils.runtime import clear_parts, make_folder
from .config import parse_overrides, read_config
from .names import model_name

if TYPE_CHECKING:
    from .schema import Config


def make_experiment_parser(description: str | None, by_name: bool = False) -> OneLineParser:
    """A parser of an experiment: --cfg, and KEY VALUE pairs at the end.

    by_name: --cfg may be left out, as a network of the index says what it would, see `lib.zoo.experiment`.
    """
    parser = OneLineParser(description=description, allow_abbrev=False)
    about = "the experiment, such as experiments/mini/*.yaml"
    about += "; left out where --model-file is a name of fetch.py --list" if by_name else ""
    parser.add_argument("--cfg", required=not by_name, metavar="YAML", help=about)
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY VALUE", help="override the experiment: TRAIN.END_EPOCH 3 WORKERS 2"
    )
    return parser


def make_parser(description: str | None, by_name: bool = False) -> OneLineParser:
    """An experiment's parser with the options that every script has that runs a network over a data set."""
    parser = make_experiment_parser(description, by_name)
    parser.add_argument("--gpus", help="the CUDA GPU to use, such as 0; cpu for none (default: GPUS of the experiment)")
    parser.add_argument("--workers", type=int, help="loader processes; 0 loads in the main process")
    parser.add_argument("--frequent", type=int, metavar="STEPS", help="steps between lines of the log (PRINT_FREQ)")
    about = "persons per batch (TRAIN.BATCH_SIZE or TEST.BATCH_SIZE)"
    parser.add_argument("--batch_size", "--batch-size", type=int, help=about)
    return parser


def config_from(arguments: argparse.Namespace, batch_key: str = "", flags: Sequence[tuple[str, str]] = ()) -> Config:
    """The Config of parsed arguments: the YAML file, KEY VALUE pairs, then the flags.

    batch_key: what --batch_size stands for, where the script has that option; flags: (argument name, dotted key) of
    the script's own flags.
    """
    if not Path(arguments.cfg).is_file():
        raise UserError(f"there is no experiment file {arguments.cfg}")
    return read_config(arguments.cfg, overrides_of(arguments, batch_key, flags))


def overrides_of(
    arguments: argparse.Namespace, batch_key: str = "", flags: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """{dotted key: value} of parsed arguments, see `config_from`."""
    overrides = parse_overrides(arguments.overrides)
    shared = (("gpus", "GPUS"), ("workers", "WORKERS"), ("frequent", "PRINT_FREQ"), ("batch_size", batch_key))
    for name, key in (*shared, *flags):
        value = getattr(arguments, name, None)
        if value is not None:
            overrides[key] = value
    return overrides


def run_parts(config: Config, experiment_file: str) -> Path:
    """<dataset>/<model>/<experiment>: where a run's folder is below OUTPUT_DIR, and its scalars below LOG_DIR."""
    return Path(config.dataset.dataset) / model_name(config.model) / Path(experiment_file).stem


def run_place(config: Config, experiment_file: str) -> Path:
    """<OUTPUT_DIR>/<dataset>/<model>/<experiment>/: a run's folder, whether it is there or not."""
    return Path(config.output_dir) / run_parts(config, experiment_file)


def run_folder(config: Config, experiment_file: str, phase: str) -> tuple[Path, Path, Path]:
    """(output folder, log file, tensor log folder) of an experiment: output/<dataset>/<model>/<experiment>/.

    What a killed run was writing there is removed.
    """
    parts = run_parts(config, experiment_file)
    folder = make_folder(run_place(config, experiment_file))
    clear_parts(folder)
    now = time.strftime("%Y-%m-%d-%H-%M-%S")
    return folder, folder / f"{parts.name}_{now}_{phase}.log", Path(config.log_dir) / parts / now
