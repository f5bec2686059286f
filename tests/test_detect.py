"""Boxes of a whole set: detect.py's file is one that valid.py takes, and its AP is pycocotools'."""

import json
from pathlib import Path

import onnx_toy
import pytest
import toy

from lib.inference.detect_set import person_ap
from lib.utils.runtime import run_script

pytest.importorskip("onnxruntime")


@pytest.fixture
def call(monkeypatch, capfd):
    def call(*words):
        monkeypatch.setattr("sys.argv", ["detect.py", *map(str, words)])
        capfd.readouterr()
        code = 0
        try:
            run_script(toy.import_script("detect").main)
        except SystemExit as ended:
            code = ended.code
        out, error = capfd.readouterr()
        return code, out, error

    return call


@pytest.fixture
def coco(tmp_path):
    pytest.importorskip("onnx")
    data = toy.draw_coco_data(tmp_path)
    detector = tmp_path / "d.onnx"
    onnx_toy.write_detector(detector, [[[0, 0, 200, 200, 0.9], [10, 10, 60, 60, 0.0001]]], [[0, 0]])
    sections = {"DATASET": {"DATASET": "coco", "TEST_SET": "val2017"}, "MODEL": {"NUM_JOINTS": 17}}
    return toy.write_experiment(tmp_path, data, **sections), detector, data


def test_each_image_gets_the_boxes_that_the_detector_finds(call, coco, tmp_path):
    experiment, detector, _ = coco
    code, out, error = call("--cfg", experiment, "--detector", detector, "--output", tmp_path / "b.json")
    assert code == 0, error
    entries = json.loads((tmp_path / "b.json").read_text())
    assert entries and {entry["score"] for entry in entries} == {0.9}  # 0.0001 is below 0.001
    assert len({entry["image_id"] for entry in entries}) == len(entries)
    assert all(entry["bbox"][:2] == [0, 0] for entry in entries)
    assert "| AP | Ap .5 |" in out and "--coco-bbox-file" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give --detector FILE.onnx"),
        (("--detector", "nowhere.onnx"), "there is no model file nowhere.onnx"),
        (("--detector", "{d}", "--output", "b.txt"), "the name must end in .json"),
        (("--detector", "{d}", "DATASET.DATASET", "mpii", "MODEL.NUM_JOINTS", "16"), "are for sets in COCO's form"),
    ],
)
def test_what_cannot_be_is_one_line(call, coco, words, said):
    experiment, detector, _ = coco
    code, _, error = call("--cfg", experiment, *(word.format(d=detector) for word in words))
    assert code == 2 and said in error and error.count("\n") == 1


def test_true_boxes_have_an_ap_of_one(shared):
    from lib.core.skeletons import COCO
    from lib.dataset.annotations.forms import COCOForm

    form = COCOForm(Path(shared / "data" / "coco4"), COCO, (192, 256), "jpg")
    truth = form.ground_truth("val2017")
    entries = [
        {"image_id": person["image_id"], "category_id": 1, "bbox": list(person["bbox"]), "score": 0.9}
        for person in truth.annotations
        if not person["iscrowd"]
    ]
    assert person_ap(form, "val2017", entries)["AP"] == pytest.approx(1, abs=1e-6)
    assert person_ap(form, "val2017", []) == {}


def test_a_set_is_read_as_valid_py_reads_it():
    from lib.config.schema import Config
    from lib.inference.detect_set import coco_form

    data = {"DATASET": "coco", "ROOT": "x", "ORIENTATION": "exif", "CATEGORIES": ["person"]}
    form = coco_form(Config.model_validate({"DATASET": data, "MODEL": {"NUM_JOINTS": 17}}))
    assert (form.orientation, form.categories) == ("exif", ("person",))
