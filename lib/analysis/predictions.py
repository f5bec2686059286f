"""What a run predicted, with its ground truth: read from a run folder or a file that valid.py wrote."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config.config import read_config
from ..core.evaluate import relative_distances
from ..dataset.annotations.forms import COCOForm
from ..dataset.build import annotation_digest, annotation_form, read_persons
from ..evaluation.build import build_evaluator
from ..evaluation.coco_evaluator import COCOEvaluator
from ..evaluation.evaluators import PCKEvaluator, PCKhEvaluator
from ..evaluation.report import read_predictions, read_scores
from ..utils.errors import UserError
from ..utils.files import read_json
from .coco_errors import CocoMatches, match_results
from .error_kinds import Nearness, classify, mirror_order

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..core.skeletons import Skeleton

# what valid.py calls its files, with the time in those that it has kept
WRITTEN = re.compile(r"pred(_[\d-]+)?\.mat|keypoints_.*_results(_[\d-]+)?\.json")
FEWEST_PICTURES = 2  # of one picture nothing can be said about others


@dataclass(frozen=True)
class People:
    """M annotated people, 0-based picture pixels.

    pictures: M paths, whether the files are there or not; picture_of: (M,) number of the picture, from 0 on; ids: M
    annotation ids, or in MPII's form the record's number from 1 on.
    joints (M, K, 2); shown (M, K) bool: annotated; hidden (M, K) bool: annotated as occluded, None where the form does
    not say; boxes (M, 4) x, y, width, height; sizes (M,): what distances are divided by (PCKh, PCK) or areas (OKS).
    """

    pictures: list[str]
    picture_of: np.ndarray
    ids: list[Any]
    joints: np.ndarray
    shown: np.ndarray
    hidden: np.ndarray | None
    boxes: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class RunPredictions:
    """One prediction for each of M people, and what became of it.

    metric: pckh, pck or ap. predicted (M, K, 2) picture pixels, NaN where nobody was found; scores (M, K), None where
    the file has none. kinds, costs: see `error_kinds.classify`. measured (M, K) bool: annotated joints of people with a
    reference length. own_hits (M, K): 0 or 1 by the metric, or the keypoint similarity; counted (M, K) bool: which
    joints count in the mean, and hits: own_hits of those. coco: what COCO's evaluation adds. path: of the
    predictions. folder: of the run, or None. truth: the set and its annotations' digest, which tells data sets apart.
    """

    name: str
    config: Config
    metric: str
    evaluator: Any
    people: People
    predicted: np.ndarray
    scores: np.ndarray | None
    nearness: Nearness
    truth: str
    path: Path
    folder: Path | None = None
    coco: CocoMatches | None = None
    kinds: np.ndarray = field(init=False)
    costs: np.ndarray = field(init=False)
    measured: np.ndarray = field(init=False)
    own_hits: np.ndarray = field(init=False)
    hits: np.ndarray = field(init=False)
    counted: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        people = self.people
        mirror = mirror_order(self.skeleton.flip_pairs, people.joints.shape[1])
        measured = people.shown & ((people.sizes >= 1)[:, None] if self.metric == "pck" else True)
        kinds, costs = classify(self.predicted, people.joints, measured, people.picture_of, mirror, self.nearness)
        if self.metric == "ap":
            steps = np.linalg.norm(self.predicted - people.joints, axis=2) / self.nearness.divisors
            right = np.exp(-np.where(np.isfinite(steps), steps, np.inf) ** 2)
        else:
            right = (self.distances() <= self.nearness_threshold).astype(np.float64)
        counted = measured.copy()
        if self.metric == "pckh":
            counted[:, self.skeleton.indices_of(self.skeleton.pckh_left_out)] = False
        values = {"kinds": kinds, "costs": costs, "own_hits": right * measured, "counted": counted}
        for name, value in {**values, "hits": right * counted, "measured": measured}.items():
            object.__setattr__(self, name, value)

    @property
    def skeleton(self) -> Skeleton:
        return self.evaluator.skeleton

    def other_annotations(self) -> str:
        """A line where the predictions were scored with other annotations when they were made; otherwise ''."""
        path = self.folder / "results.json" if self.folder else None
        content = read_json(path) if path and path.is_file() else {}
        conditions = content.get("conditions") if isinstance(content, dict) else None
        made_with = conditions.get("annotations") if isinstance(conditions, dict) else None
        if made_with in (None, self.truth.rpartition(" ")[2]):
            return ""
        return f"=> WARNING: {self.name} was predicted for other annotations than those that it is compared with here"

    @property
    def nearness_threshold(self) -> float:
        """The distance in reference lengths up to which a joint is right (PCKh, PCK)."""
        return 0.5 if self.metric == "pckh" else self.skeleton.pck_threshold

    @property
    def person_scores(self) -> np.ndarray:
        """(M,) percent of a person's joints that are right, or for OKS 100 times its OKS; NaN of nobody's joints."""
        counts = self.counted.sum(axis=1)
        return 100 * np.where(counts > 0, self.hits.sum(axis=1) / np.maximum(counts, 1), np.nan)

    @property
    def table_digits(self) -> int:
        """Decimals of the table's figures: three of AP, which is a share of 1."""
        return 3 if self.metric == "ap" else 2

    def distances(self) -> np.ndarray:
        """(M, K) distances in reference lengths (PCKh, PCK), infinite where a joint is not annotated."""
        people = self.people
        sizes = np.maximum(people.sizes, 1e-9)
        return relative_distances(self.predicted, people.joints, ~people.shown, sizes)


def read_runs(
    texts: Sequence[str], experiments: Sequence[str | None], overrides: Mapping[str, Any]
) -> list[RunPredictions]:
    """`read_run` of each text; runs without a name are called by the part of their paths that differs."""
    named = [split_name(text) for text in texts]
    names = [name for name, _ in named]
    if len(set(names)) < len(names) and not any(name != default_name(path) for name, path in named):
        names = differing_parts([path for _, path in named])
    rows = zip(names, named, experiments, strict=True)
    return [_read(name, path, experiment, overrides) for name, (_, path), experiment in rows]


def differing_parts(paths: Sequence[Path]) -> list[str]:
    """What of each path is left without the folders that all begin and end with, such as the OUTPUT_DIR."""
    parts = [path.resolve().parts for path in paths]
    start = len(os.path.commonprefix(parts))
    end = len(os.path.commonprefix([part[start:][::-1] for part in parts]))
    left = ["/".join(part[start : len(part) - end]) for part in parts]
    return [name or default_name(path) for name, path in zip(left, paths, strict=True)]


def read_run(text: str, experiment: str | None = None, overrides: Mapping[str, Any] | None = None) -> RunPredictions:
    """The predictions of `[NAME=]PATH`: a run folder, a pred.mat or a keypoints_<set>_results.json.

    experiment: the YAML file that they are of; None: config.yaml of the run folder.
    Raises UserError where there are none, or no ground truth to compare them with.
    """
    return _read(*split_name(text), experiment, overrides or {})


def _read(name: str, path: Path, experiment: str | None, overrides: Mapping[str, Any]) -> RunPredictions:
    folder = path if path.is_dir() else path.parent.parent if path.parent.name == "results" else path.parent
    if path.is_dir() and (path / "report").is_dir() and not (path / "config.yaml").is_file():
        raise UserError(f"{path} is the folder of a sweep: its comparison is {path / 'report' / 'index.html'}")
    if experiment is None and not (folder / "config.yaml").is_file():
        raise UserError(f"{path}: there is no config.yaml in {folder}: give the experiment with --cfg YAML")
    config = read_config(experiment or folder / "config.yaml", overrides)
    if path.is_dir():
        path = prediction_file(path, config.dataset.test_set)
    elif not path.is_file():
        raise UserError(f"there is no run folder or prediction file {path}")
    return load(name, config, path, folder)


def split_name(text: str) -> tuple[str, Path]:
    """(name, path) of NAME=PATH or PATH; the name is then the folder's or file's own."""
    name, equals, rest = text.partition("=")
    if equals and not Path(text).exists():
        if not name or not rest:
            raise UserError(f"{text}: expected NAME=PATH, such as deep=output/mpii/pose_resnet_50/deep/pred.mat")
        return name, Path(rest)
    path = Path(text)
    return default_name(path), path


def default_name(path: Path) -> str:
    """What a run is called that is given without a name: its folder's name, or of a file of another name the file's."""
    path = path.resolve()
    if path.is_dir() or not WRITTEN.fullmatch(path.name):
        return path.name if path.is_dir() else path.stem
    return path.parent.parent.name if path.parent.name == "results" else path.parent.name


def prediction_file(folder: Path, image_set: str) -> Path:
    """The file in a run folder that valid.py wrote. Raises UserError where there is none."""
    candidates = [folder / "results" / f"keypoints_{image_set}_results.json", folder / "pred.mat"]
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise UserError(f"{folder} has neither pred.mat nor results/{candidates[0].name}: run valid.py first")
    return max(found, key=os.path.getmtime)


def load(name: str, config: Config, path: Path, folder: Path | None = None) -> RunPredictions:
    """The predictions in a file of an experiment. Raises UserError, see `read_run`."""
    evaluator = build_evaluator(config)
    if evaluator.skip_reason:
        raise UserError(f"{path}: there is nothing to compare it with: {evaluator.skip_reason}")
    truth = f"{config.dataset.test_set} {annotation_digest(config)}"
    if isinstance(evaluator, COCOEvaluator):
        if path.suffix == ".mat":
            raise UserError(f"{path}: this experiment is measured by AP, which needs keypoints_<set>_results.json")
        return _load_results(name, config, path, folder, evaluator, truth)
    if isinstance(evaluator, (PCKhEvaluator, PCKEvaluator)):
        return _load_mat(name, config, path, folder, evaluator, truth)
    raise AssertionError(f"no analysis of {type(evaluator).__name__}")


def _load_mat(
    name: str, config: Config, path: Path, folder: Path | None, evaluator: PCKhEvaluator | PCKEvaluator, truth: str
) -> RunPredictions:
    predicted = read_predictions(path)
    persons = read_persons(config, training=False)
    if predicted.shape != persons.joints.shape:
        raise UserError(f"{path}: predictions of shape {predicted.shape}, but the set has {persons.joints.shape}")
    if isinstance(evaluator, PCKhEvaluator):
        build_evaluator(config, persons)  # whether both files are of the same persons
        metric, joints, shown, sizes = "pckh", evaluator.ground_truth - 1, evaluator.missing == 0, evaluator.sizes
        threshold = 0.5
    else:
        metric, joints, shown, sizes = "pck", persons.joints, persons.visible > 0, evaluator.lengths
        threshold = config.skeleton.pck_threshold
    assert persons.boxes is not None
    people = People(
        list(persons.pictures), _numbers(persons.pictures), list(range(1, len(persons) + 1)),
        joints, shown, None, persons.boxes, sizes,
    )  # fmt: skip
    _refuse_too_few(people, path)
    nearness = Nearness.of_pck(sizes, threshold, joints.shape[1])
    scores = read_scores(path, predicted.shape[:2])
    return RunPredictions(name, config, metric, evaluator, people, predicted, scores, nearness, truth, path, folder)


def _load_results(
    name: str, config: Config, path: Path, folder: Path | None, evaluator: COCOEvaluator, truth: str
) -> RunPredictions:
    results = evaluator.read_results(path)
    if not results:
        raise UserError(f"{path} holds no poses: there is nothing to analyse")
    form = annotation_form(config)
    assert isinstance(form, COCOForm)
    pictures, _ = form.pictures(config.dataset.test_set, evaluator.ground_truth)
    records = evaluator.ground_truth.annotations
    keypoints = np.array([record["keypoints"] for record in records]).reshape(len(records), -1, 3)
    images = {image: number for number, image in enumerate(evaluator.ground_truth.images)}
    people = People(
        [pictures[record["image_id"]] for record in records],
        np.array([images[record["image_id"]] for record in records]),
        [record["id"] for record in records],
        keypoints[..., :2].astype(np.float64), keypoints[..., 2] > 0, keypoints[..., 2] == 1,
        np.array([record["bbox"] for record in records], dtype=np.float64),
        np.array([record["area"] for record in records], dtype=np.float64),
    )  # fmt: skip
    _refuse_too_few(people, path)
    matches = match_results(evaluator, results)
    nearness = Nearness.of_oks(people.sizes, evaluator.skeleton.sigmas)
    found = matches.result_of >= 0
    poses = matches.poses[np.maximum(matches.result_of, 0)]
    predicted = np.where(found[:, None, None], poses[..., :2], np.nan)
    scores = np.where(found[:, None], poses[..., 2], np.nan)
    return RunPredictions(
        name, config, "ap", evaluator, people, predicted, scores, nearness, truth, path, folder, matches
    )  # fmt: skip


def _numbers(pictures: Sequence[str]) -> np.ndarray:
    """(M,) number of each person's picture, in the order in which they come."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(str(picture), len(known)) for picture in pictures])


def _refuse_too_few(people: People, path: Path) -> None:
    count = len(set(people.picture_of[people.shown.any(axis=1)].tolist()))
    if count < FEWEST_PICTURES:
        raise UserError(
            f"{path}: the annotated people are of {count} picture; a report draws pictures at random and needs "
            f"{FEWEST_PICTURES} or more"
        )
