"""The drawn data set: exact positions, MPII's form, the same bytes for the same seed, and no harm to other folders."""

import json

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from lib.core.skeletons import MPII_MAT_JOINTS
from lib.dataset.synthetic import people, scene
from lib.dataset.synthetic import pictures as synthetic
from lib.utils.errors import UserError


def _records(folder, split="valid"):
    return json.loads((folder / "annot" / f"{split}.json").read_text())


def _contents(folder):
    """Every file's bytes but gt_valid.mat's, whose header holds the time of day."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".mat")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "data"
    return folder, synthetic.write_dataset(folder, 9, 7, seed=3)


@pytest.fixture
def bare(monkeypatch):
    """Pictures with people on black alone: arms stretched out, the right side red, the left blue, the rest black."""
    look = people.Appearance((0, 0, 0), (0, 0, 0), (0, 0, 0), ((0, 0, 255), (255, 0, 0)), 1.0)
    monkeypatch.setattr(people, "sample_appearance", lambda rng: look)
    monkeypatch.setattr(scene, "draw_background", lambda rng, size: np.zeros((size[1], size[0], 3), np.uint8))
    monkeypatch.setattr(scene, "draw_occluders", lambda rng, picture, persons: None)
    monkeypatch.setattr(scene, "add_camera_effects", lambda rng, picture: picture)
    monkeypatch.setattr(people, "PLACE_JITTER", -0.05)
    stretched = {"arm_out": (90, 90, 90), "elbow_bend": (0, 0, 0)}
    monkeypatch.setattr(people, "LIMB_ANGLES", people.LIMB_ANGLES | stretched)
    return monkeypatch


def _offset_across(brightness, start, end, axis):
    """Pixels along `axis` (0 x, 1 y) from halfway the limb `start`-`end` (0-based) to the centre of what is bright."""
    middle = (np.asarray(start) + end) / 2
    other = round(middle[1 - axis])
    share = (other - start[1 - axis]) / (end[1 - axis] - start[1 - axis])
    expected = start[axis] + share * (end[axis] - start[axis])
    line = brightness[other] if axis == 0 else brightness[:, other]
    places = np.arange(max(int(expected) - 20, 0), min(int(expected) + 21, len(line)))
    return (line[places] * places).sum() / line[places].sum() - expected


@pytest.mark.parametrize("behind", [0, 1])
def test_joints_are_where_the_limbs_are_drawn_in_one_based_pixels(tmp_path, bare, behind):
    bare.setattr(people, "SEEN_FROM_BEHIND_CHANCE", behind)
    size = {"picture_size": (480, 400), "persons_per_picture": (1, 1)}
    synthetic.write_dataset(tmp_path / "data", 1, 12, pose_variation=0, jpeg_quality=100, **size)
    offsets = {"x": [], "y": []}
    for record in _records(tmp_path / "data"):
        picture = cv2.imread(str(tmp_path / "data" / "images" / record["image"])).astype(float)
        joints = np.array(record["joints"]) - 1
        assert all(record["joints_vis"])
        assert (joints[people.R_HIP, 0] < joints[people.L_HIP, 0]) == (behind == 0)
        red, blue = (np.where(picture[..., channel] > 40, picture[..., channel], 0) for channel in (2, 0))
        for brightness, leg, arm in zip((red, blue), people.LEGS, people.ARMS, strict=True):
            offsets["x"].append(_offset_across(brightness, joints[leg[1]], joints[leg[2]], axis=0))
            offsets["y"].append(_offset_across(brightness, joints[arm[1]], joints[arm[2]], axis=1))
    for values in offsets.values():
        assert abs(np.mean(values)) < 0.2
        assert np.max(np.abs(values)) < 0.7


def test_limb_ends_and_head_box_are_at_the_joints():
    angles = people.sample_angles(np.random.default_rng(1), 0.0)
    angles["yaw"] = 0.0
    points = people.seen_by_viewer(people.body_points(angles), angles) * 200 + 150
    red, black = (0, 0, 255), (0, 0, 0)
    look = people.Appearance(red, black, black, (black, black), 1.0)
    person = people.Person(points[:, :2], points[:, 2], 200, 0.0, look)
    canvas = np.zeros((360, 300, 3), np.uint8)
    people.draw_person(canvas, person)
    bare_head = np.zeros((360, 300, 3), np.uint8)
    people.fill_hull(bare_head, *person.head_circles(), red)
    rows, columns = np.nonzero(bare_head[..., 2] > 127)
    (left, top), (right, bottom) = person.head_box()
    assert np.allclose([columns.min(), columns.max(), rows.min(), rows.max()], [left, right, top, bottom], atol=1)
    assert abs(rows.min() - points[people.HEAD_TOP, 1]) <= 1
    assert abs(rows.max() - points[people.NECK, 1]) <= 1
    for wrist, hand in ((people.R_WRIST, people.R_HAND), (people.L_WRIST, people.L_HAND)):
        x, y = np.rint((points[wrist, :2] + points[hand, :2]) / 2).astype(int)
        assert canvas[y, x, 2] > 200


def test_counts_are_exact_and_pictures_have_the_size(dataset):
    folder, counts = dataset
    assert (counts["training_persons"], counts["validation_persons"]) == (9, 7)
    for split, persons, pictures in (("train", 9, "training_pictures"), ("valid", 7, "validation_pictures")):
        records = _records(folder, split)
        images = {record["image"] for record in records}
        assert len(records) == persons
        assert images == {path.name for path in (folder / "images").glob(f"{split}_*.jpg")}
        assert len(images) == counts[pictures] < persons
        assert all(cv2.imread(str(folder / "images" / image)).shape == (240, 320, 3) for image in images)
    first = [(folder / "images" / f"{split}_00001.jpg").read_bytes() for split in ("train", "valid")]
    assert first[0] != first[1]


def test_records_follow_mpii(dataset):
    for record in _records(dataset[0], "train"):
        joints = np.array(record["joints"])
        assert joints.shape == (16, 2)
        assert set(record["joints_vis"]) <= {0, 1} and len(record["joints_vis"]) == 16
        assert np.allclose(record["center"], (joints.min(axis=0) + joints.max(axis=0)) / 2, atol=1e-3)
        assert record["scale"] == pytest.approx(np.ptp(joints, axis=0).max() / 200, abs=1e-4)
        assert np.allclose(joints[people.PELVIS], (joints[people.R_HIP] + joints[people.L_HIP]) / 2, atol=1e-3)


def test_same_seed_same_bytes_and_another_seed_others(dataset, tmp_path):
    synthetic.write_dataset(tmp_path / "again", 9, 7, seed=3)
    synthetic.write_dataset(tmp_path / "other", 9, 7, seed=4)
    assert _contents(tmp_path / "again") == _contents(dataset[0])
    assert _records(tmp_path / "other") != _records(dataset[0])


@pytest.mark.parametrize("persons", [1, 7])
def test_mat_agrees_with_the_records(dataset, tmp_path, persons):
    folder = dataset[0]
    if persons == 1:
        folder = tmp_path / "one"
        synthetic.write_dataset(folder, 1, 1)
    truth, records = loadmat(folder / "annot" / "gt_valid.mat"), _records(folder)
    assert [name.item() for name in truth["dataset_joints"][0]] == list(MPII_MAT_JOINTS)
    assert truth["pos_gt_src"].shape == (16, 2, persons)
    assert truth["jnt_missing"].shape == (16, persons)
    assert truth["headboxes_src"].shape == (2, 2, persons)
    for number, record in enumerate(records):
        assert np.array_equal(truth["pos_gt_src"][:, :, number], record["joints"])
        assert np.array_equal(1 - truth["jnt_missing"][:, number], record["joints_vis"])
        low, high = truth["headboxes_src"][:, :, number]
        head = np.array(record["joints"])[[people.NECK, people.HEAD_TOP]].mean(axis=0)
        assert (low < head).all() and (head < high).all()


def test_joints_outside_the_picture_keep_their_position_and_are_not_visible():
    points = np.full((20, 2), 50.0)
    points[:5] = [[-0.1, 50], [50, -0.1], [319.1, 50], [50, 239.1], [400, 300]]
    points[5:8] = [[0, 0], [319, 239], [0, 239]]
    person = people.Person(points, np.zeros(20), 100, 0.0, None)
    record = synthetic.person_record(person, "a.jpg", (320, 240))
    assert record["joints_vis"] == [0] * 5 + [1] * 11
    assert record["joints"][4] == [401, 301] and record["joints"][5] == [1, 1]


def test_no_variation_stands_straighter_than_full_variation():
    def spread(variation):
        poses = [people.sample_angles(np.random.default_rng(seed), variation) for seed in range(40)]
        return np.std([pose["arm_out"] for pose in poses]), np.std([pose["torso_lean"] for pose in poses])

    assert all(calm < np.deg2rad(2) < np.deg2rad(10) < wild for calm, wild in zip(spread(0), spread(1), strict=True))


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    (foreign / "synthetic.json").write_text('"not the marker"')
    with pytest.raises(UserError, match="not made by this generator"):
        synthetic.write_dataset(foreign, 1, 1)
    assert (foreign / "thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_interrupted_run_leaves_the_old_data_set(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    synthetic.write_dataset(folder, 2, 1)
    before = _contents(folder)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_write_truth", interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthetic.write_dataset(folder, 3, 1)
    assert _contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_ensure_dataset_draws_once_and_again_for_other_arguments(tmp_path, monkeypatch):
    folder, calls = tmp_path / "data", []
    write = synthetic._build
    monkeypatch.setattr(synthetic, "_build", lambda *given: calls.append(given) or write(*given))
    wanted = {"training_persons": 2, "validation_persons": 1, "picture_size": (64, 48)}
    counts = synthetic.ensure_dataset(folder, **wanted)
    assert synthetic.ensure_dataset(folder, **wanted, seed=0) == counts
    assert len(calls) == 1
    assert synthetic.ensure_dataset(folder, **wanted | {"training_persons": 3})["training_persons"] == 3
    assert len(calls) == 2 and len(_records(folder, "train")) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"training_persons": 0}, {"validation_persons": -1}, {"seed": -1}, {"picture_size": (0, 240)},
        {"persons_per_picture": (2, 1)}, {"pose_variation": float("nan")}, {"pose_variation": 1.1},
        {"jpeg_quality": 101},
    ],
)  # fmt: skip
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, bad):
    with pytest.raises(UserError, match=next(iter(bad))):
        synthetic.write_dataset(tmp_path / "data", **{"training_persons": 1, "validation_persons": 1} | bad)
    assert not any(tmp_path.iterdir())


def test_command_line(tmp_path, capsys):
    output = ["--output", str(tmp_path / "data")]
    synthetic.main([*output, "--train", "3", "--valid", "2", "--picture-size", "64", "48"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "3 people" in printed and str(tmp_path / "data") in printed
    for bad in (["--train", "0"], ["--pose-variation", "2"]):
        with pytest.raises(UserError):
            synthetic.main([*output, *bad])
    with pytest.raises(SystemExit) as stop:
        synthetic.main([*output, "--train", "many"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
