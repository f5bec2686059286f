"""draw.py: poses that were saved are drawn again, with other thresholds, without a network."""

import json

import cv2
import numpy as np
import pytest
from clips import write_video

from lib.core.skeletons import COCO
from lib.utils.media import VideoFile
from lib.visualization.poses import draw_people, draw_pose
from lib.visualization.style import DrawStyle

JOINTS = np.column_stack([np.linspace(20, 180, 17), np.linspace(30, 120, 17), np.linspace(0.1, 0.9, 17)])
BOX = [10, 20, 180, 110]


def entry(**values):
    return {"image_id": 785, "category_id": 1, "keypoints": JOINTS.ravel().tolist(), "score": 0.5, **values}


@pytest.fixture
def draw(tmp_path, run_main):
    """Runs draw.py on a grey picture 000000000785.png and the entries; returns (drawn picture, exit code, output)."""

    def draw(entries, *words, name="poses.json"):
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / "000000000785.png"), np.full((150, 200, 3), 90, np.uint8))
        text = entries if isinstance(entries, str) else json.dumps(entries)
        (tmp_path / name).write_text(text, encoding="utf-8")
        given = ["--img-file", folder, "--pose-file", tmp_path / name, "--output", tmp_path / "out", *words]
        code, out, err = run_main("draw", *given)
        return cv2.imread(str(tmp_path / "out" / "000000000785_pose.jpg")), code, out + err

    return draw


def blank():
    return np.full((150, 200, 3), 90, np.uint8)


def as_jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("words", "threshold"), [((), 0.2), (("--kpt-thr", 0.6), 0.6)])
def test_joints_from_the_threshold_on_are_drawn(draw, words, threshold):
    picture, code, out = draw([entry()], *words)
    expected = draw_pose(blank(), JOINTS[:, :2], JOINTS[:, 2] >= threshold, COCO)
    assert code == 0 and "=> 1 person from" in out
    np.testing.assert_array_equal(picture, as_jpeg(expected))


def test_a_box_is_drawn_where_one_was_saved_and_people_below_the_threshold_are_not(draw):
    picture, _, out = draw([entry(bbox=BOX), entry(score=0.1)], "--person-thr", 0.3)
    expected = draw_people(blank(), np.array([BOX]), JOINTS[None, :, :2], JOINTS[None, :, 2] >= 0.2, COCO)
    assert "=> 1 person from" in out and "left out: 1 below the score 0.3" in out
    np.testing.assert_array_equal(picture, as_jpeg(expected))


@pytest.mark.parametrize(
    ("words", "style"),
    [
        (("--no-boxes",), DrawStyle(boxes=False)), (("--names",), DrawStyle(names=True)),
        (("--no-boxes", "--names"), DrawStyle(boxes=False, names=True)),
    ],
)  # fmt: skip
def test_boxes_can_be_left_out_and_names_written(draw, words, style):
    picture, code, _ = draw([entry(bbox=BOX)], *words)
    about = (np.array([BOX]), JOINTS[None, :, :2], JOINTS[None, :, 2] >= 0.2, COCO)
    assert code == 0
    np.testing.assert_array_equal(picture, as_jpeg(draw_people(blank(), *about, style)))
    assert (picture != as_jpeg(draw_people(blank(), *about))).any()


def test_names_are_written_where_no_box_was_saved(draw):
    picture, _, _ = draw([entry()], "--names")
    without = draw_pose(blank(), JOINTS[:, :2], JOINTS[:, 2] >= 0.2, COCO)
    assert (np.abs(picture.astype(int) - as_jpeg(without)) > 60).any()


def test_joints_saved_as_null_are_not_drawn(draw):
    values = JOINTS.ravel().tolist()
    values[3:6] = [None, None, 0.9]
    picture, _, _ = draw([entry(keypoints=values)])
    shown = JOINTS[:, 2] >= 0.2
    shown[1] = False
    np.testing.assert_array_equal(picture, as_jpeg(draw_pose(blank(), JOINTS[:, :2], shown, COCO)))


def test_joints_of_ones_own_are_drawn_by_their_names_and_with_limbs_by_a_file(draw, tmp_path):
    names = ["left_tip", "right_tip", "middle"]
    person = entry(keypoints=[30, 40, 1, 160, 40, 1, 100, 110, 1], joint_names=names)
    dots, code, _ = draw([person])
    (tmp_path / "own.json").write_text(json.dumps({"joints": names, "limbs": [["left_tip", "middle"]]}))
    lines, _, _ = draw([person], "--dataset", tmp_path / "own.json")
    assert code == 0 and abs(dots[40, 30].astype(int) - 90).max() > 20
    assert abs(dots[75, 65].astype(int) - 90).max() < 20 < abs(lines[75, 65].astype(int) - 90).max()


def test_each_frame_of_a_video_gets_its_own_people(tmp_path, run_main):
    write_video(tmp_path / "clip.mp4", 3, (200, 150))
    lines = [{"frame": number, "seconds": 0, "persons": [entry()] if number == 1 else []} for number in range(3)]
    (tmp_path / "clip_pose.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    words = ["--img-file", tmp_path / "clip.mp4", "--pose-file", tmp_path / "clip_pose.jsonl",
             "--output", tmp_path / "out"]  # fmt: skip
    assert run_main("draw", *words)[0] == 0
    capture, frames = cv2.VideoCapture(str(tmp_path / "out" / "clip_pose.mp4")), []
    while (read := capture.read())[0]:
        frames.append(read[1].astype(int))
    assert len(frames) == 3
    assert [bool(np.abs(frame - np.median(frame)).max() > 60) for frame in frames] == [False, True, False]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ("{", "is not valid JSON"),
        ({}, "expected a list of people"),
        ([{"image_id": 785}], "person 1 of 1: no 'keypoints'"),
        ([entry(image_id=None)], "an image_id of None"),
        ([entry(keypoints=[1, 2, 3] * 5)], "5 joints without names: give --dataset"),
        ([entry(), entry(keypoints=[1, 2, 3])], "person 2 of 2: keypoints of 3 numbers; expected x, y, score of 17"),
        ([entry(keypoints=[1e7] * 51)], "keypoints beyond 1000000 pixels"),
        ([entry(keypoints=["a"] * 51)], "keypoints of 'a'; expected a finite number"),
        ([entry(bbox=[1, 2])], "person 1 of 1"),
        ([entry(score="high")], "a score of 'high'"),
    ],
)
def test_a_file_that_holds_no_poses_is_refused_in_one_line(draw, entries, complaint):
    picture, code, out = draw(entries)
    assert picture is None and code == 2
    assert complaint in out and out.count("\n") == 1


def test_lines_that_are_no_frames_are_named(draw):
    _, code, out = draw('{"frame": 0, "persons": []}\n{"persons": 3}\n', name="poses.jsonl")
    assert code == 2 and "line 2 is not a frame with its persons" in out


def test_poses_of_other_pictures_are_reported(draw):
    _, code, out = draw([entry(image_id="elsewhere")])
    assert code == 1 and "no picture here has an image_id of its people (such as elsewhere)" in out


def test_an_input_is_not_replaced(draw, tmp_path):
    words = ["--output", tmp_path]
    _, code, out = draw([entry()], *words, name="000000000785_pose.json")
    assert code == 2 and "is one of the inputs: choose another --output" in out


def test_a_picture_that_cannot_be_read_is_reported_and_the_others_are_drawn(draw, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"no picture")
    picture, code, out = draw([entry()])
    assert picture is not None and code == 1 and "problem: " in out and "a.png" in out


# -- mmpose's own form -------------------------------------------------------------------------------------------------

INSTANCE = {
    "keypoints": JOINTS[:, :2].tolist(), "keypoint_scores": JOINTS[:, 2].tolist(), "bbox": [[10, 20, 190, 130]],
    "bbox_score": 0.9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("000000000785.json", [INSTANCE]),
        ("results_000000000785.json", {"meta_info": {"dataset_name": "coco"}, "instance_info": [INSTANCE]}),
        ("000000000785.json", {"predictions": [[INSTANCE]]}),
        ("poses.json", [{**INSTANCE, "image_id": 785}]),
        ("poses.json", [entry(keypoints=JOINTS.tolist(), bbox=BOX)]),
    ],
)
def test_nested_keypoints_are_drawn_as_flat_ones(draw, name, content):
    picture, code, out = draw(content, name=name)
    shown = JOINTS[:, 2] >= 0.2
    expected = draw_people(blank(), np.array([BOX]), JOINTS[None, :, :2], shown[None], COCO)
    assert code == 0 and "=> 1 person from" in out
    np.testing.assert_array_equal(picture, as_jpeg(expected))


@pytest.mark.parametrize("first", [0, 1])  # mmpose's demos count frames from 1
def test_the_frames_of_nested_keypoints_are_those_of_the_video(tmp_path, run_main, first):
    write_video(tmp_path / "c.mp4", count=3, size=(200, 150))
    frames = [{"frame_id": number + first, "instances": [INSTANCE] if number == 1 else []} for number in range(3)]
    names = {"keypoint_id2name": {str(number): f"joint {number}" for number in range(17)}}
    content = {"meta_info": names, "instance_info": frames} if first else frames
    (tmp_path / "c.json").write_text(json.dumps(content))
    words = ["--img-file", tmp_path / "c.mp4", "--pose-file", tmp_path / "c.json", "--output", tmp_path / "out"]
    code, out, _ = run_main("draw", *words)
    assert code == 0 and "=> 1 person from" in out
    video, spread = VideoFile(tmp_path / "out" / "c_pose.mp4"), []
    while (image := video.read()) is not None:
        spread.append(int(np.ptp(image.astype(int))))
    assert len(spread) == 3 and spread[1] > 100 > max(spread[0], spread[2])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keypoint_scores": [0.5]}, "person 1 of 1: 17 keypoints, but 1 keypoint_scores"),
        ({"keypoints": [[1, 2, 3, 4]] * 17}, "person 1 of 1: a keypoint of [1, 2, 3, 4]; expected x, y and perhaps"),
        ({"bbox": [[1, 2, 3]]}, "person 1 of 1: a box of [1, 2, 3]"),
        ({"keypoints": [["a", 2]] * 17}, "person 1 of 1: keypoints of 'a'"),
    ],
)
def test_nested_keypoints_that_cannot_be_are_one_line(draw, change, said):
    _, code, out = draw([{**INSTANCE, **change}], name="000000000785.json")
    assert code == 2 and said in out


def test_poses_of_an_image_id_that_fits_several_pictures_are_refused(draw, tmp_path):
    (tmp_path / "pictures").mkdir()
    cv2.imwrite(str(tmp_path / "pictures" / "785.png"), blank())
    _, code, out = draw([entry()])
    assert code == 2 and "the image_id 785 fits several pictures: " in out and not (tmp_path / "out").exists()
