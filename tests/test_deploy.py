"""deploy.py as a person runs it: a model that says what it is, or options that do, and no Paddle."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import toy
from clips import write_video

from lib.core.skeletons import MPII
from lib.utils.runtime import run_script

pytest.importorskip("onnxruntime")
onnx_toy = pytest.importorskip("onnx_toy")

SPOTS = [(60, 70), (90, 50), (40, 110)]
# everything else that requirements/base.txt and the tests install
BLOCKED = (
    "paddle", "pydantic", "yaml", "scipy", "matplotlib", "tqdm", "PIL", "pycocotools", "visualdl", "onnx", "torch",
    "openvino",
)  # fmt: skip
EXAMPLE_SIZE = ("--width", 656, "--height", 384)


@pytest.fixture
def model(tmp_path):
    return onnx_toy.write_pose_network(tmp_path / "posenet.onnx", onnx_toy.metadata())


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "spots.png"
    cv2.imwrite(str(path), onnx_toy.spotted_picture(SPOTS))
    return path


@pytest.fixture
def deploy(model, picture, tmp_path, run_main):
    """Runs deploy.py's main(); returns its exit code and what it printed. Later options win over the usual ones."""

    def deploy(*words):
        given = ["--img", picture, "--model", model, "--output", tmp_path / "out", "--provider", "cpu", *words]
        return run_main("deploy", *given)

    return deploy


def entries(tmp_path, name="spots"):
    return json.loads((tmp_path / "out" / f"{name}_pose.json").read_text())


def test_the_models_own_word_is_enough(deploy, tmp_path):
    code, out, err = deploy("--bbox", 20, 30, 90, 100)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "3 joints (spots), input 64x64 (width x height), runs on CPUExecutionProvider" in lines[0]
    assert lines[1] == "=> 1 box from --bbox"
    assert lines[2].startswith("=> spots.png: 1 person, saving ")
    assert lines[3].startswith("=> milliseconds per picture, after a warm-up: read ") and "network " in lines[3]
    (entry,) = entries(tmp_path)
    np.testing.assert_allclose(np.array(entry["keypoints"]).reshape(3, 3)[:, :2], SPOTS, atol=7)
    assert entry["joint_names"] == list(onnx_toy.SPOTS.joints) and entry["bbox"] == [20, 30, 90, 100]
    assert cv2.imread(str(tmp_path / "out" / "spots_pose.jpg")).shape == (200, 300, 3)


def test_boxes_can_be_left_out_and_names_written(deploy, tmp_path):
    def drawn(*words):
        assert deploy("--bbox", 20, 30, 90, 100, *words)[0] == 0
        return cv2.imread(str(tmp_path / "out" / "spots_pose.jpg")).astype(int)

    usual, no_boxes, names = drawn(), drawn("--no-boxes"), drawn("--names")
    assert usual[40:120, 20].min() > 200 > no_boxes[40:120, 20].min()  # the box's left line
    assert (np.abs(names - usual).max(axis=2) > 60).sum() > 100


def test_the_command_of_the_readme_runs(deploy, tmp_path):
    code, out, err = deploy("--type", "ONNX", *EXAMPLE_SIZE)
    assert (code, err) == (0, "") and "input 656x384 (width x height)" in out
    assert "=> the whole picture is taken as one person's box" in out
    np.testing.assert_allclose(np.array(entries(tmp_path)[0]["keypoints"]).reshape(3, 3)[:, :2], SPOTS, atol=4)


@pytest.mark.parametrize("flip", [[], ["--flip-test"]])
def test_infer_and_deploy_agree(deploy, tmp_path, monkeypatch, capfd, flip):
    weights = np.random.default_rng(0).normal(size=(16, 3, 4, 4)).astype(np.float32)
    about = onnx_toy.metadata(skeleton=MPII, sigma=1.5)
    model = onnx_toy.write_pose_network(tmp_path / "mpii.onnx", about, weights=weights)
    data = toy.draw_data(tmp_path)
    boxes = ["--bbox", 10, 12, 60, 80, "--bbox", 40.5, 20, 50, 70]
    folder = data / "images"
    assert deploy("--model", model, "--img", folder, *boxes, *flip)[0] == 0
    found = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    experiment = toy.write_experiment(tmp_path, data)
    words = ["--cfg", experiment, "--img-file", folder, "--model-file", model, "--gpus", "cpu", *boxes,
             "--output", tmp_path / "infer", *(flip or ["--no-flip-test"])]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["infer.py", *map(str, words)])
    run_script(toy.import_script("infer").main)
    assert len(found) == toy.TRAINING_PERSONS + toy.VALIDATION_PERSONS
    for name, persons in found.items():
        assert persons == json.loads((tmp_path / "infer" / name).read_text())


def test_a_folder_with_pictures_a_video_and_something_bad(deploy, picture, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture.read_bytes())
    (folder / "broken.jpg").write_bytes(b"not a picture")
    write_video(folder / "clip.mp4")
    code, out, err = deploy("--img", folder)
    assert (code, err) == (1, "")
    assert [line for line in out.splitlines() if line.startswith("problem: ")] == [
        f"problem: the picture {folder / 'broken.jpg'} cannot be decoded (13 bytes): is it a picture?"
    ]
    assert out.splitlines()[-1] == "=> 1 problem"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "a_pose.jpg", "a_pose.json", "clip_pose.jsonl", "clip_pose.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("grey.png", lambda picture: picture.max(axis=2)),
        ("rgba.png", lambda picture: np.dstack([picture, np.full(picture.shape[:2], 7, np.uint8)])),
        ("deep.png", lambda picture: picture.astype(np.uint16) * 257),
        ("deep.tiff", lambda picture: picture.astype(np.uint16) * 257),
        ("tiny.png", lambda picture: picture[:1, :1]),
    ],
)
def test_pictures_of_every_kind_run(deploy, tmp_path, name, change):
    picture = change(onnx_toy.spotted_picture(SPOTS))
    cv2.imwrite(str(tmp_path / name), picture)
    code, _, err = deploy("--img", tmp_path / name)
    assert (code, err) == (0, "")
    (entry,) = entries(tmp_path, name.partition(".")[0])
    if name not in ("tiny.png", "grey.png"):
        np.testing.assert_allclose(np.array(entry["keypoints"]).reshape(3, 3)[:, :2], SPOTS, atol=25)
    assert cv2.imread(str(tmp_path / "out" / f"{name.partition('.')[0]}_pose.jpg")).shape[:2] == picture.shape[:2]


def test_a_model_without_metadata_takes_its_skeleton_from_a_file(deploy, tmp_path):
    (tmp_path / "spots.json").write_text(json.dumps({"joints": list(onnx_toy.SPOTS.joints)}))
    model = onnx_toy.write_pose_network(tmp_path / "plain.onnx")
    words = ["--mean", 0, 0, 0, "--std", 1, 1, 1, "--pixel-scale", 1, "--rgb", "--width", 96, "--height", 64]
    code, out, err = deploy("--model", model, "--dataset", tmp_path / "spots.json", *words)
    assert (code, err) == (0, "") and "3 joints (spots), input 96x64" in out
    (entry,) = entries(tmp_path)
    blue, green, red = SPOTS
    np.testing.assert_allclose(np.array(entry["keypoints"]).reshape(3, 3)[:, :2], [red, green, blue], atol=18)


@pytest.mark.parametrize("dataset", ["coco", "mpii"])
def test_a_model_of_another_number_of_joints_than_the_data_set_is_one_line(deploy, tmp_path, dataset):
    model = onnx_toy.write_pose_network(tmp_path / "plain.onnx", shape=("N", 3, 64, 64))
    code, _, err = deploy("--model", model, "--dataset", dataset)
    count = {"coco": 17, "mpii": 16}[dataset]
    assert code == 2 and f"makes heatmaps of 3 joints, but its skeleton ({dataset}) has {count}" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--type", "TensorRT"], 2, "--type TensorRT: only ONNX models run here"),
        (["--provider", "tensorrt"], 2, "--provider tensorrt: "),
        (["--provider", "gpu"], 2, "argument --provider: invalid choice: 'gpu'"),
        (["--width", "0"], 2, "argument --width: expected a whole number above 0, got 0"),
        (["--width", "650"], 2, "give a --width that is a multiple of 32"),
        (["--std", "1", "0", "1"], 2, "argument --std: expected a number above 0, got 0"),
        (["--mean", "0", "0", "0"], 2, "has metadata with its joints"),
        (["--model", "nowhere.onnx"], 2, "there is no model file nowhere.onnx"),
        (["--img", "nowhere.png"], 2, "cannot read the picture nowhere.png"),
        (["--bbox", "5", "5", "0", "10"], 2, "width and height above 0"),
        (["--bbox", "500", "5", "20", "20"], 2, "outside the picture"),
        (["--bbox-file", "nowhere.json"], 2, "cannot read nowhere.json"),
        (["--detector", "nowhere.onnx"], 2, "there is no model file nowhere.onnx"),
        (["--kpt-thr", "nan"], 2, "expected a finite number, got nan"),
        (["--batch_size", "0"], 2, "expected a whole number above 0, got 0"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(deploy, tmp_path, monkeypatch, words, code, said):
    if words == ["--width", "650"]:  # a network whose heatmap ends beyond such a picture
        words += ["--model", onnx_toy.write_pose_network(tmp_path / "w.onnx", onnx_toy.metadata(), pads=(0, 0, 0, 22))]
    monkeypatch.chdir(tmp_path)
    found, _, err = deploy(*words)
    assert found == code and said in err, err
    assert err.startswith("error: ") and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jpg", b"<html>", "cannot be decoded"),
        ("a.png", None, "is truncated"),
        ("a.mp4", b"no video", "has no frames that can be read"),
    ],
)
def test_a_bad_file_is_one_line_and_nothing_is_written(deploy, picture, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content or picture.read_bytes()[:-30])
    code, _, err = deploy("--img", tmp_path / name)
    assert code == 2 and said in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_fails_with_one_picture_is_exit_code_1_and_the_others_are_done(deploy, picture, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    long = folder / f"{'n' * 240}.png"  # its results have longer names
    for path in (folder / "a.png", long):
        path.write_bytes(picture.read_bytes())
    code, out, err = deploy("--img", folder)
    assert (code, err) == (1, "") and "File name too long" in out and out.splitlines()[-1] == "=> 1 problem"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_pose.jpg", "a_pose.json"]
    code, _, err = deploy("--img", long)
    assert code == 1 and "File name too long" in err and err.count("\n") == 1


def test_an_output_folder_that_cannot_be_written_is_one_line(deploy, tmp_path):
    (tmp_path / "file").write_text("a file")
    code, _, err = deploy("--output", tmp_path / "file" / "out")
    assert code == 2 and "cannot write to the folder" in err and err.count("\n") == 1


def test_a_window_that_cannot_be_opened_is_said_and_the_rest_is_done(deploy, tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = deploy("--show")
    assert (code, err) == (0, "") and "=> --show: no window can be opened" in out
    assert len(entries(tmp_path)) == 1


def test_a_detector_says_where_people_are(deploy, tmp_path):
    detector = onnx_toy.write_detector(tmp_path / "d.onnx", [(20, 30, 110, 130, 0.8), (0, 0, 50, 50, 0.1)])
    code, out, err = deploy("--detector", detector, "--detector-size", 300, 200)
    assert (code, err) == (0, "") and f"=> boxes from {detector}, score >= 0.3, runs on CPUExecutionProvider" in out
    (entry,) = entries(tmp_path)
    assert entry["bbox"] == [20, 30, 90, 100] and entry["bbox_score"] == pytest.approx(0.8)


# -- in a process of its own -----------------------------------------------------------------------------------------

WITHOUT = """
import sys
for name in {blocked!r}: sys.modules[name] = None
sys.argv = ["deploy.py", *{words!r}]
sys.path.insert(0, {scripts!r})
import runpy
runpy.run_path({script!r}, run_name="__main__")
"""


def alone(words, blocked=()):
    """Runs deploy.py in a Python in which the modules `blocked` cannot be imported."""
    script = toy.SCRIPTS / "deploy.py"
    code = WITHOUT.format(
        blocked=blocked, words=[str(word) for word in words], scripts=str(toy.SCRIPTS), script=str(script)
    )
    environment = {**toy.quiet_environment(), "TQDM_DISABLE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment, cwd="/"
    )


def test_it_needs_numpy_opencv_and_onnx_runtime_only(model, picture, tmp_path):
    write_video(tmp_path / "clip.mp4")
    detector = onnx_toy.write_detector(tmp_path / "d.onnx", [(20, 30, 110, 130, 0.8)])
    words = ["--model", model, "--output", tmp_path / "out", "--provider", "cpu", "--detector", detector]
    for item, result in ((picture, "spots_pose.json"), (tmp_path / "clip.mp4", "clip_pose.jsonl")):
        process = alone(["--img", item, *words, "--flip-test", "--save-heatmaps"], BLOCKED)
        assert (process.returncode, process.stderr) == (0, "")
        assert (tmp_path / "out" / result).is_file()
    blocked = alone(["--img", picture, *words], ("onnxruntime",))  # else the test above would prove nothing
    assert blocked.returncode == 2 and "pip install onnxruntime" in blocked.stderr


# -- real pictures ---------------------------------------------------------------------------------------------------


def test_the_people_of_real_pictures_are_found_and_drawn(deploy, shared, tmp_path):
    folder = shared / "data" / "coco4" / "images" / "val2017"
    code, out, err = deploy("--img", folder, "--detector", shared / "data" / "rtmdet-nano.onnx")
    assert (code, err) == (0, "")
    counts = {path.stem: len(entries(tmp_path, path.stem)) for path in sorted(folder.iterdir())}
    assert list(counts.values()) == [1, 2, 4, 5], counts
    assert len(list((tmp_path / "out").glob("*_pose.jpg"))) == 4


def test_a_real_video_goes_through(deploy, shared, tmp_path):
    video = shared / "data" / "video" / "street.mp4"
    code, out, err = deploy("--img", video, "--detector", shared / "data" / "rtmdet-nano.onnx")
    assert (code, err) == (0, "") and "=> street.mp4: 5 frames, " in out
    lines = [json.loads(line) for line in (tmp_path / "out" / "street_pose.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(5)) and all(line["persons"] for line in lines)
    drawn = cv2.VideoCapture(str(tmp_path / "out" / "street_pose.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 5 and drawn.get(cv2.CAP_PROP_FRAME_WIDTH) == 960
