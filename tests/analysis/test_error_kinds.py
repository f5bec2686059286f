"""Each kind of error by hand-made cases, for OKS and for PCK; corrections that give the original's figure back."""

import numpy as np
import pytest

from lib.analysis.error_kinds import (
    GOOD,
    INVERSION,
    JITTER,
    KINDS,
    MISS,
    SWAP,
    UNCOUNTED,
    Nearness,
    classify,
    corrected,
    kind_counts,
    mirror_order,
)

# two people in one picture: nose, left wrist, right wrist
JOINTS = np.array([[[100, 100], [60, 200], [140, 200]], [[400, 100], [360, 200], [440, 200]]], dtype=float)
MIRROR = mirror_order([(1, 2)], 3)
PICTURE = np.zeros(2, dtype=int)
SHOWN = np.ones((2, 3), dtype=bool)
SIGMAS, AREA = (0.05, 0.05, 0.05), 10000.0  # cost d^2 / (2 * .1^2 * 10000) = d^2 / 200
EDGES = {"oks": (5.70, 11.77), "pck": (10, 20)}  # px: sqrt(200 * -log .85), sqrt(200 * -log .5); thresholds of 10 px


def nearness(metric, count=2):
    if metric == "oks":
        return Nearness.of_oks(np.full(count, AREA), SIGMAS)
    return Nearness.of_pck(np.full(count, 20.0), 0.5, 3)


def kind_of(metric, place, joint=1, shown=SHOWN, joints=JOINTS):
    predicted = joints.copy()
    predicted[0, joint] = place
    kinds, costs = classify(predicted, joints, shown, PICTURE, MIRROR, nearness(metric))
    others = np.ones((2, 3), bool)
    others[0, joint] = False
    assert (kinds[others & shown] == GOOD).all()
    return kinds[0, joint], costs[0, joint]


@pytest.mark.parametrize("metric", ["oks", "pck"])
class TestKinds:
    def test_the_edges_between_good_jitter_and_miss(self, metric):
        good, near = EDGES[metric]
        for distance, kind in ((0, GOOD), (good - 0.01, GOOD), (good + 0.01, JITTER), (near - 0.01, JITTER),
                               (near + 0.01, MISS)):  # fmt: skip
            assert kind_of(metric, (60, 200 + distance))[0] == kind, distance

    def test_at_the_twins_place_it_is_an_inversion_and_at_anybody_elses_a_swap(self, metric):
        assert kind_of(metric, (140, 205))[0] == INVERSION
        assert kind_of(metric, (360, 205))[0] == SWAP
        assert kind_of(metric, (440, 205))[0] == SWAP  # the other's other wrist
        assert kind_of(metric, (250, 205))[0] == MISS
        assert kind_of(metric, (140, 200 + EDGES[metric][1] + 0.01))[0] == MISS

    def test_another_joint_without_a_twin_is_no_inversion(self, metric):
        assert kind_of(metric, (60, 200), joint=0)[0] == MISS

    def test_places_that_are_not_annotated_count_for_nothing(self, metric):
        shown = SHOWN.copy()
        shown[0, 2] = False
        assert kind_of(metric, (140, 200), shown=shown)[0] == MISS
        assert kind_of(metric, (60, 200), joint=2, shown=shown)[0] == UNCOUNTED

    def test_people_without_a_prediction_are_not_counted(self, metric):
        predicted = JOINTS.copy()
        predicted[1] = np.nan
        kinds, _ = classify(predicted, JOINTS, SHOWN, PICTURE, MIRROR, nearness(metric))
        assert kind_counts(kinds).sum(axis=1).tolist() == [1, 1, 1]

    def test_people_of_other_pictures_are_not_looked_at(self, metric):
        predicted = JOINTS.copy()
        predicted[0, 1] = JOINTS[1, 1]
        kinds, _ = classify(predicted, JOINTS, SHOWN, np.array([1, 0]), MIRROR, nearness(metric))
        assert kinds[0, 1] == MISS


def test_a_joint_nearer_to_its_twins_place_is_an_inversion_for_oks_and_right_for_pck():
    joints = JOINTS.copy()
    joints[0, 2] = (64, 200)  # crossed wrists
    assert kind_of("oks", (63, 200), joints=joints)[0] == INVERSION
    assert kind_of("pck", (63, 200), joints=joints)[0] == GOOD


@pytest.mark.parametrize(("metric", "kind", "place", "expected"), [
    ("oks", JITTER, (60, 208), -np.log(0.85)), ("oks", INVERSION, (143, 200), 9 / 200),
    ("oks", SWAP, (360, 204), 16 / 200), ("oks", MISS, (250, 500), -np.log(0.5)),
    ("pck", JITTER, (60, 215), 1), ("pck", INVERSION, (143, 200), 0.3), ("pck", SWAP, (360, 204), 0.4),
    ("pck", MISS, (250, 500), 1),
])  # fmt: skip
def test_a_corrected_joint_is_as_far_from_its_place_as_the_paper_says(metric, kind, place, expected):
    predicted = JOINTS.copy()
    predicted[0, 1] = place
    measure = nearness(metric)
    kinds, costs = classify(predicted, JOINTS, SHOWN, PICTURE, MIRROR, measure)
    assert kinds[0, 1] == kind
    right = corrected(predicted, kind, kinds, costs, JOINTS, measure)
    cost = (np.linalg.norm(right - JOINTS, axis=2) / measure.divisors) ** measure.power
    assert cost[0, 1] == pytest.approx(expected, abs=1e-6)
    assert cost[0, 1] <= expected + 1e-12  # a jitter put right is right
    assert (cost.ravel()[[0, 2, 3, 4, 5]] == 0).all()
    other = corrected(predicted, next(each for each in (JITTER, MISS) if each != kind), kinds, costs, JOINTS, measure)
    assert (other == predicted).all()


@pytest.mark.parametrize("metric", ["oks", "pck"])
def test_left_and_right_exchanged_in_a_tenth_of_the_people(metric):
    generator = np.random.default_rng(0)
    count = 200
    joints = np.repeat(JOINTS[:1], count, axis=0) + generator.uniform(0, 500, (count, 1, 2))
    original = joints + generator.uniform(-3, 3, joints.shape)
    predicted = original.copy()
    predicted[::10] = predicted[::10][:, MIRROR]
    shown, pictures = np.ones((count, 3), bool), np.arange(count)
    measure = nearness(metric, count)
    kinds, costs = classify(predicted, joints, shown, pictures, MIRROR, measure)
    counts = kind_counts(kinds)
    assert counts[1:, INVERSION].tolist() == [20, 20]  # of 200: a tenth of each wrist
    assert counts.sum() == count * 3 and counts[:, GOOD].sum() == count * 3 - 40

    def cost(poses):
        return (np.linalg.norm(poses - joints, axis=2) / measure.divisors) ** measure.power

    right = corrected(predicted, INVERSION, kinds, costs, joints, measure)
    assert measure.similarity(cost(right)).mean() == pytest.approx(measure.similarity(cost(original)).mean(), abs=1e-12)
    assert (cost(right) <= measure.good).sum() == (cost(original) <= measure.good).sum()


def test_the_kinds_are_the_papers():
    assert KINDS == ("good", "jitter", "inversion", "swap", "miss")
