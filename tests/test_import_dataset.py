"""import_dataset.py from the command line: a data folder, an experiment and a check; what cannot be is one line."""

import json

import cv2
import numpy as np
import pytest

from lib.config.config import read_config
from lib.dataset.build import read_persons

LINES = ["scorer,m,m,m,m", "bodyparts,eyeL,eyeL,eyeR,eyeR", "coords,x,y,x,y"]


@pytest.fixture
def run(tmp_path, monkeypatch, run_main):
    """Runs import_dataset.py beside labelled pictures of DeepLabCut; lines: of the table, None for good ones."""
    monkeypatch.chdir(tmp_path)

    def run(*words, lines=None, name="mice/data.csv"):
        (tmp_path / "mice").mkdir(exist_ok=True)
        rows = []
        for number in range(5):
            cv2.imwrite(f"mice/p{number}.png", np.full((60, 80, 3), 20 * number, np.uint8))
            rows.append(f"p{number}.png,10.25,{20 + number},40,25.5")
        (tmp_path / name).write_text("\n".join([*LINES, *rows] if lines is None else lines))
        return run_main("import_dataset", name, *words)

    return run


def test_a_data_set_of_another_tool_is_ready_to_train(run):
    code, out, _ = run("--name", "mice", "--validation", "0.4")
    assert code == 0 and "=> mice/data.csv is read as deeplabcut" in out
    assert "=> pairs that change places in a mirrored image: eyeL - eyeR" in out and "=> nothing wrong found" in out
    config = read_config("data/mice/mice.yaml")
    train, valid = read_persons(config, True), read_persons(config, False)
    assert len(train) == 3 and len(valid) == 2 and config.skeleton.joints == ("eyeL", "eyeR")
    assert train.joints[:, 0, 0].tolist() == [10.25] * 3 and cv2.imread("data/mice/check/val.jpg") is not None


def test_coco_is_read_as_init_dataset_reads_it(run, tmp_path):
    images = [{"id": number, "file_name": f"p{number}.png", "width": 80, "height": 60} for number in range(5)]
    points = [10, 20, 2, 40, 25, 2]
    records = [{"id": n, "image_id": n, "category_id": 1, "keypoints": points, "num_keypoints": 2} for n in range(5)]
    category = {"id": 1, "name": "mouse", "keypoints": ["eyeL", "eyeR"]}
    content = {"images": images, "annotations": records, "categories": [category]}
    code, out, _ = run("--output", "out", lines=[json.dumps(content)], name="mice/set.json")
    assert code == 0 and "=> mice/set.json is read as coco" in out and (tmp_path / "out" / "set.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "lines", "message"),
    [
        ((), ["a,b"], "its first lines are not scorer, bodyparts and coords"),
        (("--form", "yolo"), None, "mice/data.csv"),
        (("--validation", "2"), None, "--validation 2: expected a share between 0 and 1"),
        (("--images", "nowhere"), None, "5 of 5 pictures are not there"),
        (("--name", "a b"), None, "--name 'a b': expected letters, digits, _ and -"),
        (("--group", "video"), None, "there is 1 group of pictures: a split needs two at least"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(run, tmp_path, words, lines, message):
    code, _, error = run(*words, lines=lines)
    assert code == 2 and message in error and error.count("\n") == 1
    assert not (tmp_path / "data").exists()
