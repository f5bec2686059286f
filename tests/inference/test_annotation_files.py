"""Poses for SLEAP and DeepLabCut: what is written is what is read back."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.core.skeletons import Skeleton
from lib.inference.results.annotation_files import Found, FrameOf, write_deeplabcut, write_slp
from lib.utils.errors import UserError

MOUSE = Skeleton("mouse", ("nose", "ear_left", "ear_right"), limbs=(("nose", "ear_left"),))
POINTS = np.array([[10.25, 20], [30, 40.5], [np.nan, 5]])


def found(identity=0, shift=0.0):
    return Found(identity, POINTS + shift, np.array([0.9, 0.5, 0.1]), 0.75)


def test_sleaps_project_is_read_back_to_a_hundredth_of_a_pixel(tmp_path):
    sio = pytest.importorskip("sleap_io")
    frames = [FrameOf(Path("clip.mp4"), 3, [found(2), found(1, 5)]), FrameOf(Path("clip.mp4"), 4, [found(2, 1)])]
    write_slp(frames, MOUSE, tmp_path / "a.slp")
    labels = sio.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    assert labels.skeleton.node_names == list(MOUSE.joints) and labels.skeleton.edge_names == [("nose", "ear_left")]
    assert [set(pair) for pair in labels.skeleton.symmetry_names] == [{"ear_left", "ear_right"}]
    assert [(frame.frame_idx, [one.track.name for one in frame]) for frame in labels] == [(3, ["2", "1"]), (4, ["2"])]
    first = labels[0].predicted_instances[1]
    assert np.abs(first.points["xy"][:2] - POINTS[:2] - 5).max() < 0.01 and np.isnan(first.points["xy"][2, 0])
    assert first.points["score"].tolist() == [0.9, 0.5, 0.1] and first.score == 0.75
    assert labels.video.filename == "clip.mp4" and len(labels.videos) == 1


def test_pictures_are_one_video_of_sleaps_that_is_found_from_any_folder(tmp_path, monkeypatch):
    sio = pytest.importorskip("sleap_io")
    monkeypatch.chdir(tmp_path)
    paths = [Path("b.png"), Path("a.png")]
    for path in paths:
        cv2.imwrite(str(path), np.zeros((60, 80, 3), np.uint8))
    write_slp([FrameOf(paths[0], None, [found()]), FrameOf(paths[1], None, [])], MOUSE, tmp_path / "a.slp")
    labels = sio.load_slp(str(tmp_path / "a.slp"))
    assert labels.video.filename == [str(tmp_path / path) for path in paths] and labels.video.shape == (2, 60, 80, 1)
    assert labels[0].predicted_instances[0].track is None and not labels[1].instances


def test_without_sleap_io_the_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sleap_io", None)
    with pytest.raises(UserError, match="pip install -r requirements/import.txt"):
        write_slp([], MOUSE, tmp_path / "a.slp")


def test_deeplabcuts_table_of_one_animal_has_a_row_a_frame(tmp_path):
    write_deeplabcut([FrameOf(Path("c.mp4"), 0, [found()]), FrameOf(Path("c.mp4"), 1, [])], MOUSE, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "scorer" + ",simple_baselines" * 9,
        "bodyparts" + ",nose" * 3 + ",ear_left" * 3 + ",ear_right" * 3,
        "coords" + ",x,y,likelihood" * 3,
        "0,10.2500,20.0000,0.9000,30.0000,40.5000,0.5000,,5.0000,0.1000",
        "1" + "," * 9,
    ]


def test_several_people_are_individuals_by_their_track(tmp_path):
    frames = [FrameOf(Path("c.mp4"), 7, [found(2), found(5, 1)]), FrameOf(Path("c.mp4"), 8, [found(5, 2)])]
    write_deeplabcut(frames, MOUSE, tmp_path / "a.csv")
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(tmp_path / "a.csv", header=[0, 1, 2, 3], index_col=0)
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    nose = table["simple_baselines"].xs("nose", axis=1, level="bodyparts").xs("x", axis=1, level="coords")
    assert nose.index.tolist() == [7, 8] and nose["individual5"].tolist() == [11.25, 12.25]
    assert nose["individual2"].tolist()[0] == 10.25 and np.isnan(nose["individual2"].tolist()[1])
