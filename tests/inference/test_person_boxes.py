"""Whose boxes a picture gets: options, detection files, detectors, and what is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lib.inference.boxes.finders import FileBoxes
from lib.inference.person_boxes import add_box_options, find_people_by
from lib.utils.errors import UserError
from lib.utils.media import Frame
from lib.utils.parser import OneLineParser

IMAGE = np.zeros((100, 200, 3), np.uint8)


def frame(name="000000000785.jpg", number=None, image=IMAGE):
    return Frame(image, Path("folder") / name, number)


@pytest.fixture
def finder():
    """The PeopleFinder of words of a command line."""

    def finder(*words):
        parser = OneLineParser()
        add_box_options(parser)
        return find_people_by(parser.parse_args([str(word) for word in words]), "cpu")

    return finder


def test_by_default_the_whole_picture_is_one_persons_box_and_the_line_says_so(finder):
    found = finder()
    people = found(frame())
    assert people.boxes.tolist() == [[0, 0, 200, 100]] and people.box_scores.tolist() == [1]
    assert found.line == "=> the whole picture is taken as one person's box" and found.warning() == ""


def test_given_boxes_are_those_of_every_picture(finder):
    found = finder("--bbox", 1, 2, 30, 40, "--bbox", -5, 6.5, 70, 80)
    assert found(frame()).boxes.tolist() == found(frame("other.jpg")).boxes.tolist()
    assert found(frame()).boxes.tolist() == [[1, 2, 30, 40], [-5, 6.5, 70, 80]]
    assert found.line == "=> 2 boxes from --bbox" and finder("--bbox", 1, 2, 3, 4).line == "=> 1 box from --bbox"


@pytest.mark.parametrize("box", [(5, 5, 0, 10), (5, 5, 10, -1), (5, 5, "nan", 10), ("inf", 5, 5, 10), (1e30, 5, 9, 9)])
def test_a_box_that_cannot_be_is_refused_at_once(finder, box):
    with pytest.raises(UserError, match="expected X Y WIDTH HEIGHT in pixels, width and height above 0"):
        finder("--bbox", *box)


@pytest.mark.parametrize("box", [(200, 5, 10, 10), (5, 100, 10, 10), (-10, 5, 10, 10), (5, -20, 10, 20)])
def test_a_box_outside_the_picture_is_refused_with_the_pictures_size(finder, box):
    with pytest.raises(UserError, match=r"--bbox.*outside the picture 000000000785\.jpg of 200x100 pixels"):
        finder("--bbox", *box)(frame())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--bbox", 1, 2, 3), "expected 4 arguments"),
        (("--bbox", 1, 2, 3, 4, "--bbox-file", "x.json"), "not allowed with"),
        (("--detector", "x.onnx", "--bbox-thr", "nan"), "expected a finite number, got nan"),
        (("--detector", "x.onnx", "--detector-size", "320", "0"), "expected a whole number above 0, got 0"),
        (("--detector", "x.onnx", "--detector-form", "yolov3"), "invalid choice: 'yolov3'"),
        (("--detector", "x.onnx", "--detector-std", "1", "0", "1"), "expected a number above 0, got 0"),
    ],
)
def test_options_that_cannot_be_are_one_line(finder, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        finder(*words)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("--person-label", 1), ("--detector-rgb",), ("--detector-mean", 1, 2, 3), ("--detector-form", "yolo")]
)
def test_an_option_of_a_detector_without_one_is_refused(finder, words):
    with pytest.raises(UserError, match=f"{words[0]} requires --detector: give --detector"):
        finder(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--bbox-format", "xyxy"), "--bbox-format requires --bbox or --bbox-file"),
        (("--bbox-unit", "share", "--detector", "x.onnx"), "--bbox-unit requires --bbox or --bbox-file"),
        (("--person-label", "cat", "--detector", "x.onnx"), "--person-label cat: a detector's labels are numbers"),
    ],
)
def test_options_that_say_nothing_are_refused(finder, words, said):
    with pytest.raises(UserError, match=said):
        finder(*words)


# -- detection files -------------------------------------------------------------------------------------------------


def detection(image_id=785, box=(10, 20, 30, 40), **values):
    return {"image_id": image_id, "category_id": 1, "bbox": list(box), "score": 0.9, **values}


@pytest.fixture
def write(tmp_path):
    def write(*content):
        (tmp_path / "boxes.json").write_text(json.dumps(content))
        return tmp_path / "boxes.json"

    return write


def test_a_files_boxes_go_to_the_pictures_they_name(write):
    found = FileBoxes(
        write(
            detection(), detection("785", (1, 2, 3, 4), score=0.5), detection("cat", (5, 6, 7, 8)),
            detection("dog.png", (9, 9, 9, 9)), detection(3, (2, 2, 2, 2)),
        ),
        0.3,
    )  # fmt: skip
    people = found(frame())
    assert people.boxes.tolist() == [[10, 20, 30, 40], [1, 2, 3, 4]] and people.box_scores.tolist() == [0.9, 0.5]
    assert found(frame("cat.jpg")).boxes.tolist() == [[5, 6, 7, 8]]
    assert found(frame("dog.png")).boxes.tolist() == [[9, 9, 9, 9]]
    assert found(frame("clip.mp4", 3)).boxes.tolist() == [[2, 2, 2, 2]]
    assert found(frame("dog.jpg")).boxes.shape == found(frame("000000000785.mp4", 0)).boxes.shape == (0, 4)
    assert found.warning() == ""


def test_what_is_left_out_of_a_file_is_said(write, finder):
    path = write(
        detection(), detection(category_id=3), detection(box=(1, 1, 0, 5)), detection(score=0.29),
        {"image_id": 785, "bbox": [1, 1, 5, 5]},
    )  # fmt: skip
    assert finder("--bbox-file", path).line == (
        f"=> 2 boxes from {path}; left out: 1 of another category, 1 of no area, 1 below the score 0.3"
    )
    assert finder("--bbox-file", path, "--bbox-thr", 0).line.startswith("=> 3 boxes")
    assert finder("--bbox-file", path).remarks() == []
    (remark,) = finder("--bbox-file", path, "--bbox-thr", 1.5).remarks()
    assert remark.endswith("no box is used; left out: 1 of another category, 1 of no area, 3 below the score 1.5")


def test_a_file_that_names_none_of_the_pictures_is_complained_of(write):
    found = FileBoxes(write(detection()), 0.3)
    found(frame("cat.jpg"))
    assert "no picture here has an image_id of its boxes (such as 785)" in found.warning()
    empty = FileBoxes(write(), 0.3)
    assert empty(frame()).boxes.shape == (0, 4) and empty.warning() == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ((detection(), detection(box=(1, math.nan, 3, 4))), "detection 2 of 2: a box of [1, nan, 3, 4]"),
        ((detection(box=(1, 2, 3)),), "detection 1 of 1: a box of [1, 2, 3]; expected x, y, width, height"),
        ((detection(score=math.inf),), "a score of inf; expected a finite number"),
        ((detection(image_id=None),), "an image_id of None"),
        (({"image_id": 1},), "detection 1 of 1: no 'bbox'"),
        (("text",), "expected a list of detections"),
    ],
)
def test_a_file_with_something_that_cannot_be_is_one_line(write, content, said):
    with pytest.raises(UserError) as caught:
        FileBoxes(write(*content), 0.3)
    assert said in str(caught.value) and "boxes.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_one_line(tmp_path):
    (tmp_path / "x.json").write_text("not JSON")
    with pytest.raises(UserError, match=r"x\.json is not valid JSON"):
        FileBoxes(tmp_path / "x.json", 0.3)
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.json"):
        FileBoxes(tmp_path / "nowhere.json", 0.3)


def test_a_files_box_outside_its_picture_is_refused(write):
    with pytest.raises(UserError, match=r"a box of .*boxes\.json, \[300.0, .*outside the picture"):
        FileBoxes(write(detection(box=(300, 2, 3, 4))), 0.3)(frame())


# -- detectors -------------------------------------------------------------------------------------------------------


def test_a_detectors_options_reach_it(finder, tmp_path):
    onnx_toy = pytest.importorskip("onnx_toy")
    path = onnx_toy.write_detector(tmp_path / "d.onnx", [(0, 0, 8, 8, 0.5), (0, 0, 4, 4, 0.2)], [2, 2])
    words = ["--person-label", 2, "--detector-size", 20, 10, "--detector-mean", 1, 2, 3, "--detector-std", 4, 5, 6]
    found = finder("--detector", path, *words, "--detector-rgb", "--bbox-thr", 0.4)
    people = found(frame())
    assert people.boxes.tolist() == [[0, 0, 80, 80]] and people.box_scores.tolist() == [0.5]
    settings = found.detector.settings
    assert (settings.mean, settings.deviation, settings.color_rgb) == ([1, 2, 3], [4, 5, 6], True)
    assert found.line == (
        f"=> boxes from {path}, score >= 0.4, runs on CPUExecutionProvider; form mmdeploy, input 20x10, letterbox at "
        "the top left, RGB minus (1, 2, 3) over (4, 5, 6)"
    )
    assert finder("--detector", path, "--detector-form", "mmdeploy").detector.person_label == 0
