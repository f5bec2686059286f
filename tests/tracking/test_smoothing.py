import math

import numpy as np
import pytest

from lib.tracking.smoothing import PoseSmoother

SHOWN = np.ones((1, 1), dtype=bool)


def run(points, **values):
    smoother = PoseSmoother(25.0, **values)
    return np.array([smoother.smooth([1], np.array([[point]]), SHOWN)[0, 0] for point in points])


def test_tremble_at_rest_becomes_smaller_and_the_place_stays():
    noisy = 100 + np.random.default_rng(0).normal(0, 3, (200, 2))
    smooth = run(noisy, speed=0.0)
    assert smooth[50:].std() < noisy[50:].std() / 2 and abs(smooth[50:].mean() - 100) < 0.5


def by_the_papers_formulas(points, rate, cutoff, speed):
    """Casiez, Roussel and Vogel (CHI 2012), section 3: alpha = 1 / (1 + tau / T_e), tau = 1 / (2 pi f_c)."""
    def alpha(frequency):
        tau = 1 / (2 * math.pi * frequency)
        return 1 / (1 + tau * rate)

    place, velocity, found = points[0], None, [points[0]]
    for point in points[1:]:
        change = (point - place) * rate
        velocity = change if velocity is None else alpha(1.0) * change + (1 - alpha(1.0)) * velocity
        share = alpha(cutoff + speed * math.hypot(*velocity))
        place = share * point + (1 - share) * place
        found.append(place)
    return np.array(found)


@pytest.mark.parametrize(("cutoff", "speed"), [(1.0, 0.0), (0.3, 0.02), (4.0, 0.5)])
def test_it_is_the_papers_filter(cutoff, speed):
    points = np.cumsum(np.random.default_rng(1).normal(0, 4, (60, 2)), axis=0)
    expected = by_the_papers_formulas(points, 25.0, cutoff, speed)
    np.testing.assert_allclose(run(points, cutoff=cutoff, speed=speed), expected, rtol=0, atol=1e-9)


def test_fast_motion_lags_less_with_speed():
    moving = np.stack([np.arange(100) * 8.0, np.zeros(100)], axis=1)
    slow, quick = run(moving, speed=0.0), run(moving, speed=0.05)
    assert moving[-1, 0] - slow[-1, 0] > 20 and moving[-1, 0] - quick[-1, 0] < 8


def test_the_first_frame_and_one_after_a_gap_are_as_they_are():
    smoother, place = PoseSmoother(25.0), np.array([[[5.0, 5.0]]])
    assert smoother.smooth([1], place, SHOWN).tolist() == place.tolist()
    unseen = smoother.smooth([1], place + 100, np.zeros((1, 1), dtype=bool))
    assert unseen.tolist() == (place + 100).tolist()
    assert smoother.smooth([1], place + 50, SHOWN).tolist() == (place + 50).tolist()
    smoother.smooth([], np.zeros((0, 1, 2)), np.zeros((0, 1)))
    assert smoother._states == {}  # nobody is remembered for ever


def test_people_do_not_mix():
    smoother = PoseSmoother(25.0)
    both = np.array([[[0.0, 0.0]], [[100.0, 100.0]]])
    smoother.smooth([1, 2], both, np.ones((2, 1)))
    np.testing.assert_allclose(smoother.smooth([2, 1], both[::-1], np.ones((2, 1))), both[::-1])


def test_the_filter_goes_by_the_times_where_they_are_known():
    points, times = np.array([[0.0, 0.0], [9.0, 0.0], [3.0, 0.0]]), (0.0, 0.5, 0.6)
    timed, slow, quick = PoseSmoother(25.0), PoseSmoother(2.0), PoseSmoother(10.0)
    results = [timed.smooth([1], point[None, None], SHOWN, time) for point, time in zip(points, times, strict=True)]
    expected = [slow.smooth([1], point[None, None], SHOWN) for point in points[:2]]
    quick._states = slow._states
    expected.append(quick.smooth([1], points[2][None, None], SHOWN))
    np.testing.assert_allclose(results, expected)
