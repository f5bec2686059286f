"""Peak memory of validation with the number of persons: flat apart from the N * K * 3 floats that it returns.

    python tests/bench/validation_memory.py [--sizes 1000 10000]

lib.evaluation.validation.validate in a process of its own for each size, over persons who all stand in one picture of
160x120, cut out at 64x64; a function that picks pixels stands for the network. What is compared is the process's peak
without these floats, in which the persons' own joints and boxes count, as they are there before.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import in_fresh_process, machine_line, peak_bytes, table

from lib.config.config import read_config
from lib.core.skeletons import MPII
from lib.dataset.build import build_loader
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings
from lib.evaluation.build import validation_settings
from lib.evaluation.validation import validate
from lib.utils.runtime import run_script

EXPERIMENT = ROOT / "experiments/mini/mpii_resnet18_64x64.yaml"
WANTED = 0.05  # of the smallest size's peak


def pick_pixels(crops):
    """Heatmaps (N, 16, 16, 16) float32 of crops (N, 64, 64, 3): what `run` asks of a network."""
    return np.repeat(crops[:, ::4, ::4, 0][:, None] / np.float32(255), len(MPII.joints), axis=1)


def grow(count, picture):
    """Bytes before and after the validation of `count` persons, and its seconds."""
    config = read_config(EXPERIMENT, {"WORKERS": 0, "TEST.FLIP_TEST": True})
    rng = np.random.default_rng(0)
    joints = rng.uniform(20, 100, (count, len(MPII.joints), 2))
    center, scale, visible = rng.uniform(50, 70, (count, 2)), np.full((count, 2), 0.5), np.ones(joints.shape[:2])
    model = config.model
    settings = SampleSettings(model.image_size, model.extra.heatmap_size, model.extra.sigma)
    dataset = JointsDataset(Persons([picture] * count, center, scale, joints, visible), MPII, settings)
    before, start = peak_bytes(), time.perf_counter()
    predictions, scores, _, _ = validate(
        validation_settings(config), build_loader(config, dataset, False), pick_pixels, logging.getLogger()
    )
    seconds = time.perf_counter() - start
    return {"before": before, "after": peak_bytes(), "floats": predictions.nbytes + scores.nbytes, "seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000], metavar="PERSONS")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--picture", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.grow:
        print(json.dumps(grow(arguments.grow, arguments.picture)))
        return
    print(machine_line("numpy", "cv2"))
    rows, beyond = [], []
    with tempfile.TemporaryDirectory() as folder:
        picture = f"{folder}/picture.png"
        cv2.imwrite(picture, np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8))
        for size in arguments.sizes:
            figures = in_fresh_process(__file__, "--grow", size, "--picture", picture)
            beyond.append(figures["after"] - figures["floats"])
            megabytes = (f"{value / 1e6:.2f} MB" for value in (figures["before"], figures["floats"], beyond[-1]))
            rows.append((f"{size:,}", *megabytes, f"{beyond[-1] / beyond[0] - 1:+.1%}", f"{figures['seconds']:.1f} s"))
    print(f"\nWanted: within {WANTED:.0%}.")
    print(table(("persons N", "peak before", "N * K * 3 floats", "peak beyond them", "growth", "time"), rows))


if __name__ == "__main__":
    run_script(main)
