"""Finding people with an ONNX detector: letterbox, statistics, labels, and boxes back in the picture's pixels."""

import json

import numpy as np
import pytest

from lib.inference.detector import BORDER_VALUE, DetectorSettings, PersonDetector, letterbox
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


@pytest.mark.parametrize(
    ("size", "inner"), [((640, 480), (320, 240)), ((100, 200), (160, 320)), ((320, 320), (320, 320))]
)
def test_a_letterbox_keeps_the_aspect_and_fills_up_with_grey(size, inner):
    canvas, factors = letterbox(np.full((size[1], size[0], 3), 7, np.uint8), (320, 320))
    assert canvas.shape == (320, 320, 3) and factors == (inner[0] / size[0], inner[1] / size[1])
    assert (canvas[: inner[1], : inner[0]] == 7).all()
    assert (canvas[inner[1] :] == BORDER_VALUE).all() and (canvas[:, inner[0] :] == BORDER_VALUE).all()


def test_the_thinnest_picture_still_has_a_pixel():
    canvas, factors = letterbox(np.zeros((1, 1000, 3), np.uint8), (320, 320))
    assert (canvas[0] == 0).all() and factors == (0.32, 1.0)


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
    canvas = letterbox(picture, (64, 32))[0].astype(float)
    expected = ((canvas[..., ::-1] if color_rgb else canvas) - mean) / deviation
    assert found.session.values.shape == (1, 3, 32, 64)
    np.testing.assert_allclose(found.session.values[0], expected.transpose(2, 0, 1), rtol=1e-4, atol=1e-4)


def test_a_size_fixed_in_the_file_counts_before_the_settings(detector):
    assert detector([], shape=(1, 3, 416, "w")).size == (320, 416)


def test_a_network_of_another_kind_is_refused_with_its_outputs(detector):
    with pytest.raises(UserError, match=r"outputs boxes \[1, 0, 5\], labels \[1, 0\]; expected a detector with dets"):
        detector([], names=("boxes", "labels"))
    with pytest.raises(UserError, match="one picture at a time"):
        detector([], shape=(4, 3, 320, 320))


def test_outputs_of_another_shape_are_refused(detector):
    found = detector([])
    found.session = type("Other", (), {"run": lambda *_: [np.zeros((1, 3, 6)), np.zeros((1, 3))]})()
    with pytest.raises(UserError, match=r"makes dets \(1, 3, 6\)"):
        found.detect(np.zeros((48, 64, 3), np.uint8))


def test_a_failure_while_running_is_one_line(detector):
    found = detector([])
    found.session = type("Broken", (), {"run": lambda *_: 1 / 0})()
    with pytest.raises(RunError, match=r"d\.onnx cannot be run: division by zero"):
        found.detect(np.zeros((48, 64, 3), np.uint8))


def overlap(box, others):
    """Intersection over union of a box (4,) with others (N, 4), x, y, width, height."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    inner = np.clip(high - low, 0, None).prod(axis=1)
    return inner / (box[2:].prod() + others[:, 2:].prod(axis=1) - inner)


def test_a_real_detector_finds_the_people_of_real_pictures(shared):
    folder = shared / "data" / "coco4"
    content = json.loads((folder / "annotations" / "person_keypoints_val2017.json").read_text())
    found = PersonDetector(shared / "data" / "rtmdet-nano.onnx", provider="cpu")
    hits = []
    for image in content["images"]:
        boxes, _ = found.detect(read_image(folder / "images" / "val2017" / image["file_name"]))
        people = [person for person in content["annotations"] if person["image_id"] == image["id"]]
        hits += [
            overlap(np.array(person["bbox"]), boxes).max(initial=0) for person in people if person["num_keypoints"]
        ]
    assert len(hits) == 12 and min(hits) > 0.5
