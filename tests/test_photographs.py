"""A network that was really trained, on two real photographs: the poses are anatomically right."""

import json

import numpy as np
import pytest
import toy

from lib.core.skeletons import COCO
from lib.utils.runtime import run_script


@pytest.fixture
def poses(shared, tmp_path, monkeypatch):
    """{photograph: (keypoints (17, 2), scores (17,))} of deploy.py with boxes of a detector."""
    onnxruntime = pytest.importorskip("onnxruntime")
    if onnxruntime.__version__.startswith("1.18."):
        pytest.skip("ONNX Runtime 1.18 does not take this file's BatchNormalization")

    def poses(detector):
        data = shared / "data"
        words = ["--img", data / "photos", "--model", data / "ultralight_simplepose.onnx", "--dataset", "coco", "--rgb"]
        words += ["--detector", data / detector, "--output", tmp_path]
        monkeypatch.setattr("sys.argv", ["deploy.py", *map(str, words)])
        run_script(toy.import_script("deploy").main)
        found = {}
        for name in ("astronaut", "camera"):
            (person,) = json.loads((tmp_path / f"{name}_pose.json").read_text())
            values = np.reshape(person["keypoints"], (17, 3))
            found[name] = values[:, :2], values[:, 2]
        return found

    return poses


@pytest.mark.parametrize("detector", ["rtmdet-nano.onnx", "yolox_nano.onnx"])
def test_poses_on_photographs_are_anatomically_right(poses, detector):
    for name, (keypoints, scores) in poses(detector).items():
        joints = dict(zip(COCO.joints, keypoints, strict=True))
        score = dict(zip(COCO.joints, scores, strict=True))
        shoulders = (joints["left_shoulder"] + joints["right_shoulder"]) / 2
        hips = (joints["left_hip"] + joints["right_hip"]) / 2
        assert joints["nose"][1] < shoulders[1] < hips[1], name
        if detector.startswith("rtmdet"):  # in YOLOX's box the cameraman's far shoulder, seen from the side, has 0.41
            assert min(score[joint] for joint in ("nose", "left_shoulder", "right_shoulder")) > 0.5, name
        if name == "astronaut":  # she faces the camera
            for part in ("eye", "ear", "shoulder", "hip"):
                assert joints[f"right_{part}"][0] < joints[f"left_{part}"][0], part
            assert min(score[joint] for joint in ("nose", "left_eye", "right_eye")) > 0.5
