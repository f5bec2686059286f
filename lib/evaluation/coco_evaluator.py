"""COCO's keypoint AP: rescoring, OKS-NMS, the result file, and pycocotools' evaluation."""
from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.nms import oks_nms, soft_oks_nms
from ..core.transforms import PIXELS_PER_SCALE
from ..utils.errors import UserError
from ..utils.files import read_json, short_repr, write_json
from ..utils.runtime import make_folder

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from ..dataset.coco_truth import CocoTruth
    from ..dataset.joints_dataset import Persons

FIGURES = ("AP", "Ap .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
LARGEST = sys.float_info.max
ENTRY = "expected a list of {image_id, category_id, keypoints, score}, COCO's result form"


def _import_pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UserError(f"COCO's AP needs pycocotools: pip install pycocotools ({error})") from None
    return COCO, COCOeval


@dataclass(frozen=True)
class Suppression:
    """How poses of one picture compete (TEST.IN_VIS_THRE, OKS_THRE, SOFT_NMS).

    joint_threshold: a joint's score must be above it to count in its person's; oks_threshold: of `oks_nms`.
    """

    joint_threshold: float = 0.2
    oks_threshold: float = 0.9
    soft: bool = False


class COCOEvaluator:
    """AP of N persons' keypoints over a CocoTruth (see lib.dataset.coco).

    persons: the Persons whose joints are predicted, with image_ids and box_scores; None where only files are scored.
    name: of the set, for the result file's name.
    """

    primary_metric = "AP"

    def __init__(
        self, truth: CocoTruth, persons: Persons | None, skeleton: Skeleton, suppression: Suppression = Suppression(),
        name: str = "val2017",
    ) -> None:  # noqa: B008, frozen
        self.truth, self.persons, self.skeleton = truth, persons, skeleton
        self.suppression, self.name = suppression, name
        self.skip_reason = "" if truth.annotations else f"{truth.path} has no annotations"
        if truth.annotations:
            _import_pycocotools()  # rather now than when a network has run for hours

    def __len__(self) -> int:
        return len(self.truth.annotations) if self.persons is None else len(self.persons)

    def results(self, predictions: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
        """COCO's result list of predictions (N, K, 2) in picture pixels and scores (N, K).

        A person's score is the mean of its joints' scores above the threshold, times its box's. Of poses of one
        picture that are one person by OKS the best stays. Entries come picture by picture, the best first; besides
        COCO's own keys they hold the crop's center and scale, as the original's do.
        Raises UserError where predictions and persons differ in number, or are not finite.
        """
        persons = self.persons
        assert persons is not None and persons.image_ids is not None  # else only files are scored
        count, shapes = (len(persons), len(self.skeleton.joints)), (np.shape(predictions), np.shape(scores))
        if shapes != ((*count, 2), count) or not (np.isfinite(predictions).all() and np.isfinite(scores).all()):
            raise UserError(
                f"predictions of shape {shapes[0]} with scores of {shapes[1]}; expected finite ones of {count[0]} "
                f"persons with {count[1]} joints"
            )
        keypoints = np.concatenate([predictions, np.asarray(scores)[..., None]], axis=2).astype(np.float64)
        counted = keypoints[..., 2] > self.suppression.joint_threshold
        totals = (keypoints[..., 2] * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
        totals = totals * persons.box_scores
        areas = np.prod(persons.scale * PIXELS_PER_SCALE, axis=1)
        pictures: dict[Any, list[int]] = {}
        for row, image_id in enumerate(persons.image_ids.tolist()):
            pictures.setdefault(image_id, []).append(row)
        results = []
        for image_id, rows in pictures.items():
            for row, score in self._suppress(keypoints, totals, areas, np.array(rows)):
                results.append({
                    "image_id": image_id,
                    "category_id": self.truth.category["id"],
                    "keypoints": keypoints[row].ravel().tolist(),
                    "score": float(score),
                    "center": persons.center[row].tolist(),
                    "scale": persons.scale[row].tolist(),
                })  # fmt: skip
        return results

    def _suppress(
        self, keypoints: np.ndarray, totals: np.ndarray, areas: np.ndarray, rows: np.ndarray
    ) -> Iterable[tuple[int, float]]:
        if not self.skeleton.sigmas:  # no OKS: nothing says who is the same person
            order = rows[np.argsort(-totals[rows], kind="stable")]
            return zip(order.tolist(), totals[order], strict=True)
        settings = self.suppression
        arguments: Any = (keypoints[rows], totals[rows], areas[rows], settings.oks_threshold, self.skeleton.sigmas)
        if settings.soft:
            keep, scores = soft_oks_nms(*arguments)
        else:
            keep = oks_nms(*arguments)
            scores = totals[rows[keep]]
        return zip(rows[keep].tolist(), scores, strict=True)

    def evaluate(self, predictions: np.ndarray, scores: np.ndarray) -> dict[str, float]:
        """The ten figures of COCO's keypoint evaluation, 0 to 1."""
        return self.evaluate_results(self.results(predictions, scores))

    def evaluate_file(self, path: str | os.PathLike[str]) -> dict[str, float]:
        """The figures of a result file. Raises UserError where it is not one of this set's."""
        return self.evaluate_results(self._read_results(path))

    def evaluate_results(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The figures of a result list, as `results` gives it."""
        if not results:
            return dict.fromkeys(FIGURES, 0.0)
        COCO, COCOeval = _import_pycocotools()  # noqa: N806, its names
        entries = [{key: entry[key] for key in ("image_id", "category_id", "keypoints", "score")} for entry in results]
        with contextlib.redirect_stdout(io.StringIO()):  # its own progress and table
            truth = COCO()
            truth.dataset = self._truth_as_coco()
            truth.createIndex()
            evaluation = COCOeval(truth, truth.loadRes(entries), "keypoints")
            evaluation.params.kpt_oks_sigmas = np.array(self.skeleton.sigmas)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return {name: float(value) for name, value in zip(FIGURES, evaluation.stats, strict=True)}

    def _truth_as_coco(self) -> dict[str, Any]:
        category = self.truth.category
        annotations = []
        # pycocotools takes a match with an annotation of number 0, or none, for no match
        for number, record in enumerate(self.truth.annotations, start=1):
            keypoints = record["keypoints"].tolist()
            shown = sum(visibility > 0 for visibility in keypoints[2::3])
            added = {"id": number, "category_id": category["id"], "keypoints": keypoints, "num_keypoints": shown}
            annotations.append({**record, **added})
        images = [{"id": image_id} for image_id in self.truth.images]
        return {"info": {}, "images": images, "annotations": annotations, "categories": [category]}

    def _read_results(
        self, path: str | os.PathLike[str]
    ) -> list[dict[str, Any]]:
        results = read_json(path)
        if not isinstance(results, list):
            raise UserError(f"{path}: {ENTRY}, got a {type(results).__name__}")
        count = 3 * len(self.skeleton.joints)
        for number, entry in enumerate(results):
            problem = self._problem(entry, count)
            if problem:
                raise UserError(f"{path}: entry {number + 1} of {len(results)}: {problem}")
        return results

    def _problem(self, entry: Any, count: int) -> str:
        """What is wrong with an entry of a result file, or an empty text."""
        if not isinstance(entry, dict) or not {"image_id", "category_id", "keypoints", "score"} <= entry.keys():
            return ENTRY
        if not isinstance(entry["image_id"], (int, str)) or entry["image_id"] not in self.truth.images:
            return f"its image_id {short_repr(entry['image_id'])} is not among the images of {self.truth.path}"
        category = self.truth.category
        if entry["category_id"] != category["id"]:
            return f"its category_id is {short_repr(entry['category_id'])}, but {category['name']} is {category['id']}"
        numbers = entry["keypoints"]
        if not isinstance(numbers, list) or len(numbers) != count:
            return f"keypoints: expected {count} numbers (x, y, score of {count // 3} joints)"
        # a whole number in JSON may be too large for math.isfinite
        if not all(isinstance(value, (int, float)) and abs(value) <= LARGEST for value in [*numbers, entry["score"]]):
            return "keypoints or score holds something that is not a finite number"
        return ""

    def save(self, predictions: np.ndarray, scores: np.ndarray, folder: Path) -> Path:
        """Writes `folder`/results/keypoints_<set>_results.json, what COCO's server takes, and returns its path."""
        path = Path(folder) / "results" / f"keypoints_{self.name}_results.json"
        make_folder(path.parent)
        write_json(self.results(predictions, scores), path, indent=None)
        return path
