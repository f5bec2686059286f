"""Seeded weights under the names of other projects, and their files."""

import zipfile
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


def _pickled(value):
    """A whole number, a text or a tuple of these as instructions of a pickle."""
    if isinstance(value, str):
        data = value.encode()
        return b"X" + len(data).to_bytes(4, "little") + data
    if isinstance(value, int):
        return b"J" + value.to_bytes(4, "little")
    return b"(" + b"".join(map(_pickled, value)) + b"t"


def write_torch(path, weights):
    """A checkpoint as torch.save writes it, {"state_dict": {name: array}}, without PyTorch."""
    with zipfile.ZipFile(path, "w") as archive:
        items = b""
        for number, (name, array) in enumerate(weights.items()):
            array = np.ascontiguousarray(array)
            kind = {"f": "Float", "i": "Long"}[array.dtype.kind]
            array = array.astype({"Float": "<f4", "Long": "<i8"}[kind])
            key = str(number)
            storage = b"(" + _pickled("storage") + f"ctorch\n{kind}Storage\n".encode() + _pickled(key) + _pickled("cpu")
            storage += _pickled(array.size) + b"tQ"
            strides = tuple(stride // array.itemsize for stride in array.strides)
            tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _pickled(0) + _pickled(array.shape)
            items += _pickled(name) + tensor + _pickled(strides) + b"\x89NtRs"
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/data.pkl", b"\x80\x02}" + _pickled("state_dict") + b"}" + items + b"s.")
