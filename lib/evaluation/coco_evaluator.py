"""COCO's keypoint AP: rescoring, OKS-NMS, the result file, and pycocotools' evaluation."""
from __future__ import annotations

import contextlib
import io
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.nms import oks_nms, soft_oks_nms
from ..core.transforms import PIXELS_PER_SCALE
from ..utils.errors import UserError
from ..utils.files import read_json, short_repr, write_json
from ..utils.run_folder import keep_earlier
from ..utils.runtime import make_folder

if TYPE_CHECKING:
    from ..core.skeletons import Skeleton
    from ..dataset.annotations.coco_truth import CocoTruth
    from ..dataset.joints_dataset import Persons

FIGURES = ("AP", "Ap .5", "AP .75", "AP (M)", "AP (L)", "AR", "AR .5", "AR .75", "AR (M)", "AR (L)")
LARGEST = sys.float_info.max
ENTRY = "expected a list of {image_id, category_id, keypoints, score}, COCO's result form"


def import_pycocotools() -> tuple[Any, Any]:
    """pycocotools' COCO and COCOeval. Raises UserError where they are not installed."""
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
    """AP of N persons' keypoints over a CocoTruth (see lib.dataset.annotations.coco).

    persons: the Persons whose joints are predicted, with image_ids and box_scores; None where only files are scored.
    name: of the set, for the result file's name. part: the ground truth is a part of the set; a result file's entries
    of other images are left out and counted (TEST.PART).
    """

    primary_metric = "AP"

    def __init__(
        self, ground_truth: CocoTruth, persons: Persons | None, skeleton: Skeleton,
        suppression: Suppression = Suppression(),
        name: str = "val2017", part: bool = False,
    ) -> None:  # noqa: B008, frozen
        self.ground_truth, self.persons, self.skeleton = ground_truth, persons, skeleton
        self.suppression, self.name, self.part = suppression, name, part
        self.notes = ground_truth.notes()
        self.skip_reason = "" if ground_truth.annotations else f"{ground_truth.path} has no annotations"
        if ground_truth.annotations:
            import_pycocotools()  # rather now than when a network has run for hours

    def __len__(self) -> int:
        return len(self.ground_truth.annotations) if self.persons is None else len(self.persons)

    def first(self, count: int) -> np.ndarray:
        """See Evaluator: the persons of the first pictures that have `count` or more of them together.

        Whole pictures, as poses of one picture compete; their annotated people count, boxes or not.
        """
        persons, truth = self.persons, self.ground_truth
        assert persons is not None and persons.image_ids is not None
        persons_of, images, total = Counter(persons.image_ids.tolist()), {}, 0
        for image_id, about in truth.images.items():
            if total >= count:
                break
            images[image_id] = about
            total += persons_of[image_id]
        annotations = [record for record in truth.annotations if record["image_id"] in images]
        kept = np.array([image_id in images for image_id in persons.image_ids], dtype=bool)
        self.ground_truth = replace(truth, images=images, annotations=annotations)
        self.persons = persons.choose(kept)
        return kept

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
        assert persons.box_scores is not None
        totals = totals * persons.box_scores
        categories = self._categories_of(persons)
        areas = np.prod(persons.scale * PIXELS_PER_SCALE, axis=1)
        pictures: dict[Any, list[int]] = {}
        for row, image_id in enumerate(persons.image_ids.tolist()):
            pictures.setdefault(image_id, []).append(row)
        results = []
        for image_id, rows in pictures.items():
            for row, score in self._suppress(keypoints, totals, areas, np.array(rows)):
                results.append({
                    "image_id": image_id,
                    "category_id": categories[row],
                    "keypoints": keypoints[row].ravel().tolist(),
                    "score": float(score),
                    "center": persons.center[row].tolist(),
                    "scale": persons.scale[row].tolist(),
                })  # fmt: skip
        return results

    def _categories_of(self, persons: Persons) -> list[Any]:
        """Ids of the persons' categories: the only one, or what their annotations and boxes say."""
        if persons.category_ids is None or len(self.ground_truth.categories) == 1:
            return [self.ground_truth.category["id"]] * len(persons)
        return persons.category_ids.tolist()

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
        """The ten figures of COCO's keypoint evaluation, 0 to 1.

        Of several categories these are the means over those that are annotated; "AP <name>" is of one.
        """
        return self.evaluate_results(self.results(predictions, scores))

    def evaluate_file(self, path: str | os.PathLike[str]) -> dict[str, float]:
        """The figures of a result file. Raises UserError where it is not one of this set's."""
        return self.evaluate_results(self.read_results(path))

    def evaluate_results(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The figures of a result list, as `results` gives it."""
        if not results:
            return dict.fromkeys(FIGURES, 0.0)
        evaluation = self.compare(results)
        with contextlib.redirect_stdout(io.StringIO()):  # its own table
            evaluation.accumulate()
            evaluation.summarize()
        figures = {name: float(value) for name, value in zip(FIGURES, evaluation.stats, strict=True)}
        if len(self.ground_truth.categories) > 1:
            figures |= self._per_category(evaluation.eval["precision"])
        return figures

    def compare(self, results: list[dict[str, Any]], **parameters: Any) -> Any:
        """pycocotools' COCOeval of results, some at least, after its evaluate(): who matches whom.

        Its people are numbered as in the ground truth's annotations, its poses as in `results`, both from 1 on.
        parameters: those of its Params that are not COCO's, such as iouThrs=[0.1].
        """
        COCO, COCOeval = import_pycocotools()  # noqa: N806, its names
        with contextlib.redirect_stdout(io.StringIO()):  # its own progress
            ground_truth = COCO()
            ground_truth.dataset = self._truth_as_coco()
            ground_truth.createIndex()
            evaluation = COCOeval(ground_truth, ground_truth.loadRes(self._as_coco(results)), "keypoints")
            evaluation.params.kpt_oks_sigmas = np.array(self.skeleton.sigmas)
            for name, value in parameters.items():
                setattr(evaluation.params, name, value)
            evaluation.evaluate()
        return evaluation

    def _per_category(self, precision: np.ndarray) -> dict[str, float]:
        """{"AP <name>": AP} of precision (thresholds, recalls, categories, areas, 1), -1 where nobody is annotated."""
        figures = {}
        for number, category in enumerate(self.ground_truth.categories):
            values = precision[:, :, number, 0, 0]
            if (values > -1).any():
                figures[f"AP {category['name']}"] = float(values[values > -1].mean())
        return figures

    def numbers(self) -> tuple[dict[Any, int], dict[Any, int]]:
        """({image id: number}, {category id: number}) for pycocotools, which takes whole numbers alone."""
        images: list[Any] = list(self.ground_truth.images)
        if all(isinstance(image_id, int) for image_id in images):
            images.sort()  # poses of the same score count in the order of the images
        categories = [category["id"] for category in self.ground_truth.categories]
        numbers = {image_id: number for number, image_id in enumerate(images, 1)}
        return numbers, {category: number for number, category in enumerate(categories, 1)}

    def _as_coco(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        images, categories = self.numbers()
        return [
            {
                "image_id": images[entry["image_id"]], "category_id": categories[entry["category_id"]],
                "keypoints": entry["keypoints"], "score": entry["score"],
            }
            for entry in results
        ]  # fmt: skip

    def _truth_as_coco(self) -> dict[str, Any]:
        images, categories = self.numbers()
        annotations = []
        # pycocotools takes a match with an annotation of number 0, or none, for no match
        for number, record in enumerate(self.ground_truth.annotations, start=1):
            keypoints = record["keypoints"].tolist()
            shown = sum(visibility > 0 for visibility in keypoints[2::3])
            ids = {"image_id": images[record["image_id"]], "category_id": categories[record["category_id"]]}
            added = {"id": number, **ids, "keypoints": keypoints, "num_keypoints": shown}
            annotations.append({**record, **added})
        names = [{"id": number, "name": str(key)} for key, number in categories.items()]
        pictures = [{"id": number} for number in images.values()]
        return {"info": {}, "images": pictures, "annotations": annotations, "categories": names}

    def read_results(self, path: str | os.PathLike[str]) -> list[dict[str, Any]]:
        """The entries of a result file. Raises UserError where it is not one of this set's."""
        results = read_json(path)
        if not isinstance(results, list):
            raise UserError(f"{path}: {ENTRY}, got a {type(results).__name__}")
        if self.part:
            whole = len(results)
            results = [each for each in results if not isinstance(each, dict) or self._is_known(each.get("image_id"))]
            if len(results) < whole:
                self.notes.append(f"=> {whole - len(results)} of {whole} results are of images outside of this part")
        count = 3 * len(self.skeleton.joints)
        for number, entry in enumerate(results):
            problem = self._problem(entry, count)
            if problem:
                raise UserError(f"{path}: entry {number + 1} of {len(results)}: {problem}")
        return results

    def _is_known(self, image_id: Any) -> bool:
        return isinstance(image_id, (int, str)) and image_id in self.ground_truth.images

    def _problem(self, entry: Any, count: int) -> str:
        """What is wrong with an entry of a result file, or an empty text."""
        if not isinstance(entry, dict) or not {"image_id", "category_id", "keypoints", "score"} <= entry.keys():
            return ENTRY
        if not self._is_known(entry["image_id"]):
            return f"its image_id {short_repr(entry['image_id'])} is not among the images of {self.ground_truth.path}"
        categories = {category["id"]: category["name"] for category in self.ground_truth.categories}
        if entry["category_id"] not in categories:
            known = ", ".join(f"{name} is {number}" for number, name in categories.items())
            return f"its category_id is {short_repr(entry['category_id'])}, but {known[:200]}"
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
        keep_earlier(path)
        write_json(self.results(predictions, scores), path, indent=None)
        return path
