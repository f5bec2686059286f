"""Kinds of errors against coco-analyze's definitions, AP from pictures, scores, background, missed people."""

import json
from array import array
from types import SimpleNamespace

import coco_loops
import numpy as np
import pytest

from lib.analysis.coco_errors import (
    average_precisions,
    best_scores,
    curves_of,
    detection_errors,
    match_results,
    ranked,
    resampled_ap,
)
from lib.analysis.error_kinds import Nearness, classify, kind_counts, mirror_order
from lib.analysis.predictions import read_run
from lib.core.skeletons import COCO
from lib.dataset.annotations.coco_truth import CocoTruth
from lib.evaluation.coco_evaluator import COCOEvaluator

MIRROR = mirror_order(COCO.flip_pairs, 17)


def made_set(seed, pictures=12, noise=6.0):
    """(COCOEvaluator, results) of made people: jitter, exchanged sides, neighbours' joints, misses, doubles."""
    generator = np.random.default_rng(seed)
    images, annotations, results = {}, [], []
    for image in range(1, pictures + 1):
        images[image] = (f"{image}.jpg", 640, 480)
        people = []
        for _ in range(generator.integers(1, 4)):
            place, size = generator.uniform(100, 400, 2), generator.uniform(25, 120)
            people.append(place + generator.uniform(-size, size, (17, 2)))
            flags = generator.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6])
            points = np.column_stack([people[-1] * (flags > 0)[:, None], flags])
            annotations.append({
                "id": len(annotations) + 10, "image_id": image, "category_id": 1,
                "bbox": [*(place - size), 2 * size, 2 * size],
                "area": float(2 * size**2), "iscrowd": 0, "keypoints": array("d", points.ravel()),
            })  # fmt: skip
        for number, person in enumerate(people):
            for _ in range(generator.integers(0, 3)):
                pose = person + generator.normal(0, noise, person.shape)
                wrong = generator.random(17)
                pose[wrong < 0.1] = person[MIRROR][wrong < 0.1]
                other = people[(number + 1) % len(people)]
                pose[wrong > 0.9] = other[wrong > 0.9]
                pose[(wrong > 0.8) & (wrong < 0.85)] += 200
                points = np.column_stack([pose, np.ones(17)])
                results.append({"image_id": image, "category_id": 1, "keypoints": points.ravel().tolist(),
                                "score": float(generator.random())})  # fmt: skip
        nobody = np.column_stack([generator.uniform(0, 450, (17, 2)), np.ones(17)])
        results.append({"image_id": image, "category_id": 1, "keypoints": nobody.ravel().tolist(),
                        "score": float(generator.random())})  # fmt: skip
    truth = CocoTruth("made", images, [{"id": 1, "name": "person"}], annotations)
    return COCOEvaluator(truth, None, COCO), results


def counts_of(evaluator, results):
    records = evaluator.ground_truth.annotations
    keypoints = np.array([record["keypoints"] for record in records]).reshape(-1, 17, 3)
    matches = match_results(evaluator, results)
    poses = np.where((matches.result_of >= 0)[:, None, None], matches.poses[matches.result_of][..., :2], np.nan)
    nearness = Nearness.of_oks(np.array([record["area"] for record in records]), COCO.sigmas)
    pictures = np.array([record["image_id"] for record in records])
    kinds, _ = classify(poses, keypoints[..., :2], keypoints[..., 2] > 0, pictures, MIRROR, nearness)
    return kind_counts(kinds).tolist()


def by_loops(evaluator, results):
    counts = coco_loops.count_kinds(evaluator.ground_truth.annotations, results, MIRROR, COCO.sigmas)
    return [[counts[joint][kind] for kind in coco_loops.KINDS] for joint in range(17)]


@pytest.mark.parametrize("seed", range(4))
def test_the_kinds_are_coco_analyzes_on_made_people(seed):
    evaluator, results = made_set(seed)
    counts = counts_of(evaluator, results)
    assert counts == by_loops(evaluator, results)
    assert all(np.sum(counts, axis=0) > 0)  # there is some of each kind


@pytest.fixture(scope="module")
def coco4(shared, root, tmp_path_factory):
    """Results of a real network on coco4's detected boxes, as valid.py saves them."""
    from test_scripts_coco import run_main

    place = tmp_path_factory.mktemp("coco4")
    data, experiment = shared / "data" / "coco4", root / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3.yaml"
    words = ["--no-flip-test", "--workers", 0, "--gpus", "cpu"]
    words += ["--model-file", data.parent / "ultralight_simplepose.onnx"]
    words += ["--coco-bbox-file", data / "person_detections_val2017.json"]
    run_main("valid", experiment, *words, "DATASET.ROOT", data, "DATASET.COLOR_RGB", "true", "OUTPUT_DIR", place)
    (path,) = place.rglob("keypoints_val2017_results.json")
    run = read_run(f"nano={path}", str(experiment), {"DATASET.ROOT": str(data)})
    return SimpleNamespace(run=run, evaluator=run.evaluator, results=json.loads(path.read_text()))


@pytest.mark.slow
def test_the_kinds_are_coco_analyzes_for_a_real_network(coco4):
    counts = kind_counts(coco4.run.kinds).tolist()
    assert counts == by_loops(coco4.evaluator, coco4.results)
    assert np.sum(counts, axis=0).tolist() == [116, 37, 7, 0, 21]


@pytest.mark.slow
def test_ap_of_coco4_is_pycocotools(coco4):
    categories, recalls = ranked(coco4.evaluator, coco4.results)
    own = average_precisions(categories[0], recalls, np.ones(4)).mean()
    assert own == pytest.approx(coco4.evaluator.evaluate_results(coco4.results)["AP"], abs=1e-12)
    assert own == pytest.approx(0.645185, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_weights_of_1_give_pycocotools_ap_and_curves_their_mean(seed):
    evaluator, results = made_set(seed, noise=3)
    crowd = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 640, 480], "area": 640.0 * 480, "iscrowd": 1}
    evaluator.ground_truth.annotations.append({**crowd, "keypoints": array("d", [0.0] * 51)})
    (category,), recalls = ranked(evaluator, results)
    assert not category.counted.all()  # poses in the crowd are neither right nor wrong
    figures = evaluator.evaluate_results(results)
    own = average_precisions(category, recalls, np.ones(12))
    expected = [figures[name] for name in ("AP", "Ap .5", "AP .75")]
    assert [own.mean(), own[0], own[5]] == pytest.approx(expected, abs=1e-12)
    curves = curves_of(evaluator, results)
    assert curves[".5"].mean() == pytest.approx(own[0], abs=1e-12)
    draws = resampled_ap(evaluator, results, 200)
    assert draws.shape == (200, 3) and draws[:, 0].mean() == pytest.approx(figures["AP"], abs=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_scores_never_lower_ap(seed):
    evaluator, results = made_set(seed, pictures=4)
    before = evaluator.evaluate_results(results)["AP"]
    best = best_scores(evaluator, results)
    assert evaluator.evaluate_results(best)["AP"] >= before
    assert [entry["keypoints"] for entry in best] == [entry["keypoints"] for entry in results]


def test_the_best_scores_put_the_right_pose_first():
    evaluator, _ = made_set(0, pictures=1)
    record = evaluator.ground_truth.annotations[0]
    evaluator.ground_truth.annotations[:] = [record]
    good = {"image_id": 1, "category_id": 1, "keypoints": list(record["keypoints"]), "score": 0.1}
    bad = {**good, "keypoints": [0.0] * 51, "score": 0.9}
    assert evaluator.evaluate_results([bad, good])["AP"] == pytest.approx(0.5, abs=0.01)
    best = best_scores(evaluator, [bad, good])
    assert [entry["score"] for entry in best] == [pytest.approx(0, abs=1e-3), 1]
    assert evaluator.evaluate_results(best)["AP"] == pytest.approx(1)


def test_background_and_missed_people_by_hand():
    evaluator, _ = made_set(3, pictures=2)
    records = evaluator.ground_truth.annotations
    results = [
        {"image_id": record["image_id"], "category_id": 1, "keypoints": list(record["keypoints"]), "score": 0.5}
        for record in records[1:]
    ]
    nobody = {"image_id": 1, "category_id": 1, "keypoints": [5.0, 5, 1] * 17, "score": 0.9}
    found = detection_errors(evaluator, [nobody, *results], [nobody, *results])
    assert (found.background, found.missed) == ([0], [0])
    before = evaluator.evaluate_results([nobody, *results])["AP"]
    assert found.ap_without_background > before and found.ap_without_missed > before
    assert len(evaluator.ground_truth.annotations) == len(records)
