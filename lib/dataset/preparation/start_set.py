"""What init_dataset.py and import_dataset.py end with: a data folder, an experiment, and its persons drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...config.config import read_config
from ...utils.runtime import make_folder
from ..checks.sets import check_set
from .own_set import OwnSet, write_experiment, write_set

DRAWN = 16  # persons of each part


def start_set(
    own: OwnSet, name: str, source: str, parts: Sequence[list[dict[str, Any]]], images: Path, output: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Writes annotations, links to `images` and `output`/`name`.yaml, and checks both parts as check_dataset.py does.

    source: the name of the file it comes from; parts: the images to train on and to validate with.
    """
    make_folder(output)
    for line in write_set(own, parts, images, output):
        say(line)
    path = write_experiment(own, name, source, output)
    config = read_config(path)
    problems = 0
    for image_set in ("train", "val"):
        found, count = check_set(config, image_set, output / "check", DRAWN)
        say("\n".join([f"=> {image_set}", *found]))
        problems += count
    say(f"=> {problems} problems" if problems else "=> nothing wrong found")
    say(f"=> wrote {path}. Look at {output / 'check'}, then: python pose_estimation/train.py --cfg {path}")
