"""Twins by their names, in the spellings that people use, and none where a letter belongs to a word."""

import pytest

from lib.core.sides import base_name, left_and_right, name_pairs, side_of, sided_names
from lib.zoo.index import find_skeleton

TWINS = (
    ("left_eye", "right_eye"), ("ear_left", "ear_right"), ("leftEye", "rightEye"), ("LeftEye", "RightEye"),
    ("LEFT_EYE", "RIGHT_EYE"), ("left eye", "right eye"), ("left-eye", "right-eye"), ("lefteye", "righteye"),
    ("L_Shoulder", "R_Shoulder"), ("paw_L", "paw_R"), ("l_eye", "r_eye"), ("eye_l", "eye_r"), ("L1", "R1"),
    ("l1", "r1"), ("toeL", "toeR"), ("L-eye", "R-eye"), ("thigh.L", "thigh.R"), ("LEye", "REye"), ("lEye", "rEye"),
    ("front_left_paw", "front_right_paw"), ("hind_L_knee", "hind_R_knee"), ("F_L_Hip", "F_R_Hip"),
    ("hindLKnee", "hindRKnee"), ("frontLeftPaw", "frontRightPaw"), ("left", "right"), ("L", "R"), ("toe_L2", "toe_R2"),
    ("L eye", "R eye"), ("Ear (L)", "Ear (R)"),
)  # fmt: skip
STRANGERS = (
    ("lip", "rip"), ("liver", "river"), ("lower", "rower"), ("load", "road"), ("lhip", "rhip"), ("pal", "par"),
    ("belly", "berry"), ("LIP", "RIP"), ("coil", "coir"), ("L_eye", "r_eye"), ("left_eye", "right_ear"),
    ("lower_lip", "rower_rip"), ("Lip", "Rip"), ("toel", "toer"), ("L1", "R2"),
)  # fmt: skip


@pytest.mark.parametrize("pair", TWINS, ids=lambda pair: pair[0])
def test_twins_are_found_in_either_order_and_know_their_sides(pair):
    assert name_pairs(["nose", *pair, "tail"]) == (pair,)
    assert name_pairs(["nose", *pair[::-1], "tail"]) == (pair[::-1],)
    assert [side_of(name) for name in pair] == ["left", "right"]
    assert left_and_right(*pair) == left_and_right(*pair[::-1]) == pair
    assert sided_names(["nose", *pair]) == list(pair)
    assert base_name(pair[0]) == base_name(pair[1]) or pair in (("left", "right"), ("L", "R"))


@pytest.mark.parametrize("pair", STRANGERS, ids=lambda pair: pair[0])
def test_strangers_are_no_twins(pair):
    assert name_pairs(pair) == ()


def test_a_name_without_its_twin_or_with_two_possible_ones_is_in_no_pair():
    assert name_pairs(["left_eye", "nose", "L1", "L2"]) == ()
    assert name_pairs(["left_toe_l", "right_toe_l", "left_toe_r"]) == ()  # the first may be the twin of either
    assert name_pairs(["left_hand_l", "right_hand_l"]) == (("left_hand_l", "right_hand_l"),)
    assert name_pairs(["l_side_l", "r_side_r"]) == (("l_side_l", "r_side_r"),)


@pytest.mark.parametrize("name", ["nose", "lip", "lower_lip", "upper_neck", "tail", "rostrum", "Root of tail", "wrist"])
def test_names_of_the_middle_have_no_side(name):
    assert side_of(name) == "" and sided_names([name]) == [] and base_name(name) == name.replace(" ", "_")


@pytest.mark.parametrize(("name", "base"), [
    ("left_big_toe", "big_toe"), ("ear_left", "ear"), ("L_F_Paw", "F_Paw"), ("front_left_paw", "front_paw"),
    ("toeL", "toe"), ("leftShoulder", "Shoulder"), ("left", "left"), ("L1", "1"), ("nose", "nose"),
])  # fmt: skip
def test_a_base_is_the_name_without_its_side(name, base):
    assert base_name(name) == base


def test_one_letter_tells_the_sides_of_a_given_pair_and_names_that_look_sided():
    assert left_and_right("rhip", "lhip") == ("lhip", "rhip")
    assert left_and_right("a", "b") is None and left_and_right("eye", "ears") is None
    assert sided_names(["nose", "lhip", "rhip", "ankl", "ankr", "lobe"]) == ["lhip", "rhip", "ankl", "ankr"]


def test_the_pairs_that_publishers_give_are_those_of_the_names():
    """mmpose's lists, typed by its authors; those of numbered points (face-0, lsd_kpt1) cannot be in the names."""
    compared = 0
    for name in ("animalpose", "ap10k", "locust", "zebra", "aic", "crowdpose", "jhmdb", "posetrack18",
                 "deepfashion_upper", "deepfashion_lower", "deepfashion_full"):  # fmt: skip
        skeleton = find_skeleton(name)
        assert skeleton.mirror_pairs is not None
        assert set(map(frozenset, name_pairs(skeleton.joints))) == set(map(frozenset, skeleton.mirror_pairs)), name
        compared += len(skeleton.mirror_pairs)
    assert compared == 66
