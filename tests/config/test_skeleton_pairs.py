"""What train.py and valid.py say of the mirror pairs of a skeleton of one's own."""

import pytest
import yaml

from lib.config.config import read_config
from lib.config.skeleton_pairs import pair_lines


@pytest.fixture
def lines(tmp_path):
    def lines(joints, flip=True, flip_test=False, **keys):
        path = tmp_path / "own.yaml"
        skeleton = {"NAME": "own", "JOINTS": joints, **keys}
        content = {"DATASET": {"SKELETON": skeleton, "FLIP": flip}, "MODEL": {"NUM_JOINTS": len(joints)}}
        path.write_text(yaml.safe_dump({**content, "TEST": {"FLIP_TEST": flip_test}}))
        return pair_lines(read_config(path))

    return lines


def test_pairs_that_were_found_are_one_line(lines):
    found = "=> mirror pairs of own, found by the names: ear_left/ear_right"
    assert lines(["nose", "ear_left", "ear_right"]) == [found]
    assert lines(["nose", "ear_left", "ear_right", "toeL"]) == [f"{found}; without a twin: toeL"]
    assert lines(["nose", "tail"]) == ["=> mirror pairs of own, found by the names: none"]


def test_pairs_that_are_given_are_said_to_be_and_nothing_is_doubted(lines):
    assert lines(["a", "b"], FLIP_PAIRS=[["a", "b"]]) == ["=> mirror pairs of own, as FLIP_PAIRS says: a/b"]
    assert lines(["ear_left", "ear_right"], FLIP_PAIRS=[]) == ["=> mirror pairs of own, as FLIP_PAIRS says: none"]


def test_names_that_look_sided_without_a_pair_are_a_warning_where_pictures_are_mirrored(lines):
    _, warning = lines(["nose", "lhip", "rhip"])
    assert warning == (
        "=> WARNING: lhip, rhip look like left and right, but no two are known as twins, and DATASET.FLIP mirrors "
        "pictures: name the pairs in DATASET.SKELETON.FLIP_PAIRS ([] if they are none)"
    )
    assert "DATASET.FLIP and TEST.FLIP_TEST mirrors" in lines(["nose", "lhip", "rhip"], flip_test=True)[1]
    assert len(lines(["nose", "lhip", "rhip"], flip=False)) == 1
    assert len(lines(["nose", "lhip", "rhip"], FLIP_PAIRS=[])) == 1


def test_many_pairs_are_cut_short(lines):
    (line,) = lines([f"{side}{number}" for number in range(20) for side in "LR"])
    assert line.endswith("L11/R11 and 8 more")


def test_a_built_in_skeleton_says_nothing(tmp_path):
    (tmp_path / "mpii.yaml").write_text("DATASET: {DATASET: mpii}\n")
    assert pair_lines(read_config(tmp_path / "mpii.yaml")) == []
