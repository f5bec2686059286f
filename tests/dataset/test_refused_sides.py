"""Sets whose left and right contradict the skeleton are refused; real ones, and a few persons, are not."""

import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.core.transforms import mirrored_order
from lib.dataset.checks.left_right import refuse_mirrored
from lib.dataset.mpii import read_mpii
from lib.utils.errors import UserError

ORDER = np.array(mirrored_order(16, MPII.flip_pairs))
ARMS = [at for at, name in enumerate(MPII.joints) if name.partition("_")[2] in ("wrist", "elbow", "shoulder")]
WRISTS = [MPII.joints.index(name) for name in ("left_wrist", "right_wrist")]


def exchanged(joints):
    """The order of MPII's joints with the twins of `joints` (indices) exchanged."""
    order = np.arange(16)
    order[joints] = ORDER[joints]
    return order


def people(count, facing=0.72, crossed=0.1):
    """Joints and visibilities of persons of whom a share faces the camera, and whose pairs cross now and then."""
    generator = np.random.default_rng(0)
    side = np.array([1 if "left" in name else -1 if "right" in name else 0 for name in MPII.joints])
    front = np.where(generator.random(count) < facing, 1, -1)[:, None]
    same = np.where(generator.random((count, 16)) < crossed, -1, 1)
    same = np.where(np.arange(16) > ORDER, same[:, ORDER], same)  # a joint and its twin cross together
    across = 50 + 10 * side * front * same
    return np.stack([across, generator.random((count, 16)) * 100], axis=2), np.ones((count, 16))


def test_persons_as_they_are_pass():
    refuse_mirrored(*people(3000), MPII, "train.json")
    refuse_mirrored(*people(0), MPII, "train.json")


def test_a_set_with_all_sides_exchanged_is_refused():
    joints, visible = people(1000)
    with pytest.raises(UserError, match=r"train\.json: only \d\d% of its persons .*DATASET\.CHECK_SIDES false"):
        refuse_mirrored(joints[:, ORDER], visible, MPII, "train.json")


@pytest.mark.parametrize("part", [ARMS, WRISTS], ids=["arms", "wrists"])
def test_a_set_with_some_joints_exchanged_is_refused_with_two_pairs_that_disagree(part):
    joints, visible = people(400)
    with pytest.raises(UserError, match=r"of its persons left_\w+ and right_\w+ lie the other way round than left_"):
        refuse_mirrored(joints[:, exchanged(part)], visible, MPII, "train.json")


@pytest.mark.parametrize("order", [ORDER, exchanged(ARMS)], ids=["all", "arms"])
def test_a_few_persons_prove_nothing(order):
    joints, visible = people(40)
    refuse_mirrored(joints[:, order], visible, MPII, "train.json")


def test_half_of_the_persons_turning_their_backs_is_no_reason():
    refuse_mirrored(*people(3000, facing=0.42), MPII, "train.json")


@pytest.mark.parametrize(("folder", "image_set"), [
    ("mpii_val", "valid"), ("lspet_mpii", "train"), ("lspet_mpii", "valid"), ("mpii5", "valid"),
])  # fmt: skip
def test_real_sets_pass_and_are_refused_with_their_arms_exchanged(shared, folder, image_set):
    persons = read_mpii(shared / "data" / folder, image_set)
    refuse_mirrored(persons.joints, persons.visible, MPII, image_set)
    if len(persons) > 100:
        order = exchanged(ARMS)
        with pytest.raises(UserError, match="left_hip and right_hip lie the other way round than left_shoulder"):
            refuse_mirrored(persons.joints[:, order], persons.visible[:, order], MPII, image_set)
    if len(persons) > 1000:
        with pytest.raises(UserError, match=r"only (28|33)% of its persons"):
            refuse_mirrored(persons.joints[:, ORDER], persons.visible[:, ORDER], MPII, image_set)
