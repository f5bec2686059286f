"""Predictions, annotations and ground truth whose rows are not of the same persons are refused."""

import json

import numpy as np
import postures
import pytest
import toy

from lib.config.config import read_config
from lib.core.skeletons import MPII, pair_problem
from lib.core.transforms import mirrored_order
from lib.dataset.build import build_dataset, read_persons
from lib.evaluation.build import build_evaluator
from lib.utils.errors import UserError


@pytest.fixture
def config(tmp_path):
    data = toy.draw_data(tmp_path)
    return read_config(toy.write_experiment(tmp_path, data))


def change_annotations(config, change):
    path = config.dataset_root / "annot" / "valid.json"
    records = json.loads(path.read_text())
    change(records)
    path.write_text(json.dumps(records))


def test_rows_of_the_same_persons_pass(config):
    build_evaluator(config, read_persons(config, training=False))


def test_two_rows_that_changed_places_are_refused(config):
    def swap(records):
        records[1], records[2] = records[2], records[1]

    change_annotations(config, swap)
    with pytest.raises(UserError, match=r"gt_valid\.mat: 2 of its 4 rows are of other persons .*first row 2, .*\.jpg"):
        build_evaluator(config, read_persons(config, training=False))


def test_sources_that_count_from_0_or_round_pass(config):
    def shift(records):
        for record in records:
            record["joints"] = (np.round(record["joints"]) - 1).tolist()

    change_annotations(config, shift)
    build_evaluator(config, read_persons(config, training=False))


def test_a_set_of_mirrored_persons_is_not_trained_on_unless_told_so(config):
    path = config.dataset_root / "annot" / "train.json"
    record = json.loads(path.read_text())[0]
    joints, _ = postures.people(MPII, 300)
    joints = joints - joints.mean(axis=1, keepdims=True)
    joints *= 80 * record["scale"] / np.abs(joints).max()  # into the record's box, which is 200 * scale long
    joints += record["center"]
    mirrored = joints[:, mirrored_order(16, MPII.flip_pairs)]
    records = [{**record, "joints": each.tolist(), "joints_vis": [1] * 16} for each in mirrored]
    path.write_text(json.dumps(records))
    with pytest.raises(UserError, match=r"train\.json: 100% of 300 persons have left and right as if seen from behind"):
        build_dataset(config, training=True)
    path.write_text(json.dumps(records[:100]))  # too few to refuse
    note = build_dataset(config, training=True).persons.note
    assert "=> WARNING: " in note and "train.json: 100 of 100 persons have left and right as if" in note
    path.write_text(json.dumps(records))
    told = config.model_copy(update={"dataset": config.dataset.model_copy(update={"check_sides": False})})
    assert len(build_dataset(told, training=True)) == 300


@pytest.mark.parametrize(
    ("joints", "pairs", "problem"),
    [
        (("left_knee", "right_knee"), (("left_knee", "right_knee"),), ""),
        (("left_knee", "right_knee"), (("right_knee", "left_knee"),), ""),
        (("tail", "nose"), (), ""), (("port", "starboard"), (("port", "starboard"),), ""),
        (("left_knee", "nose"), (), ""), (("left_eye", "starboard"), (("left_eye", "starboard"),), ""),
        (("left_knee", "right_knee"), (), ""),  # who says that there are none means it
        (("left_knee", "right_knee", "a", "b"), (("a", "b"),), "left_knee and right_knee are not paired"),
        (("left_a", "right_a", "left_b", "right_b"), (("left_a", "right_b"), ("left_b", "right_a")),
         "left_a is paired with right_b, but its name says right_a"),
        (("left_a", "left_b"), (("left_a", "left_b"),), "left_a is paired with left_b, but its name says right_a"),
    ],
)  # fmt: skip
def test_pairs_that_contradict_the_joints_names_are_named(joints, pairs, problem):
    assert pair_problem(joints, pairs).startswith(problem) and bool(pair_problem(joints, pairs)) == bool(problem)
