"""How the reading of annotations grows with the number of persons, in MPII's and in COCO's form.

    python tests/bench/annotations.py [--sizes 1000 10000 100000]

Each size is read as train.py reads it, by lib.dataset.build.read_persons, in a process of its own on one core, from a
drawn file; beside it json.load of the same file. Imports do not count. Pictures are not needed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from coco_loading import write_annotations
from measuring import growth_table, in_fresh_process, machine_line, peak_bytes

from lib.config.config import read_config
from lib.dataset.build import annotation_file, read_persons
from lib.utils.runtime import run_script

EXPERIMENTS = {
    "MPII": ROOT / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml",
    "COCO": ROOT / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml",
}
COLUMNS = {
    "seconds": ("this project", "{:.2f} s", 1),
    "json": ("json.load alone", "{:.2f} s", 1),
    "memory": ("memory of this project", "{:.0f} MB", 1e6),
    "file": ("file", "{:.1f} MB", 1e6),
}


def write_mpii(path, count):
    """An annotation file of `count` persons in MPII's form."""
    rng = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        for row in range(count):
            center = rng.uniform(100, 900, 2)
            joints = center + rng.uniform(-200, 200, (16, 2))
            record = {
                "joints_vis": rng.integers(0, 2, 16).tolist(), "joints": joints.round(3).tolist(),
                "image": f"{row // 2:09d}.jpg", "scale": float(rng.uniform(0.5, 6)), "center": center.round(2).tolist(),
            }  # fmt: skip
            file.write(("," if row else "[") + json.dumps(record))
        file.write("]")


def write_coco(path, count):
    """An annotation file with train2017's shares of pictures and keypoints, so that `count` persons can be used."""
    write_annotations(path, pictures=round(0.79 * count), persons=round(1.752 * count), with_keypoints=count)


WRITERS = {"MPII": write_mpii, "COCO": write_coco}


def open_experiment(form, folder):
    return read_config(EXPERIMENTS[form], {"DATASET.ROOT": str(folder)})


def grow(form, folder):
    """Seconds and bytes of one file; json.load comes last, as its memory would hide this project's."""
    config = open_experiment(form, folder)
    before, start = peak_bytes(), time.process_time()
    count = len(read_persons(config, training=True))
    middle, after = time.process_time(), peak_bytes()
    path = annotation_file(config, training=True)
    with open(path, encoding="utf-8") as file:
        json.load(file)
    end = time.process_time()
    return {
        "persons": count, "seconds": middle - start, "json": end - middle, "memory": after - before,
        "file": path.stat().st_size,
    }  # fmt: skip


def measure(form, count):
    with tempfile.TemporaryDirectory() as folder:
        path = annotation_file(open_experiment(form, folder), training=True)
        path.parent.mkdir()
        WRITERS[form](path, count)
        return in_fresh_process(__file__, "--form", form, "--folder", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000], metavar="PERSONS")
    parser.add_argument("--form", choices=EXPERIMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        print(json.dumps(grow(arguments.form, arguments.folder)))
        return
    print(machine_line("numpy"))
    for form in EXPERIMENTS:
        measured = [measure(form, size) for size in arguments.sizes]
        print(f"\nIn {form}'s form, processor time, peak memory beyond that of the imports:")
        print(growth_table([figures["persons"] for figures in measured], measured, COLUMNS))


if __name__ == "__main__":
    run_script(main)
