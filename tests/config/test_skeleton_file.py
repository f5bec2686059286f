"""Skeletons by name and from JSON files."""

import json

import pytest

from lib.config.skeleton_file import read_skeleton
from lib.core.skeletons import COCO, MPII, Skeleton
from lib.utils.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(content):
        (tmp_path / "horse.json").write_text(json.dumps(content))
        return str(tmp_path / "horse.json")

    return write


@pytest.mark.parametrize(("name", "skeleton"), [("coco", COCO), ("MPII", MPII)])
def test_the_usual_ones_have_names(name, skeleton):
    assert read_skeleton(name) is skeleton


def test_a_file_says_joints_limbs_and_pairs(write):
    path = write({"joints": ["a", "b", "c"], "limbs": [["a", "c"]], "flip_pairs": [["b", "c"]], "sigmas": [1, 1, 1]})
    skeleton = read_skeleton(path)
    assert skeleton == Skeleton("horse", ("a", "b", "c"), (("a", "c"),), (("b", "c"),))
    assert skeleton.flip_pairs == ((1, 2),) and skeleton.limb_indices == ((0, 2),)


def test_keys_may_be_those_of_an_experiment_and_pairs_follow_from_the_names(write):
    skeleton = read_skeleton(write({"NAME": "x", "JOINTS": ["left_a", "b", "right_a"]}))
    assert skeleton.name == "x" and skeleton.flip_pairs == ((0, 2),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "expected an object with the joints' names, got a list"),
        ({}, "no 'joints'"),
        ({"joints": []}, "joints: expected a list of names, got []"),
        ({"joints": "abc"}, "joints: expected a list of names"),
        ({"joints": ["a", "a"]}, "joints: one of them is there twice"),
        ({"joints": ["a"], "limbs": [["a"]]}, "limbs: expected pairs of names, got ['a']"),
        ({"joints": ["a", "tail"], "limbs": [["a", "tali"]]}, "'tali' is not among the joints; the nearest is 'tail'"),
        ({"joints": ["a", "b"], "flip_pairs": 3}, "flip_pairs: expected a list of pairs of names, got 3"),
        ({"joints": ["a", "b"], "flip_pairs": [["a", "a"]]}, "flip_pairs: one of them is there twice"),
    ],
)  # fmt: skip
def test_a_file_of_something_else_is_one_line(write, content, said):
    with pytest.raises(UserError) as caught:
        read_skeleton(write(content))
    assert said in str(caught.value) and "horse.json" in str(caught.value)


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(UserError, match="there is no skeleton cocoo: expected coco, mpii, posetrack18, or a JSON file"):
        read_skeleton("cocoo")
