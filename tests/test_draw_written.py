"""draw.py reads what infer.py, deploy.py and track.py write: it draws again what they drew."""

import json

import cv2
import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx_toy")

from written import FRAMES, Written, lines_of  # noqa: E402

from lib.inference.results.saved_poses import SavedPoses  # noqa: E402
from lib.utils.errors import UserError  # noqa: E402
from lib.utils.media import VideoFile  # noqa: E402

TRACK_THRESHOLD = 0.4  # track.py's --joint-thr


@pytest.fixture
def written(tmp_path, run_main):
    return Written(tmp_path, run_main)


@pytest.fixture
def draw(written, run_main, tmp_path):
    """Runs draw.py on a source and saved poses, with the toy's limbs; returns (exit code, output)."""

    def draw(source, poses, *words):
        given = ("--img-file", source, "--pose-file", poses, "--output", tmp_path / "again")
        code, out, err = run_main("draw", *given, *(words or ("--dataset", written.skeleton)))
        return code, out + err

    return draw


def frames_of(path):
    video, frames = VideoFile(path), []
    while (image := video.read()) is not None:
        frames.append(image)
    video.close()
    return frames


def assert_same_video(first, second):
    frames, others = frames_of(first), frames_of(second)
    assert len(frames) == len(others) == FRAMES
    for frame, other in zip(frames, others, strict=True):
        np.testing.assert_array_equal(frame, other)


def assert_same_picture(first, second):
    np.testing.assert_array_equal(cv2.imread(str(first)), cv2.imread(str(second)))


def test_a_picture(written, draw, tmp_path):
    out = written.run("deploy", written.picture)
    assert draw(written.picture, out / "one_pose.json")[0] == 0
    assert_same_picture(out / "one_pose.jpg", tmp_path / "again" / "one_pose.jpg")


@pytest.mark.parametrize("poses", ["folder", "one of its files"])
def test_a_folder_of_pictures(written, draw, tmp_path, poses):
    out = written.run("deploy", written.pictures)
    file = out if poses == "folder" else out / "a_pose.json"
    assert draw(written.pictures, file)[0] == 0
    assert_same_picture(out / "a_pose.jpg", tmp_path / "again" / "a_pose.jpg")
    again, first = tmp_path / "again" / "000000000785_pose.jpg", out / "000000000785_pose.jpg"
    assert (cv2.imread(str(again)) == cv2.imread(str(first))).all() == (poses == "folder")


def test_pictures_and_videos_together_each_by_its_own_file(written, draw, tmp_path):
    (written.pictures / "b.mp4").write_bytes(written.clip.read_bytes())
    (written.pictures / "a.mp4").write_bytes(written.clip.read_bytes())  # named as a.png, so its results are not
    out = written.run("deploy", written.pictures)
    assert draw(written.pictures, out)[0] == 0
    drawn = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert drawn == sorted(path.name for path in out.iterdir() if path.suffix in (".jpg", ".mp4")) and len(drawn) == 4
    for name in drawn:
        same = assert_same_video if name.endswith(".mp4") else assert_same_picture
        same(out / name, tmp_path / "again" / name)


@pytest.mark.parametrize("poses", ["file", "folder"])
def test_a_video(written, draw, tmp_path, poses):
    out = written.run("deploy", written.clip)
    assert draw(written.clip, out if poses == "folder" else out / "clip_pose.jsonl")[0] == 0
    assert_same_video(out / "clip_pose.mp4", tmp_path / "again" / "clip_pose.mp4")


@pytest.mark.parametrize("source", ["pictures", "clip"])
def test_what_infer_writes(written, draw, tmp_path, source):
    out = written.infer("--img-file", getattr(written, source))
    assert draw(getattr(written, source), out, "--dataset", "mpii")[0] == 0
    if source == "clip":
        assert_same_video(out / "clip_pose.mp4", tmp_path / "again" / "clip_pose.mp4")
    else:
        assert_same_picture(out / "a_pose.jpg", tmp_path / "again" / "a_pose.jpg")


@pytest.mark.parametrize("poses", ["", "clip_track.jsonl", "clip_track.json"])
@pytest.mark.parametrize(("script", "words"), [("track", ()), ("deploy", ("--track",))])
def test_a_tracked_video_with_its_numbers_and_trails(written, draw, tmp_path, poses, script, words):
    out = written.run(script, written.clip, *words, boxes=written.moving_boxes(0))
    code, said = draw(written.clip, out / poses, "--dataset", written.skeleton, "--kpt-thr", TRACK_THRESHOLD)
    assert code == 0, said
    assert_same_video(out / "clip_track.mp4", tmp_path / "again" / "clip_pose.mp4")


def test_a_video_tracked_by_infer(written, draw, tmp_path):
    out = written.infer("--img-file", written.clip, "--track")
    assert draw(written.clip, out, "--dataset", "mpii", "--kpt-thr", TRACK_THRESHOLD)[0] == 0
    assert_same_video(out / "clip_track.mp4", tmp_path / "again" / "clip_pose.mp4")


@pytest.mark.parametrize("kind", ["jsonl", "json", "jsonl without version"])
def test_a_tracked_folder_of_frames(written, draw, tmp_path, kind):
    out = written.run("track", written.frames, boxes=written.moving_boxes(1))
    file = out / f"frames_track.{kind.partition(' ')[0]}"
    if kind.endswith("version"):
        without_version(file)
    code, said = draw(written.frames, file)
    assert code == 0 and f"=> {FRAMES} people from" in said
    for number in range(1, FRAMES + 1):
        image = cv2.imread(str(written.frames / f"{number:06d}.png")).astype(int)
        drawn = cv2.imread(str(tmp_path / "again" / f"{number:06d}_pose.jpg"))
        changed = np.argwhere(np.abs(image - drawn).max(axis=2) > 60)[:, 1]
        assert changed.min() < 20 + 6 * number < changed.max()  # the box of this frame: 10 + 6 (n - 1) and 60 wide
        assert 6 * (number - 1) < changed.min() and changed.max() < 6 * (number - 1) + 80


def without_version(file):
    """Rewrites a tracked .jsonl as releases before versions wrote it."""
    lines = [{key: line[key] for key in ("frame", "seconds", "image", "annotations")} for line in lines_of(file)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_tracked_lines_of_before_versions(written, draw, tmp_path):
    out = written.run("track", written.clip, boxes=written.moving_boxes(0))
    without_version(out / "clip_track.jsonl")
    words = ("--dataset", written.skeleton, "--kpt-thr", TRACK_THRESHOLD)
    assert draw(written.clip, out / "clip_track.jsonl", *words)[0] == 0
    assert_same_video(out / "clip_track.mp4", tmp_path / "again" / "clip_pose.mp4")


def test_tracks_over_the_pictures_of_their_video(written, draw, tmp_path):
    out = written.run("track", written.clip, boxes=written.moving_boxes(0))
    folder = tmp_path / "of_the_clip"
    folder.mkdir()
    for number, frame in enumerate(frames_of(written.clip)):
        cv2.imwrite(str(folder / f"{number:06d}.png"), frame)
    code, said = draw(folder, out / "clip_track.json")
    assert code == 0 and f"=> {FRAMES} people from" in said, said


def test_the_joints_of_posetrack_stand_in_their_own_order(run_main, tmp_path):
    from lib.core.skeletons import POSETRACK18
    from lib.dataset.annotations.posetrack_form import annotation_entry, write_form

    joints = np.column_stack([np.arange(15) * 8 + 10, np.arange(15) * 5 + 10]).astype(float)
    shown = np.arange(15) != 4
    person = {"identity": 3, "joints": joints, "shown": shown, "scores": np.full(15, 0.9), "box": [5, 5, 130, 90]}
    entry = annotation_entry(10003420000, 1, {**person, "score": 0.8}, POSETRACK18)
    image = {"id": 10003420000, "frame_id": 10003420000, "file_name": "images/val/one/000000.jpg"}
    write_form(tmp_path / "val.json", lambda: iter([{"image": image, "annotations": [entry]}]), POSETRACK18)
    folder = tmp_path / "images" / "val" / "one"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "000000.jpg"), np.full((110, 150, 3), 128, np.uint8))
    words = ("--img-file", folder, "--pose-file", tmp_path / "val.json", "--output", tmp_path / "again")
    code, out, err = run_main("draw", *words)
    assert code == 0 and "=> 1 person from" in out, out + err
    from lib.inference.results.saved_poses import SavedPoses
    from lib.utils.media import Frame

    saved = SavedPoses(tmp_path / "val.json")
    assert saved.skeleton is POSETRACK18
    (found,) = saved.of(Frame(np.zeros((1, 1, 3), np.uint8), folder / "000000.jpg"))
    assert found.identity == 3
    np.testing.assert_array_equal(np.isfinite(found.joints).all(axis=1), shown)
    np.testing.assert_array_equal(found.joints[shown, :2], joints[shown])


def test_a_folder_with_both_of_a_video_asks_which(written, draw):
    written.run("deploy", written.clip)
    out = written.run("track", written.clip, boxes=written.moving_boxes(0))
    code, said = draw(written.clip, out)
    assert code == 2 and "has both clip_pose.jsonl and clip_track.jsonl: give one of them as --pose-file" in said


def test_a_picture_without_poses_in_the_folder_is_reported_and_the_others_are_drawn(written, draw, tmp_path):
    out = written.run("deploy", written.pictures)
    (out / "a_pose.json").unlink()
    code, said = draw(written.pictures, out)
    assert code == 1 and f"problem: {out} has no poses of {written.pictures / 'a.png'}: expected a_pose.json" in said
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["000000000785_pose.jpg"]


@pytest.mark.parametrize("name", ["one_pose.json", "clip_pose.jsonl"])
def test_a_newer_version_is_refused(written, draw, tmp_path, name):
    source = written.picture if name.endswith(".json") else written.clip
    file = written.run("deploy", source) / name
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))
    code, said = draw(source, file)
    where = "person 1 of 1" if name.endswith(".json") else "line 1"
    assert code == 2 and f"{file}: {where}: version 2 is newer than what this release reads, 1: update" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"annotations": [{"image_id": 5}]}, "people of the image 5, which is not among its images"),
        ({"images": [{"id": 0}]}, "no tracks in PoseTrack18's form: no 'file_name'"),
        ({"images": []}, "no tracks in PoseTrack18's form"),
        ({"images": 3}, "expected a list of people"),
    ],
)
def test_tracks_that_cannot_be_are_one_line(written, draw, change, said):
    out = written.run("track", written.clip, boxes=written.moving_boxes(0))
    file = out / "clip_track.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    code, error = draw(written.clip, file)
    assert code == 2 and said in error and error.count("\n") == 1


def test_a_newer_version_is_said_before_its_other_form(tmp_path):
    path = tmp_path / "newer.json"
    path.write_text('[{"version": 2, "image_id": "a", "keypoints": {"nose": [1, 2]}}]')
    with pytest.raises(UserError, match="newer.json: person 1 of 1: version 2 is newer than what this release"):
        SavedPoses(path)
