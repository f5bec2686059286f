"""What it takes to read the persons of COCO's train2017, on one core: seconds and peak memory, beside pycocotools.

    python tests/bench/coco_loading.py

It draws an annotation file of train2017's size (118,287 pictures, 262,465 persons, 149,813 of them with keypoints,
polygons, about 238 MB) into a temporary folder and reads it twice, each in a fresh process on one core: as train.py
does, by lib.dataset.build.read_persons, and by pycocotools.coco.COCO alone. Pictures are not needed. Seconds
are the processor's. Imports do not count in them, but in the memory.
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

from measuring import in_fresh_process, machine_line, peak_bytes, table

from lib.utils.runtime import run_script

PICTURES, PERSONS, WITH_KEYPOINTS = 118_287, 262_465, 149_813
CROWD_EVERY = 60  # persons; a crowd has a run-length mask and no keypoints
EXPERIMENT = ROOT / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml"
IMAGE = (
    '{{"license": 3,"file_name": "{id:012d}.jpg","coco_url": "http://images.cocodataset.org/train2017/{id:012d}.jpg",'
    '"height": {height},"width": {width},"date_captured": "2013-11-14 11:18:45","flickr_url": '
    '"http://farm9.staticflickr.com/8186/8119368305_4e622c8349_z.jpg","id": {id}}}'
)
PERSON = (
    '{{"segmentation": {mask},"num_keypoints": {count},"area": {area:.5f},"iscrowd": {crowd},"keypoints": {keypoints},'
    '"image_id": {picture},"bbox": {box},"category_id": 1,"id": {id}}}'
)


def numbers(values, digits=2):
    return json.dumps(np.round(values, digits).tolist(), separators=(",", ":"))


def draw_mask(rng):
    """A polygon as COCO's: 5 to some hundred points, 35 in the mean."""
    count = int(np.clip(rng.lognormal(3.38, 0.6), 5, 300))
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    points = 250 + 80 * np.column_stack([np.cos(angles), np.sin(angles)]) + rng.normal(0, 9, (count, 2))
    return f"[{numbers(points.ravel())}]"


def draw_keypoints(rng):
    """(their number, 51 numbers): some of the 17 joints, in whole pixels."""
    visible = rng.integers(0, 3, 17)
    visible[rng.integers(17)] = 2
    joints = rng.integers(100, 300, (17, 2)) * (visible > 0)[:, None]
    return int((visible > 0).sum()), numbers(np.column_stack([joints, visible]).ravel())


def write_annotations(path, pictures=PICTURES, persons=PERSONS, with_keypoints=WITH_KEYPOINTS):
    """Writes an annotation file, piece by piece: a parent's memory would count in that of the processes it starts."""
    rng = np.random.default_rng(0)
    masks, poses = [draw_mask(rng) for _ in range(2000)], [draw_keypoints(rng) for _ in range(2000)]
    crowd, nothing = f'{{"counts": {numbers(rng.integers(1, 900, 250))},"size": [427,640]}}', numbers(np.zeros(51, int))
    ids = np.sort(rng.choice(581_929, pictures, replace=False)) + 1
    crowds = np.arange(persons) % CROWD_EVERY == 0
    posed = np.zeros(persons, bool)
    posed[rng.choice(np.flatnonzero(~crowds), with_keypoints, replace=False)] = True
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"info": {},"licenses": [],"images": [')
        for row, number in enumerate(ids.tolist()):
            width, height = ((640, 480), (480, 640), (640, 427))[row % 3]
            file.write("," * (row > 0) + IMAGE.format(id=number, width=width, height=height))
        file.write('],"annotations": [')
        for row, picture in enumerate(rng.choice(ids, persons).tolist()):
            x, y, width, height = rng.uniform((0, 0, 300, 300), (100, 100, 320, 320))  # all joints are inside
            count, keypoints = poses[row % 2000] if posed[row] else (0, nothing)
            file.write("," * (row > 0) + PERSON.format(
                mask=crowd if crowds[row] else masks[int(rng.integers(2000))], count=count, area=width * height / 2,
                crowd=int(crowds[row]), keypoints=keypoints, picture=picture, box=numbers([x, y, width, height]),
                id=row + 1,
            ))  # fmt: skip
        file.write('],"categories": [{"supercategory": "person","id": 1,"name": "person"}]}')


def load_ours(folder):
    from lib.config.config import read_config
    from lib.dataset.build import read_persons

    config = read_config(EXPERIMENT, {"DATASET.ROOT": str(folder)})
    start = time.process_time()
    persons = read_persons(config, training=True)
    return time.process_time() - start, f"{len(persons):,} persons to train on"


def load_pycocotools(folder):
    from pycocotools.coco import COCO

    start = time.process_time()
    coco = COCO(folder / "annotations" / "person_keypoints_train2017.json")
    return time.process_time() - start, f"{len(coco.anns):,} annotations as they stand"


LOADERS = {"lib.dataset.build.read_persons": load_ours, "pycocotools.coco.COCO": load_pycocotools}


def measure(name, folder):
    """One loader in a process of its own, on one core: its line of the table."""
    seconds, megabytes, what = in_fresh_process(__file__, "--load", name, "--folder", folder)
    return name, f"{seconds:.1f} s", f"{megabytes / 1000:.2f} GB", what


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", choices=LOADERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        seconds, what = LOADERS[arguments.load](arguments.folder)
        print(json.dumps([seconds, peak_bytes() / 1e6, what]))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations" / "person_keypoints_train2017.json"
        path.parent.mkdir()
        write_annotations(path)
        print(machine_line())
        print(f"\n{PICTURES:,} pictures, {PERSONS:,} persons, {WITH_KEYPOINTS:,} with keypoints, "
              f"{path.stat().st_size / 1e6:.0f} MB; one core. Wanted: under 60 s and 2 GB.")  # fmt: skip
        print(table(("reader", "time", "peak memory", "read"), [measure(name, folder) for name in LOADERS]))


if __name__ == "__main__":
    run_script(main)
