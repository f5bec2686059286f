"""Writes tests/data/torch with PyTorch (2.14 wrote those that are there): python tests/torch_files.py FOLDER

Files of both forms of torch.save, and expected.npz with what is in them. Nothing of this project is needed.
"""

import datetime
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch


class History:
    """Stands for a class of a training framework."""


def tensors():
    """Tensors of each type and layout."""
    base = torch.arange(24, dtype=torch.float32)
    return OrderedDict(
        plain=torch.randn(3, 4), scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), half=torch.randn(5).half(),
        bfloat16=torch.randn(5).bfloat16(), double=torch.randn(2, 2, dtype=torch.float64),
        long=torch.tensor([1, -2, 3]), bool=torch.tensor([True, False]), byte=torch.tensor([0, 255], dtype=torch.uint8),
        transposed=torch.randn(3, 4).t(), part=base[4:10], strided=base.reshape(4, 6)[:, ::2], shared=base,
        parameter=torch.nn.Parameter(torch.randn(2, 3)),
        channels_last=torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    )  # fmt: skip


def checkpoint(layer):
    """A checkpoint of a training, with what frameworks put beside the weights."""
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    meta = {
        "sigmas": np.full(17, 0.05, np.float32), "names": np.array(["nose"]), "half": np.float16(0.5),
        "seed": np.int64(3), "when": datetime.datetime(2024, 1, 2), "set": {1, 2}, "frozen": frozenset((3,)),
        "history": History(), "size": torch.Size([2, 3]), "device": torch.device("cpu"), "dtype": torch.float16,
        "path": Path("a/b"), "complex": 1j,
    }  # fmt: skip
    state = {"state_dict": layer.state_dict(), "optimizer": optimizer.state_dict()}
    return {"epoch": 3, "model": "pose_resnet", **state, "perf": np.float64(61.5), "meta": meta}


def arrays(value, name=""):
    """(name, array) of all tensors in containers; bfloat16 as its 16 bits."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        yield name, value.view(torch.int16).numpy().view("u2") if value.dtype == torch.bfloat16 else value.numpy()
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from arrays(item, f"{name}/{key}")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    contents = {"tensors": tensors(), "checkpoint": checkpoint(layer)}
    for name, content in contents.items():
        for form, zipped in (("zip", True), ("legacy", False)):
            torch.save(content, folder / f"{name}_{form}.pth", _use_new_zipfile_serialization=zipped)
    for protocol in (4, 5):
        torch.save(contents["tensors"], folder / f"tensors_protocol{protocol}.pth", pickle_protocol=protocol)
    torch.save(layer, folder / "model.pth")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(folder / "program.pt"))
    quantized = torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8)
    torch.save({"conv1.weight": quantized, "bn1.weight": torch.randn(2)}, folder / "quantized.pth")
    np.savez_compressed(folder / "expected.npz", **dict(arrays(contents)))


if __name__ == "__main__":
    main()
