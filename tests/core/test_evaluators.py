"""The evaluator's door: which files and predictions it takes, and what it says about the others."""

import math

import numpy as np
import pytest
import scipy.io

from lib.core.evaluators import MPII_MAT_JOINTS, PCKhEvaluator
from lib.core.skeletons import MPII
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
