"""Data sets of other tools that are not what they should be."""

import json

import cv2
import numpy as np
import pytest
import yaml
from damage import changed_text, changed_tree
from hypothesis import given

from lib.dataset.preparation.import_forms import read_source, recognise

YOLO_YAML = {
    "path": ".", "train": "images", "val": ["val.txt"], "kpt_shape": [2, 3], "flip_idx": [1, 0],
    "names": {0: "mouse"}, "kpt_names": {0: ["eyeL", "eyeR"]}, "skeleton": [[0, 1]],
}  # fmt: skip
REGION = {
    "id": "a", "type": "keypointlabels", "original_width": 80, "original_height": 60, "image_rotation": 0,
    "value": {"x": 10.5, "y": 20, "keypointlabels": ["eyeL"]}, "parentID": "b",
}  # fmt: skip
BOX = {**REGION, "id": "b", "type": "rectanglelabels", "value": {"x": 5, "y": 5, "width": 50, "height": 50}}
TASK = {"id": 1, "data": {"image": "/data/upload/1/01234567-p0.png"}, "annotations": [{"result": [REGION, BOX]}]}
LABEL_STUDIO = [TASK, {**TASK, "data": {"image": "p1.png"}}]
TABLE = (
    "scorer,,,m,m,m,m\nbodyparts,,,eyeL,eyeL,eyeR,eyeR\ncoords,,,x,y,x,y\n"
    "labeled-data,day,p0.png,10,20,30.5,\nlabeled-data,day,p1.png,10,20,30,40\n"
)
PROJECT = {"Task": "mice", "bodyparts": ["eyeL", "eyeR"], "skeleton": [["eyeL", "eyeR"]], "multianimalproject": False}


@pytest.fixture(scope="module")
def folder(place):
    """Pictures, and the files beside those that are damaged."""
    for name in ("images", "labeled-data/day", "."):
        (place / name).mkdir(parents=True, exist_ok=True)
        for number in range(2):
            cv2.imwrite(str(place / name / f"p{number}.png"), np.full((60, 80, 3), 40 * number, np.uint8))
    (place / "labels").mkdir()
    (place / "labels" / "p0.txt").write_text("0 0.5 0.5 0.5 0.5 0.4 0.4 2 0.6 0.6 1\n")
    (place / "val.txt").write_text("p1.png\n")
    (place / "labeled-data" / "day" / "CollectedData_m.csv").write_text(TABLE)
    return place


def read(path):
    return read_source(path, recognise(path), None, path.parent / "out", 0.5, None)


def wrote(path, content):
    """Writes YAML; whether it could be written."""
    try:
        path.write_text(yaml.safe_dump(content), encoding="utf-8", errors="replace")
    except yaml.YAMLError:
        return False
    return True


@given(content=changed_tree(YOLO_YAML))
def test_yolo_poses_yaml(attempt, folder, content):
    if wrote(folder / "data.yaml", content):
        attempt("YOLO-pose", read, folder / "data.yaml")


@given(text=changed_text(["0 0.5 0.5 0.5 0.5 0.4 0.4 2 0.6 0.6 1\n"]))
def test_yolo_poses_labels(attempt, folder, text):
    (folder / "labels" / "p1.txt").write_text(text, encoding="utf-8", errors="replace")
    (folder / "set.yaml").write_text(yaml.safe_dump({**YOLO_YAML, "val": None}))
    attempt("YOLO-pose", read, folder / "set.yaml")
    (folder / "labels" / "p1.txt").unlink()


@given(content=changed_tree(LABEL_STUDIO))
def test_label_studios_tasks(attempt, folder, content):
    (folder / "tasks.json").write_text(json.dumps(content))
    attempt("Label Studio", read, folder / "tasks.json")


@given(text=changed_text([TABLE]))
def test_deeplabcuts_tables(attempt, folder, text):
    (folder / "table.csv").write_text(text, encoding="utf-8", errors="replace")
    attempt("DeepLabCut", read, folder / "table.csv")


@given(content=changed_tree(PROJECT))
def test_deeplabcuts_projects(attempt, folder, content):
    if wrote(folder / "config.yaml", content):
        attempt("DeepLabCut", read, folder / "config.yaml")
