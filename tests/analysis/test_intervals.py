"""Intervals and tests by the bootstrap: right coverage, right share of false alarms, exact small cases."""

import numpy as np
import pytest

from lib.analysis.intervals import Column, holm, interval, p_value, picture_sums, resampled, weight_blocks


def column(values, **options):
    values = np.asarray(values, dtype=float)
    return Column("figure", values, np.ones_like(values), **options)


def test_a_draw_takes_as_many_pictures_as_there_are_and_is_the_same_again():
    first, again = (np.concatenate([*weight_blocks(7, 600, seed=3)]) for _ in range(2))
    assert first.shape == (600, 7) and (first.sum(axis=1) == 7).all() and (first == again).all()
    assert (first != np.concatenate([*weight_blocks(7, 600, seed=4)])).any()
    assert first.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)


def test_sums_are_of_the_persons_of_a_picture():
    values = np.array([[1.0, 2], [3, 4], [5, 6]])
    assert picture_sums(values, np.array([1, 0, 1]), 2).tolist() == [[3, 4], [6, 8]]


def test_a_column_is_pooled_or_the_mean_of_its_joints():
    values, counts = np.array([[1.0, 0, 0], [1, 1, 0]]), np.array([[1.0, 1, 0], [1, 1, 0]])
    assert Column("", values, counts).figure() == 75
    assert Column("", values, counts, pooled=False).figure() == 75
    counts[0, 1] = 0
    assert Column("", values, counts).figure() == 100
    values[0, 0] = 0
    assert Column("", values, counts).figure() == pytest.approx(100 * 2 / 3)
    assert Column("", values, counts, pooled=False).figure() == 75  # joints of 1/2 and 1/1
    assert np.isnan(Column("", values, counts * 0).figure())


def test_draws_of_all_pictures_equal_are_the_figure_and_pairs_get_the_same_draws():
    hits = np.random.default_rng(0).random((50, 4)) < 0.7
    pictures = np.arange(50) // 2
    draws = resampled([column(hits), column(hits)], pictures, 300)
    assert (draws[:, 0] == draws[:, 1]).all() and draws[:, 0].std() > 0
    loop = np.concatenate([*weight_blocks(25, 300)])[17]
    people = np.concatenate([np.repeat(np.flatnonzero(pictures == each), int(loop[each])) for each in range(25)])
    assert draws[17, 0] == pytest.approx(100 * hits[people].mean())
    assert p_value(draws[:, 0] - draws[:, 1]) == 1
    assert interval(draws[:, 0] - draws[:, 1]) == (0, 0)


def test_p_and_holm_by_hand():
    draws = np.array([-1.0] + [1.0] * 99)
    assert p_value(draws) == 0.02 and p_value(-draws) == 0.02
    assert p_value(np.ones(100)) == 0.02  # no draw is on the other side: below 2 / R nothing can be said
    assert p_value(np.array([np.nan])) == 1
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1, 1]


def population(count, seed):
    """Right joints of `count` pictures of 1 to 3 persons, with pictures that are harder than others."""
    generator = np.random.default_rng(seed)
    pictures = np.repeat(np.arange(count), generator.integers(1, 4, count))
    hard = generator.beta(6, 2, count)
    return (generator.random((len(pictures), 8)) < hard[pictures, None]).astype(float), pictures


@pytest.mark.slow
def test_95_percent_intervals_hold_the_truth_in_94_to_96_percent_of_1000_draws():
    inside, truth = 0, 75.0  # the mean of beta(6, 2)
    for seed in range(1000):
        hits, pictures = population(300, seed)
        low, high = interval(resampled([column(hits)], pictures, 2000, seed=seed)[:, 0])
        inside += low <= truth <= high
    assert 940 <= inside <= 960


@pytest.mark.slow
def test_two_halves_of_one_set_differ_in_about_5_percent_of_200_splits():
    hits, pictures = population(600, 1)
    generator, significant = np.random.default_rng(0), 0
    for split in range(200):
        first = generator.permutation(600)[:300]
        inside = np.isin(pictures, first)
        draws = []
        for part, mask in enumerate((inside, ~inside)):
            numbers = np.unique(pictures[mask], return_inverse=True)[1]
            draws.append(resampled([column(hits[mask])], numbers, 1000, seed=2 * split + part)[:, 0])
        significant += p_value(draws[0] - draws[1]) < 0.05
    assert 4 <= significant <= 18  # 5% of 200 are 10, give or take three deviations
