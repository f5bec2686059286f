"""What cannot be in a detector's answer is refused in one line or left out, and overlapping boxes are one person."""

import numpy as np
import pytest

from lib.inference.detectors import answers
from lib.inference.detectors.answers import MAX_PEOPLE, Asked
from lib.utils.errors import UserError

SIZE = (640, 640)


def asked(label=0, threshold=0.3, overlap=0.7, size=SIZE):
    return Asked("d.onnx", size, label, threshold, overlap)


def yolo(boxes, classes=3):
    """Ultralytics' output for boxes of (centre x, y, width, height, scores of the first classes)."""
    values = np.zeros((1, 4 + classes, 8400), np.float32)
    for number, box in enumerate(boxes):
        values[0, : len(box), number] = box
    return [values]


def test_of_overlapping_boxes_the_one_of_the_highest_score_stays():
    # shifted by 10 of 100 pixels: 90 / 110 are the same; by 30: 70 / 130
    found = yolo([(100, 100, 100, 100, 0.8), (110, 100, 100, 100, 0.9), (140, 100, 100, 100, 0.7)])
    dets, labels = answers.of_yolo(found, asked())
    np.testing.assert_allclose(dets, [(60, 50, 160, 150, 0.9), (90, 50, 190, 150, 0.7)], rtol=1e-6)
    assert labels.tolist() == [0, 0]
    assert len(answers.of_yolo(found, asked(overlap=0.5))[0]) == 1


def test_boxes_of_other_classes_neither_count_nor_suppress():
    found = yolo([(100, 100, 100, 100, 0.5, 0.9), (100, 100, 100, 100, 0.6)])
    assert answers.of_yolo(found, asked())[0][:, 4].tolist() == [np.float32(0.6)]
    assert answers.of_yolo(found, asked(label=1))[0][:, 4].tolist() == [np.float32(0.9)]


@pytest.mark.parametrize("bad", [(np.nan, 9, 9, 9), (9, 9, -5, 9), (9, 9, 9, 0), (9, np.inf, 9, 9), (9, 9, 9, np.nan)])
def test_boxes_that_cannot_be_are_left_out_and_suppress_nobody(bad):
    dets, _ = answers.of_yolo(yolo([(*bad, 0.9), (9, 9, 9, 9, 0.5)]), asked())
    np.testing.assert_allclose(dets, [(4.5, 4.5, 13.5, 13.5, 0.5)])


def test_scores_of_nan_are_left_out():
    assert len(answers.of_yolo(yolo([(9, 9, 9, 9, np.nan), (9, 9, 9, 9, 0.5, np.nan)]), asked())[0]) == 0


def test_no_more_people_are_found_than_detectors_give():
    boxes = [(10 * number, 10, 9, 9, 0.5) for number in range(8400)]
    assert len(answers.of_yolo(yolo(boxes), asked())[0]) == MAX_PEOPLE


def test_a_pose_network_is_no_detector():
    with pytest.raises(UserError, match="makes scores of classes up to 412, expected 0 to 1: is it a detector"):
        answers.of_yolo(yolo([(9, 9, 9, 9, 0.9, 412, 80)]), asked())


def yolox(values, cell=0):
    found = np.zeros((1, 8400, 6), np.float32)
    found[0, cell] = values
    return [found]


def test_yolox_is_decoded_on_each_of_its_grids():
    # 640 has 80, 40 and 20 cells: cell 6400 is the first of stride 16, 8000 of stride 32, 8021 in its row 1, column 1
    for cell, center, stride in ((81, 8, 8), (6400, 0, 16), (8000, 0, 32), (8021, 32, 32)):
        dets, _ = answers.of_yolox(yolox((0.5, 0.25, 0, np.log(4), 0.8, 0.5), cell), asked())
        x, y = center + 0.5 * stride, center + 0.25 * stride
        expected = (x - stride / 2, y - 2 * stride, x + stride / 2, y + 2 * stride, 0.4)
        np.testing.assert_allclose(dets, [expected], rtol=1e-6)


def test_yolox_with_its_boxes_decoded_inside_is_refused():
    with pytest.raises(UserError, match=r"e\*\*200 strides: are they decoded inside\? export without"):
        answers.of_yolox(yolox((320, 320, 200, 100, 0.9, 0.9)), asked())


@pytest.mark.parametrize("label", [-1, 6])
def test_a_label_beyond_the_classes_is_refused(label):
    with pytest.raises(UserError, match=f"--person-label {label}: d.onnx has 3 classes, the first is 0"):
        answers.of_yolo(yolo([]), asked(label))


def test_labels_between_whole_numbers_are_those_of_another_form():
    found = np.array([[[100, 100, 50, 50, 0.9, 0.7]]], np.float32)  # YOLOv5's: the last is a score
    with pytest.raises(UserError, match=r"makes labels such as 0\.7; expected whole numbers"):
        answers.of_yolo_end_to_end([found], asked())


@pytest.mark.parametrize("rows", [np.full((1, 1), -1, np.float32), np.zeros((0, 6)), np.full((3, 6), -1.0)])
def test_paddledetection_may_find_nobody(rows):
    dets, labels = answers.of_paddledetection([rows, np.array([0])], asked())
    assert dets.shape == (0, 5) and labels.shape == (0,)


def test_paddledetection_may_leave_out_the_number():
    rows = np.array([[0, 0.5, 1, 2, 3, 4], [-1, -1, -1, -1, -1, -1]], np.float32)
    dets, labels = answers.of_paddledetection([rows], asked())
    assert dets[0].tolist() == [1, 2, 3, 4, 0.5] and labels.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("decode", "shapes", "expected"),
    [
        ("of_mmdeploy", [(64, 3, 5), (64, 3)], "dets (1, M, 5), labels (1, M)"),
        ("of_mmdeploy", [(1, 3, 5), (1, 4)], "dets (1, M, 5)"),
        ("of_yolox", [(1, 3549, 85)], "YOLOX's (1, 8400, 5 + classes)"),
        ("of_yolox", [(64, 8400, 85)], "YOLOX's (1, 8400, 5 + classes)"),
        ("of_yolo", [(2, 84, 8400)], "(1, 4 + classes, boxes)"),
        ("of_yolo", [(1, 4, 8400)], "(1, 4 + classes, boxes)"),
        ("of_yolo_end_to_end", [(1, 300, 7)], "(1, M, 6)"),
        ("of_yolo_end_to_end", [(300, 6)], "(1, M, 6)"),
        ("of_torchvision", [(5, 4), (4,), (5,)], "boxes (M, 4), labels (M), scores (M)"),
        ("of_torchvision", [(), (5,), (5,)], "boxes (M, 4), labels (M), scores (M)"),
        ("of_zoo_ssd", [(2, 5, 4), (2, 5), (2, 5)], "bboxes (1, M, 4)"),
        ("of_paddledetection", [(5, 7), (1,)], "(M, 6) label, score"),
        ("of_paddledetection", [(5, 6), (2,)], "(M, 6) label, score"),
    ],
)
def test_outputs_of_another_shape_are_refused_with_both(decode, shapes, expected):
    with pytest.raises(UserError) as caught:
        getattr(answers, decode)([np.ones(shape, np.float32) for shape in shapes], asked())
    assert expected in str(caught.value) and str(shapes[0]) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [np.nan, np.inf, -3])
def test_a_number_of_boxes_that_cannot_be_is_refused(count):
    with pytest.raises(UserError, match="and their number"):
        answers.of_paddledetection([np.zeros((5, 6), np.float32), np.array([count])], asked())


OUTPUTS = {
    "of_mmdeploy": [(1, 9, 5), (1, 9)],
    "of_yolox": [(1, 8400, 6)],
    "of_yolo": [(1, 5, 8400)],
    "of_yolo_end_to_end": [(1, 9, 6)],
    "of_torchvision": [(9, 4), (9,), (9,)],
    "of_zoo_ssd": [(1, 9, 4), (1, 9), (1, 9)],
    "of_paddledetection": [(9, 6), (1,)],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("filling", [np.nan, np.inf, -np.inf, 3e38, -3e38, 0, 1])
@pytest.mark.parametrize("name", OUTPUTS)
def test_whatever_the_numbers_are_there_is_an_answer_or_one_line(name, filling):
    found = [np.full(shape, filling, np.float32) for shape in OUTPUTS[name]]
    try:
        with np.errstate(all="ignore"):
            dets, labels = getattr(answers, name)(found, asked())
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert dets.shape == (len(labels), 5)
