"""The evaluator's door: which files and predictions it takes, and what it says about the others."""

import math

import numpy as np
import pytest
import scipy.io

from lib.core.skeletons import MPII, MPII_MAT_JOINTS, Skeleton
from lib.dataset.joints_dataset import Persons
from lib.evaluation.evaluators import PCKEvaluator, PCKhEvaluator
from lib.utils.errors import UserError


def ground_truth(persons=4, joints=16):
    """The variables of a gt_valid.mat: heads of 50 px diagonal (30 px head size), all joints at (100, 200)."""
    names = np.empty((1, joints), dtype=object)
    names[0] = list(MPII_MAT_JOINTS[:joints])
    places = np.tile(np.array([100.0, 200.0])[None, :, None], (joints, 1, persons))
    heads = np.tile(np.array([[10.0, 10.0], [40.0, 50.0]])[..., None], (1, 1, persons))
    missing = np.zeros((joints, persons), np.uint8)
    return {"dataset_joints": names, "jnt_missing": missing, "pos_gt_src": places, "headboxes_src": heads}


@pytest.fixture
def evaluator_of(tmp_path):
    """An evaluator of the ground truth with some variables replaced, or left out where None."""

    def make(**changes):
        variables = {**ground_truth(), **changes}
        path = tmp_path / "gt_valid.mat"
        scipy.io.savemat(path, {name: value for name, value in variables.items() if value is not None})
        return PCKhEvaluator(path, MPII)

    return make


def right_predictions(persons=4):
    return np.tile(np.array([99.0, 199.0]), (persons, 16, 1))  # 0-based


def test_predictions_are_0_based_and_the_file_is_1_based(evaluator_of):
    evaluator = evaluator_of()
    assert len(evaluator) == 4
    assert evaluator.evaluate(right_predictions())["Mean"] == 100
    at_the_limit = right_predictions() + [15, 0]  # half of 30 px
    assert evaluator.evaluate(at_the_limit)["Mean"] == 100
    assert evaluator.evaluate(at_the_limit + [0.01, 0])["Mean"] == 0


def test_a_columns_value_is_the_mean_of_its_left_and_right_joint(evaluator_of):
    predictions = right_predictions()
    predictions[0, MPII.joints.index("left_knee")] += 500  # one of four
    predictions[:2, MPII.joints.index("right_hip")] += 500  # two of four
    results = evaluator_of().evaluate(predictions)
    assert (results["Knee"], results["Hip"], results["Shoulder"]) == (87.5, 75, 100)
    assert results["Mean"] == pytest.approx(100 * (14 * 4 - 3) / (14 * 4))


def test_joints_that_nobody_shows_are_nan_and_do_not_count_in_the_mean(evaluator_of):
    missing = ground_truth()["jnt_missing"]
    missing[MPII.indices_of(["left_ankle", "right_ankle", "right_wrist"])] = 1
    predictions = right_predictions()
    predictions[0, MPII.joints.index("head_top")] += 500
    results = evaluator_of(jnt_missing=missing).evaluate(predictions)
    assert math.isnan(results["Ankle"])
    assert results["Wrist"] == 100  # of the left one
    assert results["Head"] == 75
    assert results["Mean"] == pytest.approx(100 * (11 * 4 - 1) / (11 * 4))


def test_a_ground_truth_without_any_joint_gives_nan_everywhere(evaluator_of):
    results = evaluator_of(jnt_missing=np.ones((16, 4), np.uint8)).evaluate(right_predictions())
    assert all(math.isnan(value) for value in results.values())


@pytest.mark.filterwarnings("error")
def test_nothing_is_warned_about_joints_that_nobody_shows(evaluator_of):
    missing = ground_truth()["jnt_missing"]
    missing[:6] = 1
    assert math.isnan(evaluator_of(jnt_missing=missing).evaluate(right_predictions())["Hip"])


def test_a_ground_truth_of_one_person_is_read(evaluator_of):
    evaluator = evaluator_of(**ground_truth(persons=1))
    assert evaluator.evaluate(right_predictions(1))["Mean"] == 100


def test_joints_in_another_order_are_refused(evaluator_of):
    names = ground_truth()["dataset_joints"]
    names[0, [0, 5]] = names[0, [5, 0]]
    with pytest.raises(UserError, match="its joints are lank, rkne.*expected rank, rkne"):
        evaluator_of(dataset_joints=names)


def test_a_ground_truth_of_fewer_joints_is_refused(evaluator_of):
    with pytest.raises(UserError, match=r"gt_valid\.mat"):
        evaluator_of(**ground_truth(joints=14)).evaluate(right_predictions())


@pytest.mark.parametrize("name", ["jnt_missing", "headboxes_src"])
def test_variables_of_different_numbers_of_persons_are_refused(evaluator_of, name):
    fewer = {name: ground_truth()[name][..., :3]}
    with pytest.raises(UserError, match=r"gt_valid\.mat"):
        evaluator_of(**fewer).evaluate(right_predictions())


@pytest.mark.parametrize("shape", [(3, 16, 2), (5, 16, 2), (4, 17, 2), (4, 16, 3)])
def test_predictions_of_another_shape_are_refused(evaluator_of, shape):
    with pytest.raises(UserError, match=r"gt_valid\.mat.*\(4, 16, 2\)"):
        evaluator_of().evaluate(np.zeros(shape))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the ground truth .*nowhere\.mat"):
        PCKhEvaluator(tmp_path / "nowhere.mat", MPII)


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_damaged_file_is_a_user_error(data_folder, tmp_path, keep):
    data = (data_folder / "pckh_gt_valid.mat").read_bytes()
    length = keep if isinstance(keep, int) else int(len(data) * keep)
    (tmp_path / "damaged.mat").write_bytes(data[:length])
    with pytest.raises(UserError, match=r"damaged\.mat"):
        PCKhEvaluator(tmp_path / "damaged.mat", MPII)


def test_a_file_of_another_kind_is_a_user_error(tmp_path):
    (tmp_path / "page.mat").write_text("<html>not found</html>" * 50)
    with pytest.raises(UserError, match=r"page\.mat is not MPII's ground truth"):
        PCKhEvaluator(tmp_path / "page.mat", MPII)


@pytest.mark.parametrize("name", ["dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src"])
def test_a_mat_file_without_one_of_the_variables_is_a_user_error(evaluator_of, name):
    with pytest.raises(UserError, match="is not MPII's ground truth"):
        evaluator_of(**{name: None})


# -- PCK by the skeleton's own reference -----------------------------------------------------------------------------

JOINTS = ("left_shoulder", "right_hip", "nose", "left_hand")
BOX = Skeleton("box", JOINTS)
TORSO = Skeleton("torso", JOINTS, pck_reference=("left_shoulder", "right_hip"))


def people(count, joints=((0, 0), (30, 40), (10, 10), (60, 60)), box=(0, 0, 50, 100)):
    """Persons alike: a torso of 50 px, a box of 50 x 100 px."""
    return Persons(
        ["x.jpg"] * count, np.zeros((count, 2)), np.ones((count, 2)),
        np.tile(np.array(joints, dtype=np.float64), (count, 1, 1)), np.ones((count, len(joints))),
        np.tile(np.array(box, dtype=np.float64), (count, 1)),
    )  # fmt: skip


@pytest.mark.parametrize(("skeleton", "limit"), [(BOX, 20), (TORSO, 10)])
def test_a_joint_is_right_within_a_fifth_of_the_boxs_longer_side_or_the_torso(skeleton, limit):
    persons = people(5)
    predictions = persons.joints.copy()
    predictions[0, 2] += [limit - 0.01, 0]
    predictions[1, 2] += [0, limit + 0.01]
    predictions[2, 3] += 1000
    figures = PCKEvaluator(persons, skeleton).evaluate(predictions)
    assert figures["Nose"] == pytest.approx(100 * 4 / 5) == figures["Hand"]
    assert figures["Shoulder"] == figures["Hip"] == 100
    assert figures["PCK@0.2"] == pytest.approx(100 * 18 / 20)
    assert PCKEvaluator(persons, skeleton).primary_metric == "PCK@0.2"


def test_epe_is_the_mean_distance_in_picture_pixels_of_the_joints_annotated():
    persons = people(2)
    predictions = persons.joints.copy()
    predictions[0, 0] += [3, 4]
    predictions[1, 1] += [0, 11]
    predictions[1, 3] += 777
    persons.visible[1, 3] = 0
    assert PCKEvaluator(persons, BOX).evaluate(predictions)["EPE"] == pytest.approx((5 + 11) / 7)


def test_auc_is_the_mean_over_51_thresholds_from_zero_to_the_full_one():
    persons = people(1)
    predictions = persons.joints + [9.9, 0]  # a box of 100 px: right from 0.1 on, which is the 26th of 51
    figures = PCKEvaluator(persons, BOX).evaluate(predictions)
    assert figures["AUC"] == pytest.approx(100 * 26 / 51)
    predictions[0, :2] = persons.joints[0, :2]  # two of four at each threshold, zero included
    assert PCKEvaluator(persons, BOX).evaluate(predictions)["AUC"] == pytest.approx(100 * (26 / 51 + 1) / 2)


def test_a_person_without_its_reference_counts_in_epe_only():
    persons = people(3)
    persons.visible[1, 0] = 0  # no shoulder, so no torso
    persons.joints[2, 1] = [0.5, 0.5]  # a torso below a pixel
    predictions = persons.joints.copy()
    predictions[1:, 2] += [0, 77]
    figures = PCKEvaluator(persons, TORSO).evaluate(predictions)
    assert figures["PCK@0.2"] == figures["Nose"] == figures["AUC"] == 100
    assert figures["EPE"] == pytest.approx(2 * 77 / 11)
    assert PCKEvaluator(persons, BOX).evaluate(predictions)["Nose"] == pytest.approx(100 / 3)


def test_where_nobody_has_the_reference_pck_is_nan_and_epe_is_not():
    persons = people(2)
    persons.visible[:, 1] = 0
    figures = PCKEvaluator(persons, TORSO).evaluate(persons.joints + [0, 2])
    assert math.isnan(figures["PCK@0.2"]) and math.isnan(figures["AUC"]) and math.isnan(figures["Nose"])
    assert figures["EPE"] == pytest.approx(2)


def test_a_set_that_pck_cannot_measure_is_known_beforehand():
    persons = people(2)
    assert PCKEvaluator(persons, TORSO).skip_reason == PCKEvaluator(persons, BOX).skip_reason == ""
    persons.visible[:, 1] = 0
    assert "and the PCK_REFERENCE ('left_shoulder', 'right_hip')" in PCKEvaluator(persons, TORSO).skip_reason
    assert PCKEvaluator(persons, BOX).skip_reason == ""
    assert "PCK_REFERENCE box" in PCKEvaluator(people(2, box=(5, 5, 0, 0.9)), BOX).skip_reason
    persons.visible[:] = 0
    assert "PCK_REFERENCE box" in PCKEvaluator(persons, BOX).skip_reason


def test_a_prediction_that_is_no_number_is_a_miss():
    persons = people(2)
    predictions = persons.joints.copy()
    predictions[0, 2] = math.nan
    assert PCKEvaluator(persons, BOX).evaluate(predictions)["Nose"] == 50


def test_by_head_size_and_a_half_it_is_what_a_plain_count_says():
    rng = np.random.default_rng(3)
    persons = people(40, rng.uniform(0, 200, (16, 2)))
    persons.joints += rng.normal(scale=20, size=persons.joints.shape)
    persons.visible = (rng.random((40, 16)) < 0.8).astype(np.float64)
    predictions = persons.joints + rng.normal(scale=50, size=persons.joints.shape)

    neck, head = MPII.joints.index("upper_neck"), MPII.joints.index("head_top")
    hits, counts, at_fraction = np.zeros(16), np.zeros(16), np.zeros(51)
    for joints, visible, predicted in zip(persons.joints, persons.visible, predictions, strict=True):
        if visible[neck] and visible[head]:
            size = math.dist(joints[neck], joints[head])
            for joint in np.flatnonzero(visible):
                share = math.dist(joints[joint], predicted[joint]) / size
                hits[joint] += share <= 0.5
                counts[joint] += 1
                at_fraction += share <= np.linspace(0, 0.5, 51)
    figures = PCKEvaluator(persons, MPII).evaluate(predictions)
    assert 100 < counts.sum() < 512 and 0.2 < hits.sum() / counts.sum() < 0.8
    knees = hits[[1, 4]] / counts[[1, 4]]
    assert figures["Knee"] == pytest.approx(100 * knees.mean())
    assert figures["PCK@0.5"] == pytest.approx(100 * hits.sum() / counts.sum())  # pelvis and thorax are joints here
    assert figures["AUC"] == pytest.approx(100 * np.mean(at_fraction / counts.sum()))


def test_its_predictions_are_saved_and_read_back(tmp_path):
    persons = people(3)
    evaluator = PCKEvaluator(persons, TORSO)
    predictions = persons.joints + np.arange(3)[:, None, None] * 4.0
    figures = evaluator.evaluate(predictions)
    assert 0 < figures["AUC"] < 100
    assert evaluator.evaluate_file(evaluator.save(predictions, None, tmp_path)) == pytest.approx(figures)
    with pytest.raises(UserError, match=r"\(2, 4, 2\), but the annotations have \(3, 4, 2\)"):
        evaluator.evaluate(predictions[:2])


def test_a_quick_look_scores_the_first_persons_alone(evaluator_of):
    evaluator = evaluator_of()
    assert evaluator.first(3).tolist() == [True, True, True, False]
    predictions = right_predictions(3)
    predictions[2] += 500
    assert len(evaluator) == 3 and evaluator.evaluate(predictions)["Mean"] == pytest.approx(200 / 3)
    assert evaluator_of().first(9).all()
    people_of_two = PCKEvaluator(people(5), BOX)
    predictions = people(2).joints + 500
    assert people_of_two.first(2).sum() == 2 == len(people_of_two)
    assert people_of_two.evaluate(predictions)["PCK@0.2"] == 0
