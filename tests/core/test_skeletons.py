"""The skeleton's derived parts."""

from lib.core.evaluators import MPII_MAT_JOINTS
from lib.core.skeletons import MPII, SKELETONS, Skeleton


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
