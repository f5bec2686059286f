"""infer.py as a person runs it: one picture, boxes or none, and what comes out."""

import json

import cv2
import numpy as np
import pytest
import scipy.io
import toy
from clips import write_video

from lib.core.skeletons import MPII
from lib.dataset.annotations.mpii import read_mpii
from lib.utils.runtime import run_script


@pytest.fixture(scope="module")
def place(paddle, tmp_path_factory):
    """A folder with the toy's data, its experiment and weights that answer differently for every picture."""
    from lib.models.pose_resnet import PoseResNet

    place = tmp_path_factory.mktemp("infer")
    toy.write_experiment(place, toy.draw_data(place))
    paddle.seed(1)
    network = PoseResNet(18, deconv_filters=(16, 16, 16))
    network.initialize_like_original()
    paddle.save(network.state_dict(), str(place / "w.pdparams"))
    return place


@pytest.fixture
def call(place, monkeypatch, capfd):
    """Runs a script's main() on the toy in this process and returns what it printed."""

    def call(script, *words):
        given = ["--cfg", place / "toy.yaml", "--model-file", place / "w.pdparams", *words]
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, given)])
        capfd.readouterr()
        run_script(toy.import_script(script).main)
        return capfd.readouterr().out

    return call


def infer(call, place, picture, *words):
    out = call("infer", "--img-file", picture, "--output", place / "out", *words)
    return out, json.loads((place / "out" / f"{picture.stem}_pose.json").read_text())


@pytest.mark.parametrize("flip", ["--flip-test", "--no-flip-test"])
def test_a_persons_joints_are_those_that_validation_finds_in_the_same_box(call, place, flip):
    call("valid", flip)
    expected = scipy.io.loadmat(next((place / "output").rglob("pred.mat")))["preds"] - 1
    persons = read_mpii(place / "data", "valid")
    for row, picture in enumerate(persons.pictures):
        size = persons.scale[row] / 1.25 * 200  # the box before it grew to the crop
        corner = persons.center[row] - size / 2
        _, (entry,) = infer(call, place, place / "data" / "images" / picture.split("/")[-1], flip,
                            "--bbox", *corner, *size)  # fmt: skip
        joints = np.array(entry["keypoints"]).reshape(16, 3)
        np.testing.assert_allclose(joints[:, :2], expected[row], atol=0.01)


@pytest.fixture
def picture(place):
    return next((place / "data" / "images").glob("*.jpg"))


def test_several_boxes_give_an_entry_each_in_cocos_form(call, place, picture):
    boxes = [(10, 12, 60, 80), (40.5, 20, 50, 70)]
    out, entries = infer(call, place, picture, "--bbox", *boxes[0], "--bbox", *boxes[1])
    assert "=> 2 boxes from --bbox" in out
    assert [tuple(entry["bbox"]) for entry in entries] == boxes
    for entry in entries:
        scores = np.array(entry["keypoints"])[2::3]
        assert len(scores) == 16 and entry["joint_names"] == list(MPII.joints) and entry["category_id"] == 1
        above = scores[scores > 0.2]  # TEST.IN_VIS_THRE
        assert entry["score"] == pytest.approx(above.mean() if len(above) else 0)


def test_without_a_box_the_whole_picture_is_one_and_the_output_says_so(call, place, picture):
    out, (entry,) = infer(call, place, picture)
    height, width = cv2.imread(str(picture)).shape[:2]
    assert "whole picture" in out and entry["bbox"] == [0, 0, width, height]


def test_the_pose_is_drawn_on_a_copy_from_the_threshold_on(call, place, picture):
    before = picture.read_bytes()
    everything, _ = infer(call, place, picture, "--kpt-thr", -1e9)
    drawn = cv2.imread(str(place / "out" / f"{picture.stem}_pose.jpg"))
    infer(call, place, picture, "--kpt-thr", 1e9)
    empty = cv2.imread(str(place / "out" / f"{picture.stem}_pose.jpg"))
    original = cv2.imread(str(picture))
    assert drawn.shape == empty.shape == original.shape
    far = np.abs(drawn.astype(int) - original).max(axis=2) > 60
    inner = np.s_[3:-3, 3:-3]  # the box's line is drawn in both
    assert far[inner].sum() > 50 > (np.abs(empty.astype(int) - original).max(axis=2) > 60)[inner].sum()
    assert picture.read_bytes() == before


def test_a_picture_lying_on_its_side_is_turned_as_its_exif_says(call, place, picture):
    from PIL import Image

    turned = place / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.open(picture).crop((0, 0, 100, 60)).save(turned, exif=exif)
    _, (entry,) = infer(call, place, turned)
    assert entry["bbox"] == [0, 0, 60, 100]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bbox", 5, 5, 0, 10], "width and height above 0"),
        (["--bbox", 5, 5, "nan", 10], "width and height above 0"),
        (["--bbox", 500, 5, 20, 20], "outside the picture"),
        (["--bbox", 0, 0, 1e300, 1e300], "expected X Y WIDTH HEIGHT in pixels"),
        (["--bbox", -2e6, 0, 3e6, 100], "expected X Y WIDTH HEIGHT in pixels"),
        (["--img-file", "nowhere.png"], "cannot read the picture nowhere.png"),
        (["--model-file", "nowhere.onnx"], "there is no model file nowhere.onnx"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(place, picture, monkeypatch, capfd, tmp_path, words, said):
    given = ["--cfg", place / "toy.yaml", "--model-file", place / "w.pdparams", "--img-file", picture,
             "--output", tmp_path / "bad", *words]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["infer.py", *map(str, given)])
    with pytest.raises(SystemExit) as ended:
        run_script(toy.import_script("infer").main)
    error = capfd.readouterr().err
    assert ended.value.code == 2 and error.count("\n") == 1 and said in error
    assert not (tmp_path / "bad").exists()


def test_weights_that_are_not_numbers_draw_nothing(paddle, place, picture, monkeypatch, capfd, tmp_path):
    state = paddle.load(str(place / "w.pdparams"))
    state["final_layer.bias"] = paddle.full([16], float("nan"))
    paddle.save(state, str(tmp_path / "nan.pdparams"))
    given = ["--cfg", place / "toy.yaml", "--model-file", tmp_path / "nan.pdparams", "--img-file", picture,
             "--output", tmp_path / "out"]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["infer.py", *map(str, given)])
    with pytest.raises(SystemExit) as ended:
        run_script(toy.import_script("infer").main)
    error = capfd.readouterr().err
    assert ended.value.code == 1 and error.count("\n") == 1 and "the network's heatmaps are not finite" in error
    assert not list((tmp_path / "out").glob("*"))


def test_a_folder_with_a_video_and_something_bad_goes_through_and_the_exit_code_says_so(call, place, tmp_path, picture):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture.read_bytes())
    (folder / "b.jpg").write_bytes(picture.read_bytes()[:500])
    write_video(folder / "clip.mp4")
    with pytest.raises(SystemExit) as ended:
        call("infer", "--img-file", folder, "--output", tmp_path / "out")
    assert ended.value.code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a_pose.jpg", "a_pose.json", "clip_pose.jsonl", "clip_pose.mp4",
    ]  # fmt: skip


def test_five_lines_of_python_give_what_the_script_gives(call, place, picture):
    from lib.inference.build import load_predictor

    boxes = [(10, 12, 60, 80), (40.5, 20, 50, 70)]
    _, entries = infer(call, place, picture, "--bbox", *boxes[0], "--bbox", *boxes[1], "--no-flip-test")
    predictor = load_predictor(place / "toy.yaml", place / "w.pdparams", {"TEST.FLIP_TEST": False})
    keypoints, scores = predictor.predict(cv2.imread(str(picture)), boxes)
    assert keypoints.shape == (2, 16, 2) and scores.shape == (2, 16)
    for entry, joints, values in zip(entries, keypoints, scores, strict=True):
        np.testing.assert_allclose(entry["keypoints"], np.column_stack([joints, values]).ravel(), rtol=1e-5, atol=1e-4)
