"""PoseTrack's scores of tracked poses: MOTA, MOTP, IDF1 per joint, and mAP.

CLEAR MOT (Bernardin and Stiefelhagen, 2008) is counted by py-motmetrics, as the benchmark's own code does. A joint is
matched within half a head size; each joint is a tracked object of its own; "Total" is the mean over the joints.
Three slips of that code are not followed: it leaves out the last frame of each sequence, sums distances of candidates
that were not matched into MOTP, and counts one miss and one false joint, whatever there is, where nothing is predicted.
"""
from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.boxes import in_regions
from ..dataset.annotations.posetrack import annotation_folder, read_sequences
from ..dataset.annotations.posetrack_form import PoseFrame, read_frames, sequence_files
from ..utils.errors import UserError
from .evaluators import mean_of_finite

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton

HEAD_THRESHOLD = 0.5  # of the head size: a joint is found within it
COUNTS = ("num_objects", "num_detections", "num_misses", "num_false_positives", "num_switches", "idtp", "idfp", "idfn")


def import_motmetrics() -> ModuleType:
    """py-motmetrics, which only this needs; imported late, as it brings pandas."""
    try:
        import motmetrics
    except ImportError as error:
        raise UserError(f"scores of tracks need motmetrics: pip install motmetrics ({error})") from None
    return motmetrics


class PoseTrackEvaluator:
    """Collects the frames of one or more sequences; `evaluate` gives the figures.

    skeleton: of the K joints; threshold: in head sizes.
    """

    primary_metric = "MOTA"

    def __init__(self, skeleton: Skeleton, threshold: float = HEAD_THRESHOLD) -> None:
        self.skeleton, self.threshold = skeleton, threshold
        self._motmetrics = import_motmetrics()
        self._sequences: dict[str, _Sequence] = {}

    def add(self, sequence: str, ground_truth: PoseFrame, predicted: PoseFrame) -> None:
        """Adds a frame, two PoseFrames. Identities of different sequences are different people's.

        Frames that nobody has labelled, or with nobody in them, do not count; joints in ignored regions neither.
        Raises ValueError where a labelled person has no head box.
        """
        if not ground_truth.labelled or not len(ground_truth.identities):
            return
        shown = ground_truth.shown & ~in_regions(ground_truth.joints, ground_truth.ignored)
        guessed = predicted.shown & np.isfinite(predicted.joints).all(axis=2)
        guessed &= ~in_regions(predicted.joints, ground_truth.ignored)
        if np.isnan(ground_truth.head_sizes[shown.any(axis=1)]).any():
            raise ValueError(f"{ground_truth.name}: a labelled person has no bbox_head, by which joints are measured")
        distances = _distances(ground_truth, predicted, shown, guessed)
        distances[~(distances <= self.threshold)] = np.nan
        if sequence not in self._sequences:
            self._sequences[sequence] = _Sequence(self._motmetrics, len(self.skeleton.joints))
        collected = self._sequences[sequence]
        for joint, accumulator in enumerate(collected.accumulators):
            rows, columns = np.flatnonzero(shown[:, joint]), np.flatnonzero(guessed[:, joint])
            between = distances[np.ix_(rows, columns)][..., joint]
            accumulator.update(ground_truth.identities[rows], predicted.identities[columns], between)
        collected.add_labels(np.isfinite(distances), shown, guessed, predicted.scores)

    def evaluate(self, sequences: Sequence[str] | None = None) -> dict[str, float]:
        """{figure: value} of all sequences, or of those named.

        In percent: MOTA of each group of joints, then MOTA, MOTP, Precision, Recall, IDF1 and mAP, each the mean over
        the joints; Switches is a number, of all joints together (a person has K of them).
        MOTP: 100 is exact, 50 half a head size. Joints that nobody shows are left out of the means.
        """
        chosen = [self._sequences[name] for name in (self._sequences if sequences is None else sequences)]
        empty = {name: np.zeros(len(self.skeleton.joints)) for name in (*COUNTS, "distance")}
        counts = {name: sum((part.counts()[name] for part in chosen), start) for name, start in empty.items()}
        figures = _figures(counts)
        figures["mAP"] = np.array([_average_precision(chosen, joint) for joint in range(len(self.skeleton.joints))])
        results = {
            f"MOTA {title}": mean_of_finite(figures["MOTA"][self.skeleton.indices_of(names)])
            for title, names in self.skeleton.groups
        }
        results |= {name: mean_of_finite(values) for name, values in figures.items()}
        return results | {"Switches": int(counts["num_switches"].sum())}


class _Sequence:
    """What is counted of one sequence, joint by joint."""

    def __init__(self, motmetrics: ModuleType, joint_count: int) -> None:
        self._handler = motmetrics.metrics.create()
        self.accumulators = [motmetrics.MOTAccumulator(auto_id=True) for _ in range(joint_count)]
        # of each joint: (score, right) of every prediction
        self.labels: list[list[tuple[float, bool]]] = [[] for _ in range(joint_count)]
        self.annotated = np.zeros(joint_count, dtype=int)
        self._counts: dict[str, np.ndarray] | None = None

    def counts(self) -> dict[str, np.ndarray]:
        """{count: (K,)}; distance: the sum over the joints that were found, in head sizes."""
        if self._counts is None:
            counts = {name: np.zeros(len(self.accumulators)) for name in (*COUNTS, "distance")}
            for joint, accumulator in enumerate(self.accumulators):
                figures = self._handler.compute(accumulator, metrics=[*COUNTS, "motp"], return_dataframe=False)
                for name in COUNTS:
                    counts[name][joint] = np.nan_to_num(figures[name])
                counts["distance"][joint] = np.nan_to_num(figures["motp"]) * figures["num_detections"]
            self._counts = counts
        return self._counts

    def add_labels(self, matches: np.ndarray, shown: np.ndarray, guessed: np.ndarray, scores: np.ndarray) -> None:
        """Every predicted joint with its score, and whether it is right: its pose must be its person's best one."""
        self._counts = None
        self.annotated += shown.sum(axis=0)
        shares = matches.sum(axis=2) / np.maximum(shown.sum(axis=1), 1)[:, None]  # (N, M)
        right = np.zeros(guessed.shape, dtype=bool)
        if shares.size:
            best = shares.argmax(axis=0)  # the person that each pose fits best
            own = np.where(np.arange(len(shares))[:, None] == best, shares, 0)
            for person, pose in enumerate(own.argmax(axis=1)):
                if own[person, pose] > 0:
                    right[pose] = matches[person, pose]
        for joint, labels in enumerate(self.labels):
            chosen = guessed[:, joint]
            labels.extend(zip(scores[chosen, joint].tolist(), right[chosen, joint].tolist(), strict=True))


def evaluate_sequences(
    skeleton: Skeleton, sequences: Iterable[tuple[str, Iterable[PoseFrame], Iterable[PoseFrame]]]
) -> dict[str, float]:
    """The figures of (name, true frames, predicted frames) of each sequence, the frames two lists of PoseFrames."""
    evaluator = PoseTrackEvaluator(skeleton)
    for name, ground_truth, predicted in sequences:
        for true_frame, guess in zip(ground_truth, predicted, strict=True):
            evaluator.add(name, true_frame, guess)
    return evaluator.evaluate()


def _distances(ground_truth: PoseFrame, predicted: PoseFrame, shown: np.ndarray, guessed: np.ndarray) -> np.ndarray:
    """(N, M, K) in head sizes of true people to predicted ones; NaN where one of the two has no such joint."""
    steps = ground_truth.joints[:, None] - predicted.joints[None]
    sizes = np.maximum(ground_truth.head_sizes, np.finfo(float).tiny)[:, None, None]
    both = shown[:, None] & guessed[None]
    return np.where(both, np.linalg.norm(steps, axis=3) / sizes, np.nan)


def _average_precision(sequences: list[_Sequence], joint: int) -> float:
    """The area under a joint's curve of precision over recall, in percent, as PASCAL VOC has it since 2010."""
    annotated = sum(part.annotated[joint] for part in sequences)
    labels = list(itertools.chain.from_iterable(part.labels[joint] for part in sequences))
    if not annotated or not labels:
        return 0.0 if annotated else np.nan
    scores, right = np.array(labels, dtype=float).T
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    recall = np.concatenate([[0], hits / annotated])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return 100 * float((np.diff(recall) * precision).sum())


def _figures(counts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """{figure: (K,) percent} of the joints' counts; NaN for joints that nobody shows."""
    objects = np.where(counts["num_objects"] > 0, counts["num_objects"], np.nan)
    found, false = counts["num_detections"], counts["num_false_positives"]
    wrong = counts["num_misses"] + false + counts["num_switches"]
    known, nothing = ~np.isnan(objects), np.where(np.isnan(objects), np.nan, 0.0)
    identified = 2 * counts["idtp"] + counts["idfp"] + counts["idfn"]
    distances = counts["distance"] / np.maximum(found, 1)
    return {
        "MOTA": 100 * (1 - wrong / objects),
        "MOTP": np.where(known & (found > 0), 100 * (1 - distances), nothing),
        "Precision": np.where(known & (found + false > 0), 100 * found / np.maximum(found + false, 1), nothing),
        "Recall": 100 * found / objects,
        "IDF1": np.where(known, 200 * counts["idtp"] / np.maximum(identified, 1), np.nan),
    }


def score_tracks(
    path: str | os.PathLike[str], root: str | os.PathLike[str], image_set: str, skeleton: Skeleton
) -> tuple[dict[str, float], int]:
    """The figures of saved tracks, a file in PoseTrack18's form or a folder of them, against a set's ground truth.

    A sequence's tracks are <sequence>.json or, as track.py writes them, <sequence>_track.json. Frames are matched by
    their ids, or else by the names of their pictures; a labelled frame without tracks counts as missed.
    Returns ({figure: value}, number of labelled frames). Raises UserError where a sequence has no tracks.
    """
    ground_truth, files = read_sequences(root, image_set, skeleton), sequence_files(path)
    evaluator, count = PoseTrackEvaluator(skeleton), 0
    pairs = {name: files.get(name, files.get(f"{name}_track")) for name in ground_truth}
    if Path(path).is_file() and len(ground_truth) == 1:  # whatever it is called
        pairs = dict.fromkeys(ground_truth, Path(path))
    missing = [name for name, file in pairs.items() if file is None]
    if missing:
        amount = f"{len(missing)} of {len(ground_truth)}"
        raise UserError(f"{path} has no tracks of {amount} sequences, the first is {missing[0]}")
    for name, file in pairs.items():
        assert file is not None  # those are missing
        guesses = _by_frame(read_frames(file, skeleton), ground_truth[name], file)
        for key, frame in ground_truth[name].items():
            try:
                evaluator.add(name, frame, guesses.get(key) or _nobody(skeleton))
            except ValueError as error:
                raise UserError(f"{annotation_folder(root, image_set) / name}.json: {error}") from error
            count += frame.labelled
    return evaluator.evaluate(), count


def _by_frame(
    guesses: dict[Any, PoseFrame], ground_truth: dict[Any, PoseFrame], path: str | os.PathLike[str]
) -> dict[Any, PoseFrame | None] | dict[Any, PoseFrame]:
    """The guessed PoseFrames by the ground truth's image ids."""
    if set(guesses) & set(ground_truth):
        return guesses
    by_name = {Path(frame.name).name: frame for frame in guesses.values()}
    found = {key: by_name.get(Path(frame.name).name) for key, frame in ground_truth.items()}
    if guesses and not any(found.values()):
        raise UserError(f"{path}: none of its frames is of this sequence, neither by id nor by name")
    return found


def _nobody(skeleton: Skeleton) -> PoseFrame:
    count = len(skeleton.joints)
    scores = np.zeros((0, count))
    return PoseFrame("", np.zeros(0, dtype=int), np.zeros((0, count, 2)), scores > 0, scores, np.zeros(0))
