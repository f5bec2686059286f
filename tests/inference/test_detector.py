"""Finding people with an ONNX detector: letterbox, statistics, labels, and boxes back in the picture's pixels."""

import json

import numpy as np
import pytest

from lib.core.boxes import box_overlaps
from lib.inference.detector import DetectorSettings, PersonDetector
from lib.inference.detectors.answers import grid_cells
from lib.utils.errors import RunError, UserError
from lib.utils.image import read_image

pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")


@pytest.fixture
def detector(tmp_path):
    """Makes a PersonDetector that always finds `dets`."""

    def detector(dets, labels=None, settings=None, **network):
        return PersonDetector(onnx_toy.write_detector(tmp_path / "d.onnx", dets, labels, **network), settings, "cpu")

    return detector


def test_boxes_come_back_in_the_pictures_pixels_the_surest_first(detector):
    found = detector([(10, 20, 110, 220, 0.5), (0, 0, 160, 80, 0.9)])
    boxes, scores = found.detect(np.zeros((480, 640, 3), np.uint8))  # halved
    np.testing.assert_allclose(boxes, [(0, 0, 320, 160), (20, 40, 200, 400)])
    np.testing.assert_allclose(scores, [0.9, 0.5])


def test_boxes_are_cut_at_the_pictures_border_and_those_without_area_left_out(detector):
    dets = [(-30, -5, 50, 330, 0.9), (310, 230, 330, 250, 0.8), (10, 241, 60, 300, 0.7), (50, 50, 50, 90, 0.6)]
    boxes, scores = detector(dets).detect(np.zeros((480, 640, 3), np.uint8))
    np.testing.assert_allclose(boxes, [(0, 0, 100, 480), (620, 460, 20, 20)])
    np.testing.assert_allclose(scores, [0.9, 0.8])


def test_only_people_above_the_threshold_count(detector):
    dets = [(0, 0, 50, 50, 0.9), (0, 0, 60, 60, 0.31), (0, 0, 70, 70, 0.29), (0, 0, np.nan, 70, 0.9)]
    labels = [1, 0, 0, 0]
    assert detector(dets, labels).detect(np.zeros((320, 320, 3), np.uint8))[0].tolist() == [[0, 0, 60, 60]]
    settings = DetectorSettings(threshold=0.1, person_label=1)
    assert detector(dets, labels, settings).detect(np.zeros((320, 320, 3), np.uint8))[0].tolist() == [[0, 0, 50, 50]]


def test_nobody_is_found_where_nobody_is(detector):
    boxes, scores = detector([]).detect(np.zeros((48, 64, 3), np.uint8))
    assert boxes.shape == (0, 4) and scores.shape == (0,)


class Recording:
    """A session that keeps what it is fed."""

    def run(self, names, feed):
        (self.values,) = feed.values()
        return [np.zeros((1, 0, 5), np.float32), np.zeros((1, 0), np.int64)]


@pytest.mark.parametrize("color_rgb", [False, True])
def test_the_network_gets_the_letterbox_minus_the_mean_over_the_deviation(detector, color_rgb):
    mean, deviation = (10.0, 20.0, 30.0), (2.0, 4.0, 5.0)
    found = detector([], settings=DetectorSettings(size=(64, 32), mean=mean, deviation=deviation, color_rgb=color_rgb))
    found.session = Recording()
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    found.detect(picture)
    canvas = np.full((32, 64, 3), 114.0)  # the picture has the input's height
    canvas[:, :32] = picture
    expected = ((canvas[..., ::-1] if color_rgb else canvas) - mean) / deviation
    assert found.session.values.shape == (1, 3, 32, 64)
    np.testing.assert_allclose(found.session.values[0], expected.transpose(2, 0, 1), rtol=1e-4, atol=1e-4)


def test_a_size_fixed_in_the_file_counts_before_the_settings(detector):
    assert detector([], shape=(1, 3, 416, "w")).size == (320, 416)


def test_outputs_of_another_shape_are_refused(detector):
    found = detector([])
    found.session = type("Other", (), {"run": lambda *_: [np.zeros((1, 3, 6)), np.zeros((1, 3))]})()
    with pytest.raises(UserError, match=r"makes \(1, 3, 6\), \(1, 3\); expected dets"):
        found.detect(np.zeros((48, 64, 3), np.uint8))


def test_a_failure_while_running_is_one_line(detector):
    found = detector([])
    found.session = type("Broken", (), {"run": lambda *_: 1 / 0})()
    with pytest.raises(RunError, match=r"d\.onnx cannot be run: division by zero"):
        found.detect(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize("filling", [np.nan, np.inf, -np.inf, 3e38, -3e38])
def test_boxes_of_impossible_numbers_are_left_out(detector, filling):
    boxes = [(filling, 0, 9, 9, 0.9), (0, 0, 9, filling, 0.9), (0, 0, 9, 9, -filling), (9, 9, 0, 0, 0.9)]
    boxes = [box for box in boxes if not box[4] > 1]  # that is below
    found, scores = detector([*boxes, (1, 2, 4, 6, 0.5)]).detect(np.zeros((320, 320, 3), np.uint8))
    assert [1, 2, 3, 4] in found.tolist() and ((found >= 0) & (found <= 320)).all() and (found[:, 2:] > 0).all()


def test_scores_above_one_are_refused(detector):
    with pytest.raises(UserError, match=r"makes scores up to 7\.5; expected 0 to 1 of the form mmdeploy: give another"):
        detector([(0, 0, 9, 9, 7.5)]).detect(np.zeros((320, 320, 3), np.uint8))


def test_no_more_than_300_people_are_found(detector):
    boxes, scores = detector([(0, 0, 9, 9, 0.5)] * 400 + [(0, 0, 9, 9, 0.9)]).detect(np.zeros((32, 32, 3), np.uint8))
    assert len(boxes) == 300 and scores[0] == np.float32(0.9)


# -- real pictures ---------------------------------------------------------------------------------------------------


def missed_people(shared, found):
    """Ids of the 12 people of coco4 that no box of a PersonDetector has an IoU of 0.5 with."""
    folder = shared / "data" / "coco4"
    content = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    boxes = {
        image["id"]: found.detect(read_image(folder / "images" / "val2017" / image["file_name"]))[0]
        for image in content["images"]
    }
    people = [person for person in content["annotations"] if person["num_keypoints"]]
    assert len(people) == 12
    overlaps = [box_overlaps(person["bbox"], boxes[person["image_id"]]).max(initial=0) for person in people]
    return {person["id"] for person, overlap in zip(people, overlaps, strict=True) if overlap < 0.5}


HALF_HIDDEN = 467657  # who stands behind somebody in image 197388: YOLOX's score is 0.293, the threshold 0.3


@pytest.mark.parametrize(("file", "missed"), [("rtmdet-nano.onnx", set()), ("yolox_nano.onnx", {HALF_HIDDEN})])
def test_real_detectors_find_the_people_of_real_pictures(shared, file, missed):
    assert missed_people(shared, PersonDetector(shared / "data" / file, provider="cpu")) == missed


def as_yolo(path, target):
    """Writes YOLOX's network with Ultralytics' input and output around it."""
    model = onnx_toy.onnx.load(path)
    make, graph = onnx_toy.onnx.helper.make_node, model.graph
    source, output = graph.input[0].name, graph.output[0].name
    cells, steps = grid_cells((416, 416))
    arrays = {
        "scale": np.float32(255), "bgr": np.array([2, 1, 0]), "cells": cells[None].astype(np.float32),
        "steps": steps[None].astype(np.float32),
    }  # fmt: skip
    for key, array in arrays.items():
        graph.initializer.append(onnx_toy.onnx.numpy_helper.from_array(np.asarray(array), key))
    before = [make("Mul", ["rgb", "scale"], ["large"]), make("Gather", ["large", "bgr"], [source], axis=1)]
    after = [
        make("Split", [output], ["xy", "wh", "object", "classes"], axis=2, split=[2, 2, 1, 80]),
        make("Add", ["xy", "cells"], ["moved"]), make("Mul", ["moved", "steps"], ["centers"]),
        make("Exp", ["wh"], ["strides"]), make("Mul", ["strides", "steps"], ["sides"]),
        make("Mul", ["object", "classes"], ["scores"]),
        make("Concat", ["centers", "sides", "scores"], ["rows"], axis=2),
        make("Transpose", ["rows"], ["output0"], perm=[0, 2, 1]),
    ]  # fmt: skip
    for node in reversed(before):
        graph.node.insert(0, node)
    graph.node.extend(after)
    graph.input[0].name = "rgb"
    graph.output[0].CopyFrom(onnx_toy.value("output0", [1, 84, 3549]))
    onnx_toy.onnx.save(model, str(target))
    return target


def test_the_same_network_finds_the_same_people_in_the_form_of_yolo(shared, tmp_path):
    found = PersonDetector(as_yolo(shared / "data" / "yolox_nano.onnx", tmp_path / "yolo.onnx"), provider="cpu")
    assert found.form.name == "yolo" and missed_people(shared, found) <= {HALF_HIDDEN}
