import numpy as np

from lib.tracking.smoothing import PoseSmoother

SHOWN = np.ones((1, 1), dtype=bool)


def run(points, **values):
    smoother = PoseSmoother(25.0, **values)
    return np.array([smoother.smooth([1], np.array([[point]]), SHOWN)[0, 0] for point in points])


def test_tremble_at_rest_becomes_smaller_and_the_place_stays():
    noisy = 100 + np.random.default_rng(0).normal(0, 3, (200, 2))
    smooth = run(noisy, speed=0.0)
    assert smooth[50:].std() < noisy[50:].std() / 2 and abs(smooth[50:].mean() - 100) < 0.5


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
