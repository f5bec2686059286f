"""Decoding and suppression of a YOLO detector's answer (84 x 8400), beside the same written as loops over boxes.

    python tests/bench/detector_answers.py [--rounds 50]

80 classes, 8400 boxes of an input of 640x640. Around each person, chair and so on are 16 boxes that overlap; all other
boxes have low scores. Both ways see the same answers and take turns; that they find the same people is checked first.
Times are the processor's. The threshold 0.3 is that of infer.py and deploy.py, 0.001 that of detect.py.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import interleaved_ms, machine_line, table

from lib.inference.detectors.answers import Asked, of_yolo
from lib.utils.errors import RunError
from lib.utils.runtime import prepare_processor, run_script

CLASSES, BOXES, SIDE, AROUND = 80, 8400, 640, 16
WANTED = 3  # milliseconds a picture at most
CASES = ((1, 0.3), (10, 0.3), (50, 0.3), (10, 0.001))  # people, threshold


def draw_answer(people, seed=0):
    """(1, 84, 8400) float32: `people` persons and as many things of other classes, each seen by 16 boxes."""
    rng = np.random.default_rng(seed)
    values = np.empty((4 + CLASSES, BOXES), np.float32)
    values[:4] = rng.uniform(5, SIDE, (4, BOXES))
    values[4:] = rng.uniform(0, 1e-4, (CLASSES, BOXES))
    columns = rng.permutation(BOXES)[: 2 * people * AROUND].reshape(-1, AROUND)
    for number, row in enumerate(columns):
        box = np.concatenate([rng.uniform(50, 590, 2), rng.uniform(20, 200, 2)])
        values[:4, row] = (box + rng.normal(0, 2, (AROUND, 4))).T
        label = 0 if number < people else rng.integers(1, CLASSES)
        values[4 + label, row] = rng.uniform(0.2, 0.95, AROUND)
    return values[None]


def plain_overlap(box, other):
    """Intersection over union of two boxes x1, y1, x2, y2."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (box, other)]
    return shared / (sum(areas) - shared)


def plain_people(found, asked):
    """dets (M, 5) by loops: every box decoded, then suppressed."""
    boxes = []
    for row in found[0].T:
        label = int(row[4:].argmax())
        if label == asked.label and row[4 + label] >= asked.threshold:
            x, y, width, height = row[:4].astype(float)
            score = float(row[4 + label])
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2, score))
    kept = []
    for box in sorted(boxes, key=lambda box: -box[4]):
        if all(plain_overlap(box, other) <= asked.overlap for other in kept):
            kept.append(box)
    return np.array(kept[:300]).reshape(-1, 5)


def measured(people, threshold, rounds):
    """A row of the table. Raises RunError where the loops find other people."""
    found, asked = draw_answer(people), Asked("the answer", (SIDE, SIDE), 0, threshold, 0.7)
    ours, plain = of_yolo([found], asked)[0], plain_people(found, asked)
    if ours.shape != plain.shape or not np.allclose(ours, plain):
        raise RunError(f"the loops find {len(plain)} people, not {len(ours)}, or others")
    times = interleaved_ms(
        lambda: of_yolo([found], asked), lambda: plain_people(found, asked), rounds=rounds, clock=time.process_time
    )
    return str(people), f"{threshold:g}", str(len(ours)), f"{times[0]:.2f} ms", f"{times[1]:.1f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50, help="how often both ways take turns")
    rounds = parser.parse_args().rounds
    prepare_processor()
    print(machine_line("numpy"))
    print(f"\nAn answer of {4 + CLASSES} x {BOXES}; processor time, medians of {rounds}. Wanted: under {WANTED} ms.")
    rows = [measured(people, threshold, rounds) for people, threshold in CASES]
    print(table(("people", "threshold", "boxes found", "this project", "loops"), rows))


if __name__ == "__main__":
    run_script(main)
