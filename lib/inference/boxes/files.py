"""Reads files of boxes as people have them: COCO's forms, YOLO's text files, MOTChallenge's det.txt, CSV.

What a file is, its content tells, not its name. All become detections in COCO's result form.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.box_forms import CXCYWH, SHARE
from ...utils.detections import COCO_CATEGORIES, PERSON_CATEGORY
from ...utils.errors import UserError
from ...utils.files import LARGEST_FILE, finite, read_json, short_repr
from ..image_ids import frame_from_0, frame_from_1
from .reading import BoxReading

if TYPE_CHECKING:
    from ...utils.media import Frame

FORMS_WORDS = "COCO's results (JSON), YOLO's text files, a CSV with a header, or MOTChallenge's det.txt"
NO_LABELS = frozenset(("classes.txt", "labels.txt", "notes.txt", "readme.txt", "obj.names", "requirements.txt"))
MOST_CLASSES = 10**6
GROUND_TRUTH_COLUMNS = 9  # of MOTChallenge's gt.txt: the eighth is the class; of det.txt it is a coordinate
OPTIONAL_KEYS = {"category_id": PERSON_CATEGORY, "score": 1.0}  # of a detection, with what they mean left out


@dataclass(frozen=True)
class BoxFile:
    """What a file of boxes holds.

    entries: detections {image_id, category_id, bbox, score}; reading: how their boxes are written; person: the category
    of people; categories: all there are; frame_key: the image_id of a video's Frame; about: the form, for a line.
    """

    entries: list[dict[str, Any]]
    reading: BoxReading = field(default_factory=BoxReading)
    person: int | str = PERSON_CATEGORY
    categories: Container[Any] = COCO_CATEGORIES
    frame_key: Callable[[Frame], str] = frame_from_0
    about: str = ""


def read_box_file(path: str | os.PathLike[str]) -> BoxFile:
    """The BoxFile at `path`: a file, or a folder of YOLO's text files. Raises UserError for one of no known form."""
    path = Path(path)
    if path.is_dir():
        return _yolo_folder(path)
    if path.suffix.lower() == ".json" or not path.is_file():
        return _coco(path)
    text = read_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0].strip() if lines else ""
    if first.startswith(("[", "{")):
        return _coco(path)
    words = first.replace(";", ",").replace("\t", ",").split(",")
    if len(words) > 1 and not all(map(_is_number, words)):
        from .tables import read_table

        return read_table(path, text)
    if len(words) > 1:
        return _motchallenge(path, lines)
    if not lines and path.suffix.lower() != ".txt":
        raise UserError(f"{path} is empty: expected boxes in one of these forms: {FORMS_WORDS}")
    return _yolo(path, {path: text})


def read_text(path: Path) -> str:
    """The text of a file. Raises UserError where it is none, or enormous."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST_FILE)
    except UnicodeError:
        raise UserError(f"{path} is no text: expected boxes in one of these forms: {FORMS_WORDS}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if "\0" in text:
        raise UserError(f"{path} is no text: expected boxes in one of these forms: {FORMS_WORDS}")
    return text


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return not word.strip()
    return True


def _coco(path: Path) -> BoxFile:
    """COCO's results, a list, or an annotation file, whose images have names."""
    content = read_json(path)
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        return _coco_annotations(path, content)
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise UserError(f"{path}: expected a list of detections (image_id, category_id, bbox, score)")
    return BoxFile([_complete(item) for item in content])


def _complete(item: dict[str, Any]) -> dict[str, Any]:
    detection = {**OPTIONAL_KEYS, **item}
    category = detection["category_id"]
    if isinstance(category, str) and category.isdecimal():
        detection["category_id"] = int(category)
    return detection


def _coco_annotations(path: Path, content: dict[str, Any]) -> BoxFile:
    lists = [content[key] for key in ("images", "annotations")] + [content.get("categories", [])]
    if not all(isinstance(each, list) and all(isinstance(item, dict) for item in each) for each in lists):
        raise UserError(f"{path}: images, annotations, categories: expected lists of objects")
    images, annotations, categories = lists
    names = {short_repr(image.get("id")): image.get("file_name", image.get("id")) for image in images}
    entries = []
    for item in annotations:
        if not item.get("iscrowd") and item.get("bbox"):
            image_id = names.get(short_repr(item.get("image_id")), item.get("image_id"))
            entries.append(_complete({**item, "image_id": image_id}))
    ids = {str(category.get("name")).lower(): category.get("id") for category in categories}
    person = ids.get("person", PERSON_CATEGORY)
    return BoxFile(entries, person=person, categories=list(ids.values()), about=" (annotations)")


def _yolo_folder(folder: Path) -> BoxFile:
    files = sorted(path for path in folder.glob("*.txt") if path.name.lower() not in NO_LABELS)
    if not files and (folder / "labels").is_dir():  # of a run of Ultralytics
        return _yolo_folder(folder / "labels")
    if not files:
        raise UserError(f"{folder}: no .txt file is there: expected YOLO's, one for each picture")
    return _yolo(folder, {path: read_text(path) for path in files})


def _yolo(path: Path, texts: dict[Path, str]) -> BoxFile:
    """YOLO's lines, class cx cy w h and perhaps a score, of files named as their picture, or as video_frame from 1."""
    entries = []
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if not words:
                continue
            values = _numbers(file, number, words)
            if len(values) not in (5, 6):
                raise UserError(
                    f"{file}: line {number} has {len(values)} numbers; expected YOLO's class, centre x, y, width, "
                    f"height and perhaps a score. Other forms that are read: {FORMS_WORDS}"
                )
            score = values[5] if len(values) == 6 else 1.0
            entries.append({"image_id": file.stem, "category_id": values[0], "bbox": values[1:5], "score": score})
    return BoxFile(entries, BoxReading(CXCYWH, SHARE), 0, range(MOST_CLASSES), _yolo_frame, " (YOLO)")


def _yolo_frame(frame: Frame) -> str:
    return f"{frame.path.stem}_{frame_from_1(frame)}"


def _motchallenge(path: Path, lines: list[str]) -> BoxFile:
    """MOTChallenge's lines, frame from 1, id, left, top, width, height, score, in gt.txt class and visibility."""
    entries = []
    for number, line in enumerate(lines, 1):
        values = _numbers(path, number, line.replace(";", ",").replace("\t", ",").rstrip(", ").split(","))
        if len(values) < 6:
            raise UserError(
                f"{path}: line {number} has {len(values)} numbers; expected MOTChallenge's frame, id, left, top, "
                f"width, height, score. Other forms that are read: {FORMS_WORDS}"
            )
        category = values[7] if len(values) == GROUND_TRUTH_COLUMNS else PERSON_CATEGORY
        score = values[6] if len(values) > 6 else 1.0
        entries.append({"image_id": values[0], "category_id": category, "bbox": values[2:6], "score": score})
    if all(entry["score"] == -1 for entry in entries):  # of trackers: none is known
        entries = [{**entry, "score": 1.0} for entry in entries]
    return BoxFile(entries, frame_key=frame_from_1, about=" (MOTChallenge)")


def _numbers(path: Path, line: int, words: list[str]) -> list[float]:
    try:
        return [finite(float(word), "a number") for word in words]
    except ValueError:
        raise UserError(
            f"{path}: line {line}: {short_repr(' '.join(words))} are no numbers. Forms that are read: {FORMS_WORDS}"
        ) from None
