"""MPII's own .mat, in its uneven structure -> the original's records, and their order."""

import json

import numpy as np
import pytest
import scipy.io

from lib.core.skeletons import MPII
from lib.dataset.preparation.mpii_mat import VALIDATION, prepare, read_release, write_annotations
from lib.evaluation.evaluators import PCKhEvaluator
from lib.utils.errors import UserError

EMPTY = np.zeros((0, 0))


def structs(entries):
    """A MATLAB array of structures from dictionaries with the same keys."""
    if not entries:
        return EMPTY
    array = np.empty((1, len(entries)), dtype=[(name, object) for name in entries[0]])
    for column, entry in enumerate(entries):
        array[0, column] = tuple(entry.values())
    return array


def person(joints, visible, center, scale, head=(1.0, 2.0, 3.0, 4.0)):
    points = [
        {"x": x, "y": y, "id": number, "is_visible": 1 if number % 2 else EMPTY}
        for number, ((x, y), shown) in enumerate(zip(joints, visible, strict=True))
        if shown
    ]
    return {
        **dict(zip(("x1", "y1", "x2", "y2"), head, strict=True)),
        "annopoints": structs([{"point": structs(points)}]) if points else EMPTY,
        "scale": scale if scale is not None else EMPTY,
        "objpos": structs([{"x": center[0], "y": center[1]}]) if center else EMPTY,
    }


def write_mat(path, images):
    """images: [(name, whether it is for training, [person, ...]), ...]."""
    annolist = [{"image": structs([{"name": name}]), "annorect": structs(people)} for name, _, people in images]
    release = {"annolist": structs(annolist), "img_train": np.array([[int(train) for _, train, _ in images]])}
    scipy.io.savemat(path, {"RELEASE": structs([{**release, "version": "12"}])})
    return path


def of_record(record, head=(1.0, 2.0, 3.0, 4.0)):
    return person(record["joints"], record["joints_vis"], record["center"], record["scale"], head)


JOINTS = [[float(10 * number + 1), float(number + 2)] for number in range(16)]


def test_the_uneven_structure_is_read(tmp_path):
    one_joint = [1] + [0] * 15
    as_text = {**person(JOINTS, [1] * 16, (5.0, 6.0), "1.5"), "x1": "7"}
    images = [
        ("a.jpg", True, [person(JOINTS, [1] * 16, (50.0, 60.0), 2.0), person(JOINTS, one_joint, (1.0, 2.0), 1.0)]),
        ("b.jpg", True, [as_text]),
        ("c.jpg", True, [person(JOINTS, [0] * 16, (5.0, 6.0), 1.0), person(JOINTS, [1] * 16, None, 1.0)]),
        ("d.jpg", False, [person(JOINTS, [0] * 16, (7.0, 8.0), 3.0), person(JOINTS, [0] * 16, (7.0, 8.0), None)]),
        ("e.jpg", True, []),
    ]
    prepared = prepare(read_release(write_mat(tmp_path / "m.mat", images)), {"b.jpg"})
    records = prepared.records
    assert [record["image"] for record in records["train"]] == ["a.jpg", "a.jpg"]
    assert records["train"][1]["joints"][0] == JOINTS[0] and records["train"][1]["joints"][1] == [-1.0, -1.0]
    assert sum(records["train"][1]["joints_vis"]) == 1
    (valid,) = records["valid"]
    assert (valid["image"], valid["scale"], valid["center"]) == ("b.jpg", 1.5, [5.0, 6.0])
    assert prepared.heads[0].tolist() == [[7, 2], [3, 4]]
    assert [record["image"] for record in records["trainval"]] == ["a.jpg", "a.jpg", "b.jpg"]
    assert records["test"] == [{"image": "d.jpg", "center": [7.0, 8.0], "scale": 3.0}]
    assert prepared.left_out == {"without joints": 1, "without position or scale": 2}


def test_the_files_are_those_that_training_and_pckh_read(tmp_path):
    images = [("b.jpg", True, [person(JOINTS, [1] * 8 + [0] * 8, (5.0, 6.0), 1.5, (0.0, 0.0, 30.0, 40.0))])]
    write_annotations(prepare(read_release(write_mat(tmp_path / "m.mat", images)), {"b.jpg"}), tmp_path / "annot")
    names = sorted(path.name for path in (tmp_path / "annot").iterdir())
    assert names == ["gt_valid.mat", "test.json", "train.json", "trainval.json", "valid.json"]
    evaluator = PCKhEvaluator(tmp_path / "annot" / "gt_valid.mat", MPII)
    assert evaluator.sizes.tolist() == [pytest.approx(30.0)] and evaluator.missing.tolist() == [[0] * 8 + [1] * 8]
    assert evaluator.evaluate(np.array([JOINTS]) - 1)["Mean"] == 100


@pytest.mark.parametrize(
    ("content", "said"), [(b"text", "is no MATLAB file, or is damaged"), (None, "there is no file")]
)
def test_what_is_not_mpiis_file_is_one_line(tmp_path, content, said):
    if content:
        (tmp_path / "m.mat").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_release(tmp_path / "m.mat")
    scipy.io.savemat(tmp_path / "n.mat", {"a": 1})
    with pytest.raises(UserError, match="has no RELEASE with annolist and img_train"):
        read_release(tmp_path / "n.mat")


@pytest.mark.slow
def test_the_validation_records_of_the_original_come_back_in_their_order(shared, tmp_path):
    folder = shared / "data" / "mpii_val" / "annot"
    expected = json.loads((folder / "valid.json").read_text())
    truth = scipy.io.loadmat(folder / "gt_valid.mat")
    heads = truth["headboxes_src"].transpose(2, 0, 1)
    images = {}
    for record, head in zip(expected, heads, strict=True):
        images.setdefault(record["image"], []).append(of_record(record, head.ravel().tolist()))
    content = [("train.jpg", True, [person(JOINTS, [1] * 16, (5.0, 6.0), 1.0)])]
    content += [(name, True, people) for name, people in images.items()]
    prepared = prepare(read_release(write_mat(tmp_path / "m.mat", content)))
    assert len(prepared.records["valid"]) == 2958 and len(prepared.records["train"]) == 1
    assert prepared.records["valid"] == expected
    write_annotations(prepared, tmp_path / "annot")
    written = scipy.io.loadmat(tmp_path / "annot" / "gt_valid.mat")
    np.testing.assert_array_equal(written["jnt_missing"], truth["jnt_missing"])
    for name in ("pos_gt_src", "headboxes_src"):
        np.testing.assert_allclose(written[name], truth[name], atol=1e-3)
    assert len(VALIDATION.read_text().split()) == 2729
