"""MPII's annotations: the conversion by hand, real records against the original's, and files that are not right."""

import json

import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.dataset.annotations.mpii import read_mpii
from lib.dataset.joints_dataset import JointsDataset
from lib.utils.errors import UserError


def record(**changes):
    """One person as in MPII's JSON; a key given as None is left out."""
    person = {
        "image": "a.jpg", "center": [100.0, 200.0], "scale": 2.0, "joints": [[10.0 + k, 20.0] for k in range(16)],
        "joints_vis": [1] * 15 + [0],
    }  # fmt: skip
    return {key: value for key, value in {**person, **changes}.items() if value is not None}


@pytest.fixture
def read(tmp_path):
    """Reads records (or text as it stands) as an MPII folder's valid.json."""

    def read(records, image_set="valid", data_format="jpg"):
        (tmp_path / "annot").mkdir(exist_ok=True)
        text = records if isinstance(records, str) else json.dumps(records)
        (tmp_path / "annot" / f"{image_set}.json").write_text(text)
        return read_mpii(tmp_path, image_set, 16, data_format)

    return read


def test_everything_becomes_0_based_and_the_box_grows(read):
    persons = read([record()])
    assert len(persons) == 1
    assert persons.center.tolist() == [[99, 229]]  # 100 - 1; 200 + 15 * 2 - 1
    assert persons.scale.tolist() == [[2.5, 2.5]]
    assert persons.joints[0, 0].tolist() == [9, 19] and persons.joints[0, 14].tolist() == [23, 19]
    assert persons.visible[0].tolist() == [1] * 15 + [0]


def test_a_box_that_mpii_does_not_know_is_left_as_it_is(read):
    persons = read([record(center=[-1, -1], scale=2)])
    assert persons.center.tolist() == [[-2, -2]] and persons.scale.tolist() == [[2, 2]]


def test_pictures_come_from_the_folder_or_the_archive(read, tmp_path):
    assert read([record()]).pictures == [f"{tmp_path}/images/a.jpg"]
    assert read([record()], data_format="zip").pictures == [f"{tmp_path}/images.zip@images/a.jpg"]


def test_test_persons_need_no_joints(read):
    persons = read([record(joints=None, joints_vis=None)], image_set="test")
    assert not persons.visible.any() and persons.joints.shape == (1, 16, 2)


def test_persons_keep_the_files_order(read):
    persons = read([record(image=f"{name}.jpg", scale=scale) for name, scale in (("b", 1), ("a", 2), ("b", 3))])
    assert [path[-5:] for path in persons.pictures] == ["b.jpg", "a.jpg", "b.jpg"]
    assert persons.scale[:, 0].tolist() == [1.25, 2.5, 3.75]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"joints": [[1, 2]] * 14}, "14 joints and 16 visibilities, expected 16"),
        ({"joints_vis": [1] * 14}, "16 joints and 14 visibilities, expected 16"),
        ({"joints": [[1, 2, 3]] * 16}, "expected 16"),
        ({"joints": [[1, 2]] * 15 + [[1]]}, ""),
        ({"joints": "many"}, ""),
        ({"joints": 3}, ""),
        ({"joints_vis": None}, "no 'joints_vis'"),
        ({"image": None}, "no 'image'"),
        ({"image": ""}, "'image' is not a file name"),
        ({"image": 7}, "'image' is not a file name"),
        ({"center": None}, "no 'center'"),
        ({"center": "middle"}, ""),
        ({"center": [1, 2, 3]}, ""),
        ({"center": [float("nan"), 2]}, "finite pixels"),
        ({"scale": None}, "no 'scale'"),
        ({"scale": 0}, "scale above 0"),
        ({"scale": -1.5}, "scale above 0"),
        ({"scale": float("inf")}, "finite pixels"),
        ({"joints": [[float("nan"), 2]] * 16}, "a visibility is neither 0 nor 1, or a visible joint cannot be"),
        ({"joints_vis": [float("nan")] * 16}, "a visibility is neither 0 nor 1"),
        ({"joints_vis": [2] * 16}, "a visibility is neither 0 nor 1"),
        ({"joints": [[1e9, 2]] * 16}, "finite pixels below a million"),
        ({"scale": 1e30}, "finite pixels below a million"),
    ],
)
def test_a_bad_person_is_named_by_file_and_place(read, changes, said):
    with pytest.raises(UserError) as error:
        read([record(), record(**changes), record()])
    message = str(error.value)
    assert "annot/valid.json: person 2 of 3: " in message and said in message


def test_indices_pick_joints_in_their_order_and_beyond_the_records_they_are_named(read, tmp_path):
    read([record()])
    persons = read_mpii(tmp_path, "valid", 3, indices=(15, 2, 0))
    assert persons.joints[0].tolist() == [[24, 19], [11, 19], [9, 19]] and persons.visible[0].tolist() == [0, 1, 1]
    with pytest.raises(UserError, match=r"person 1 of 1: 16 joints, but DATASET\.SKELETON\.INDICES asks for 16, count"):
        read_mpii(tmp_path, "valid", 3, indices=(16, 2, 0))
    with pytest.raises(UserError, match="16 joints and 14 visibilities"):
        read([record(joints_vis=[1] * 14)])
    with pytest.raises(UserError, match="16 joints and 14 visibilities"):  # whatever the indices are
        read_mpii(tmp_path, "valid", 3, indices=(15, 2, 0))


def test_a_joint_that_is_not_annotated_may_be_no_number(read):
    joints = record()["joints"]
    joints[15] = [float("nan"), float("nan")]  # its visibility is 0
    persons = read([record(joints=joints)])
    assert persons.visible[0, 15] == 0 and persons.visible[0, :15].all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "the list of persons is empty"),
        ('{"image": "a.jpg"}', "expected a list of persons"),
        ("[1, 2]", "expected a list of persons"),
        ("null", "expected a list of persons"),
        ("", "is not valid JSON"),
        ('[{"image": "a.j', "is not valid JSON"),
        ("[" * 100_000, "is nested deeper than 100 lists"),
    ],
)
def test_a_file_that_is_no_list_of_persons_is_refused_by_name(read, text, said):
    with pytest.raises(UserError, match=said) as error:
        read(text)
    assert "annot/valid.json" in str(error.value)


def test_bytes_that_are_no_text_are_refused(read, tmp_path):
    read([record()])
    (tmp_path / "annot" / "valid.json").write_bytes(b"\xff\xfe[\x00")
    with pytest.raises(UserError, match=r"valid\.json is not valid JSON"):
        read_mpii(tmp_path, "valid")


@pytest.mark.parametrize("there", [False, True])
def test_missing_data_says_how_mpii_is_obtained_and_how_to_do_without(tmp_path, there):
    root = tmp_path if there else tmp_path / "mpii"
    with pytest.raises(UserError) as error:
        read_mpii(root, "train")
    message = str(error.value)
    assert ("annot/train.json" if there else str(root)) in message
    assert "MPII Human Pose" in message and "data/mpii" in message


# -- real records ----------------------------------------------------------------------------------------------------


def test_five_real_persons_give_the_originals_crops_boxes_and_targets(shared):
    expected = np.load(shared / "reference" / "mpii5_r50_256.npz")
    persons = read_mpii(shared / "data" / "mpii5", "valid")
    dataset = JointsDataset(persons, MPII)
    samples = [dataset[index] for index in range(len(dataset))]
    batch = dataset.collate(samples)

    assert [path.rpartition("/")[2] for path in persons.pictures] == expected["images"].tolist()
    np.testing.assert_allclose([sample["center"] for sample in samples], expected["center"], atol=1e-9)
    np.testing.assert_allclose([sample["scale"] for sample in samples], expected["scale"], atol=1e-9)
    target = batch["vertical"][..., :, None] * batch["horizontal"][..., None, :]
    np.testing.assert_allclose(target, expected["target"], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(batch["target_weight"], expected["target_weight"])
    difference = np.abs(batch["crop"].transpose(0, 3, 1, 2).astype(float) - expected["input_bgr_uint8"])
    assert difference.mean(axis=(1, 2, 3)).max() < 0.5


def test_all_of_mpii_val_is_read(shared):
    persons = read_mpii(shared / "data" / "mpii_val", "valid")
    assert len(persons) == 2958
    assert np.isfinite(persons.center).all() and (persons.scale > 0).all()
