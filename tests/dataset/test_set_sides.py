"""Sets whose left and right contradict every posture are refused; real ones, and rare postures, are not."""

import json

import numpy as np
import postures
import pytest

from lib.core.skeletons import COCO, MPII, Skeleton
from lib.core.transforms import mirrored_order
from lib.dataset.annotations.mpii import read_mpii
from lib.dataset.checks import set_sides
from lib.dataset.checks.set_sides import judge_sides, refuse_or_warn
from lib.utils.errors import UserError
from lib.zoo.index import find_skeleton

ARMS, WRISTS = ("wrist", "elbow", "shoulder"), ("wrist",)
GAIT = Skeleton("gait", ("head", "left_wrist", "right_wrist", "left_ankle", "right_ankle"))
SIDES = (90, -90)
SETS = {
    "from the front": {"yaw": (0, 0, 0, 180)},
    "turned by half": {"yaw": (-60, -30, 30, 60)},
    "walkers from the side": {"yaw": SIDES, "stride": True},
    "walkers to one side": {"yaw": (90,), "stride": True},
    "walkers to the other side": {"yaw": (-90,), "stride": True},
    "walkers from the front": {"yaw": (0,), "stride": True},
    "standing sideways": {"yaw": SIDES},
    "on their hands": {"roll": 180},
    "on their hands, from the side": {"roll": 180, "yaw": SIDES, "stride": True},
    "lying on the side": {"roll": 90},
    "lying on the other side": {"roll": -90},
    "bowing": {"pitch": 60},
    "bowing to the floor": {"pitch": 140},
}


def exchanged(skeleton, bases=None):
    """The order of a skeleton's joints with the twins of `bases` (None: all) exchanged."""
    order = np.array(mirrored_order(len(skeleton.joints), skeleton.flip_pairs))
    keep = [bases is not None and name.partition("_")[2] not in bases for name in skeleton.joints]
    return np.where(keep, np.arange(len(order)), order)


@pytest.mark.parametrize("skeleton", [MPII, COCO, GAIT], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("count", [0, 3, 60, 300])
def test_no_posture_is_complained_of(skeleton, name, count):
    assert judge_sides(*postures.people(skeleton, count, **SETS[name]), skeleton) == []


@pytest.mark.parametrize("skeleton", [MPII, COCO], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("name", ["from the front", "walkers from the front", "turned by half"])
def test_a_set_with_all_sides_exchanged_is_refused(skeleton, name):
    joints, visible = postures.people(skeleton, 400, **SETS[name])
    order = exchanged(skeleton)
    said = r"train\.json: \d+% of \d+ persons .*as if seen from behind.* DATASET\.CHECK_SIDES false"
    with pytest.raises(UserError, match=said):
        refuse_or_warn(joints[:, order], visible[:, order], skeleton, "train.json")
    few = refuse_or_warn(joints[:100, order], visible[:100, order], skeleton, "train.json")
    assert few.startswith("=> WARNING: train.json: ") and few.endswith(set_sides.WAY_OUT)
    assert judge_sides(joints[:40, order], visible[:40, order], skeleton) == []  # too few to say


def test_people_from_behind_are_a_warning_where_the_skeleton_could_show_their_faces():
    line = refuse_or_warn(*postures.people(COCO, 300, yaw=(180,)), COCO, "train.json")
    assert line.startswith("=> WARNING: train.json: 300 of 300 persons have left and right as if seen from behind")
    with pytest.raises(UserError, match="100% of 300 persons have left and right as if seen from behind"):
        refuse_or_warn(*postures.people(MPII, 300, yaw=(180,)), MPII, "train.json")


def test_faces_count_before_bodies():
    """Half of them turn their backs and are annotated right, the others' sides are exchanged."""
    joints, visible = postures.people(COCO, 600, yaw=(0, 180))
    faces = visible[:, 0] > 0
    order = exchanged(COCO)
    joints[faces], visible[faces] = joints[faces][:, order], visible[faces][:, order]
    (problem,) = judge_sides(joints, visible, COCO)
    assert problem.what.startswith("persons who show nose and eyes have") and problem.refused
    assert problem.count == problem.total > 0.95 * faces.sum()


@pytest.mark.parametrize("skeleton", [MPII, COCO], ids=lambda skeleton: skeleton.name)
def test_arms_that_contradict_the_trunk_are_refused(skeleton):
    joints, visible = postures.people(skeleton, 100, yaw=(0, 180))
    order = exchanged(skeleton, ARMS)
    said = r"train\.json: 100% of \d+ persons have left_\w+ and right_\w+ the other way round than left_.*CHECK_SIDES"
    with pytest.raises(UserError, match=said):
        refuse_or_warn(joints[:, order], visible[:, order], skeleton, "train.json")
    assert judge_sides(joints[:40, order], visible[:40, order], skeleton) == []


def test_wrists_that_contradict_the_body_are_a_warning():
    joints, visible = postures.people(MPII, 100, yaw=(0, 0, 0, 180))
    order = exchanged(MPII, WRISTS)
    line = refuse_or_warn(joints[:, order], visible, MPII, "train.json")
    assert line.startswith("=> WARNING: train.json: ") and "left_wrist" in line and line.endswith(set_sides.WAY_OUT)


def test_no_persons_skeleton_is_judged_by_the_way_it_faces():
    """From above every mouse that looks up has its left on the left, as a person has who shows the back."""
    mouse = Skeleton("mouse", ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_hip", "right_hip"))
    joints, visible = postures.people(mouse, 300, yaw=(180,))
    assert judge_sides(joints, np.ones_like(visible), mouse) == []


def test_detected_persons_without_joints_say_nothing():
    assert refuse_or_warn(np.zeros((300, 17, 2)), np.zeros((300, 17)), COCO, "val.json") == ""


@pytest.mark.parametrize(("folder", "image_set"), [
    ("mpii_val", "valid"), ("lspet_mpii", "train"), ("lspet_mpii", "valid"), ("mpii5", "valid"),
])  # fmt: skip
def test_real_sets_pass_and_are_refused_with_sides_exchanged(shared, folder, image_set):
    persons = read_mpii(shared / "data" / folder, image_set)
    assert refuse_or_warn(persons.joints, persons.visible, MPII, image_set) == ""
    if len(persons) > 100:
        order = exchanged(MPII, ARMS)
        with pytest.raises(UserError, match=r"9\d% of \d+ persons have left_hip and right_hip the other way round"):
            refuse_or_warn(persons.joints[:, order], persons.visible[:, order], MPII, image_set)
    if len(persons) > 1000:
        order = exchanged(MPII)
        with pytest.raises(UserError, match=r"(67|72)% of \d+ persons have left and right as if seen from behind"):
            refuse_or_warn(persons.joints[:, order], persons.visible[:, order], MPII, image_set)


SMALL_SETS = {
    "coco4/annotations/person_keypoints_val2017.json": "coco", "mmpose_mini/test_coco_wholebody.json": "coco",
    "mmpose_mini/aic/test_aic.json": "aic", "mmpose_mini/crowdpose/test_crowdpose.json": "crowdpose",
    "mmpose_mini/jhmdb/test_jhmdb_sub1.json": "jhmdb", "mmpose_mini/ap10k/test_ap10k.json": "ap10k",
    "mmpose_mini/animalpose/test_animalpose.json": "animalpose", "mmpose_mini/zebra/test_zebra.json": "zebra",
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL_SETS)
def test_small_real_sets_pass_even_if_three_persons_were_enough(shared, monkeypatch, name):
    monkeypatch.setattr(set_sides, "MIN_PERSONS", 3)
    monkeypatch.setattr(set_sides, "DEVIATIONS", 0.0)
    skeleton = find_skeleton(SMALL_SETS[name])
    content = json.loads((shared / "data" / name).read_text())
    records = [record.get("keypoints", []) for record in content["annotations"]]
    whole = [record for record in records if len(record) == 3 * len(skeleton.joints)]
    keypoints = np.array(whole, float).reshape(-1, len(skeleton.joints), 3)
    assert len(keypoints) and judge_sides(keypoints[..., :2], keypoints[..., 2] > 0, skeleton) == []
