"""Detection files in COCO's result form: a list of {image_id, category_id, bbox, score}."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import UserError
from .files import checked_box, describe_error, finite, read_json, short_repr

NO_AREA = "boxes of no area"
OTHER_CATEGORY = "of another category"
BEYOND = "of pictures that are not in this part"
PERSON_CATEGORY = 1  # COCO's
COCO_CATEGORIES = range(1, 91)


@dataclass
class Detections:
    """The boxes of a detection file that can be used, in the file's order, and the others.

    image_ids: as `read_detections` was told to read them; boxes: x, y, width, height in pixels; scores: floats.
    category_ids: of each. left_out: {reason: numbers of the detections in the file, from 0}; count: of all of its
    detections.
    """

    count: int
    image_ids: list[Any] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    category_ids: list[Any] = field(default_factory=list)
    left_out: dict[str, list[int]] = field(default_factory=dict)


def read_detections(
    path: str | os.PathLike[str], threshold: float, read_image_id: Callable[[Any], Any],
    categories: Container[Any] = (PERSON_CATEGORY,), known: Container[Any] = COCO_CATEGORIES,
    beyond: Container[Any] | None = None,
) -> Detections:
    """The Detections of a file in COCO's result form.

    threshold: boxes with a lower score are left out, as are those of another category and of no area.
    read_image_id: image_id -> what it stands for; raises ValueError for an image_id that cannot be.
    categories: ids of those to take; known: of all categories there are; beyond: the image_ids of a part of the set,
    whose other detections are left out.
    Raises UserError, with the place, for an ill-formed file, and where `refuse_categories` does.
    """
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise UserError(f"{path}: expected a list of detections (image_id, category_id, bbox, score)")
    refuse_categories(path, content, categories, known)
    return usable_detections(path, content, threshold, read_image_id, categories, beyond)


def usable_detections(
    path: str | os.PathLike[str], content: Sequence[dict[str, Any]], threshold: float,
    read_image_id: Callable[[Any], Any], categories: Container[Any], beyond: Container[Any] | None = None,
    read_box: Callable[[Any], list[float]] = checked_box,
) -> Detections:
    """The Detections of `content`, the detections of a file; arguments as those of `read_detections`.

    read_box: a detection's bbox -> x, y, width, height; raises ValueError for one that cannot be. Raises UserError,
    with the place, for an ill-formed detection.
    """
    too_low = f"below the score {threshold:g}"
    found = Detections(len(content), left_out={OTHER_CATEGORY: [], BEYOND: [], NO_AREA: [], too_low: []})
    for number, detection in enumerate(content):
        try:
            if detection["category_id"] not in categories:
                found.left_out[OTHER_CATEGORY].append(number)
                continue
            if beyond is not None and detection["image_id"] not in beyond:
                found.left_out[BEYOND].append(number)
                continue
            box = read_box(detection["bbox"])
            score = finite(detection["score"], "a score")
            image_id = read_image_id(detection["image_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: detection {number + 1} of {len(content)}: {describe_error(error)}") from error
        if min(box[2:]) <= 0:
            found.left_out[NO_AREA].append(number)
        elif score < threshold:
            found.left_out[too_low].append(number)
        else:
            found.image_ids.append(image_id)
            found.boxes.append(box)
            found.scores.append(score)
            found.category_ids.append(detection["category_id"])
    return found


def refuse_categories(
    path: str | os.PathLike[str], content: Sequence[dict[str, Any]], categories: Container[Any],
    known: Container[Any] = COCO_CATEGORIES, remedy: str = "number them as the annotations do",
) -> None:
    """Raises UserError where a file's detections are of other categories alone, or count them from 0.

    categories: ids of those to take; known: of all there are: where 0 is none, a file with it counts from 0, and what
    it has under 1 is not the first category. remedy: what to do.
    """
    ids = [item["category_id"] for item in content if "category_id" in item]
    plain = [value if isinstance(value, (int, float, str)) else short_repr(value) for value in ids]
    counts: Counter[Any] = Counter(plain)
    from_0 = 0 in counts and 0 not in known
    if not counts or (not from_0 and any(value in categories for value in counts)):
        return
    named = ", ".join(f"{short_repr(value)} ({count})" for value, count in sorted(counts.items(), key=_by_number)[:5])
    more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
    says = "its categories are numbered from 0" if from_0 else "none of its boxes is of the category that is wanted"
    raise UserError(f"{path}: {says}: it has boxes of category {named}{more}: {remedy}")


def _by_number(item: tuple[Any, int]) -> tuple[bool, Any]:
    value = item[0]
    return (True, value) if isinstance(value, str) else (False, value)
