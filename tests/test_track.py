"""track.py, and --track, from the command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from clips import write_film, write_video
from onnx_toy import SPOT_COLORS, SPOTS, metadata, write_pose_network

from lib.dataset.annotations.posetrack_form import read_frames
from lib.utils.media import video_writer

SIZE = (160, 120)
BLOCKED = ("paddle", "pydantic", "yaml", "scipy", "matplotlib", "pycocotools", "motmetrics", "pandas", "tqdm")


def draw_frame(left, size=SIZE):
    """A body of 40 x 60 pixels on a ground of grain, with the three spots that the toy network knows."""
    rng = np.random.default_rng(0)
    picture = cv2.GaussianBlur(rng.integers(0, 90, (size[1], size[0], 3)).astype(np.uint8), (0, 0), 1.5)
    for color, (x, y) in zip(SPOT_COLORS, ((20, 10), (8, 45), (32, 45)), strict=True):
        cv2.circle(picture, (left + x, 30 + y), 5, color, -1)
    return picture


@pytest.fixture
def model(tmp_path):
    return write_pose_network(tmp_path / "spots.onnx", metadata())


@pytest.fixture
def boxes(tmp_path):
    def write(places, name="boxes.json"):
        entries = [
            {"image_id": frame, "category_id": 1, "bbox": [left, 30, 40, 60], "score": 0.9} for frame, left in places
        ]
        path = tmp_path / name
        path.write_text(json.dumps(entries))
        return path

    return write


def write_clip(path, lefts):
    with video_writer(path, 10.0, SIZE) as writer:
        for left in lefts:
            writer.write(draw_frame(left))
    return path


def track(root, *words, script="track.py"):
    command = [sys.executable, str(root / "pose_estimation" / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def results(folder, name):
    lines = [json.loads(line) for line in (folder / f"{name}_track.jsonl").read_text().splitlines()]
    return lines, read_frames(folder / f"{name}_track.json", SPOTS)


def count_frames(path):
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        count += 1
    return count


@pytest.mark.parametrize("script", ["track.py", "deploy.py"])
def test_a_video_becomes_a_video_lines_and_posetracks_form(root, tmp_path, model, boxes, script):
    clip = write_clip(tmp_path / "walk.mp4", range(20, 80, 6))
    # the detector misses frames 3 to 5
    detections = boxes([(frame, 20 + 6 * frame) for frame in range(10) if not 3 <= frame <= 5])
    own = ("--video", clip) if script == "track.py" else ("--img", clip, "--type", "ONNX", "--track")
    extra = ("--save-csv", "--save-crops", "--save-dlc")
    words = (*own, "--model", model, "--boxes", detections, "--output", tmp_path / "out", *extra)
    process = track(root, *words, script=script)
    assert process.returncode == 0, process.stderr + process.stdout
    lines, frames = results(tmp_path / "out", "walk")
    assert [line["frame"] for line in lines] == list(range(10)) and len(frames) == 10
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 10
    assert count_frames(tmp_path / "out" / "walk_track.mp4") == 10
    assert "1 person" in process.stdout and "flow" in process.stdout
    middle = frames[4].joints[0]  # between detections, by a carried box
    np.testing.assert_allclose(middle, [[64, 40], [52, 75], [76, 75]], atol=4)
    rows = [line.split(",") for line in (tmp_path / "out" / "walk_track.csv").read_text().splitlines()[1:]]
    assert [row[1:5] for row in rows[12:15]] == [["4", "0.400", "1", joint] for joint in SPOTS.joints]
    np.testing.assert_allclose(np.array([row[5:7] for row in rows[12:15]], float), middle, atol=0.01)
    crops = sorted(path.name for path in (tmp_path / "out" / "crops").iterdir())
    assert crops == [f"walk_{number:06d}_track1.jpg" for number in range(10)]


@pytest.mark.parametrize("script", ["track.py", "deploy.py"])
def test_boxes_of_tracked_people_can_be_left_out(root, tmp_path, model, boxes, script):
    clip, detections = write_clip(tmp_path / "walk.mp4", [60, 60]), boxes([(0, 60), (1, 60)])
    own = ("--video", clip) if script == "track.py" else ("--img", clip, "--track")
    lines = []
    for style in ((), ("--no-boxes", "--names")):
        words = ("--model", model, "--boxes", detections, "--output", tmp_path / "out", *style)
        process = track(root, *own, *words, script=script)
        assert process.returncode == 0, process.stderr
        image = cv2.VideoCapture(str(tmp_path / "out" / "walk_track.mp4")).read()[1].astype(int)
        lines.append(np.abs(image - draw_frame(60))[45:80, 58:63].max(axis=(1, 2)).min())
    assert lines[0] > 60 > lines[1]  # from top to bottom the box's left line is in the first one only


def test_between_detections_people_are_followed_by_flow(root, tmp_path, model, boxes):
    clip = write_clip(tmp_path / "walk.mp4", range(20, 80, 6))
    detections = boxes([(frame, 20 + 6 * frame) for frame in range(10)])
    words = ("--video", clip, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    process = track(root, *words, "--detect-every", "4")
    assert process.returncode == 0, process.stderr + process.stdout
    _, frames = results(tmp_path / "out", "walk")
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 10
    np.testing.assert_allclose(frames[3].joints[0], [[58, 40], [46, 75], [70, 75]], atol=4)
    process = track(root, *words, "--detect-every", "2", "--method", "box")
    assert process.returncode == 2 and "without boxes carried by flow nobody is in between" in process.stderr


def test_a_folder_of_frames_is_a_clip_and_a_bad_frame_is_left_out(root, tmp_path, model, boxes):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(6):
        cv2.imwrite(str(folder / f"{number:06d}.png"), draw_frame(20 + 5 * number))
    (folder / "000002.png").write_bytes(b"no picture")
    detections = boxes([(frame, 20 + 5 * frame) for frame in range(6)])
    process = track(root, "--video", folder, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    assert process.returncode == 1
    assert "1 of its 6 frames could not be read" in process.stdout
    lines, frames = results(tmp_path / "out", "frames")
    assert [line["frame"] for line in lines] == [0, 1, 3, 4, 5]
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 5  # the tracks go on
    assert lines[0]["image"]["file_name"] == "000000.png"


def test_a_frame_of_a_video_that_fails_to_decode_is_left_out_and_tracks_go_on(root, tmp_path, model, boxes):
    noise = np.random.default_rng(0).integers(0, 256, (6, SIZE[1], SIZE[0], 3), dtype=np.uint8)
    times = [number / 10 for number in range(6)]
    clip = write_film(tmp_path / "noise.avi", times, "mjpeg", SIZE, rate=10, pictures=noise)
    data, start = bytearray(clip.read_bytes()), -1
    for _ in range(3):
        start = data.index(b"\xff\xd8\xff", start + 1)
    data[start : start + 600] = bytes(600)
    clip.write_bytes(data)
    detections = boxes([(frame, 40) for frame in range(6)])
    words = ("--video", clip, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    process = track(root, *words, "--joint-thr", 0)  # whatever it sees in noise
    assert process.returncode == 1 and process.stderr == ""
    assert "1 of its 6 frames could not be read" in process.stdout
    lines, _ = results(tmp_path / "out", "noise")
    assert [line["frame"] for line in lines] == [0, 1, 3, 4, 5]
    assert count_frames(tmp_path / "out" / "noise_track.mp4") == 5


def test_an_output_folder_that_cannot_be_written_is_one_line(root, tmp_path, model):
    clip = write_clip(tmp_path / "walk.mp4", [20, 24])
    (tmp_path / "file").write_text("no folder")
    process = track(root, "--video", clip, "--model", model, "--output", tmp_path / "file" / "out")
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert "cannot write to the folder" in process.stderr


def test_frames_of_changing_size_are_reported_and_go_on(root, tmp_path, model, boxes):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        picture = draw_frame(30)
        cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(picture, (320, 240)) if number == 2 else picture)
    detections = boxes([(frame, 30) for frame in (0, 1, 3)])
    process = track(root, "--video", folder, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    assert process.returncode == 1 and "1 of its frames not of the first one's size" in process.stdout
    assert count_frames(tmp_path / "out" / "frames_track.mp4") == 4
    _, frames = results(tmp_path / "out", "frames")
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 4
    np.testing.assert_allclose(frames[2].joints[0, 0], [100, 80], atol=6)  # in the larger frame's pixels


def test_frames_whose_boxes_cannot_be_are_reported_together_and_the_others_tracked(root, tmp_path, model, boxes):
    clip = write_clip(tmp_path / "a.mp4", [20, 22, 24, 26])
    words = ("--boxes", boxes([(0, 20), (1, 5000), (2, 5000), (3, 26)]), "--output", tmp_path / "out")
    process = track(root, "--video", clip, "--model", model, *words)
    assert process.returncode == 1 and f"problem: 2 frames of {clip}: a box of " in process.stdout
    written, _ = results(tmp_path / "out", "a")
    assert len(written) == 4 and written[0]["annotations"] and written[3]["annotations"]


def test_boxes_that_cannot_be_meant_are_refused_and_dark_frames_are_said(root, tmp_path, model, boxes):
    (tmp_path / "frames").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), draw_frame(20).astype(np.uint16) * 16)
    path, words = boxes([(0, 20), (1, 22)]), ("--model", model, "--output", tmp_path / "out")
    process = track(root, "--video", tmp_path / "frames", *words, "--boxes", path)
    assert process.returncode == 0 and process.stdout.count("has 16 bits a channel, but no value above 4080") == 1
    path.write_text(json.dumps([{"image_id": 0, "category_id": 1, "bbox": [100, 60, 150, 110], "score": 1}]))
    clip = write_clip(tmp_path / "walk.mp4", [20, 22])
    for place in (tmp_path / "frames", clip):
        process = track(root, "--video", place, "--boxes", path, "--model", model, "--output", tmp_path / "new")
        assert process.returncode == 2 and process.stderr.count("\n") == 1
        assert "the box reaches far beyond its picture, and looks like x1 y1 x2 y2: give --" in process.stderr
    assert not (tmp_path / "new").exists()


def test_boxes_for_frames_that_do_not_exist_are_reported(root, tmp_path, model, boxes):
    clip = write_clip(tmp_path / "walk.mp4", [20, 22])
    detections = boxes([(0, 20), (1, 22), (77, 20)])
    process = track(root, "--video", clip, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    assert process.returncode == 1 and "1 of 3 boxes" in process.stdout


@pytest.mark.parametrize(
    ("place", "message"),
    [("nowhere.mp4", "there is no video"), ("text.mp4", "no frames that can be read"), ("empty", "has no frames")],
)
def test_clips_that_cannot_be_read_are_one_line(root, tmp_path, model, place, message):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty").mkdir()
    process = track(root, "--video", tmp_path / place, "--model", model, "--output", tmp_path / "out")
    assert process.returncode == 2 and message in process.stderr and process.stderr.count("\n") == 1


def test_a_video_without_frames_is_refused(root, tmp_path, model):
    write_video(tmp_path / "none.mp4", count=0)
    process = track(root, "--video", tmp_path / "none.mp4", "--model", model, "--output", tmp_path / "out")
    assert process.returncode == 2 and "no frames" in process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_video_that_plays_and_json_that_is_whole(root, tmp_path, model, boxes, number):
    clip = write_clip(tmp_path / "long.mp4", [20 + number % 60 for number in range(1500)])
    detections = boxes([(frame, 20 + frame % 60) for frame in range(1500)])
    words = ("--video", clip, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    command = [sys.executable, str(root / "pose_estimation" / "track.py"), *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = tmp_path / "out" / "long_track.jsonl"
    deadline = time.monotonic() + 100
    while not (lines.is_file() and lines.stat().st_size > 3000) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 128 + number
    assert re.fullmatch(r"error: interrupted after \d+ frames, which are saved\n", errors)
    written, frames = results(tmp_path / "out", "long")
    assert 0 < len(written) == len(frames) == count_frames(tmp_path / "out" / "long_track.mp4") < 1500


def test_a_result_never_replaces_the_input(root, tmp_path, model):
    clip = write_clip(tmp_path / "a_track.mp4", [20])
    clip.rename(tmp_path / "a.mp4")
    (tmp_path / "a_track.json").write_text("[]")
    words = ("--video", tmp_path / "a.mp4", "--model", model, "--boxes", tmp_path / "a_track.json")
    process = track(root, *words, "--output", tmp_path)
    assert process.returncode == 2 and "one of the inputs" in process.stderr
    assert (tmp_path / "a_track.json").read_text() == "[]"


def test_options_that_do_not_go_together_are_refused(root, tmp_path, model):
    process = track(root, "--video", tmp_path, "--model", model, "--model-file", "x")
    assert process.returncode == 2 and "--model-file" in process.stderr
    process = track(root, "--img", tmp_path, "--model", model, "--track", "--save-heatmaps", script="deploy.py")
    assert process.returncode == 2 and "--save-heatmaps" in process.stderr
    process = track(root, "--video", tmp_path, "--model", model, "--method", "flownet")
    assert process.returncode == 2 and "flow-queue" in process.stderr


def test_smoothing_and_baselines_run(root, tmp_path, model, boxes):
    clip = write_clip(tmp_path / "walk.mp4", range(20, 50, 6))
    detections = boxes([(frame, 20 + 6 * frame) for frame in range(5)])
    words = ("--video", clip, "--model", model, "--boxes", detections, "--output", tmp_path / "out")
    process = track(root, *words, "--smooth", "--method", "box-queue", "--trail", 0, "--queue", 3)
    assert process.returncode == 0, process.stderr
    _, frames = results(tmp_path / "out", "walk")
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 5
    # smoothed, the last place is behind the true one
    assert frames[4].joints[0, 0, 0] < 20 + 24 + 20


POSETRACK = "experiments/posetrack/resnet50/256x192_d256x3_adam_lr1e-4.yaml"


@pytest.mark.slow
def test_valid_scores_saved_tracks(root, tmp_path):
    pytest.importorskip("motmetrics", reason="needs motmetrics (requirements/base.txt)")
    from lib.dataset.write_clips import main as write_clips

    words = ["--clips", "1", "--frames", "8", "--picture-size", "160", "96"]
    write_clips(["--output", str(tmp_path / "clips"), *words])
    truth = tmp_path / "clips" / "annotations" / "val"
    overrides = ["DATASET.ROOT", tmp_path / "clips", "DATASET.SKELETON.NAME", "mpii", "MODEL.NUM_JOINTS", 16]
    overrides += ["OUTPUT_DIR", tmp_path / "output", "LOG_DIR", tmp_path / "log"]
    process = track(root, "--cfg", root / POSETRACK, "--track-file", truth, *overrides, script="valid.py")
    assert process.returncode == 0, process.stderr
    assert "8 labelled frames" in process.stdout and "| MOTA |" in process.stdout
    (saved,) = (tmp_path / "output").rglob("results.json")
    results = json.loads(saved.read_text())["results"]
    assert results["MOTA"] == results["IDF1"] == 100 and results["Switches"] == 0

    process = track(root, "--cfg", root / POSETRACK, "--track-file", tmp_path / "none", *overrides, script="valid.py")
    assert process.returncode == 2 and "no sequence" in process.stderr
    mini = root / "experiments/mini/mpii_resnet18_64x64.yaml"
    process = track(root, "--cfg", mini, "--track-file", truth, script="valid.py")
    assert process.returncode == 2 and "DATASET.DATASET is mpii" in process.stderr


def test_an_exported_model_needs_numpy_opencv_and_onnx_runtime_only(root, tmp_path, model, boxes):
    clip, scripts = write_clip(tmp_path / "walk.mp4", [20, 24, 28]), root / "pose_estimation"
    words = ["--video", clip, "--model", model, "--boxes", boxes([(0, 20)]), "--output", tmp_path / "out", "--smooth"]
    code = (
        f"import runpy, sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
        f"sys.argv = ['track.py', *{[str(word) for word in words]!r}]\nsys.path.insert(0, {str(scripts)!r})\n"
        f"runpy.run_path({str(scripts / 'track.py')!r}, run_name='__main__')\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    _, frames = results(tmp_path / "out", "walk")
    assert [frame.identities.tolist() for frame in frames.values()] == [[1]] * 3


def test_joints_of_nan_from_a_network_are_one_line(root, tmp_path, boxes):
    broken = write_pose_network(tmp_path / "nan.onnx", metadata(), weights=np.full((3, 3, 4, 4), np.nan, np.float32))
    clip = write_clip(tmp_path / "walk.mp4", [20, 24])
    words = ("--video", clip, "--model", broken, "--boxes", boxes([(0, 20)]), "--output", tmp_path / "out")
    process = track(root, *words)
    assert process.returncode == 1 and "not finite" in process.stderr and process.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "walk_track.mp4").exists()
