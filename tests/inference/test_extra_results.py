"""The table of all keypoints and the pictures of the people."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from disk import full_disk

from lib.core.poses import NOBODY, Poses
from lib.core.skeletons import Skeleton
from lib.inference.results.extra_results import ExtraResults, ExtraSettings
from lib.utils.errors import RunError, UserError
from lib.utils.media import Frame

TWO = Skeleton("two", ("top", "end, left"))
IMAGE = np.arange(100 * 200 * 3).reshape(100, 200, 3).astype(np.uint8)


def poses(boxes, identities=None):
    people = Poses.in_boxes(boxes)
    count = len(people)
    keypoints = np.array([[[1.5, 2.25], [np.nan, 3]]] * count)
    return Poses(
        people.boxes, people.box_scores, keypoints, np.array([[0.5, 0.123456]] * count),
        np.zeros(count, int) if identities is None else np.array(identities),
    )  # fmt: skip


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_table_has_a_line_for_each_person_and_keypoint(tmp_path):
    with ExtraResults(ExtraSettings(save_csv=True), tmp_path / "out", "t.csv", TWO) as extras:
        extras.add("a", Frame(IMAGE, Path("x/a.png")), poses([(0, 0, 9, 9), (1, 1, 9, 9)]))
        extras.add("b", Frame(IMAGE, Path("b.png")), NOBODY)
        extras.add("c", Frame(IMAGE, Path("c.mp4"), 7), poses([(0, 0, 9, 9)], [5]), 7, 0.28, np.full((1, 2, 2), 4.0))
        assert not extras.table.exists()  # it is there when it is whole
    assert rows_of(tmp_path / "out" / "t.csv") == [
        ["file", "frame", "seconds", "person", "keypoint", "x", "y", "score"],
        ["x/a.png", "", "", "1", "top", "1.50", "2.25", "0.5000"],
        ["x/a.png", "", "", "1", "end, left", "", "3.00", "0.1235"],
        ["x/a.png", "", "", "2", "top", "1.50", "2.25", "0.5000"],
        ["x/a.png", "", "", "2", "end, left", "", "3.00", "0.1235"],
        ["c.mp4", "7", "0.280", "5", "top", "4.00", "4.00", "0.5000"],
        ["c.mp4", "7", "0.280", "5", "end, left", "4.00", "4.00", "0.1235"],
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["t.csv"]


def test_people_are_cut_out_along_their_box_as_far_as_it_is_in_the_picture(tmp_path):
    with ExtraResults(ExtraSettings(save_crops=True), tmp_path, "t.csv", TWO) as extras:
        people = poses([(10.4, 20.6, 30, 40), (-50, -50, 60, 70), (199.5, 5, 300, 5)])
        extras.add("a", Frame(IMAGE, Path("a.png")), people)
        extras.add("c", Frame(IMAGE, Path("c.mp4"), 7), poses([(0, 0, 9, 9)], [5]), 7, 0.28)
        extras.add("b", Frame(IMAGE, Path("b.png")), NOBODY)
    sizes = {path.name: cv2.imread(str(path)).shape[1::-1] for path in (tmp_path / "crops").iterdir()}
    assert sizes == {"a_person1.jpg": (31, 41), "a_person2.jpg": (10, 20), "c_000007_track5.jpg": (9, 9)}


def test_nothing_is_made_where_nothing_is_asked_for_or_nothing_came(tmp_path):
    with ExtraResults(ExtraSettings(), tmp_path / "out", "t.csv", TWO) as extras:
        extras.add("a", Frame(IMAGE, Path("a.png")), poses([(0, 0, 9, 9)]))
    with ExtraResults(ExtraSettings(True, True), tmp_path / "out", "t.csv", TWO):
        pass
    assert not (tmp_path / "out").exists() and extras.paths == []


def test_a_run_that_fails_leaves_the_old_table_whole(tmp_path):
    (tmp_path / "t.csv").write_text("old")
    results = ExtraResults(ExtraSettings(True), tmp_path, "t.csv", TWO)
    with pytest.raises(ValueError, match="stop"), results as extras:
        extras.add("a", Frame(IMAGE, Path("a.png")), poses([(0, 0, 9, 9)]))
        raise ValueError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"] and (tmp_path / "t.csv").read_text() == "old"
    with pytest.raises(UserError, match=r"t\.csv is one of the inputs: choose another --output"):
        ExtraResults(ExtraSettings(True), tmp_path, "t.csv", TWO, [None, tmp_path / "t.csv"])


def test_a_full_disk_is_one_line(tmp_path):
    results = ExtraResults(ExtraSettings(True), tmp_path, "t.csv", TWO)
    with pytest.raises(RunError, match=r"cannot write .*t\.csv: "), full_disk(100), results as extras:
        for _ in range(500):
            extras.add("a", Frame(IMAGE, Path("a.png")), poses([(0, 0, 9, 9)]))


def test_files_for_annotation_tools_hold_what_was_added_and_only_if_all_went_well(tmp_path):
    settings = ExtraSettings(save_dlc=True)
    with ExtraResults(settings, tmp_path / "out", "t.csv", TWO) as extras:
        extras.add("a", Frame(IMAGE, Path("c.mp4"), 7), poses([(0, 0, 9, 9)], [5]), 7, 0.28, np.full((1, 2, 2), 4.0))
        extras.add("a", Frame(IMAGE, Path("c.mp4"), 8), NOBODY, 8, 0.32)
    rows = rows_of(tmp_path / "out" / "t_dlc.csv")
    assert rows[3:] == [["7", "4.0000", "4.0000", "0.5000", "4.0000", "4.0000", "0.1235"], ["8", *[""] * 6]]
    assert extras.paths == [tmp_path / "out" / "t_dlc.csv"]
    with pytest.raises(ValueError, match="stop"), ExtraResults(settings, tmp_path / "no", "t.csv", TWO) as extras:
        extras.add("a", Frame(IMAGE, Path("a.png")), poses([(0, 0, 9, 9)]))
        raise ValueError("stop")
    assert not (tmp_path / "no").exists()
