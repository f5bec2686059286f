"""The benchmark's figures, worked out on paper."""

import numpy as np
import pytest

pytest.importorskip("motmetrics", reason="needs motmetrics (requirements/base.txt)")

from lib.core.boxes import in_regions
from lib.core.skeletons import Skeleton  # noqa: E402
from lib.dataset.annotations.posetrack_form import PoseFrame  # noqa: E402
from lib.evaluation.tracks import PoseTrackEvaluator, evaluate_sequences  # noqa: E402

PAIR = Skeleton("pair", ("left_hand", "right_hand"))
HEAD = 10.0  # so a joint is found within 5 pixels
A, B, FAR = np.array([[0.0, 0.0], [0.0, 40.0]]), np.array([[100.0, 0.0], [100.0, 40.0]]), np.full((2, 2), 500.0)


def frame(people, ignored=(), labelled=True, scores=None):
    """A PoseFrame of {identity: joints (2, 2)}; joints of NaN are not shown."""
    joints = np.reshape(list(people.values()), (-1, 2, 2)).astype(float)
    shown = np.isfinite(joints).all(axis=2)
    scores = np.ones(shown.shape) if scores is None else np.array(scores, dtype=float)
    sizes = np.full(len(joints), HEAD)
    return PoseFrame("x", np.array(list(people), dtype=int), joints, shown, scores, sizes, list(ignored), labelled)


def score(truth, predicted):
    return evaluate_sequences(PAIR, [("clip", truth, predicted)])


def test_five_frames_and_two_people_worked_out_on_paper():
    truth = [frame({1: A, 2: B})] * 5
    predicted = [
        frame({1: A, 2: B}),
        frame({1: A + (2, 0), 2: B}),  # found, 0.2 head sizes away
        frame({1: A, 9: FAR}),  # B is missed, and somebody is seen who is not there
        frame({1: A + (0, 6), 3: B}),  # A is beyond half a head: missed, and false; B is another: a switch
        frame({1: A, 3: B}),
    ]
    results = score(truth, predicted)
    # of each joint: 10 are true, 2 missed, 2 false, 1 switched; 8 found, of which one by 0.2
    assert results["MOTA"] == pytest.approx(100 * (1 - (2 + 2 + 1) / 10))
    assert results["MOTP"] == pytest.approx(100 * (1 - 0.2 / 8))
    assert results["Precision"] == results["Recall"] == pytest.approx(80)
    assert results["Switches"] == 2  # one for each of the two joints
    # the best pairs are A with 1 (four frames) and B with 2 or 3 (two): 6 of 10 and 10
    assert results["IDF1"] == pytest.approx(60)
    assert results["MOTA Hand"] == results["MOTA"]


def test_perfect_tracks_score_a_hundred():
    truth = [frame({1: A, 2: B}), frame({2: B}), frame({1: A + 50, 2: B})]
    predicted = [frame({7: A, 4: B}), frame({4: B}), frame({7: A + 50, 4: B})]
    results = score(truth, predicted)
    figures = {name: results[name] for name in ("MOTA", "MOTP", "Precision", "Recall", "IDF1", "mAP")}
    assert figures == dict.fromkeys(figures, 100)
    assert results["Switches"] == 0


@pytest.mark.parametrize(("swapped", "switches"), [(range(5, 6), 4), (range(5, 10), 2)])
def test_swapped_identities_cost_exactly_their_switches(swapped, switches):
    truth = [frame({1: A, 2: B})] * 10
    predicted = [frame({2: A, 1: B} if number in swapped else {1: A, 2: B}) for number in range(10)]
    results = score(truth, predicted)
    assert results["MOTA"] == pytest.approx(100 * (1 - switches / 20))  # 20 joints of either kind
    assert results["Recall"] == results["mAP"] == 100


def test_sequences_have_people_of_their_own():
    first, second = [frame({1: A})] * 2, [frame({1: B})] * 2
    guessed = [("one", first, [frame({5: A})] * 2), ("two", second, [frame({6: B})] * 2)]
    assert evaluate_sequences(PAIR, guessed)["MOTA"] == 100


def test_nothing_counts_in_ignored_regions():
    region = np.array([[90, -10], [110, -10], [110, 50], [90, 50]], dtype=np.float32)
    truth = frame({1: A, 2: B}, [region])
    assert score([truth], [frame({1: A})])["MOTA"] == 100  # B need not be found
    assert score([truth], [frame({1: A, 2: B, 3: B + 2})])["MOTA"] == 100  # nor is anyone there false
    assert score([frame({1: A, 2: B})], [frame({1: A})])["MOTA"] == 50


def test_a_joint_on_a_regions_border_is_not_within_it():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=np.float32)
    joints = np.array([[[5.0, 5.0], [0.0, 5.0], [11.0, 5.0], [np.nan, 5.0]]])
    assert in_regions(joints, [square]).tolist() == [[True, False, False, False]]


def test_frames_that_nobody_labelled_or_that_are_empty_do_not_count():
    evaluator = PoseTrackEvaluator(PAIR)
    evaluator.add("clip", frame({1: A}), frame({1: A}))
    evaluator.add("clip", frame({1: A}, labelled=False), frame({1: FAR}))
    evaluator.add("clip", frame({}), frame({1: FAR}))
    assert evaluator.evaluate()["MOTA"] == 100


def test_where_nothing_is_predicted_all_is_missed():
    results = score([frame({1: A, 2: B})] * 2, [frame({})] * 2)
    assert results["MOTA"] == results["Recall"] == results["MOTP"] == results["mAP"] == 0


def test_a_joint_that_nobody_shows_is_left_out_of_the_means():
    half = A.copy()
    half[1] = np.nan
    results = score([frame({1: half})], [frame({1: A})])
    assert results["MOTA"] == 100  # of the first joint alone, though the second is predicted


def test_average_precision_by_hand():
    truth = [frame({1: A, 2: B})]
    # a false pose with the highest score, then a right one; B is not found: precision 1/2 up to a recall of 1/2
    predicted = [frame({1: A, 3: FAR}, scores=[[0.5, 0.5], [0.9, 0.9]])]
    assert score(truth, predicted)["mAP"] == pytest.approx(25)


def test_of_two_poses_on_one_person_one_is_false():
    predicted = [frame({1: A + 1, 2: A}, scores=[[0.9, 0.9], [0.8, 0.8]])]
    results = score([frame({5: A})], predicted)
    assert results["Precision"] == 50 and results["MOTA"] == 0
    assert results["mAP"] == pytest.approx(100)  # the first of two equally good poses is the person's


def test_a_person_without_a_head_box_cannot_be_measured():
    truth = frame({1: A})
    truth.head_sizes[:] = np.nan
    with pytest.raises(ValueError, match="bbox_head"):
        PoseTrackEvaluator(PAIR).add("clip", truth, frame({1: A}))
