"""True boxes raise no alarm, and those that are read in another way than they are written do."""

import json

import numpy as np
import pytest

from lib.core.box_forms import CXCYWH, SHARE, XYXY, as_xywh, likely_format, unlikely_words
from lib.core.boxes import box_of_joints
from lib.dataset.synthetic.people import sample_person
from lib.inference.boxes.finders import FileBoxes

PICTURES = ((1280, 720), (1920, 1080), (640, 480))  # the sizes of MPII's pictures, mostly the first


def alarms(boxes, sizes):
    """How many of the boxes are complained of when each is the only one, and whether all together are."""
    single = sum(bool(unlikely_words(boxes[row : row + 1], sizes[row : row + 1])[1]) for row in range(len(boxes)))
    return single, unlikely_words(boxes, sizes)[1]


def test_ten_thousand_drawn_people_raise_no_alarm():
    rng, boxes, sizes = np.random.default_rng(5), [], []
    while len(boxes) < 10000:
        size, persons = tuple(rng.integers(64, 2000, 2).tolist()), int(rng.integers(1, 4))
        people = [sample_person(rng, size, (number, persons), 1.0) for number in range(persons)]
        joints = np.array([person.points for person in people])
        found = box_of_joints(joints, np.ones(joints.shape[:2], bool))
        assert not unlikely_words(found, np.tile(np.array(size, float), (persons, 1)))[1]
        boxes += found.tolist()
        sizes += [size] * persons
    assert alarms(np.array(boxes), np.array(sizes, float)) == (0, "")


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 2, 2), (100, 50, 2, 3), (0.5, 0.5, 1.6, 3), (638, 478, 2, 2), (0, 0, 640, 480), (-64, -48, 768, 576),
        (-300, -200, 1300, 1000), (0, 0, 641, 482), (300, 10, 400, 460), (10, 300, 620, 300), (0, 100, 640, 560),
    ],
)  # fmt: skip
def test_tiny_and_huge_people_raise_no_alarm(box):
    for amount in (1, 3, 30):  # the same person in each frame
        boxes, sizes = np.tile(np.array(box, float), (amount, 1)), np.tile([640.0, 480.0], (amount, 1))
        assert unlikely_words(boxes, sizes) == ("", "")


def test_sets_of_unknown_sizes_and_no_boxes_raise_no_alarm():
    boxes = np.tile(np.array([20.0, 30.0, 400.0, 500.0]), (9, 1))
    assert unlikely_words(boxes, np.full((9, 2), np.nan)) == ("", "") == unlikely_words(boxes[:0], np.empty((0, 2)))


def test_the_way_on_is_the_one_that_was_written():
    rng = np.random.default_rng(2)
    size = np.array([640.0, 480.0])
    sizes = np.tile(size, (60, 1))
    low = rng.uniform(0, 0.6, (60, 2)) * size
    sides = (size - low) * rng.uniform(0.3, 1, (60, 2))
    assert likely_format(np.hstack([low, sides]), sizes) == ""
    assert likely_format(np.hstack([low, low + sides]), sizes) == XYXY
    assert likely_format(np.hstack([low + sides / 2, sides]), sizes) == CXCYWH
    assert unlikely_words(np.hstack([low, sides]) / np.tile(size, 2), sizes)[1] == SHARE
    for form, written in ((XYXY, [low, low + sides]), (CXCYWH, [low + sides / 2, sides])):
        np.testing.assert_allclose(as_xywh(np.hstack(written), form), np.hstack([low, sides]))


# -- real boxes --------------------------------------------------------------------------------------------------------


def of_coco4(shared):
    truth = json.loads((shared / "data/coco4/annotations/person_keypoints_val2017.json").read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in truth["images"]}
    entries = json.loads((shared / "data/coco4/person_detections_val2017.json").read_text())
    boxes = np.array([entry["bbox"] for entry in entries])
    return boxes, np.array([sizes[entry["image_id"]] for entry in entries], float)


def test_cocos_detected_boxes_raise_none_and_all_other_ways_do(shared):
    boxes, sizes = of_coco4(shared)
    assert len(boxes) == 118 and alarms(boxes, sizes) == (0, "")
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    assert unlikely_words(corners, sizes)[1] == XYXY
    assert unlikely_words(np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]]), sizes)[1] == CXCYWH
    assert unlikely_words(boxes / np.tile(sizes, 2), sizes)[1] == SHARE
    FileBoxes(shared / "data/coco4/person_detections_val2017.json", 0).prepare(
        sorted((shared / "data/coco4/images/val2017").glob("*.jpg"))
    )


@pytest.mark.parametrize("size", PICTURES)
def test_mpiis_boxes_raise_none_though_many_reach_far_beyond(shared, size):
    records = json.loads((shared / "data/mpii_val/annot/valid.json").read_text())
    centers = np.array([record["center"] for record in records])
    sides = np.array([record["scale"] for record in records])[:, None] * 200
    boxes = np.hstack([centers - sides / 2, sides, sides])
    sizes = np.tile(np.array(size, float), (len(boxes), 1))
    fitting = np.array([(np.array(record["joints"]).max(axis=0) <= size).all() for record in records])
    assert len(boxes) == 2958 and alarms(boxes[fitting], sizes[fitting]) == (0, "")


def test_posetracks_boxes_raise_none(shared):
    folder = shared / "data/posetrack18_mini/annotations"
    truth = json.loads((folder / "test_posetrack18_val.json").read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in truth["images"]}
    entries = json.loads((folder / "test_posetrack18_human_detections.json").read_text())
    for found in (truth["annotations"], [entry for entry in entries if entry["image_id"] in sizes]):
        boxes = np.array([entry["bbox"] for entry in found if entry.get("bbox")], float)
        assert len(boxes) and alarms(boxes, np.array([sizes[entry["image_id"]] for entry in found], float)) == (0, "")
