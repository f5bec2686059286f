"""Pose: every kind of source, the same joints as the scripts, threads, and memory that does not grow."""

import importlib.util
import json
import threading
import types
import warnings

import cv2
import numpy as np
import onnx_toy
import pytest
from spots import BOX, assert_spots

from lib import Pose, Poses, RunError, UserError
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.inference.detector import PersonDetector


@pytest.fixture
def file(tmp_path, picture):
    path = tmp_path / "people.png"
    cv2.imwrite(str(path), picture)
    return path


def test_a_picture_is_a_file_an_array_or_of_pillow(pose, picture, file):
    image_module = pytest.importorskip("PIL.Image")
    expected = OnnxPosePredictor(pose.predictor.run.path).predict(picture, [BOX])[0]
    with image_module.open(file) as opened:
        for source in (file, str(file), picture, opened, opened.convert("RGBA")):
            poses = pose(source, boxes=[BOX])
            np.testing.assert_array_equal(poses.keypoints, expected)
            np.testing.assert_array_equal(poses.image, picture)
    assert_spots(poses)
    assert pose(file).path == file and pose.picture(file).frame is None
    assert pose(picture).boxes.tolist() == [[0, 0, 300, 200]]  # nobody says where people are


def test_pillow_of_16_bits_is_refused(pose):
    image_module = pytest.importorskip("PIL.Image")
    deep = image_module.fromarray(np.zeros((9, 9), np.uint16))
    with pytest.raises(UserError, match="PIL picture of mode I;16"):
        pose(deep)


def test_a_picture_at_an_address(pose, picture, file, tmp_path):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        poses = pose(f"{address}/people.png?size=1", boxes=[BOX])
        with pytest.raises(UserError, match="cannot download the picture"):
            pose(f"{address}/nobody.png")
        server.shutdown()
    assert_spots(poses)
    assert poses.path.name == "people.png"


def test_a_list_gives_a_list_and_batches_go_across_pictures(model, picture):
    pose, sizes = Pose(model, batch_size=4), []
    run = pose.predictor.run
    pose.predictor.run = lambda crops: (sizes.append(len(crops)), run(crops))[1]
    found = pose([picture] * 6, boxes=[[BOX]] * 5 + [None])
    assert isinstance(found, list) and sizes == [4, 2]
    for poses in found[:5]:
        assert_spots(poses)
    assert found[5].boxes.tolist() == [[0, 0, 300, 200]]
    assert pose([]) == []


def test_a_folder_gives_an_iterator_in_natural_order(pose, picture, tmp_path):
    for name in ("frame_10.png", "frame_2.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.warns(UserWarning, match="left out: .*broken.png"):
        found = list(pose(tmp_path, boxes=[BOX]))
    assert [poses.path.name for poses in found] == ["frame_2.png", "frame_10.png"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(pose(str(tmp_path / "frame*.png")))) == 2


def test_a_video_gives_an_iterator_whose_file_is_closed(pose, tmp_path):
    clips = pytest.importorskip("clips")
    path = clips.write_video(tmp_path / "film.mp4", count=7)
    frames = pose(path)
    assert isinstance(frames, types.GeneratorType)
    first = next(frames)
    assert (first.frame, first.seconds, first.image.shape) == (0, 0.0, (48, 64, 3))
    frames.close()
    assert not [thread for thread in threading.enumerate() if "_Worker" in type(thread).__name__]
    found = list(pose.frames(path))
    assert [poses.frame for poses in found] == list(range(7)) and found[3].seconds == pytest.approx(0.3)


def test_an_iterator_of_pictures_is_taken_as_it_goes(pose, picture):
    taken = []

    def camera():
        for number in range(100):
            taken.append(number)
            yield picture

    frames = pose(camera(), boxes=[BOX])
    assert_spots(next(frames))
    assert len(taken) <= pose.predictor.settings.batch_size


def test_a_tracked_person_keeps_a_number(pose, picture):
    moved = [np.roll(picture, shift, axis=1) for shift in (0, 2, 4)]
    boxes = [[(20 + shift, 30, 90, 100)] for shift in (0, 2, 4)]
    assert [poses.track_ids.tolist() for poses in pose(moved, boxes=boxes, track=True)] == [[1]] * 3
    assert [poses.track_ids.tolist() for poses in pose(moved, boxes=boxes)] == [[0]] * 3
    assert pose(moved, boxes=boxes, track=True)[0].track_ids.tolist() == [1]  # each call counts from 1


@pytest.mark.parametrize(("threshold", "people"), [(None, 0), (0.3, 1)])
def test_tracking_counts_boxes_from_the_papers_score_on_but_keeps_a_threshold_that_is_given(
    model, picture, threshold, people
):
    pose = Pose(model, detector_threshold=threshold)
    pose.detector = types.SimpleNamespace(detect=lambda image: (np.array([BOX]), np.array([0.4])))
    assert [len(each) for each in pose.frames(iter([picture]), track=True)] == [people]
    assert len(pose(picture)) == 1


def test_a_folder_is_a_clip_where_people_are_tracked(pose, picture, tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
    assert [poses.track_ids.tolist() for poses in pose(tmp_path, boxes=[BOX], track=True)] == [[1]] * 3


def test_a_detector_finds_people_and_boxes_win(model, picture, tmp_path):
    path = onnx_toy.write_detector(tmp_path / "detector.onnx", [[40, 60, 200, 260, 0.9], [40, 60, 200, 260, 0.2]])
    expected = PersonDetector(path).detect(picture)
    for detector in (path, PersonDetector(path)):
        pose = Pose(model, detector)
        poses = pose(picture)
        np.testing.assert_array_equal(poses.boxes, expected[0])
        np.testing.assert_array_equal(poses.box_scores, expected[1])
        assert pose(picture, boxes=[BOX]).boxes.tolist() == [list(BOX)]
    assert len(Pose(model, path, detector_threshold=0.1)(picture)) == len(expected[0]) + 1
    assert "boxes from" in repr(pose) and "3 joints (spots)" in repr(pose)


def test_the_joints_are_those_of_the_script(run_main, model, file, tmp_path):
    detector = onnx_toy.write_detector(tmp_path / "detector.onnx", [[40, 60, 300, 360, 0.9]])
    for words, options in (((), {}), (("--flip-test",), {"flip_test": True})):
        output = tmp_path / f"out{len(words)}"
        words = ("--img", file, "--model", model, "--detector", detector, "--output", output, *words)
        code, _, errors = run_main("deploy", *words)
        assert (code, errors) == (0, "")
        written = json.loads((output / "people_pose.json").read_text())
        saved = Pose(model, detector, **options)(file).save(tmp_path / "ours.json")
        assert json.loads(saved.read_text()) == written and len(written) == 1


@pytest.mark.skipif(not importlib.util.find_spec("paddle"), reason="needs Paddle")
def test_weights_of_paddle_with_their_experiment(picture, tmp_path, paddle):
    import toy

    from lib.config.config import read_config
    from lib.inference.build import load_predictor
    from lib.models.build import get_pose_net

    experiment, weights = toy.write_experiment(tmp_path, tmp_path), tmp_path / "x.pdparams"
    paddle.save(get_pose_net(read_config(experiment, {}).model).state_dict(), str(weights))
    poses = Pose(weights, cfg=experiment, batch_size=2)(picture, boxes=[BOX])
    np.testing.assert_array_equal(poses.keypoints, load_predictor(experiment, weights).predict(picture, [BOX])[0])
    assert len(poses.names) == 16 and poses.names[0] == "right_ankle"


def test_four_threads_get_equal_answers(model, picture, tmp_path):
    detector = onnx_toy.write_detector(tmp_path / "detector.onnx", [[40, 60, 300, 360, 0.9]])
    pose = Pose(model, detector)
    pictures = [np.roll(picture, 5 * shift, axis=1) for shift in range(4)]
    expected = [pose(each).keypoints for each in pictures]
    wrong = []

    def work(place):
        for _ in range(50):
            if not np.array_equal(pose(pictures[place]).keypoints, expected[place]):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert not np.array_equal(expected[0], expected[1])


def test_results_are_of_the_exported_type(pose, picture):
    assert type(pose(picture)) is Poses


def test_a_stream_goes_frame_by_frame(model, tmp_path):
    streams = pytest.importorskip("streams")
    pose, sizes = Pose(model), []
    run = pose.predictor.run
    pose.predictor.run = lambda crops: (sizes.append(len(crops)), run(crops))[1]
    server = streams.Server([streams.broadcast(tmp_path / "x.ts")], stays=5)
    try:
        frames = pose(server.address)
        assert next(frames).image.shape == (64, 64, 3) and next(frames).frame == 1
        frames.close()
    finally:
        server.close()
    assert sizes == [1, 1]  # nobody waits for a batch


def test_a_network_that_fails_ends_the_thread_that_reads_ahead(model, tmp_path):
    clips = pytest.importorskip("clips")
    pose = Pose(model)

    def fail(crops):
        raise RunError("the network failed with --batch-size 8")

    pose.predictor.run = fail
    with pytest.raises(RunError, match="the network failed with batch_size=8"):
        list(pose.frames(clips.write_video(tmp_path / "film.mp4", count=40)))
    assert not [thread for thread in threading.enumerate() if "_Worker" in type(thread).__name__]
