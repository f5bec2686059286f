"""Samples against the original's recorded ones, the selection of persons, and pictures that are not there."""

import zipfile

import cv2
import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.dataset.augment import Augmentation
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings, select_data
from lib.utils.errors import UserError


class GivenDraws:
    """Stands for an Augmentation whose luck is known: one (scale multiplier, rotation, mirror) after the other."""

    def __init__(self, draws):
        self.draws = iter(draws)

    def draw_half_body(self, *_):
        return None

    def draw(self, _generator):
        return next(self.draws)


@pytest.fixture(scope="module")
def recorded_samples(reference, data_folder):
    """The record, and our samples of the same persons with the same draws."""
    record = reference("samples.npz")
    persons = Persons(
        [str(data_folder / "picture.png")] * 8, record["center"], record["scale"], record["joints"][..., :2],
        record["joints_vis"][..., 0],
    )  # fmt: skip
    draws = zip(record["aug_scale"][:, 0] / record["scale"][:, 0], record["aug_rotation"], record["flip"], strict=True)
    dataset = JointsDataset(persons, MPII, SampleSettings(augmentation=GivenDraws(draws)))
    return record, [dataset[index] for index in range(8)], dataset


def test_crops_are_the_originals(recorded_samples):
    record, samples, _ = recorded_samples
    for sample, expected in zip(samples, record["input"], strict=True):
        assert sample["crop"].dtype == np.uint8
        difference = np.abs(sample["crop"].transpose(2, 0, 1).astype(float) - expected)
        assert difference.mean() < 0.5  # interpolation differs between OpenCV versions


def test_moved_joints_boxes_and_visibility_are_the_originals(recorded_samples):
    record, samples, _ = recorded_samples
    assert record["flip"].any() and not record["flip"].all() and record["aug_rotation"].any()
    for row, sample in enumerate(samples):
        seen = sample["visible"] > 0
        np.testing.assert_allclose(sample["joints"][seen], record["aug_joints"][row, seen, :2], atol=0.01, rtol=0)
        np.testing.assert_allclose(sample["center"], record["aug_center"][row], atol=1e-4, rtol=0)
        np.testing.assert_allclose(sample["scale"], record["aug_scale"][row], atol=1e-4, rtol=0)
        assert sample["index"] == row
        assert seen.any()


def test_targets_of_a_batch_are_the_originals(recorded_samples):
    record, samples, dataset = recorded_samples
    batch = dataset.collate(samples)
    target = batch["vertical"][..., :, None] * batch["horizontal"][..., None, :]
    np.testing.assert_allclose(target, record["target"], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(batch["target_weight"], record["target_weight"])


def test_a_batch_has_the_documented_shapes_and_types(recorded_samples):
    _, samples, dataset = recorded_samples
    batch = dataset.collate(samples[:3])
    assert {name: (values.shape, values.dtype.name) for name, values in batch.items()} == {
        "crop": ((3, 256, 256, 3), "uint8"),
        "joints": ((3, 16, 2), "float32"),
        "horizontal": ((3, 16, 64), "float32"),
        "vertical": ((3, 16, 64), "float32"),
        "target_weight": ((3, 16, 1), "float32"),
        "index": ((3,), "int64"),
    }


def persons_of(pictures, seed=0):
    count = len(pictures)
    joints = np.random.default_rng(seed).uniform(5, 50, (count, 16, 2))
    center = np.tile([30.0, 20.0], (count, 1))
    return Persons([str(path) for path in pictures], center, np.full((count, 2), 0.3), joints, np.ones((count, 16)))


SMALL = {"image_size": (64, 96), "heatmap_size": (16, 24)}


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "images" / "one.jpg"
    path.parent.mkdir()
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    return path


def test_without_augmentation_a_sample_is_the_persons_box_and_the_same_every_time(picture):
    dataset = JointsDataset(persons_of([picture]), MPII, SampleSettings(**SMALL))
    first, again = dataset[0], dataset[7, 0]
    for name in ("crop", "joints", "visible", "center", "scale"):
        np.testing.assert_array_equal(first[name], again[name])
    assert first["crop"].shape == (96, 64, 3)
    assert first["center"].tolist() == [30, 20] and first["scale"].tolist() == [0.3, 0.3]
    # the box's 60 px are 64 px of the crop, and its centre the crop's middle
    np.testing.assert_allclose(first["joints"], (dataset.persons.joints[0] - [30, 20]) * 64 / 60 + [32, 48], atol=1e-4)


def test_a_sample_depends_on_seed_epoch_and_index_alone(picture):
    def settings(seed):
        return SampleSettings(**SMALL, augmentation=Augmentation(), seed=seed)

    dataset = JointsDataset(persons_of([picture] * 2), MPII, settings(0))
    first = dataset[3, 1]
    dataset[4, 0]
    np.testing.assert_array_equal(dataset[3, 1]["crop"], first["crop"])
    for other in (dataset[4, 1], dataset[3, 0], JointsDataset(dataset.persons, MPII, settings(1))[3, 1]):
        assert not np.array_equal(other["crop"], first["crop"])


def test_reading_a_sample_changes_no_annotation(picture):
    persons = persons_of([picture])
    persons.visible[0, 3] = 0
    before = [values.copy() for values in (persons.center, persons.scale, persons.joints, persons.visible)]
    settings = SampleSettings(**SMALL, augmentation=GivenDraws([(1.2, 20.0, True)]))
    JointsDataset(persons, MPII, settings)[0]
    for old, new in zip(before, (persons.center, persons.scale, persons.joints, persons.visible), strict=True):
        np.testing.assert_array_equal(old, new)


def test_mirroring_shows_the_mirrored_crop_with_left_and_right_exchanged(picture):
    persons = persons_of([picture])
    persons.center[0, 0] = 29.5  # the middle of the 60 columns, so that the box mirrors onto itself
    plain = JointsDataset(persons, MPII, SampleSettings(**SMALL))[0]
    mirrored = JointsDataset(persons, MPII, SampleSettings(**SMALL, augmentation=GivenDraws([(1, 0, True)])))[0]
    left, right = MPII.indices_of(["left_knee", "right_knee"])
    # 64 / 60 crop pixels a picture pixel about the crop's middle, x = 32
    np.testing.assert_allclose(mirrored["joints"][left], [64 - plain["joints"][right, 0], plain["joints"][right, 1]])
    shifted = plain["crop"][:, ::-1].astype(int)[:, :-1]  # column c of the one is column 64 - c of the other
    assert np.abs(mirrored["crop"][:, 1:].astype(int) - shifted).mean() < 1


def test_color_rgb_exchanges_the_channels_and_nothing_else(picture):
    bgr, rgb = (JointsDataset(persons_of([picture]), MPII, SampleSettings(**SMALL, color_rgb=flag))[0]
                for flag in (False, True))  # fmt: skip
    np.testing.assert_array_equal(rgb["crop"], bgr["crop"][..., ::-1])
    np.testing.assert_array_equal(rgb["joints"], bgr["joints"])


def test_joints_that_nobody_annotated_have_weight_zero_whatever_they_hold(picture):
    persons = persons_of([picture])
    persons.visible[0, 5], persons.joints[0, 5] = 0, np.nan
    dataset = JointsDataset(persons, MPII, SampleSettings(**SMALL))
    batch = dataset.collate([dataset[0]])
    assert batch["target_weight"][0, 5, 0] == 0
    assert np.isfinite(batch["horizontal"]).all() and np.isfinite(batch["vertical"]).all()


# -- pictures --------------------------------------------------------------------------------------------------------


def test_an_archive_gives_the_same_samples_as_the_folder(picture, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(picture, "images/one.jpg")
    folder, archive = (JointsDataset(persons_of([path]), MPII, SampleSettings(**SMALL))[0]
                       for path in (picture, f"{tmp_path}/images.zip@images/one.jpg"))  # fmt: skip
    np.testing.assert_array_equal(folder["crop"], archive["crop"])


def test_missing_pictures_are_counted_and_the_first_named_before_any_work(picture):
    gone = [picture.with_name("gone.jpg"), picture.with_name("lost.jpg")]
    with pytest.raises(UserError, match=r"2 of 3 pictures are missing, the first is .*gone\.jpg"):
        JointsDataset(persons_of([picture, gone[0], gone[1], gone[0]]), MPII)


def test_a_missing_picture_folder_names_the_picture(tmp_path):
    with pytest.raises(UserError, match=r"nowhere/one\.jpg"):
        JointsDataset(persons_of([tmp_path / "nowhere" / "one.jpg"]), MPII)


def test_a_missing_archive_or_member_is_named(picture, tmp_path):
    with pytest.raises(UserError, match=r"no picture archive .*images\.zip"):
        JointsDataset(persons_of([f"{tmp_path}/images.zip@images/one.jpg"]), MPII)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(picture, "images/one.jpg")
    with pytest.raises(UserError, match=r"images\.zip@images/two\.jpg"):
        JointsDataset(persons_of([f"{tmp_path}/images.zip@images/two.jpg"]), MPII)


def test_a_truncated_jpeg_is_named(picture):
    picture.write_bytes(picture.read_bytes()[:-200])
    dataset = JointsDataset(persons_of([picture]), MPII)
    with pytest.raises(UserError, match=r"one\.jpg is truncated"):
        dataset[0]


# -- selection -------------------------------------------------------------------------------------------------------


def selected_by_loop(persons):
    """The rows that the original's rule keeps, person by person."""
    kept = []
    for row in range(len(persons)):
        visible = [joint for joint in range(16) if persons.visible[row, joint] > 0]
        if not visible:
            continue
        mean_x = sum(persons.joints[row, joint, 0] for joint in visible) / len(visible)
        mean_y = sum(persons.joints[row, joint, 1] for joint in visible) / len(visible)
        area = persons.scale[row, 0] * persons.scale[row, 1] * 200 * 200
        square = (mean_x - persons.center[row, 0]) ** 2 + (mean_y - persons.center[row, 1]) ** 2
        similarity = np.exp(-square / (2 * 0.2**2 * area))
        if similarity > 0.2 / 16 * len(visible) + 0.45 - 0.2 / 16:
            kept.append(row)
    return kept


def test_the_selection_keeps_whom_a_plain_loop_keeps():
    rng = np.random.default_rng(0)
    count = 300
    persons = Persons(
        [f"{row}.jpg" for row in range(count)], rng.uniform(0, 300, (count, 2)), rng.uniform(0.5, 2, (count, 2)),
        np.zeros((count, 16, 2)), (rng.random((count, 16)) < rng.random((count, 1))).astype(float),
    )  # fmt: skip
    offset = rng.normal(0, 30, (count, 1, 2))
    persons.joints[:] = persons.center[:, None] + offset + rng.normal(0, 20, (count, 16, 2))
    persons.joints[persons.visible == 0] = 1e6  # what is not annotated must not count
    persons.visible[:3] = 0
    kept = selected_by_loop(persons)
    chosen = select_data(persons)
    assert 50 < len(kept) < 250
    assert chosen.pictures == [f"{row}.jpg" for row in kept]
    for name in ("center", "scale", "joints", "visible"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(persons, name)[kept])


@pytest.mark.parametrize(("joints", "limit"), [(16, 0.6375), (2, 0.4625), (1, 0.45)])
def test_the_selection_is_stricter_the_more_joints_are_annotated(joints, limit):
    visible = np.zeros((2, 16))
    visible[:, :joints] = 1
    # a box of 200 px: similarity s at the distance 40 * sqrt(-2 ln s)
    distance = 40 * np.sqrt(-2 * np.log([limit + 0.001, limit - 0.001]))
    places = np.zeros((2, 16, 2))
    places[..., 0] = distance[:, None]
    chosen = select_data(Persons(["in", "out"], np.zeros((2, 2)), np.ones((2, 2)), places, visible))
    assert chosen.pictures == ["in"]
