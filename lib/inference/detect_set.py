"""Person boxes of a whole validation set, as valid.py --coco-bbox-file takes them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dataset.annotations.forms import COCOForm
from ..dataset.build import annotation_form
from ..evaluation.coco_evaluator import import_pycocotools
from ..utils.errors import UserError
from ..utils.image import read_image
from ..utils.progress import progress_bar
from .detector import PersonDetector

if TYPE_CHECKING:
    from ..config.schema import Config

SUMMARY = (
    "AP", "Ap .5", "AP .75", "AP (S)", "AP (M)", "AP (L)", "AR 1", "AR 10", "AR 100", "AR (S)", "AR (M)", "AR (L)",
)  # fmt: skip


def coco_form(config: Config) -> COCOForm:
    """The data set of a configuration. Raises UserError where it is not of COCO's form."""
    form = annotation_form(config)
    if not isinstance(form, COCOForm):
        raise UserError(f"DATASET.DATASET {config.dataset.dataset}: detected boxes are for sets in COCO's form")
    return form


def detect_set(form: COCOForm, image_set: str, detector: PersonDetector) -> Iterator[dict[str, Any]]:
    """COCO's result entries {image_id, category_id, bbox, score} of all images of a set, image by image."""
    ground_truth = form.ground_truth(image_set)
    pictures, _ = form.pictures(image_set, ground_truth)
    with progress_bar(len(pictures), image_set) as bar:
        for image_id, path in pictures.items():
            for box, score in zip(*detector.detect(read_image(path)), strict=True):
                yield {
                    "image_id": image_id,
                    "category_id": ground_truth.category["id"],
                    "bbox": np.round(box, 2).tolist(),
                    "score": round(float(score), 5),
                }
            bar.update()


def person_ap(form: COCOForm, image_set: str, entries: list[dict[str, Any]]) -> dict[str, float]:
    """COCO's box AP and AR of detected persons, by pycocotools; empty where there is no ground truth or no entry."""
    if not form.has_ground_truth(image_set) or not entries:
        return {}
    COCO, COCOeval = import_pycocotools()  # noqa: N806, its names
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(form.annotation_path(image_set)))
        for annotation in ground_truth.anns.values():
            annotation.setdefault("iscrowd", 0)
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(entries), "bbox")
        evaluation.params.catIds = [entries[0]["category_id"]]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(SUMMARY, map(float, evaluation.stats), strict=True))
