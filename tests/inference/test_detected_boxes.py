"""A detector that finds nobody, and a network that is unsure of all: which setting is likely wrong is said."""

from pathlib import Path

import numpy as np
import pytest

from lib.inference.boxes.detected import DetectedBoxes
from lib.inference.detector import DetectorSettings, PersonDetector
from lib.inference.remarks import ScoreWatch
from lib.utils.media import Frame

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")

PEOPLE, NOBODY = np.full((20, 40, 3), 180, np.uint8), np.zeros((20, 40, 3), np.uint8)


@pytest.fixture
def detector(tmp_path):
    """Makes a detector that wants pixels from 0 to 255 as they are: a bright picture has a person, of its mean / 200.

    RTMDet's files have the same outputs.
    """

    def detector(label=0, **settings):
        make, value = onnx.helper.make_node, onnx_toy.value
        arrays = {
            "box": np.array([[[2, 2, 18, 18]]], np.float32), "scale": np.array(200, np.float32),
            "low": np.array(0, np.float32), "high": np.array(0.95, np.float32), "label": np.array([[label]], np.int64),
            "shape": np.array([1, 1, 1]),
        }  # fmt: skip
        nodes = [
            make("ReduceMean", ["input"], ["mean"], keepdims=0), make("Div", ["mean", "scale"], ["share"]),
            make("Clip", ["share", "low", "high"], ["clipped"]), make("Reshape", ["clipped", "shape"], ["score"]),
            make("Concat", ["box", "score"], ["dets"], axis=2), make("Identity", ["label"], ["labels"]),
        ]  # fmt: skip
        outputs = [value("dets", [1, 1, 5]), value("labels", [1, 1], onnx_toy.INT64)]
        constants = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
        path = onnx_toy.save(tmp_path / "d.onnx", nodes, [value("input", [1, 3, 20, 40])], outputs, constants=constants)
        return DetectedBoxes(PersonDetector(path, DetectorSettings(**settings), "cpu"))

    return detector


def run(finder, *images):
    for number, image in enumerate(images):
        finder(Frame(image, Path("clip.mp4"), number))
    return finder.remarks()


def test_where_other_pixels_find_people_they_are_named_and_not_taken(detector):
    finder = detector()
    (remark,) = run(finder, PEOPLE, PEOPLE)
    assert finder.people == 0
    assert remark == (
        "=> WARNING: nobody found by the detector in 2 pictures; its file does not say what pixels it wants, and with "
        "BGR 0-255 as they are instead of BGR minus (103.53, 116.28, 123.675) over (57.375, 57.12, 58.395) it finds "
        "1 person in the first picture, clip.mp4, scores up to 0.90: if people are there, give --no-detector-rgb "
        "--detector-mean 0 0 0 --detector-std 1 1 1"
    )


def test_what_the_user_said_of_the_pixels_is_not_doubted_but_all_that_may_be_wrong_is_named(detector):
    (remark,) = run(detector(mean=(1, 1, 1), label=3), PEOPLE)
    for said in ("--person-label, now 0", "--detector-mean", "--detector-rgb", "--detector-size, now 40 20", "now 0.3"):
        assert said in remark
    (remark,) = run(detector(label=3, mean=(0, 0, 0), deviation=(1, 1, 1)), PEOPLE, PEOPLE)
    assert "(--person-label, now 0; there are boxes of label 3 (2))" in remark


def test_nothing_is_said_where_people_are_found_or_nothing_was_looked_at(detector):
    right = {"mean": (0, 0, 0), "deviation": (1, 1, 1)}
    assert run(detector(**right), NOBODY, PEOPLE) == [] == run(detector())
    (remark,) = run(detector(), NOBODY)  # other pixels find nobody either
    assert "1 picture; if people are there, check" in remark


def test_low_scores_of_all_people_are_said_and_joints_out_of_the_picture_are_none():
    watch = ScoreWatch()
    assert watch.lines() == []
    watch.add(np.zeros((0, 17)))
    watch.add(np.array([[0.9] * 9 + [0.05] * 8, [0.1] * 17, [0.8] * 17]))
    assert watch.lines() == []
    watch.add(np.full((2, 17), 0.3))
    (line,) = watch.lines()
    assert "of half the people even the better half has 0.30 or less" in line and "pixel scale, mean and std" in line
