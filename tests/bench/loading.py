"""What one loader process gives in a second, beside the plain way, and how far its crops are from the plain way's.

    python tests/bench/loading.py [--root ../shared/data/mpii5] [--rounds 7]
    python tests/bench/loading.py --growth 1000 10000 100000

The first takes turns, in one process and one run, between the plain way (read, flip, warp, gaussians drawn joint by
joint, floats, sample by sample) and JointsDataset as it is, with DATASET.DECODE_REDUCED, with DATASET.CACHE crops and
with both, all with the training augmentation of the experiment and stacked to batches. `--root` is a data set in MPII's
form; it is copied into a temporary folder, where the cache goes. Differences are absolute, in grey levels, of the same
random draws.
The second writes caches of drawn data sets of so many persons, two in a picture of 160x120: time, memory and bytes.
"""

import argparse
import json
import os
import pickle
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import growth_table, in_fresh_process, machine_line, peak_bytes, table

from lib.config.config import read_config
from lib.core.transforms import affine_transform, fliplr_joints, get_affine_transform
from lib.dataset.augment import sample_generator
from lib.dataset.build import build_dataset
from lib.dataset.crop_cache.cache import open_cache
from lib.dataset.regions import crop_region, read_region
from lib.utils.image import MEAN, REDUCED_FLAGS, STD, read_bytes
from lib.utils.runtime import run_script

EXPERIMENT = ROOT / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
WAYS = {
    "JointsDataset": {},
    "DECODE_REDUCED true": {"DATASET.DECODE_REDUCED": True},
    "CACHE crops": {"DATASET.CACHE": "crops"},
    "CACHE crops, DECODE_REDUCED true": {"DATASET.CACHE": "crops", "DATASET.DECODE_REDUCED": True},
}
BATCH, EPOCHS = 32, 40
GROWTH = {
    "first": ("first use", "{:.1f} s", 1),
    "again": ("later", "{:.3f} s", 1),
    "before": ("peak memory before", "{:.0f} MB", 1e6),
    "after": ("after", "{:.0f} MB", 1e6),
    "file": ("file", "{:.0f} MB", 1e6),
    "pickled": ("handed to a worker", "{:.1f} MB", 1e6),
    "without": ("samples/s without", "{:.0f}", 1),
    "with": ("with", "{:.0f}", 1),
}


def plain_targets(joints, visible, heatmap_size, stride, sigma):
    """Gaussians (K, H, W), drawn joint by joint, and weights (K, 1)."""
    width, height = heatmap_size
    reach = int(sigma * 3)
    target, weight = np.zeros((len(joints), height, width), np.float32), visible.astype(np.float32)[:, None]
    for joint, (x, y) in enumerate(joints):
        place = int(x / stride[0] + 0.5), int(y / stride[1] + 0.5)
        left, top, right, bottom = place[0] - reach, place[1] - reach, place[0] + reach + 1, place[1] + reach + 1
        if left >= width or top >= height or right < 0 or bottom < 0:
            weight[joint] = 0
        elif weight[joint] > 0.5:
            across = np.arange(2 * reach + 1, dtype=np.float32)
            gaussian = np.exp(-((across - reach) ** 2 + (across[:, None] - reach) ** 2) / (2 * sigma**2))
            x0, x1, y0, y1 = max(0, left), min(right, width), max(0, top), min(bottom, height)
            target[joint, y0:y1, x0:x1] = gaussian[y0 - top : y1 - top, x0 - left : x1 - left]
    return target, weight


def plain_sample(dataset, key):
    """(crop uint8, network input (3, h, w) float32, target, weight) of a person, the plain way."""
    (epoch, index), persons, settings = key, dataset.persons, dataset.settings
    image = cv2.imread(persons.pictures[index], cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    multiplier, rotation, mirror = settings.augmentation.draw(sample_generator(settings.seed, epoch, index))
    center, scale = persons.center[index].copy(), persons.scale[index] * multiplier
    joints, visible = persons.joints[index].copy(), persons.visible[index].copy()
    if mirror:
        image = image[:, ::-1, :]
        joints, visible = fliplr_joints(joints, visible, image.shape[1], dataset.skeleton.flip_pairs)
        center[0] = image.shape[1] - center[0] - 1
    matrix = get_affine_transform(center, scale, rotation, settings.image_size)
    crop = cv2.warpAffine(image, matrix, settings.image_size, flags=cv2.INTER_LINEAR)
    for joint in range(len(joints)):
        if visible[joint] > 0:
            joints[joint] = affine_transform(joints[joint], matrix)
    stride = np.divide(settings.image_size, settings.heatmap_size)
    target, weight = plain_targets(joints, visible, settings.heatmap_size, stride, settings.sigma)
    mean, deviation = np.float32(MEAN)[:, None, None], np.float32(STD)[:, None, None]
    values = (crop.transpose(2, 0, 1).astype(np.float32) / 255 - mean) / deviation
    return crop, np.ascontiguousarray(values), target, weight


def load_plain(dataset, batches):
    for keys in batches:
        samples = [plain_sample(dataset, key)[1:] for key in keys]
        for parts in zip(*samples, strict=True):
            np.stack(parts)


def load_ours(dataset, batches):
    for keys in batches:
        dataset.collate([dataset[key] for key in keys])


def compare_ways(root, rounds):
    """Prints the table of speeds and differences."""
    datasets = {}
    for way, overrides in WAYS.items():
        datasets[way] = build_dataset(read_config(EXPERIMENT, {"DATASET.ROOT": str(root), **overrides}), training=True)
    plain, count = datasets["JointsDataset"], len(datasets["JointsDataset"])
    keys = [(epoch, index) for epoch in range(EPOCHS) for index in range(count)]
    expected = {key: plain_sample(plain, key)[0].astype(np.int16) for key in keys}
    batches = [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]
    seconds = {way: [] for way in ("plain", *WAYS)}
    for _ in range(rounds):
        for way, taken in seconds.items():
            start = time.perf_counter()
            load_plain(plain, batches) if way == "plain" else load_ours(datasets[way], batches)
            taken.append(time.perf_counter() - start)
    rows = [("plain", f"{len(keys) / np.median(seconds['plain']):.0f}", "1.0", "", "", "")]
    for way, dataset in datasets.items():
        ratio = np.median(np.divide(seconds["plain"], seconds[way]))
        apart = np.array([np.abs(dataset[key]["crop"] - expected[key]).mean() for key in keys]).reshape(EPOCHS, count)
        figures = (apart.mean(), apart.mean(axis=0).max(), apart.max())
        speed = len(keys) / np.median(seconds[way])
        rows.append((way, f"{speed:.0f}", f"{ratio:.1f}", *(f"{figure:.2f}" for figure in figures)))
    print("\nWanted: 8 times the plain way with the cache, 2 with reduced decoding alone; differences of 2 at most.")
    print(table(("way", "samples/s", "times the plain way", "difference, mean", "worst picture", "worst crop"), rows))
    compare_reductions(plain)


def compare_reductions(dataset):
    """Prints what each reduction would cost and change, whatever the person's size: crops without augmentation."""
    pictures, persons, size = dataset.persons.pictures, dataset.persons, dataset.settings.image_size
    rows = []
    whole = [read_region(picture, 1) for picture in pictures]
    for reduction in (1, *REDUCED_FLAGS):
        content = [np.frombuffer(read_bytes(picture), np.uint8) for picture in pictures]
        flags = REDUCED_FLAGS.get(reduction, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
        start = time.perf_counter()
        for _ in range(20):
            for data in content:
                cv2.imdecode(data, flags)
        milliseconds = (time.perf_counter() - start) / (20 * len(content)) * 1000
        apart = []
        for row, region in enumerate(whole):
            matrix = get_affine_transform(persons.center[row], persons.scale[row], 0, size)
            crops = [crop_region(each, matrix, False, size) for each in (region, read_region(pictures[row], reduction))]
            apart.append(np.abs(np.subtract(*crops, dtype=np.int16)).mean())
        rows.append((f"1/{reduction}", f"{milliseconds:.1f}", ", ".join(f"{value:.2f}" for value in apart)))
    print(table(("decoded at", "ms a picture", "difference of each picture's crop"), rows))


# -- growth ----------------------------------------------------------------------------------------------------------


def draw_set(root, count):
    """An MPII folder of `count` persons, two in each picture of 160x120; all pictures have the same content."""
    (root / "images").mkdir(parents=True)
    (root / "annot").mkdir()
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    records = []
    for row in range(count):
        name, middle = f"{row // 2:06d}.jpg", [50 + 60 * (row % 2), 60]
        if row % 2 == 0:
            (root / "images" / name).write_bytes(data)
        joints = (rng.uniform(-20, 20, (16, 2)) + middle).tolist()
        records.append({"image": name, "center": middle, "scale": 0.3, "joints": joints, "joints_vis": [1] * 16})
    (root / "annot" / "train.json").write_text(json.dumps(records), encoding="utf-8")


def grow(root):
    """Figures of one size, in a process of its own: seconds and bytes."""
    workers = len(os.sched_getaffinity(0))
    overrides = {"DATASET.ROOT": str(root), "DATASET.CHECK_SIDES": False}  # joints here are random points
    plain = build_dataset(read_config(EXPERIMENT, overrides), training=True)
    before, seconds = peak_bytes(), []
    for _ in range(2):
        start = time.perf_counter()
        cache = open_cache(plain, root, "train", workers, lambda line: print(line, file=sys.stderr))
        seconds.append(time.perf_counter() - start)
    dataset, after = replace(plain, cache=cache), peak_bytes()
    keys = [(0, int(index)) for index in np.random.default_rng(0).permutation(len(dataset))[:1000]]
    speeds = []
    for each in (plain, dataset):
        start = time.perf_counter()
        load_ours(each, [keys])
        speeds.append(len(keys) / (time.perf_counter() - start))
    return {
        "first": seconds[0], "again": seconds[1], "before": before, "after": after, "without": speeds[0],
        "with": speeds[1], "file": dataset.cache.path.with_suffix(".bin").stat().st_size,
        "pickled": len(pickle.dumps(dataset)),
    }  # fmt: skip


def measure_growth(count):
    with tempfile.TemporaryDirectory() as folder:
        draw_set(Path(folder) / "set", count)
        return in_fresh_process(__file__, "--root", f"{folder}/set", "--grow")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT.parent / "shared/data/mpii5", help="a set in MPII's form")
    parser.add_argument("--rounds", type=int, default=7, help="how often all ways take turns")
    parser.add_argument("--growth", type=int, nargs="+", metavar="PERSONS", help="sizes of drawn data sets")
    parser.add_argument("--grow", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cv2.setNumThreads(0)  # as in a loader process
    if arguments.grow:
        print(json.dumps(grow(arguments.root)))
        return
    print(machine_line("numpy", "cv2"))
    if arguments.growth:
        print(growth_table(arguments.growth, [measure_growth(count) for count in arguments.growth], GROWTH))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in ("images", "annot"):
            shutil.copytree(arguments.root / name, Path(folder) / name, copy_function=shutil.copyfile)
        compare_ways(Path(folder), arguments.rounds)


if __name__ == "__main__":
    run_script(main)
