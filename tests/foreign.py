"""Seeded weights under the names of other projects, and their files."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from seeded import original_name, seeded_array


def original_weights(network, seed=0):
    """{PyTorch name: array} of a PoseResNet's every parameter, with BatchNorm's counts of batches."""
    weights = {}
    for name, tensor in network.state_dict().items():
        name = original_name(name)
        weights[name] = seeded_array(name, tuple(tensor.shape), seed)
        if name.endswith(".running_var"):
            count = name.replace("running_var", "num_batches_tracked")
            weights[count] = seeded_array(count, (), seed)
    return weights


def _is_head(name):
    return name.startswith(("deconv_layers.", "final_layer."))


def _mmpose(head, final_layer="final_layer."):
    """The renaming of mmpose, with its word for the head and for the last layer in it."""
    return lambda name: head + name.replace("final_layer.", final_layer) if _is_head(name) else f"backbone.{name}"


def _numbered(name):
    """mmpose's head as one sequence: head.0 ... head.9 for three deconvolutions."""
    return _mmpose("head.", "9.")(name).replace("deconv_layers.", "")


class Naming(NamedTuple):
    """How a project names the original's parameters, and the kind that its files are taken for."""

    kind: str
    rename: Callable


NAMINGS = {
    "original": Naming("original", str),
    "original in DataParallel": Naming("original", "module.{}".format),
    "original in DataParallel twice": Naming("original", "module.module.{}".format),
    "mmpose 0.x": Naming("mmpose", _mmpose("keypoint_head.")),
    "mmpose 0.x with a sequence of one": Naming("mmpose", _mmpose("keypoint_head.", "final_layer.0.")),
    "mmpose 1.x": Naming("mmpose", _mmpose("head.")),
    "mmpose with a numbered head": Naming("mmpose", _numbered),
    "mmpose in DataParallel": Naming("mmpose", lambda name: "module." + _mmpose("head.")(name)),
}


def renamed(weights, naming):
    """Weights under the names of one of NAMINGS."""
    return {NAMINGS[naming].rename(name): array for name, array in weights.items()}


def imagenet_weights(weights, classes=10):
    """An ImageNet ResNet's: the original's without the head, with a classifier."""
    width = weights["deconv_layers.0.weight"].shape[0]
    classifier = {"fc.weight": np.ones((classes, width), np.float32), "fc.bias": np.ones(classes, np.float32)}
    return {name: array for name, array in weights.items() if not _is_head(name)} | classifier
