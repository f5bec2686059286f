"""The loop that infer.py and deploy.py share, with a function in the place of the network."""

import json
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_video
from disk import full_disk

from lib.core.poses import NOBODY, Poses
from lib.core.predictor import PosePredictor, PoseSettings
from lib.core.skeletons import Skeleton
from lib.inference.batches import MAX_FRAMES, in_groups
from lib.inference.boxes.finders import FileBoxes, GivenBoxes, PeopleFinder, WholePicture
from lib.inference.pose_app import PoseApp, run_app
from lib.inference.results.extra_results import ExtraSettings
from lib.inference.results.pose_results import ResultSettings
from lib.utils.errors import ItemError, RunError, UserError
from lib.utils.media import Frame, VideoFile, VideoWriter

SKELETON = Skeleton("three", ("top", "left_end", "right_end"), limbs=(("top", "left_end"),))


def run(crops):
    """Heatmaps of three joints, always at the same places of the crop, the last below every threshold."""
    heatmaps = np.zeros((len(crops), 3, 16, 16), np.float32)
    heatmaps[:, 0, 4, 4], heatmaps[:, 1, 8, 12], heatmaps[:, 2, 12, 4] = 0.9, 0.7, 0.1
    return heatmaps


@pytest.fixture
def app(tmp_path, caplog):
    """Makes a PoseApp that writes below tmp_path/out; its log is caplog's."""

    def app(find_people=None, batch_size=4, network=run, **settings):
        predictor = PosePredictor(network, PoseSettings((64, 64), batch_size=batch_size))
        caplog.set_level(logging.INFO)
        made = ResultSettings(tmp_path / "out", SKELETON, **settings)
        return PoseApp(predictor, find_people or WholePicture(), made, logging.getLogger("test_pose_app"))

    return app


@pytest.fixture
def picture(tmp_path):
    """Writes a grey picture and returns its path."""

    def picture(name="a.png", size=(80, 60)):
        cv2.imwrite(str(tmp_path / name), np.full((size[1], size[0], 3), 90, np.uint8))
        return tmp_path / name

    return picture


def results_of(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


def test_a_picture_gives_a_drawn_one_and_an_entry_a_person(app, picture, tmp_path, caplog):
    boxes = GivenBoxes([(10, 10, 40, 40), (20, 5, 50, 50)])
    assert app(boxes, sure=0.5).run([picture()]) == 0
    assert results_of(tmp_path) == ["a_pose.jpg", "a_pose.json"]
    entries = json.loads((tmp_path / "out" / "a_pose.json").read_text())
    assert [entry["bbox"] for entry in entries] == boxes.boxes.tolist()
    for entry in entries:
        assert entry["joint_names"] == list(SKELETON.joints) and (entry["category_id"], entry["image_id"]) == (1, "a")
        np.testing.assert_allclose(entry["keypoints"][2::3], [0.9, 0.7, 0.1], rtol=1e-6)
        assert entry["score"] == pytest.approx(0.8) and entry["bbox_score"] == 1  # of the two joints above 0.5
    # the box of 40 is a crop of 50 pixels from (5, 5), and a heatmap pixel 50 / 16 of them
    np.testing.assert_allclose(entries[0]["keypoints"][:2], [5 + 4 * 50 / 16] * 2, atol=0.01)
    (line,) = caplog.messages
    assert line.startswith("=> a.png: 2 people, saving ") and "a_pose.jpg" in line and "a_pose.json" in line


def test_joints_below_the_threshold_are_not_drawn(app, picture, tmp_path):
    app(sure=0.5).run([picture(size=(320, 320))])
    drawn = cv2.imread(str(tmp_path / "out" / "a_pose.jpg")).astype(int)
    # the crop is the picture grown by 1.25, so a heatmap pixel is 25 picture pixels, from -40
    places = [(60, 60), (260, 160), (60, 260)]
    difference = [np.abs(drawn[y - 3 : y + 4, x - 3 : x + 4] - 90).max() for x, y in places]
    assert difference[0] > 80 and difference[1] > 80 and difference[2] < 20


def test_the_score_of_a_person_counts_in_the_boxs(app, picture, tmp_path):
    class Unsure(PeopleFinder):
        def __call__(self, frame):
            return Poses.in_boxes([[0, 0, 30, 30]], [0.5])

    app(Unsure()).run([picture()])
    (entry,) = json.loads((tmp_path / "out" / "a_pose.json").read_text())
    assert entry["score"] == pytest.approx(0.4) and entry["bbox_score"] == 0.5


def test_heatmaps_are_saved_over_the_picture_where_asked_for(app, picture, tmp_path):
    app(save_heatmaps=True).run([picture(size=(320, 320))])
    assert results_of(tmp_path) == ["a_heatmaps.jpg", "a_pose.jpg", "a_pose.json"]
    overlay = cv2.imread(str(tmp_path / "out" / "a_heatmaps.jpg")).astype(int)
    assert overlay[60, 60, 2] > 140 > overlay[60, 60, 0]  # red at the joint of 0.9
    assert np.abs(overlay[200, 200] - 90).max() < 8  # and as it was where none is


def test_one_table_and_the_crops_of_all_pictures_and_videos_are_saved_where_asked_for(app, picture, tmp_path, caplog):
    write_video(tmp_path / "c.mp4", count=3)
    paths = [picture("a.png"), picture("b.png"), tmp_path / "c.mp4"]
    extra = ExtraSettings(save_csv=True, save_crops=True)
    assert app(extra=extra).run(paths) == 0
    table = tmp_path / "out" / f"{tmp_path.name}_pose.csv"
    lines = [line.split(",") for line in table.read_text().splitlines()]
    assert len(lines) == 1 + 5 * 3 and [line[1] for line in lines[-3:]] == ["2"] * 3
    assert float(lines[-1][2]) == pytest.approx(2 / VideoFile(paths[2]).rate, abs=1e-3)
    names = ["a_person1.jpg", "b_person1.jpg", *(f"c_00000{number}_person1.jpg" for number in range(3))]
    assert sorted(path.name for path in (tmp_path / "out" / "crops").iterdir()) == names
    assert caplog.messages[-1] == f"=> saving {table}, {tmp_path / 'out' / 'crops'}"
    app(extra=extra).run(paths[:1])
    assert (tmp_path / "out" / "a_pose.csv").exists()


def test_boxes_that_cannot_be_meant_are_refused_before_anything_is_written(app, picture, tmp_path):
    write_video(tmp_path / "c.mp4", count=3)
    size = VideoFile(tmp_path / "c.mp4").size
    for path, (width, height) in ((picture(), (80, 60)), (tmp_path / "c.mp4", size)):
        boxes = GivenBoxes([(width * 0.6, height * 0.4, width * 0.99, height * 0.9)])
        with pytest.raises(UserError, match="--bbox: the box reaches far beyond .* give --bbox-format xyxy"):
            app(boxes).run([path])
    assert not (tmp_path / "out").exists()


def test_what_is_likely_wrong_is_said_and_is_no_problem(app, picture, caplog):
    class Remarking(WholePicture):
        def remarks(self):
            return ["=> the boxes are odd"]

    unsure = app(Remarking(), network=lambda crops: run(crops) * 0.3)
    assert unsure.run([picture()]) == 0
    remarks = caplog.messages[-2:]
    assert remarks[0] == "=> the boxes are odd" and "the keypoints' scores are low" in remarks[1]


def test_nobody_is_no_error(app, picture, tmp_path):
    class Nobody(PeopleFinder):
        def __call__(self, frame):
            return NOBODY

    assert app(Nobody(), save_heatmaps=True).run([picture()]) == 0
    assert json.loads((tmp_path / "out" / "a_pose.json").read_text()) == []
    assert len(results_of(tmp_path)) == 3


def test_persons_of_several_pictures_share_batches(app, picture, tmp_path):
    sizes = []

    def counting(crops):
        sizes.append(len(crops))
        return run(crops)

    boxes = GivenBoxes([(10, 10, 40, 40), (20, 5, 50, 50), (0, 0, 30, 30)])
    paths = [picture(f"{number}.png") for number in range(4)]
    app(boxes, batch_size=6, network=counting).run(paths)
    assert sizes == [1, 6, 6]  # the first is the warm-up
    assert len(results_of(tmp_path)) == 8


def test_the_first_picture_that_uses_few_of_its_16_bits_is_named(app, picture, tmp_path, caplog):
    paths = [picture("8.png")]
    for name, peak in (("whole.png", 60000), ("twelve.png", 4095), ("ten.png", 1023)):
        cv2.imwrite(str(tmp_path / name), np.full((60, 80), peak, np.uint16))
        paths.append(tmp_path / name)
    assert app().run(paths) == 0
    (line,) = [line for line in caplog.messages if "16 bits" in line]
    assert line.startswith(f"=> WARNING: {tmp_path / 'twelve.png'} has 16 bits a channel, but no value above 4095")
    assert "brighter than 15 of 255" in line


def test_a_bad_picture_among_others_is_reported_and_left_out(app, picture, tmp_path, caplog):
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    paths = [tmp_path / "bad.jpg", picture(), tmp_path / "bad.mp4", picture("small.png", (4, 4))]
    working = app(GivenBoxes([(10, 10, 40, 40)]))
    assert working.run(paths) == 3
    problems = [line for line in caplog.messages if line.startswith("problem: ")]
    assert "bad.jpg cannot be decoded" in problems[0] and "outside the picture small.png" in problems[1]
    assert "bad.mp4 has no frames" in problems[2]
    assert results_of(tmp_path) == ["a_pose.jpg", "a_pose.json"]
    assert (working.pictures, working.persons) == (1, 1)


def test_a_bad_picture_alone_is_an_error_and_nothing_is_written(app, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"not a picture")
    with pytest.raises(UserError, match=r"bad\.jpg"):
        app().run([tmp_path / "bad.jpg"])
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_work(app, picture, tmp_path, monkeypatch):
    def full(image, path):
        raise RunError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("lib.inference.results.pose_results.write_picture", full)
    with pytest.raises(RunError, match="No space left"):
        app().run([picture("a.png"), picture("b.png")])


class Failing(PeopleFinder):
    """A detector that fails with the pictures of these names, or the frames of these numbers."""

    def __init__(self, *places):
        self.places = places

    def __call__(self, frame):
        if (frame.path.name if frame.number is None else frame.number) in self.places:
            raise RunError("d.onnx cannot be run: out of memory")
        return WholePicture()(frame)


def test_a_picture_that_the_detector_fails_with_is_left_out(app, picture, tmp_path, caplog):
    paths = [picture("a.png"), picture("b.png"), picture("c.png")]
    assert app(Failing("b.png")).run(paths) == 1
    assert "problem: d.onnx cannot be run: out of memory" in caplog.messages
    assert results_of(tmp_path) == ["a_pose.jpg", "a_pose.json", "c_pose.jpg", "c_pose.json"]
    with pytest.raises(ItemError, match="out of memory"):
        app(Failing("b.png")).run(paths[1:2])


def test_a_picture_whose_results_can_have_no_name_or_no_place_is_left_out(app, picture, tmp_path, caplog):
    (tmp_path / "out" / "b_pose.jpg").mkdir(parents=True)
    (tmp_path / "out" / "b_pose.jpg" / "x").touch()
    long = picture("n" * 240 + ".png")
    assert app().run([picture("a.png"), picture("b.png"), long, picture("c.png")]) == 2
    problems = [line for line in caplog.messages if line.startswith("problem: ")]
    assert "b_pose.jpg: Is a directory" in problems[0] and "File name too long" in problems[1]
    assert results_of(tmp_path) == ["a_pose.jpg", "a_pose.json", "b_pose.jpg", "c_pose.jpg", "c_pose.json"]


def test_a_network_that_fails_ends_the_work(app, picture, tmp_path):
    def failing(crops):
        if crops.any():
            raise RunError("x.onnx cannot be run: out of memory")
        return run(crops)

    clips = [write_video(tmp_path / name, count=2) for name in ("a.mp4", "b.mp4")]
    for paths in (clips, [picture("a.png"), picture("b.png")]):
        with pytest.raises(RunError, match="out of memory"):
            app(network=failing).run(paths)


def test_a_script_says_what_happened_and_its_exit_code_too(app, picture, tmp_path, caplog):
    run_app(app(), [picture()], ["=> a line"])
    assert caplog.messages[0] == "=> a line"
    assert caplog.messages[-1].startswith("=> milliseconds per picture, after a warm-up: read ")
    assert caplog.messages[-1].endswith("(1 picture, 1 person)")
    for part in ("boxes", "preprocess", "network", "decode", "draw", "write"):
        assert f", {part} " in caplog.messages[-1]
    (tmp_path / "bad.jpg").touch()
    with pytest.raises(SystemExit) as ended:
        run_app(app(), [picture(), tmp_path / "bad.jpg"], [])
    assert ended.value.code == 1 and caplog.messages[-1] == "=> 1 problem"


# -- videos ----------------------------------------------------------------------------------------------------------


class EveryOther(PeopleFinder):
    """A person in every other frame."""

    def __call__(self, frame):
        return NOBODY if frame.number % 2 else Poses.in_boxes([[8, 8, 30, 30]])


def test_a_video_gives_a_video_and_a_line_a_frame(app, tmp_path, caplog):
    path = write_video(tmp_path / "clip.mp4", count=7)
    assert app(EveryOther(), save_heatmaps=True, batch_size=2).run([path]) == 0
    assert results_of(tmp_path) == ["clip_heatmaps.mp4", "clip_pose.jsonl", "clip_pose.mp4"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "clip_pose.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(7))
    assert [line["seconds"] for line in lines] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert [len(line["persons"]) for line in lines] == [1, 0, 1, 0, 1, 0, 1]
    assert lines[2]["persons"][0]["image_id"] == 2
    drawn = VideoFile(tmp_path / "out" / "clip_pose.mp4")
    assert (drawn.count, drawn.rate, drawn.size) == (7, 10.0, (64, 48))
    assert caplog.messages[0].startswith("=> clip.mp4: 7 frames, 4 people, saving ")


def test_frames_whose_boxes_cannot_be_go_through_without_people(app, tmp_path, caplog):
    class Sometimes(PeopleFinder):
        def __call__(self, frame):
            if frame.number in (1, 2):
                raise UserError("a box lies outside")
            return EveryOther()(frame)

    assert app(Sometimes()).run([write_video(tmp_path / "clip.mp4")]) == 1
    assert caplog.messages[-1] == f"problem: 2 frames of {tmp_path / 'clip.mp4'}: a box lies outside"
    lines = (tmp_path / "out" / "clip_pose.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["persons"]) for line in lines] == [1, 0, 0, 0, 1]


def test_frames_that_the_detector_fails_with_go_through_without_people(app, tmp_path, caplog):
    paths = [write_video(tmp_path / "clip.mp4"), write_video(tmp_path / "other.mp4", count=1)]
    assert app(Failing(1, 3)).run(paths) == 1
    assert f"problem: 2 frames of {paths[0]}: d.onnx cannot be run: out of memory" in caplog.messages
    lines = (tmp_path / "out" / "clip_pose.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["persons"]) for line in lines] == [1, 0, 1, 0, 1]
    assert "other_pose.mp4" in results_of(tmp_path)


def test_a_video_that_cannot_be_written_is_left_out(app, tmp_path, monkeypatch, caplog):
    def failing(self, *arguments):
        if self.size[0] > 60:
            raise ValueError("too large for me")
        return add(self, *arguments)

    paths = [write_video(tmp_path / "a.mp4", count=2), write_video(tmp_path / "b.mp4", count=2)]
    add = VideoWriter._add_film
    monkeypatch.setattr(VideoWriter, "_add_film", failing)
    with pytest.raises(ItemError, match="a_pose.mp4 cannot be written"):
        app().run(paths[:1])
    paths.append(write_video(tmp_path / "small.mp4", count=2, size=(32, 32)))
    assert app().run(paths) == 2
    problems = [line for line in caplog.messages if line.startswith("problem: ")]
    assert ["a_pose.mp4 cannot be" in problems[0], "b_pose.mp4 cannot be" in problems[1]] == [True, True]
    assert results_of(tmp_path) == ["small_pose.jsonl", "small_pose.mp4"]


def test_a_video_whose_results_can_have_no_name_is_left_out(app, tmp_path, caplog):
    paths = [write_video(tmp_path / "a.mp4", count=2), write_video(tmp_path / "b.mp4", count=2)]
    long = paths[0].rename(tmp_path / ("n" * 240 + ".mp4"))
    assert app().run([long, paths[1]]) == 1
    assert "File name too long" in caplog.messages[0]
    assert results_of(tmp_path) == ["b_pose.jsonl", "b_pose.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="the limit of a file's size is of POSIX")
def test_a_disk_that_is_really_full_ends_the_work_with_pictures_and_videos(app, picture, tmp_path, caplog):
    clips = [write_video(tmp_path / name, count=2) for name in ("a.mp4", "b.mp4")]
    for paths in ([picture("a.png"), picture("b.png")], clips):
        working = app()
        with pytest.raises(RunError, match="cannot write") as caught, full_disk(100):
            working.run(paths)
        assert not isinstance(caught.value, ItemError) and working.problems == 0
    assert results_of(tmp_path) == []


def test_a_file_of_boxes_goes_with_one_video_alone(app, picture, tmp_path):
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 0, "category_id": 1, "bbox": [8, 8, 30, 30], "score": 0.9}]))
    clip = write_video(tmp_path / "clip.mp4", count=2)
    with pytest.raises(UserError, match="--bbox-file counts the frames of one video: give that video alone"):
        app(FileBoxes(boxes, 0.3)).run([picture("0.png"), clip])
    assert not (tmp_path / "out").exists()
    assert app(FileBoxes(boxes, 0.3)).run([clip]) == 0
    lines = (tmp_path / "out" / "clip_pose.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["persons"]) for line in lines] == [1, 0]


def test_a_video_that_ends_early_is_reported(app, tmp_path, monkeypatch, caplog):
    path = write_video(tmp_path / "clip.mp4", count=3)
    opened = VideoFile.__init__

    def longer(video, path):
        opened(video, path)
        video.count = 100

    monkeypatch.setattr(VideoFile, "__init__", longer)
    assert app().run([path]) == 1
    assert caplog.messages[-1] == f"problem: {path}: 97 of its 100 frames could not be read"
    assert len((tmp_path / "out" / "clip_pose.jsonl").read_text().splitlines()) == 3


def test_an_interrupted_video_leaves_nothing(app, tmp_path):
    class Interrupted(PeopleFinder):
        def __call__(self, frame):
            if frame.number == 3:
                raise KeyboardInterrupt
            return EveryOther()(frame)

    with pytest.raises(KeyboardInterrupt):
        app(Interrupted(), batch_size=1).run([write_video(tmp_path / "clip.mp4")])
    assert results_of(tmp_path) == []


# -- groups ----------------------------------------------------------------------------------------------------------


def found(*counts, side=1):
    image = np.zeros((side, side, 3), np.uint8)
    return [(Frame(image, Path("x")), Poses.in_boxes(np.zeros((count, 4)))) for count in counts]


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ([1, 1, 1, 1, 1], [4, 1]), ([9, 1], [1, 1]), ([0, 0, 0], [3]), ([0, 3, 2, 0], [3, 1]), ([], []),
        ([0] * (MAX_FRAMES + 1), [MAX_FRAMES, 1]),
    ],
)  # fmt: skip
def test_frames_are_gathered_until_their_persons_fill_a_batch(counts, sizes):
    pairs = found(*counts)
    groups = list(in_groups(pairs, 4))
    assert [len(group) for group in groups] == sizes
    assert [pair for group in groups for pair in group] == pairs


def test_large_pictures_do_not_wait_for_many_others():
    assert [len(group) for group in in_groups(found(0, 0, 0, side=7000), 4)] == [2, 1]


def test_an_output_folder_that_cannot_be_written_ends_the_work(app, picture, tmp_path):
    (tmp_path / "out").write_text("a file")
    clips = [write_video(tmp_path / name, count=2) for name in ("a.mp4", "b.mp4")]
    for paths in (clips, [picture("a.png"), picture("b.png")]):
        with pytest.raises(UserError, match="cannot write to the folder"):
            app().run(paths)
