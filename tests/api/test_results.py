"""Poses, as a Pose gives them: shapes, some of the people, words, pictures, and other libraries' forms."""

import json
import sys

import cv2
import numpy as np
import pytest
from spots import BOX, PICTURE

from lib import UserError

BOXES = [BOX, (10, 20, 200, 150), (150, 100, 60, 80)]


@pytest.fixture
def poses(pose):
    return pose(PICTURE, boxes=BOXES)


def test_what_is_in_it(poses):
    assert len(poses) == 3 and poses.names == ("middle", "left_end", "right_end")
    assert poses.keypoints.shape == (3, 3, 2) and poses.scores.shape == (3, 3) and poses.scores.min() > 0
    assert poses.boxes.tolist() == [list(box) for box in BOXES] and poses.box_scores.tolist() == [1, 1, 1]
    assert poses.track_ids.tolist() == [0, 0, 0] and poses.skeleton.name == "spots"
    np.testing.assert_array_equal(poses.image, PICTURE)


def test_some_of_the_people(poses):
    for rows, expected in [(1, [1]), (-1, [2]), (slice(1, None), [1, 2]), ([2, 0], [2, 0]), ([], []),
                           (poses.boxes[:, 0] > 15, [0, 2]), (np.int64(2), [2])]:  # fmt: skip
        some = poses[rows]
        assert type(some) is type(poses) and len(some) == len(expected)
        np.testing.assert_array_equal(some.keypoints, poses.keypoints[expected])
        assert some.skeleton is poses.skeleton and some.image is poses.image
    assert [one.boxes[0].tolist() for one in poses] == poses.boxes.tolist()
    for missing in (3, -4):
        with pytest.raises(IndexError, match="there is no person .*: 3 were found"):
            poses[missing]


def test_a_repr_that_a_person_can_read(poses, pose):
    lines = repr(poses).splitlines()
    assert lines[0] == "Poses: 3 people in picture (300x200), 3 joints (spots)"
    assert lines[1].startswith("  person 0: box x 20 y 30 width 90 height 100, score 1.00; joints' mean score ")
    assert len(lines) == 4
    assert repr(pose(PICTURE, boxes=[BOX] * 12)).splitlines()[-1] == "  and 2 more"
    assert repr(pose(PICTURE, boxes=[])) == "Poses: 0 people in picture (300x200), 3 joints (spots)"
    (tracked,) = pose([PICTURE], boxes=[[BOX]], track=True)
    assert "track 1: box" in repr(tracked)


def test_drawing_leaves_the_picture_alone(poses, pose):
    drawn = poses.plot()
    assert drawn.shape == PICTURE.shape and (drawn != PICTURE).any() and (poses.image == PICTURE).all()
    assert (poses.plot(threshold=1e9) != drawn).any()  # boxes alone
    (tracked,) = pose([PICTURE], boxes=[[BOX]], track=True)
    assert (tracked.plot() != pose(PICTURE, boxes=[BOX]).plot()).any()  # in the colour of a person


def test_saving(poses, tmp_path):
    picture, entries = poses.save(tmp_path / "x.PNG"), poses.save(str(tmp_path / "x.json"))
    np.testing.assert_array_equal(cv2.imread(str(picture)), poses.plot())
    written = json.loads(entries.read_text())
    assert [entry["bbox"] for entry in written] == poses.boxes.tolist()
    with pytest.raises(UserError, match=r"path .*x.txt: expected one of the endings .json .jpg"):
        poses.save(tmp_path / "x.txt")


def test_coco_form(poses):
    entries = poses.to_coco()
    assert {entry["image_id"] for entry in entries} == {"picture"}
    assert {entry["image_id"] for entry in poses.to_coco(image_id=785)} == {785}
    joints = np.reshape(entries[1]["keypoints"], (3, 3))
    np.testing.assert_allclose(joints[:, :2], poses.keypoints[1])
    np.testing.assert_allclose(joints[:, 2], poses.scores[1])


def test_a_table(poses, pose):
    pandas = pytest.importorskip("pandas")
    table = poses.to_dataframe()
    assert isinstance(table, pandas.DataFrame) and len(table) == 9
    row = table[(table.person == 2) & (table.keypoint == "right_end")].iloc[0]
    assert (row.x, row.y, row.score) == (*poses.keypoints[1, 2].tolist(), poses.scores[1, 2])
    assert list(pose(PICTURE, boxes=[]).to_dataframe().columns) == list(table.columns)


def test_supervision(poses):
    supervision = pytest.importorskip("supervision")
    found = poses.to_supervision()
    assert isinstance(found, supervision.KeyPoints)
    np.testing.assert_array_equal(found.xy, poses.keypoints)
    np.testing.assert_array_equal(found.data["tracker_id"], poses.track_ids)


@pytest.mark.parametrize(("method", "package"), [("to_dataframe", "pandas"), ("to_supervision", "supervision")])
def test_a_library_that_is_not_installed_is_named(poses, monkeypatch, method, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"needs {package}: pip install {package}"):
        getattr(poses, method)()
