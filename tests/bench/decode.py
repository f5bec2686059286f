"""Heatmap accuracy and decoding of a batch, beside the same written as loops over persons and joints.

    python tests/bench/decode.py [--rounds 100]

32 persons, 16 joints, heatmaps of 64x64. Both ways see the same gaussians in noise and take turns, in one process; that
they give the same numbers is checked first. Times are the processor's, as both work in one thread. In validation the
highest places are found once, for accuracy and decoding, and the targets' come from their vectors: the last row.
"""

import argparse
import math
import sys
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import interleaved_ms, machine_line, table

from lib.core.evaluate import accuracy, peak_accuracy
from lib.core.heatmap import generate_target, get_final_preds, get_max_preds, refine_coords
from lib.core.transforms import PIXELS_PER_SCALE, transform_preds
from lib.utils.errors import RunError
from lib.utils.runtime import prepare_processor, run_script

PERSONS, JOINTS, SIDE = 32, 16, 64
WANTED = 15  # times as fast as the loops, accuracy and decoding together


def plain_peak(heatmap):
    """(x, y) and the value of a heatmap's highest pixel; (0, 0) where it is not above 0."""
    index = int(np.argmax(heatmap))
    value = heatmap.flat[index]
    return np.array([index % SIDE, index // SIDE] if value > 0 else [0, 0], np.float32), value


def plain_accuracy(output, target, threshold=0.5):
    """`evaluate.accuracy` by loops: (per_joint, mean, count)."""
    persons, joints = output.shape[:2]
    tenth = np.array([SIDE, SIDE]) / 10
    distances = np.full((joints, persons), -1.0)
    for person in range(persons):
        for joint in range(joints):
            predicted, _ = plain_peak(output[person, joint])
            expected, _ = plain_peak(target[person, joint])
            if expected[0] > 1 and expected[1] > 1:
                distances[joint, person] = np.linalg.norm(predicted / tenth - expected / tenth)
    per_joint = np.full(joints, -1.0)
    for joint in range(joints):
        shown = distances[joint][distances[joint] != -1]
        if len(shown) > 0:
            per_joint[joint] = np.sum(shown < threshold) / len(shown)
    counted = [value for value in per_joint if value >= 0]
    return per_joint, sum(counted) / max(len(counted), 1), len(counted)


def plain_matrix(center, scale):
    """The matrix from a person's heatmap to its picture, by three pairs of points."""
    source, target = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    source[0], target[0] = center, (SIDE * 0.5, SIDE * 0.5)
    source[1] = center + np.array([0, -scale[0] * PIXELS_PER_SCALE * 0.5])
    target[1] = target[0] + np.array([0, -SIDE * 0.5], np.float32)
    for points in (source, target):
        side = points[0] - points[1]
        points[2] = points[1] + np.array([-side[1], side[0]], np.float32)
    return cv2.getAffineTransform(target, source)


def plain_final_preds(heatmaps, center, scale):
    """`heatmap.get_final_preds` by loops: preds (N, K, 2) in picture pixels and maxvals (N, K, 1)."""
    persons, joints = heatmaps.shape[:2]
    preds, maxvals = np.zeros((persons, joints, 2), np.float32), np.zeros((persons, joints, 1), np.float32)
    for person in range(persons):
        matrix = plain_matrix(center[person], scale[person])
        for joint in range(joints):
            heatmap = heatmaps[person, joint]
            place, maxvals[person, joint] = plain_peak(heatmap)
            x, y = int(math.floor(place[0] + 0.5)), int(math.floor(place[1] + 0.5))
            if 1 < x < SIDE - 1 and 1 < y < SIDE - 1:
                difference = np.array([heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]])
                place = place + np.sign(difference) * 0.25
            preds[person, joint] = matrix @ np.array([place[0], place[1], 1.0])
    return preds, maxvals


def draw_batch():
    """Heatmaps of a network in training, their targets, and the persons' boxes."""
    rng = np.random.default_rng(0)
    image_size, heatmap_size = (4 * SIDE, 4 * SIDE), (SIDE, SIDE)
    joints = rng.uniform(-20, 4 * SIDE + 20, (PERSONS, JOINTS, 2))
    visible = rng.random((PERSONS, JOINTS)) < 0.85
    target, _ = generate_target(joints, visible, image_size, heatmap_size, 2.0)
    moved, _ = generate_target(joints + rng.normal(0, 12, joints.shape), visible, image_size, heatmap_size, 2.0)
    output = moved + rng.normal(0, 0.05, moved.shape).astype(np.float32)
    return output, target, rng.uniform(100, 900, (PERSONS, 2)), rng.uniform(0.8, 4, (PERSONS, 1)).repeat(2, axis=1)


def check_equal(output, target, center, scale):
    """Raises RunError where the two ways differ by more than rounding."""
    pairs = [*zip(accuracy(output, target), plain_accuracy(output, target), strict=True)]
    pairs += zip(get_final_preds(output, center, scale), plain_final_preds(output, center, scale), strict=True)
    for ours, plain in pairs:
        if not np.allclose(ours, plain, rtol=1e-6, atol=1e-3):
            raise RunError(f"the loops give other numbers: up to {np.abs(np.subtract(ours, plain)).max():g} apart")


def measured_once(output, peaks, center, scale):
    """Accuracy and decoding as validation does them: one pass over the heatmaps, none over the targets."""
    size = output.shape[:1:-1]
    coords, _ = get_max_preds(output)
    peak_accuracy(coords, peaks, size)
    transform_preds(refine_coords(output, coords, "quarter", 2.0), center, scale, size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="how often all ways take turns")
    rounds = parser.parse_args().rounds
    prepare_processor()
    line = machine_line("numpy", "cv2")
    output, target, center, scale = draw_batch()
    check_equal(output, target, center, scale)
    peaks = get_max_preds(target)[0]
    times = interleaved_ms(
        lambda: accuracy(output, target),
        lambda: get_final_preds(output, center, scale),
        lambda: measured_once(output, peaks, center, scale),
        lambda: plain_accuracy(output, target),
        lambda: plain_final_preds(output, center, scale),
        rounds=rounds,
        clock=time.process_time,
    )
    ours, once, plain = np.array(times[:2]), times[2], np.array(times[3:])
    rows = [("accuracy", ours[0], plain[0]), ("get_final_preds", ours[1], plain[1])]
    rows += [("both", ours.sum(), plain.sum()), ("both, as validation does them", once, plain.sum())]
    print(line)
    print(f"\n{PERSONS} x {JOINTS} heatmaps of {SIDE}x{SIDE}, equal results; processor time, medians of {rounds}.")
    print(f"Wanted: both at least {WANTED} times as fast as the loops.")
    print(table(
        ("part", "this project", "loops", "ratio"),
        [(name, f"{ours:.2f} ms", f"{plain:.2f} ms", f"{plain / ours:.1f}") for name, ours, plain in rows],
    ))  # fmt: skip


if __name__ == "__main__":
    run_script(main)
