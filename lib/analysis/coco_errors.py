"""What COCO's evaluation knows besides keypoints: who found whom, scores that rank badly, people missed or invented."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .intervals import RESAMPLES, SEED, weight_blocks

if TYPE_CHECKING:
    from ..evaluation.coco_evaluator import COCOEvaluator

# As the authors' coco-analyze has them: a pose is of a person from an OKS of .1 on; areas below 32^2 do not count
LOWEST_OKS = 0.1
AREAS = [[32**2, 1e5**2]]
FOUND_OKS = 0.5


@dataclass(frozen=True)
class CocoMatches:
    """results: the R entries of the file; poses (R, K, 3); result_of (M,): each person's pose, -1 for none."""

    results: list[dict[str, Any]]
    poses: np.ndarray
    result_of: np.ndarray


def match_results(evaluator: COCOEvaluator, results: list[dict[str, Any]]) -> CocoMatches:
    """Which pose is whose, by COCO's evaluation at LOWEST_OKS."""
    poses = np.array([entry["keypoints"] for entry in results], dtype=np.float64).reshape(len(results), -1, 3)
    matched = pairs_at(evaluator, results, LOWEST_OKS)
    result_of = np.full(len(evaluator.ground_truth.annotations), -1)
    for pose, person in matched:
        if result_of[person] < 0:  # several poses may be of one crowd
            result_of[person] = pose
    return CocoMatches(results, poses, result_of)


def pairs_at(evaluator: COCOEvaluator, results: list[dict[str, Any]], threshold: float) -> list[tuple[int, int]]:
    """(pose, person) pairs, both from 0 on, that COCO's evaluation matches at an OKS threshold."""
    evaluation = evaluator.compare(results, iouThrs=[threshold], areaRng=AREAS, areaRngLbl=["all"])
    pairs = []
    for found in filter(None, evaluation.evalImgs):
        for pose, person in zip(found["dtIds"], found["dtMatches"][0], strict=True):
            if person > 0:
                pairs.append((int(pose) - 1, int(person) - 1))
    return pairs


def with_keypoints(results: list[dict[str, Any]], result_of: np.ndarray, poses: np.ndarray) -> list[dict[str, Any]]:
    """A copy of results in which the matched people's poses (M, K, 2) are others."""
    changed = list(results)
    for person, number in enumerate(result_of):
        if number >= 0:
            keypoints = np.array(results[number]["keypoints"], dtype=np.float64).reshape(-1, 3)
            keypoints[:, :2] = poses[person]
            changed[number] = {**results[number], "keypoints": keypoints.ravel().tolist()}
    return changed


def best_scores(evaluator: COCOEvaluator, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A copy of results whose scores rank them as well as can be: each is the OKS with the person that it is of.

    Pairs of pose and person are taken from the highest OKS down, each pose and person once; poses of nobody get 0.
    Where that happens to rank worse than the file's own scores, those stay: then they are the best ones known.
    """
    evaluation = evaluator.compare(results, maxDets=[len(results)])
    scores = np.zeros(len(results))
    for key, similarity in evaluation.ious.items():
        if len(similarity) == 0:
            continue
        poses = sorted(evaluation._dts[key], key=lambda pose: -pose["score"])  # its rows are in this order
        people = np.array([person["ignore"] for person in evaluation._gts[key]], dtype=bool)
        similarity = np.where(people, 0, np.asarray(similarity))
        for _ in range(min(similarity.shape)):
            row, column = np.unravel_index(similarity.argmax(), similarity.shape)
            if similarity[row, column] <= 0:
                break
            scores[poses[row]["id"] - 1] = similarity[row, column]
            similarity[row], similarity[:, column] = 0, 0
    changed = [{**entry, "score": float(score)} for entry, score in zip(results, scores, strict=True)]
    better = evaluator.evaluate_results(changed)["AP"] >= evaluator.evaluate_results(results)["AP"]
    return changed if better else results


@dataclass(frozen=True)
class Detection:
    """Poses that match nobody, and people whom no pose matches, when keypoints and scores are put right.

    background: numbers of results; missed: numbers of annotations; ap_without: AP without the first, the second.
    """

    background: list[int]
    missed: list[int]
    ap_without_background: float
    ap_without_missed: float


def detection_errors(evaluator: COCOEvaluator, results: list[dict[str, Any]], right: list[dict[str, Any]]) -> Detection:
    """results: of the file; right: the same with keypoints put right, in the same order."""
    pairs = pairs_at(evaluator, best_scores(evaluator, right), FOUND_OKS)
    poses, people = {pose for pose, _ in pairs}, {person for _, person in pairs}
    background = [number for number in range(len(results)) if number not in poses]
    truth = evaluator.ground_truth
    missed = [
        number
        for number, record in enumerate(truth.annotations)
        if number not in people and not record["iscrowd"] and max(record["keypoints"][2::3]) > 0
    ]
    kept = [entry for number, entry in enumerate(results) if number in poses]
    without = evaluator.evaluate_results(kept)["AP"]
    gone = set(missed)
    found = [record for number, record in enumerate(truth.annotations) if number not in gone]
    try:
        evaluator.ground_truth = replace(truth, annotations=found)
        without_missed = evaluator.evaluate_results(results)["AP"] if found else float("nan")
    finally:
        evaluator.ground_truth = truth
    return Detection(background, missed, without, without_missed)


def curves_of(evaluator: COCOEvaluator, results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """{OKS threshold: (101,) precision at recalls 0 to 1}, the mean over categories; of .5, .75 and .95."""
    evaluation = evaluator.compare(results)
    with contextlib.redirect_stdout(io.StringIO()):  # its own progress
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, 0]  # (T, 101, categories)
    known = np.where(precision > -1, precision, np.nan)
    return {name: np.nanmean(known[row], axis=1) for name, row in ((".5", 0), (".75", 5), (".95", 9))}


@dataclass(frozen=True)
class Ranked:
    """A category's D poses from the highest score down, as COCO's evaluation judges them at T thresholds.

    picture (D,) numbers; right, counted (T, D) bool; people (P,): how many are to be found in each picture.
    """

    picture: np.ndarray
    right: np.ndarray
    counted: np.ndarray
    people: np.ndarray


def ranked(evaluator: COCOEvaluator, results: list[dict[str, Any]]) -> tuple[list[Ranked], np.ndarray]:
    """(a Ranked for each category that is annotated, (101,) the recalls at which AP reads precision)."""
    evaluation = evaluator.compare(results)
    parameters = evaluation.params
    categories = []
    images, areas = len(parameters.imgIds), len(parameters.areaRng)
    numbers, _ = evaluator.numbers()
    position = {number: place for place, number in enumerate(numbers.values())}
    for category in range(len(parameters.catIds)):
        start = category * areas * images  # the first area range is all
        found = [each for each in evaluation.evalImgs[start : start + images] if each is not None]
        people = np.zeros(images)
        if not found:
            continue
        for each in found:
            people[position[each["image_id"]]] = np.count_nonzero(np.asarray(each["gtIgnore"]) == 0)
        scores = np.concatenate([each["dtScores"] for each in found])
        order = np.argsort(-scores, kind="mergesort")
        right = np.concatenate([each["dtMatches"] for each in found], axis=1)[:, order] > 0
        ignored = np.concatenate([each["dtIgnore"] for each in found], axis=1)[:, order].astype(bool)
        pictures = np.concatenate([[position[each["image_id"]]] * len(each["dtIds"]) for each in found])
        categories.append(Ranked(pictures[order].astype(int), right & ~ignored, ~ignored, people))
    return [each for each in categories if each.people.sum() > 0], parameters.recThrs


def average_precisions(poses: Ranked, recalls: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(T,) AP of each threshold where picture p counts weights[p] times, (P,); weights of 1 give COCO's own."""
    positives = float((poses.people * weights).sum())
    if not positives:
        return np.full(len(poses.right), np.nan)
    per_pose = weights[poses.picture]
    hits = np.cumsum(poses.right * per_pose, axis=1)
    all_poses = np.cumsum(poses.counted * per_pose, axis=1)
    precision = hits / (all_poses + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    figures = []
    for recall, row in zip(hits / positives, precision, strict=True):
        places = np.searchsorted(recall, recalls, side="left")
        figures.append(np.append(row, 0.0)[places].mean())
    return np.array(figures)


def resampled_ap(
    evaluator: COCOEvaluator, results: list[dict[str, Any]], resamples: int = RESAMPLES, seed: int = SEED
) -> np.ndarray:
    """(resamples, 3) AP, AP .5 and AP .75, 0 to 1, of resampled pictures."""
    categories, recalls = ranked(evaluator, results)
    pictures = len(categories[0].people)
    draws = []
    for block in weight_blocks(pictures, resamples, seed):
        for weights in block.astype(np.float64):
            figures = np.array([average_precisions(each, recalls, weights) for each in categories])  # (categories, T)
            known = np.isfinite(figures).any(axis=0)
            mean = np.nanmean(figures, axis=0) if known.all() else np.full(figures.shape[1], np.nan)
            draws.append([mean.mean(), mean[0], mean[5]])
    return np.array(draws)
