"""The configuration of scripts that take a network by its name in place of a file, and of an experiment."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.cli import config_from, overrides_of
from ..utils.errors import UserError
from ..utils.files import could_be_name
from .fetch import fetch_network, is_fetched
from .index import DEFAULT_DETECTOR, DEFAULT_NETWORK, detectors, find, networks

if TYPE_CHECKING:
    from ..config.schema import Config
    from .index import Detector, Network

FILE_KEY = "TEST.MODEL_FILE"
PEOPLE = ("coco", "mpii", "aic", "crowdpose", "jhmdb", "posetrack18", "coco_wholebody")  # skeletons of whole persons


def experiment_of(
    arguments: argparse.Namespace, batch_key: str = "", flags: Sequence[tuple[str, str]] = (),
    say: Callable[[str], None] = print,
) -> Config:
    """`config_from`, where --model-file (TEST.MODEL_FILE) may be a name of the index, which is fetched.

    It is the ONNX file that is taken where TEST.PROVIDER or TEST.PRECISION (--provider, --precision) is of these.
    Without --cfg the index says what the experiment would; arguments.cfg is the name then. Raises UserError.
    """
    overrides = overrides_of(arguments, batch_key, flags)
    name = str(overrides.get(FILE_KEY, ""))
    network = find(networks(), name, "network") if could_be_name(name) else None
    if arguments.cfg is not None:  # read before anything is fetched: it may be wrong
        config = config_from(arguments, batch_key, flags)
    elif network:
        config = network.config(overrides)
        arguments.cfg = network.name
    else:
        raise UserError(
            "give --cfg YAML, the experiment that the weights are of, or --model-file NAME of fetch.py --list"
        )
    if network is None:
        return config
    test = config.test
    kind = ".pdparams" if (test.provider, test.precision) == ("auto", "auto") else ".onnx"
    return with_weights(config, fetch_network(network, say)[kind])


def with_weights(config: Config, path: Path) -> Config:
    """A Config with another TEST.MODEL_FILE."""
    return config.model_copy(update={"test": config.test.model_copy(update={"model_file": str(path)})})


def start_weights(config: Config, say: Callable[[str], None] = print) -> Config:
    """A Config whose MODEL.PRETRAINED is a file where it was a name of the index."""
    name = config.model.pretrained
    if name == "imagenet" or not could_be_name(name):
        return config
    path = fetch_network(find(networks(), name, "network"), say)[".pdparams"]
    return config.model_copy(update={"model": config.model.model_copy(update={"pretrained": str(path)})})


def choose_defaults(arguments: argparse.Namespace, say: Callable[[str], None] = print) -> None:
    """Fills in what infer.py was not given: the network, and for people in pictures the detector; says which.

    Without --cfg and --model-file it is DEFAULT_NETWORK. Networks of people that are given by name, and the default
    one, look in the boxes of DEFAULT_DETECTOR where no option says where people are.
    """
    by_name = arguments.cfg is None
    if by_name and not arguments.model_file:
        arguments.model_file = DEFAULT_NETWORK
        network = networks()[DEFAULT_NETWORK]
        say(f"=> no --model-file: {DEFAULT_NETWORK} ({network.figure()}){_to_fetch(network)}")
    has_boxes = arguments.bbox or arguments.bbox_file or arguments.detector
    if not by_name or has_boxes or not could_be_name(arguments.model_file):
        return
    if find(networks(), arguments.model_file, "network").skeleton not in PEOPLE:
        say("=> no --bbox: the network is not of whole persons, so it looks in the whole picture")
        return
    arguments.detector = DEFAULT_DETECTOR
    say(f"=> no --bbox: people are found by {DEFAULT_DETECTOR}{_to_fetch(detectors()[DEFAULT_DETECTOR])}")


def _to_fetch(entry: Network | Detector) -> str:
    return "" if is_fetched(entry) else f", fetched once from {entry.url}"
