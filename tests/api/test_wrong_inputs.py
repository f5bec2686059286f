"""Each input that cannot be meant has one line, which names the argument and says what to do."""

import warnings

import cv2
import numpy as np
import onnx_toy
import pytest
from spots import BOX, PICTURE, assert_spots

from lib import Pose, UserError
from lib.api.arguments import ARGUMENTS, in_arguments
from lib.api.pose import LOOKED_AT
from lib.core.inputs import checked_boxes, checked_picture
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.inference import remarks

WRONG_PICTURES = {
    "None": (None, "source is None: .* cv2.imread gives None"),
    "0 to 1": (PICTURE / 255, r"source is float64 with values from 0 to 1: .*multiply by 255 and convert to uint8"),
    "float32": (PICTURE.astype(np.float32), r"source is float32: .* source.astype\(np.uint8\)"),
    "NaN": (np.full((9, 9, 3), np.nan), "source is float64 and has NaN"),
    "negative": (PICTURE.astype(int) - 200, "source is int64 with values from -200 to 55"),
    "16 bits": (PICTURE.astype(np.uint16) * 256, r"source is uint16: .*\(source // 256\).astype\(np.uint8\)"),
    "bool": (PICTURE > 0, r"source is bool: .*\(source \* 255\)"),
    "text": (np.array([["a"]]), "source is of dtype <U1"),
    "empty": (np.zeros((0, 5, 3), np.uint8), r"source is empty, of shape \(0, 5, 3\)"),
    "channels first": (PICTURE.transpose(2, 0, 1), r"channels first: give source.transpose\(1, 2, 0\)"),
    "several": (PICTURE[None], r"for several give list\(source\)"),
    "two channels": (PICTURE[..., :2], r"shape \(200, 300, 2\): expected \(H, W, 3\) BGR"),
    "a line": (PICTURE[0, :, 0], r"shape \(300,\)"),
    "huge": (np.broadcast_to(np.zeros(3, np.uint8), (1, 40000, 3)), "40000x1 pixels: at most 32766"),
    "a dictionary": ({}, "source is a dict: expected a picture"),
    "bytes": (b"x", "source is a bytes: expected a picture"),
    "no name": ("", "source is empty: expected a picture"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_PICTURES)
def test_a_wrong_picture(pose, name):
    source, message = WRONG_PICTURES[name]
    with pytest.raises(UserError, match=message) as error:
        pose(source)
    assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_a_wrong_picture_of_a_list_has_its_number(pose, picture):
    with pytest.raises(UserError, match=r"source\[1\] is None"):
        pose([picture, None])
    with pytest.raises(UserError, match=r"source\[0\]: expected one picture"):
        pose([3])
    with pytest.raises(UserError, match=r"source\[1\]: there is no such file missing.png"):
        pose([picture, "missing.png"])


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, np.nan, 5]], r"boxes\[0\] is \[0.0, 0.0, nan, 5.0\]: expected finite"),
        ([[0, 0, np.inf, 5]], r"boxes\[0\].*finite"),
        ([BOX, [50, 50, 0, 9]], r"boxes\[1\].*width and height must be above 0; of two corners"),
        ([[90, 90, -20, -30]], r"boxes\[0\].*above 0"),
        ([[300, 0, 10, 10]], r"boxes\[0\].*outside the picture of 300x200 pixels"),
        ([[-20, 0, 10, 10]], r"boxes\[0\].*outside"),
        ([[1, 2, 3]], r"boxes has the shape \(1, 3\): expected \(N, 4\)"),
        (7, r"boxes has the shape \(\)"),
        ([[0.1, 0.2, 0.5, 0.6]], "boxes: the box is between 0 and 1.*multiply by the picture's width and height"),
        ([[200, 120, 290, 190]], "boxes: the box reaches far beyond.*x1 y1 x2 y2.*give x1, y1, x2 - x1, y2 - y1"),
        ("box", r"boxes: expected \(N, 4\) numbers"),
        ([[1, 2], [3]], r"boxes: expected \(N, 4\) numbers"),
    ],
)
def test_wrong_boxes(pose, picture, boxes, message):
    with pytest.raises(UserError, match=message):
        pose(picture, boxes=boxes)


@pytest.mark.parametrize("boxes", [[BOX, BOX], [[BOX]], [[BOX], [BOX], [BOX]]])
def test_boxes_of_a_list_are_one_array_for_each_picture(pose, picture, boxes):
    with pytest.raises(UserError, match="boxes: for a list of 2 pictures expected"):
        pose([picture, picture], boxes=boxes)


def test_nobody_in_one_of_several_pictures(pose, picture):
    for nobody in ([], np.zeros((0, 4)), ()):
        first, second = pose([picture, picture], boxes=[nobody, [BOX]])
        assert (len(first), len(second)) == (0, 1)


def test_boxes_that_may_be_corners_are_warned_of(pose, picture):
    with pytest.warns(UserWarning, match="boxes reach beyond the picture; if they are x1 y1 x2 y2, give x1, y1, x2"):
        pose(picture, boxes=[[60, 40, 280, 190]])


def test_low_scores_are_warned_of_once(model, picture, monkeypatch):
    monkeypatch.setattr(remarks, "LOW", 1e3)  # the toy's scores are some units high
    wrong = Pose(model)
    with pytest.warns(UserWarning, match="the keypoints' scores are low: .*mean=, std="):
        wrong(picture, boxes=[BOX])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrong(picture, boxes=[BOX])


def test_scores_of_the_first_people_tell(model, picture, monkeypatch):
    good = Pose(model)
    good(picture, boxes=[BOX] * LOOKED_AT)
    monkeypatch.setattr(remarks, "LOW", 1e3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good(picture, boxes=[BOX])


@pytest.mark.parametrize("kind", [memoryview, bytearray])
def test_bytes_of_other_kinds_are_no_source(pose, kind):
    with pytest.raises(UserError, match=f"source is a {kind.__name__}: expected a picture"):
        pose(kind(b"x"))


def test_track_is_true_or_false(pose, picture):
    with pytest.raises(UserError, match="track='yes': expected True or False"):
        pose(picture, track="yes")


def test_pictures_in_memory_are_numbered(pose, picture):
    names = [each.path.name for each in pose([picture, picture])]
    assert names == ["picture_0", "picture_1"]
    assert [each.path.name for each in pose(iter([picture, picture]))] == names
    assert pose(picture).path.name == "picture"


def test_the_predictor_beneath_has_the_same_door(model, picture):
    predictor = OnnxPosePredictor(model)
    with pytest.raises(UserError, match="image is float64 with values from 0 to 1"):
        predictor.predict(picture / 255, [BOX])
    with pytest.raises(UserError, match=r"boxes\[0\].*finite"):
        predictor.predict(picture, [[0, 0, np.nan, 1]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": None}, "model is None: expected an .onnx file"),
        ({"model": "x.pth"}, "x.pth is no .onnx file.*cfg="),
        ({"model": "nowhere.onnx"}, "there is no model file nowhere.onnx"),
        ({"model": "no_such_network"}, "no_such_network is neither a file nor a network of the index"),
        ({"provider": "gpu"}, "provider='gpu': expected one of auto"),
        ({"precision": "bfloat16"}, "precision=bfloat16 needs provider=openvino"),
        ({"batch_size": 0}, "batch_size=0: expected a whole number above 0"),
        ({"skeleton": "coco"}, "has metadata .*remove skeleton=, mean="),
        ({"detector": 5}, "detector is 5: expected"),
        ({"detector": "nowhere.onnx"}, "there is no model file nowhere.onnx"),
        ({"detector": "x.onnx", "detector_threshold": 30}, "detector_threshold=30: expected a score from 0 to 1"),
        ({"cfg": "nowhere.yaml"}, "cfg: there is no experiment file nowhere.yaml"),
        ({"cfg": "nowhere.yaml", "rgb": True}, "rgb= is for .onnx files without metadata"),
    ],
)
def test_wrong_arguments(model, arguments, message):
    pytest.importorskip("pydantic") if "cfg" in arguments else None
    with pytest.raises(UserError, match=message) as error:
        Pose(**{"model": model, **arguments})
    assert "--" not in str(error.value).replace("simple-baselines fetch --list", "")


def test_a_model_without_metadata_needs_a_skeleton(tmp_path):
    path = onnx_toy.write_pose_network(tmp_path / "bare.onnx")
    with pytest.raises(UserError, match='give skeleton="coco", "mpii" or a skeleton.s JSON file') as error:
        Pose(path)
    assert error.value.__suppress_context__  # a second message would speak of options


def test_a_detector_for_a_model_and_a_model_for_a_detector_are_exchanged(model, shared):
    detector = shared / "data" / "rtmdet-nano.onnx"
    with pytest.raises(UserError, match="rtmdet-nano.onnx finds boxes: give it as detector="):
        Pose(detector, skeleton="coco")
    with pytest.raises(UserError, match="gives heatmaps, as a pose network does: give it as model"):
        Pose(model, detector=model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": 123.675}, "mean=123.675: expected three numbers"),
        ({"mean": "imagenet"}, "mean='imagenet': expected three numbers"),
        ({"std": (0, 1, 1)}, r"std=\(0, 1, 1\): expected numbers above 0"),
        ({"size": 192}, r"size=192: expected \(width, height\), two whole numbers"),
        ({"size": (19.5, 4)}, "expected .width, height., two whole numbers"),
        ({"pixel_scale": "255"}, "pixel_scale='255': expected a number above 0"),
        ({"pixel_scale": 0}, "pixel_scale=0: expected a number above 0"),
        ({"rgb": "bgr"}, "rgb='bgr': expected True or False"),
        ({"flip_test": "no"}, "flip_test='no': expected True or False"),
        ({"skeleton": ["a", "b"]}, "skeleton=.*expected \"coco\""),
    ],
)
def test_values_that_an_argument_cannot_have(tmp_path, arguments, message):
    path = onnx_toy.write_pose_network(tmp_path / "bare.onnx")
    with pytest.raises(UserError, match=message):
        Pose(path, **{"skeleton": "coco", **arguments})


def test_weights_without_their_experiment(tmp_path):
    with pytest.raises(UserError, match="x.pdparams is no .onnx file: weights need cfg="):
        Pose("x.pdparams")


def test_options_become_arguments_and_other_words_stay():
    assert in_arguments("--provider cuda: no; --no-such x") == "provider=cuda: no; --no-such x"
    assert in_arguments("give --width") == "give size=(width, height)" and len(ARGUMENTS) > 10


def test_files_that_are_none(pose, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("x")
    with pytest.raises(UserError, match="there is no such file or folder"):
        pose(tmp_path / "nowhere.jpg")
    neither = "cannot read the picture .*text.txt: (neither a picture nor a video|no picture)"
    with pytest.raises(UserError, match=neither):
        pose(text)
    with pytest.raises(UserError, match=r"cannot download the picture http://127.0.0.1:1/x.jpg"):
        pose("http://127.0.0.1:1/x.jpg")
    with pytest.raises(UserError, match="expected one picture"):
        pose.picture(tmp_path)


def test_what_else_is_taken(pose, picture):
    """Grey goes into all channels, alpha is left out, and memory of any order is read."""
    expected = pose(picture, boxes=[BOX]).keypoints
    alpha = np.dstack([picture, np.full((200, 300), 7, np.uint8)])
    views = {"alpha": alpha, "Fortran": np.asfortranarray(picture), "view": np.dstack([picture, picture])[..., :3],
             "turned": picture[::-1].copy()[::-1]}  # fmt: skip
    for name, view in views.items():
        np.testing.assert_array_equal(pose(view, boxes=[BOX]).keypoints, expected, err_msg=name)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    for view in (grey, grey[..., None]):
        np.testing.assert_array_equal(checked_picture(view), np.dstack([grey] * 3))
    assert_spots(pose(picture, boxes=BOX))  # one box without the outer brackets


def test_no_boxes_are_nobody(pose, picture):
    for boxes in ([], np.zeros((0, 4))):
        poses = pose(picture, boxes=boxes)
        assert len(poses) == 0 and poses.keypoints.shape == (0, 3, 2) and poses.scores.shape == (0, 3)
    assert checked_boxes([], (9, 9)).shape == (0, 4)
