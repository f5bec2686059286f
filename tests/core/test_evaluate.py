"""Heatmap accuracy and PCKh, against the records and cases worked out on paper."""

import json

import numpy as np
import pytest
import scipy.io

from lib.core.evaluate import accuracy, head_sizes, pckh_curve
from lib.core.skeletons import MPII
from lib.evaluation.evaluators import PCKhEvaluator


def test_accuracy_is_the_originals(reference):
    record = reference("loss_accuracy.npz")
    per_joint, mean, count = accuracy(record["acc_output"], record["acc_target"])
    np.testing.assert_allclose(per_joint, record["accuracy_per_joint"][1:], atol=1e-9)  # its first place is the mean
    assert mean == pytest.approx(float(record["accuracy_mean"]), abs=1e-9)
    assert count == int(record["accuracy_count"]) == 16


def peaks(*places, height=20, width=40):
    """Heatmaps (1, K, H, W) with one peak each, at (x, y)."""
    heatmaps = np.zeros((1, len(places), height, width), np.float32)
    for joint, (x, y) in enumerate(places):
        heatmaps[0, joint, y, x] = 1
    return heatmaps


def test_accuracy_divides_x_by_the_height_and_y_by_the_width():
    # 20 x 40: x counts in units of 2 pixels and y in units of 4; the limit of 0.5 itself is a miss
    target = peaks((10, 10), (10, 10), (10, 10), (10, 10))
    output = peaks((10, 10), (11, 10), (10, 11), (10, 12))
    per_joint, mean, count = accuracy(output, target)
    assert per_joint.tolist() == [1, 0, 1, 0]
    assert (mean, count) == (0.5, 4)


def test_accuracy_counts_a_joint_only_where_its_target_is_beyond_1_on_both_axes():
    target = peaks((1, 10), (10, 1), (2, 2), (10, 10))
    per_joint, mean, count = accuracy(peaks((1, 10), (10, 1), (2, 2), (30, 10)), target)
    assert per_joint.tolist() == [-1, -1, 1, 0]
    assert (mean, count) == (0.5, 2)


def test_accuracy_of_a_joint_is_over_the_persons_who_show_it():
    target = np.concatenate([peaks((10, 10), (5, 5)), peaks((10, 10), (0, 0)), peaks((10, 10), (0, 0))])
    output = np.concatenate([peaks((10, 10), (5, 5)), peaks((30, 10), (5, 5)), peaks((30, 10), (5, 5))])
    per_joint, mean, count = accuracy(output, target)
    np.testing.assert_allclose(per_joint, [1 / 3, 1])
    assert (mean, count) == (pytest.approx(2 / 3), 2)


def test_accuracy_of_nothing_is_zero():
    empty = np.zeros((2, 3, 8, 8), np.float32)
    per_joint, mean, count = accuracy(empty, empty)
    assert per_joint.tolist() == [-1, -1, -1] and (mean, count) == (0, 0)


def test_accuracy_takes_its_threshold():
    target, output = peaks((10, 10)), peaks((13, 10))  # 1.5 units away
    assert accuracy(output, target, threshold=1.5)[1] == 0
    assert accuracy(output, target, threshold=1.6)[1] == 1


def test_head_size_is_six_tenths_of_the_diagonal():
    boxes = np.zeros((2, 2, 2))
    boxes[:, :, 0] = [[10, 20], [13, 24]]
    boxes[:, :, 1] = [[0, 0], [60, 80]]
    np.testing.assert_allclose(head_sizes(boxes), [3, 60])


def test_pckh_counts_a_joint_up_to_and_at_the_threshold():
    truth = np.zeros((4, 1, 2))
    predictions = np.array([[[3.0, 4.0]], [[5.0, 0.0]], [[5.1, 0.0]], [[0.0, 50.0]]])
    curve, counts = pckh_curve(predictions, truth, np.zeros((4, 1)), [10, 10, 10, 100], [0, 0.5, 1])
    assert curve[:, 0].tolist() == [0, 75, 100] and counts.tolist() == [4]


def test_pckh_leaves_out_joints_that_are_not_annotated():
    truth = np.zeros((2, 2, 2))
    predictions = np.full((2, 2, 2), 100.0)
    predictions[0] = 0
    curve, counts = pckh_curve(predictions, truth, [[0, 1], [1, 1]], [10, 10], [0.5])
    assert counts.tolist() == [1, 0]
    assert curve[0, 0] == 100 and np.isnan(curve[0, 1])


def test_a_prediction_that_is_no_number_is_a_miss():
    curve, _ = pckh_curve(np.full((1, 1, 2), np.nan), np.zeros((1, 1, 2)), [[0]], [10], [0.5])
    assert curve.tolist() == [[0]]


@pytest.fixture
def evaluator(data_folder):
    return PCKhEvaluator(data_folder / "pckh_gt_valid.mat", MPII)


def test_the_pckh_row_is_the_originals(reference, evaluator):
    record = reference("pckh.npz")
    expected = json.loads(str(record["table"]))
    results = evaluator.evaluate(record["preds_0based"])
    assert list(expected) == [name for name in results if not name.startswith("true_")]
    assert {name: results[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_the_true_tenth_is_read_at_a_tenth_and_lies_below_the_published_column(reference, evaluator):
    predictions = reference("pckh.npz")["preds_0based"]
    results = evaluator.evaluate(predictions)
    curve, counts = pckh_curve(predictions + 1, evaluator.ground_truth, evaluator.missing, evaluator.sizes, [0.1, 0.11])
    kept = [joint for joint in range(16) if joint not in (6, 7)]
    tenth, published = (float((row[kept] * counts[kept]).sum() / counts[kept].sum()) for row in curve)
    assert results["true_mean_at_0.1"] == pytest.approx(tenth, abs=1e-9)
    assert results["Mean@0.1"] == pytest.approx(published, abs=1e-9)
    assert tenth < published


def test_the_truth_as_prediction_gives_100_everywhere(evaluator):
    results = evaluator.evaluate(evaluator.ground_truth - 1)
    assert len(results) == 10
    assert set(results.values()) == {100.0}


def test_one_joint_moved_costs_what_paper_and_pencil_say(data_folder, evaluator):
    ground_truth = scipy.io.loadmat(data_folder / "pckh_gt_valid.mat")
    annotated = ground_truth["jnt_missing"] == 0  # (K, N)
    ankle = MPII.joints.index("right_ankle")
    person = int(np.flatnonzero(annotated[ankle])[0])
    predictions = ground_truth["pos_gt_src"].transpose(2, 0, 1) - 1
    corners = ground_truth["headboxes_src"][:, :, person]
    size = 0.6 * np.linalg.norm(corners[1] - corners[0])
    predictions[person, ankle, 0] += 0.51 * size

    results = evaluator.evaluate(predictions)
    ankles = annotated[ankle].sum()
    counted = annotated.sum() - annotated[[6, 7]].sum()  # MPII's mean leaves out pelvis and thorax
    assert results["Ankle"] == pytest.approx((100 * (ankles - 1) / ankles + 100) / 2)
    assert results["Mean"] == pytest.approx(100 * (counted - 1) / counted)
    assert results["Head"] == results["Knee"] == 100

    predictions[person, ankle, 0] -= 0.02 * size  # within half a head again, but not within a tenth
    results = evaluator.evaluate(predictions)
    assert results["Ankle"] == results["Mean"] == 100
    assert results["Mean@0.1"] == pytest.approx(100 * (counted - 1) / counted)


def test_pelvis_and_thorax_do_not_count(evaluator):
    predictions = evaluator.ground_truth - 1
    predictions[:, MPII.indices_of(["pelvis", "thorax"])] += 1e4
    assert set(evaluator.evaluate(predictions).values()) == {100.0}


def test_a_stacked_hourglass_gets_its_published_row_on_mpii_val(shared):
    folder = shared / "data" / "mpii_val"
    predictions = scipy.io.loadmat(folder / "hourglass_s2_pred.mat")["preds"][..., :2] - 1.0
    results = PCKhEvaluator(folder / "annot" / "gt_valid.mat", MPII).evaluate(predictions)
    published = {
        "Head": 95.80, "Shoulder": 94.57, "Elbow": 88.12, "Wrist": 83.31, "Hip": 86.24, "Knee": 80.88, "Ankle": 77.44,
        "Mean": 87.30,
    }  # fmt: skip
    assert {name: results[name] for name in published} == pytest.approx(published, abs=0.005)
    assert len(predictions) == 2958


def test_the_originals_own_predictions_get_the_row_it_printed(shared):
    predictions = np.load(shared / "reference" / "lspet_r18_original_preds.npz")["preds_1based"] - 1.0
    truth = shared / "data" / "lspet_mpii" / "annot" / "gt_valid.mat"  # where nobody shows pelvis and thorax
    results = PCKhEvaluator(truth, MPII).evaluate(predictions)
    curve = json.loads((shared / "reference" / "lspet_training_curve.json").read_text())
    rows = [epoch["row"] for epoch in find_rows(curve)]
    assert {name: results[name] for name in rows[-1]} == pytest.approx(rows[-1], abs=0.001)  # printed with three digits


def find_rows(tree):
    """The epochs of the record, each with its printed `row`, in order."""
    if isinstance(tree, dict):
        if "row" in tree:
            return [tree]
        tree = list(tree.values())
    return [row for item in tree for row in find_rows(item)] if isinstance(tree, list) else []
