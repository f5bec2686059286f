"""PCKh of MPII's validation set beside plain loops, and how COCO's evaluation grows with the number of persons.

    python tests/bench/evaluate.py [--sizes 1000 10000 100000]

PCKh is of 2,958 persons: those of tests/data/pckh_gt_valid.mat over and over, with predictions some pixels off; the
loops must give the same Mean. COCO's evaluation is of drawn people, two in each picture, each size in a process of its
own: rescoring and OKS-NMS, then pycocotools. Memory is what it takes beyond the persons and their truth.
"""

import argparse
import contextlib
import io
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import growth_table, in_fresh_process, interleaved_ms, machine_line, peak_bytes, table

from lib.core.skeletons import COCO, MPII
from lib.core.transforms import crop_of_box
from lib.dataset.annotations.coco_truth import CocoTruth
from lib.dataset.joints_dataset import Persons
from lib.evaluation.coco_evaluator import COCOEvaluator
from lib.evaluation.evaluators import PUBLISHED_TENTH, THRESHOLDS, PCKhEvaluator
from lib.utils.errors import RunError
from lib.utils.runtime import run_script

MPII_PERSONS, WANTED_MS = 2958, 20
COMPARED = 10_000  # persons that pycocotools alone evaluates, too
COLUMNS = {
    "results": ("rescoring, OKS-NMS", "{:.2f} s", 1),
    "figures": ("AP by pycocotools", "{:.2f} s", 1),
    "memory": ("memory", "{:.0f} MB", 1e6),
}


# -- PCKh ------------------------------------------------------------------------------------------------------------


def plain_pckh(evaluator, predictions):
    """(Mean, Mean@0.1) by loops over persons, joints and thresholds."""
    persons, joints = predictions.shape[:2]
    thresholds = [*THRESHOLDS.tolist(), 0.5]
    hits, shown = np.zeros((len(thresholds), joints)), np.zeros(joints)
    for person in range(persons):
        for joint in range(joints):
            if evaluator.missing[person, joint]:
                continue
            (x, y), (true_x, true_y) = predictions[person, joint] + 1.0, evaluator.ground_truth[person, joint]
            distance = math.sqrt((x - true_x) ** 2 + (y - true_y) ** 2) / evaluator.sizes[person]
            shown[joint] += 1
            for number, threshold in enumerate(thresholds):
                hits[number, joint] += distance <= threshold
    counted = [joint for joint, name in enumerate(MPII.joints) if name not in MPII.pckh_left_out]
    means = 100 * hits[:, counted].sum(axis=1) / shown[counted].sum()
    return means[-1], means[PUBLISHED_TENTH]


def measure_pckh(rounds):
    """Prints PCKh's table. Raises RunError where the loops give another Mean."""
    truth = scipy.io.loadmat(ROOT / "tests/data/pckh_gt_valid.mat")
    rows = np.arange(MPII_PERSONS) % truth["pos_gt_src"].shape[2]
    for name in ("pos_gt_src", "headboxes_src", "jnt_missing"):
        truth[name] = truth[name][..., rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gt_valid.mat"
        scipy.io.savemat(path, {key: value for key, value in truth.items() if not key.startswith("__")})
        evaluator = PCKhEvaluator(path, MPII)
    predictions = evaluator.ground_truth - 1 + np.random.default_rng(0).normal(0, 15, evaluator.ground_truth.shape)
    figures, plain = evaluator.evaluate(predictions), plain_pckh(evaluator, predictions)
    if not np.allclose((figures["Mean"], figures["Mean@0.1"]), plain, atol=1e-9):
        raise RunError(f"the loops' Mean and Mean@0.1 are {plain}, the evaluator's {figures}")
    (ours,) = interleaved_ms(lambda: evaluator.evaluate(predictions), rounds=rounds, clock=time.process_time)
    (loops,) = interleaved_ms(lambda: plain_pckh(evaluator, predictions), rounds=3, clock=time.process_time)
    print(f"\nPCKh, Mean {figures['Mean']:.3f} by both, processor time. Wanted: under {WANTED_MS} ms.")
    row = (f"{MPII_PERSONS:,}", f"{ours:.2f} ms", f"{loops:.0f} ms", f"{loops / ours:.0f}")
    print(table(("persons", "this project", "loops", "ratio"), [row]))


# -- COCO ------------------------------------------------------------------------------------------------------------


def draw_people(count):
    """A COCOEvaluator of `count` persons, and predictions (N, 17, 2) and scores (N, 17) of them."""
    rng = np.random.default_rng(0)
    image_ids = np.arange(count) // 2 + 1
    boxes = np.column_stack([rng.uniform(0, 300, (count, 2)), rng.uniform(60, 300, (count, 2))])
    joints = boxes[:, None, :2] + rng.random((count, 17, 2)) * boxes[:, None, 2:]
    visible = rng.integers(0, 3, (count, 17))
    visible[:, 0] = 2
    keypoints = np.concatenate([joints * (visible > 0)[..., None], visible[..., None]], axis=2).reshape(count, -1)
    annotations = [
        {"id": row + 1, "image_id": int(image_ids[row]), "bbox": boxes[row].tolist(), "iscrowd": 0,
         "area": float(boxes[row, 2] * boxes[row, 3] / 2), "keypoints": keypoints[row]}
        for row in range(count)
    ]  # fmt: skip
    images = {image_id: (f"{image_id:012d}.jpg", 640, 640) for image_id in np.unique(image_ids).tolist()}
    truth = CocoTruth(Path("drawn.json"), images, [{"id": 1, "name": "person"}], annotations)
    persons = Persons(
        [images[image_id][0] for image_id in image_ids.tolist()], *crop_of_box(boxes, (192, 256)), joints, visible,
        boxes, image_ids, rng.uniform(0.3, 1, count),
    )  # fmt: skip
    predictions = (joints + rng.normal(0, 8, joints.shape)).astype(np.float32)
    return COCOEvaluator(truth, persons, COCO), predictions, rng.random((count, 17), dtype=np.float32)


def grow(count):
    """Seconds and bytes of the evaluation of `count` persons; for COMPARED of them also pycocotools' seconds alone."""
    evaluator, predictions, scores = draw_people(count)
    before, start = peak_bytes(), time.process_time()
    results = evaluator.results(predictions, scores)
    middle = time.process_time()
    figures = evaluator.evaluate_results(results)
    end = time.process_time()
    answer = {"results": middle - start, "figures": end - middle, "memory": peak_bytes() - before}
    if count == COMPARED:
        answer["alone"] = pycocotools_alone(evaluator, results, figures["AP"])
    return answer


def pycocotools_alone(evaluator, results, expected):
    """Seconds of pycocotools' own way, from files to figures. Raises RunError where its AP is not the expected one."""
    from pycocotools import coco, cocoeval

    truth = evaluator.ground_truth
    annotations = [
        {**record, "category_id": 1, "keypoints": record["keypoints"].tolist(),
         "num_keypoints": int((record["keypoints"][2::3] > 0).sum())}
        for record in truth.annotations
    ]  # fmt: skip
    images = [{"id": image_id} for image_id in truth.images]
    content = {"images": images, "annotations": annotations, "categories": [truth.category]}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        paths = [Path(folder) / name for name in ("truth.json", "results.json")]
        for path, written in zip(paths, (content, results), strict=True):
            path.write_text(json.dumps(written), encoding="utf-8")
        start = time.process_time()
        truth = coco.COCO(paths[0])
        evaluation = cocoeval.COCOeval(truth, truth.loadRes(str(paths[1])), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        seconds = time.process_time() - start
    if abs(evaluation.stats[0] - expected) > 1e-9:
        raise RunError(f"pycocotools alone finds AP {evaluation.stats[0]}, the evaluator {expected}")
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, COMPARED, 100_000], metavar="PERSONS")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.grow:
        print(json.dumps(grow(arguments.grow)))
        return
    print(machine_line("numpy"))
    measure_pckh(arguments.rounds)
    print("\nCOCO's evaluation, processor time. Wanted: linear, an exponent of 1.")
    measured = [in_fresh_process(__file__, "--grow", size) for size in arguments.sizes]
    print(growth_table(arguments.sizes, measured, COLUMNS))
    for figures in (each for each in measured if "alone" in each):
        ours, alone = figures["results"] + figures["figures"], figures["alone"]
        print(f"\nOf {COMPARED:,} persons pycocotools alone, from result file to the same AP: {alone:.2f} s, "
              f"{alone / ours:.2f} times this project's {ours:.2f} s.")  # fmt: skip


if __name__ == "__main__":
    run_script(main)
