"""Errors of the code beneath speak of the scripts' options; from Python they name the arguments."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from ..utils.errors import RunError, UserError

ARGUMENTS = {
    "--dataset": "skeleton=", "--mean": "mean=", "--std": "std=", "--pixel-scale": "pixel_scale=", "--rgb": "rgb=",
    "--width": "size=(width, height)", "--height": "size=(width, height)", "--provider": "provider=",
    "--precision": "precision=",
    "--batch-size": "batch_size=", "--flip-test": "flip_test=", "--model-file": "model=", "--cfg": "cfg=",
    "--detector-form": "detector=PersonDetector(path, DetectorSettings(form=...)), form",
    "--detector-size": "detector=PersonDetector(path, DetectorSettings(size=...)), size", "--gpus": "GPUS of cfg=",
}  # fmt: skip
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z_-]*)( (?=[\w.]))?")


def in_arguments(message: str) -> str:
    """A message with the arguments of Pose in place of the options of the scripts, and of fetch.py the command."""
    message = message.replace("fetch.py --list", "simple-baselines fetch --list")
    message = message.replace("--dataset coco, mpii or", 'skeleton="coco", "mpii" or')
    return OPTION.sub(_argument, message.replace("give the boxes: --bbox-file FILE", "give boxes= in its place"))


def _argument(option: re.Match[str]) -> str:
    name = ARGUMENTS.get(option[1], option[1])
    return name if name.endswith("=") else name + (option[2] or "")  # --provider cuda: provider=cuda


@contextlib.contextmanager
def naming_arguments() -> Iterator[None]:
    """A block whose UserErrors and RunErrors name the arguments of Pose."""
    try:
        yield
    except (UserError, RunError) as error:
        message = in_arguments(str(error))
        if message == str(error):
            raise
        raise type(error)(message) from None  # the other message would speak of options
