"""Pictures, videos and streams as deploy.py and track.py get them from the command line."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import pytest
from clips import grey, look_at, write_film, write_video
from onnx_toy import metadata, write_pose_network
from PIL import Image
from streams import Server, broadcast

VARIABLE = [0.0, 0.033, 0.067, 0.1, 0.3, 0.5, 0.501]


@pytest.fixture
def model(tmp_path):
    return write_pose_network(tmp_path / "spots.onnx", metadata())


@pytest.fixture(params=["deploy", "track"])
def call(request, run_main, model, tmp_path):
    """Runs deploy.py or track.py on a source: its exit code and what it said; `lines` reads the JSON lines."""

    def call(source, *words):
        given = ["--img", source, "--model", model, "--output", tmp_path / "out", *words]
        return run_main(request.param, *given)

    call.script = request.param
    call.ending = "pose" if request.param == "deploy" else "track"
    call.lines = lambda name: [
        json.loads(line) for line in (tmp_path / "out" / f"{name}_{call.ending}.jsonl").read_text().splitlines()
    ]
    return call


def test_a_videos_times_stand_in_its_results(call, tmp_path):
    code, out, err = call(write_film(tmp_path / "clip.webm", VARIABLE, "libvpx"))
    assert (code, err) == (0, "") and "=> clip.webm: 7 frames" in out
    assert [line["seconds"] for line in call.lines("clip")] == VARIABLE
    codec, pixels, _, seconds, _, _ = look_at(tmp_path / "out" / f"clip_{call.ending}.mp4")
    assert (codec, pixels) == ("h264", "yuv420p") and seconds == pytest.approx(VARIABLE, abs=1e-3)


def test_a_video_keeps_its_sound(call, tmp_path):
    times = [number / 10 for number in range(10)]
    assert call(write_film(tmp_path / "clip.mp4", times, sound="aac"))[0] == 0
    assert look_at(tmp_path / "out" / f"clip_{call.ending}.mp4")[5] == "aac"


def test_an_animated_picture_is_a_video_and_of_any_name(call, tmp_path):
    frames = [Image.fromarray(grey(number)) for number in range(4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=130)
    (tmp_path / "a.gif").rename(tmp_path / "dance.jpg")
    code, _, err = call(tmp_path / "dance.jpg")
    assert (code, err) == (0, "")
    assert [line["seconds"] for line in call.lines("dance")] == [0, 0.13, 0.26, 0.39]


def test_a_cut_off_video_has_one_number_everywhere(call, tmp_path):
    whole = write_film(tmp_path / "a.mp4", [number / 10 for number in range(40)], x264opts="keyint=1").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole[: len(whole) * 3 // 4])
    code, out, _ = call(path)
    count = len(call.lines("cut"))
    assert code == 1 and f"=> cut.mp4: {count} frames, " in out
    assert f"problem: {path}: {40 - count} of its 40 frames could not be read" in out.splitlines()
    assert len(look_at(tmp_path / "out" / f"cut_{call.ending}.mp4")[3]) == count < 40


def test_names_with_colons_are_names(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "12:30.mp4")
    code, _, err = call("12:30.mp4", "--output", "out:1")
    assert (code, err) == (0, "") and f"12:30_{call.ending}.mp4" in os.listdir("out:1")


@pytest.mark.parametrize("option", ["--img", "--output", "--model", "--detector", "--boxes"])
def test_an_empty_value_is_an_error(call, tmp_path, option):
    code, out, err = call(write_video(tmp_path / "clip.mp4"), option, "")
    assert (code, out) == (2, "") and err.count("\n") == 1 and "its value is empty" in err


def test_a_name_too_long_for_the_results_is_one_line(call, tmp_path):
    clip = write_video(tmp_path / "a.mp4").rename(tmp_path / ("n" * 250 + ".mp4"))
    code, _, err = call(clip)
    assert code == 1 and err.count("\n") == 1 and err.endswith("File name too long\n")


@pytest.mark.parametrize("source", ["98", "rtsp://127.0.0.1:1/x", "http://127.0.0.1:1/x", "/dev/video98"])
def test_a_stream_that_is_not_there_is_one_line(call, source):
    code, _, err = call(source)
    assert code == 2 and err.count("\n") == 1 and ("cannot open the stream" in err or "cameras are read on" in err)


def test_a_folder_is_done_by_what_its_files_hold(run_main, model, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, name in enumerate(("b_10.png", "b_9.jfif", "c.dat"), 1):
        Image.fromarray(grey(number)).save(folder / name, "PNG")
    write_film(tmp_path / "a.mp4").rename(folder / "film")
    (folder / "notes.txt").write_text("words")
    (folder / ("n" * 250 + ".png")).write_bytes((folder / "c.dat").read_bytes())
    code, out, err = run_main("deploy", "--img", folder, "--model", model, "--output", tmp_path / "out")
    assert (code, err) == (1, "") and "=> left out: notes.txt (neither a picture nor a video)" in out.splitlines()
    (problem,) = [line for line in out.splitlines() if line.startswith("problem: ")]
    assert problem.endswith("File name too long")
    done = [line.split(":")[0].removeprefix("=> ") for line in out.splitlines() if ", saving " in line]
    assert done == ["b_9.jfif", "b_10.png", "c.dat", "film"]


def test_frames_of_a_folder_come_as_people_count(run_main, model, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (1, 2, 9, 10, 11, 100):
        cv2.imwrite(str(folder / f"frame_{number}.png"), grey(3))
    (folder / "boxes.json").write_text("[]")
    write_video(folder / "x.mp4")
    code, out, err = run_main("track", "--img", folder, "--model", model, "--output", tmp_path / "out")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in (tmp_path / "out" / "frames_track.jsonl").read_text().splitlines()]
    names = [line["image"]["file_name"] for line in lines]
    assert names == [f"frame_{number}.png" for number in (1, 2, 9, 10, 11, 100)]
    assert "=> left out: boxes.json (neither a picture nor a video)" in out.splitlines()
    assert "=> left out: x.mp4 (a video among the frames)" in out.splitlines()


def test_track_wants_more_than_one_picture(run_main, model, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey(3))
    code, _, err = run_main("track", "--img", tmp_path / "a.png", "--model", model)
    assert code == 2 and "is one picture: give a video or a folder of frames" in err


def test_without_pyav_pictures_go_and_a_video_names_the_package(run_main, model, tmp_path, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    write_video(folder / "clip.mp4")
    cv2.imwrite(str(folder / "a.png"), grey(3))
    monkeypatch.setitem(sys.modules, "av", None)
    words = ("--model", model, "--output", tmp_path / "out")
    code, out, err = run_main("deploy", "--img", folder, *words)
    assert (code, err) == (1, "") and "=> a.png: 1 person" in out
    said = "PyAV, which reads and writes videos, is not installed: pip install 'av>=17,<19'"
    assert f"problem: {said}" in out.splitlines()
    assert run_main("deploy", "--img", folder / "clip.mp4", *words)[::2] == (2, f"error: {said}\n")


@pytest.mark.slow
@pytest.mark.parametrize(("script", "ending"), [("deploy.py", "pose"), ("track.py", "track")])
def test_a_stream_goes_on_until_ctrl_c_and_writes_as_it_goes(root, model, tmp_path, script, ending):
    parts = [broadcast(tmp_path / "part.ts", start) for start in (100.0, 7.0)]
    server = Server(parts, stays=2.0)
    words = ["--img", server.address, "--model", model, "--output", tmp_path / "out"]
    command = [sys.executable, str(root / "pose_estimation" / script), *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    name = server.address.replace("://", "_").replace(".", "_").replace(":", "_").replace("/", "_")
    lines, deadline = tmp_path / "out" / f"{name}_{ending}.jsonl", time.monotonic() + 60
    while not (lines.is_file() and lines.read_text().count("\n") >= 16) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    server.close()
    assert (process.returncode, err) == (0, "") and "1 break, after which it went on" in out
    seconds = [json.loads(line)["seconds"] for line in lines.read_text().splitlines()]
    assert seconds == sorted(seconds) and seconds[9] == 0.9 and 2 < seconds[10] < 8
    assert len(look_at(tmp_path / "out" / f"{name}_{ending}.mp4")[3]) == len(seconds)
