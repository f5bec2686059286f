"""The skeleton's derived parts."""

import json

import pytest

from lib.core.skeletons import COCO, MPII, MPII_MAT_JOINTS, SKELETONS, Skeleton


def test_mpiis_flip_pairs_are_the_originals():
    assert {tuple(sorted(pair)) for pair in MPII.flip_pairs} == {(0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)}
    assert len(MPII.flip_pairs) == 6


def test_mpii_has_its_16_joints_in_the_order_of_its_ground_truth():
    def short(name):  # right_ankle -> rank
        side, _, rest = name.partition("_")
        return side[0] + rest[:3] if side in ("left", "right") else rest[:4] if side == "upper" else side[:4]

    assert tuple(short(name) for name in MPII.joints) == MPII_MAT_JOINTS


def test_flip_pairs_come_from_the_names_and_joints_without_a_twin_stay():
    skeleton = Skeleton("x", ("nose", "right_eye", "left_hip", "left_eye", "right_ear", "leftover"), ())
    assert skeleton.flip_pairs == ((1, 3),)


def test_limbs_and_groups_name_joints_that_exist():
    for skeleton in SKELETONS.values():
        assert len(skeleton.limb_indices) == len(skeleton.limbs) > 0
        names = [name for _, group in skeleton.pckh_groups for name in group] + list(skeleton.pckh_left_out)
        assert len(skeleton.indices_of(names)) == len(names)
    assert MPII.limb_indices[0] == (9, 8)
    assert MPII.indices_of(["thorax", "right_ankle"]) == [7, 0]


def test_the_table_has_mpiis_seven_columns():
    assert [title for title, _ in MPII.pckh_groups] == ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle"]


def test_cocos_joints_and_flip_pairs_are_the_originals():
    assert COCO.joints[:3] == ("nose", "left_eye", "right_eye") and COCO.joints[15:] == ("left_ankle", "right_ankle")
    assert len(COCO.joints) == 17
    assert COCO.flip_pairs == tuple((left, left + 1) for left in range(1, 17, 2))


def test_cocos_sigmas_are_those_of_its_evaluation():
    params = pytest.importorskip("pycocotools.cocoeval").Params(iouType="keypoints")
    assert COCO.sigmas == pytest.approx(tuple(params.kpt_oks_sigmas), rel=1e-12)


def test_cocos_limbs_are_those_of_its_annotation_file(shared):
    path = shared / "data" / "coco4" / "annotations" / "person_keypoints_val2017.json"
    (category,) = json.loads(path.read_text())["categories"]
    assert tuple(category["keypoints"]) == COCO.joints
    assert [tuple(place - 1 for place in pair) for pair in category["skeleton"]] == list(COCO.limb_indices)


def test_cocos_upper_body_is_what_lies_above_the_hips():
    assert COCO.indices_of(COCO.upper_body) == list(range(11))
    assert set(MPII.joints) - set(MPII.upper_body) == {
        f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")
    } | {"pelvis"}


def test_left_and_right_of_a_joint_are_one_column_where_the_skeleton_has_no_table():
    assert Skeleton("x", ("toeL", "toeR", "L1", "L2")).groups == (
        ("Toe", ("toeL", "toeR")), ("L1", ("L1",)), ("L2", ("L2",)),
    )  # fmt: skip
    skeleton = Skeleton("x", ("nose", "left_big_toe", "right_big_toe", "leftover", "right_ear"))
    assert skeleton.groups == (
        ("Nose", ("nose",)), ("Big toe", ("left_big_toe", "right_big_toe")), ("Leftover", ("leftover",)),
        ("Ear", ("right_ear",)),
    )  # fmt: skip
    assert MPII.groups is MPII.pckh_groups


def test_given_mirror_pairs_replace_those_of_the_names():
    joints = ("left_hip", "right_hip", "l_toe", "r_toe")
    assert Skeleton("x", joints, mirror_pairs=(("r_toe", "l_toe"),)).flip_pairs == ((2, 3),)
    assert Skeleton("x", joints, mirror_pairs=()).flip_pairs == ()
    assert Skeleton("x", joints).flip_pairs == ((0, 1), (2, 3))
