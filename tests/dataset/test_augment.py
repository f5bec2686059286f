"""Random changes: how far, how often, and that the same key draws the same."""

import numpy as np
import pytest

from lib.dataset.augment import Augmentation, sample_generator


@pytest.fixture(scope="module")
def draws():
    """20,000 draws of the published setting: (N, 3) scale multiplier, rotation, mirrored or not."""
    augmentation = Augmentation(scale_factor=0.25, rotation_factor=30.0, flip=True)
    generator = np.random.default_rng(0)
    return np.array([augmentation.draw(generator) for _ in range(20_000)])


def test_the_scale_stays_within_its_factor_and_reaches_both_ends(draws):
    scale = draws[:, 0]
    assert scale.min() == 0.75 and scale.max() == 1.25
    # a normal draw beyond one deviation is cut: 15.9 % at each end
    assert abs((scale == 0.75).mean() - 0.159) < 0.01 and abs((scale == 1.25).mean() - 0.159) < 0.01
    assert abs(scale.mean() - 1) < 0.005


def test_the_rotation_stays_within_twice_its_factor_and_is_left_out_four_times_in_ten(draws):
    rotation = draws[:, 1]
    assert rotation.min() == -60 and rotation.max() == 60
    assert abs((rotation == 0).mean() - 0.4) < 0.015
    turned = rotation[rotation != 0]
    assert abs((np.abs(turned) == 60).mean() - 0.0455) < 0.01  # beyond two deviations
    assert abs((np.abs(turned) < 30).mean() - 0.683) < 0.015
    assert abs(turned.mean()) < 1


def test_every_other_person_is_mirrored(draws):
    assert abs(draws[:, 2].mean() - 0.5) < 0.015


def test_scale_rotation_and_mirroring_are_independent(draws):
    correlation = np.corrcoef(np.column_stack([draws, draws[:, 1] != 0]).T) - np.eye(4)
    assert np.abs(correlation).max() < 0.03


def test_each_part_can_be_switched_off_without_shifting_the_others_luck():
    whole = Augmentation().draw(np.random.default_rng(5))
    assert Augmentation(scale_factor=0).draw(np.random.default_rng(5)) == (1.0, whole[1], whole[2])
    assert Augmentation(rotation_factor=0).draw(np.random.default_rng(5)) == (whole[0], 0.0, whole[2])
    for seed in range(10):
        assert Augmentation(flip=False).draw(np.random.default_rng(seed))[2] is False


def test_a_draw_is_two_numbers_and_a_truth_value():
    assert [type(value) for value in Augmentation().draw(np.random.default_rng(0))] == [float, float, bool]


def draw(seed, epoch, index):
    return Augmentation().draw(sample_generator(seed, epoch, index))


def test_the_same_key_draws_the_same():
    assert draw(1, 2, 3) == draw(1, 2, 3)


def test_another_seed_epoch_or_person_draws_otherwise():
    keys = [(seed, epoch, index) for seed in range(3) for epoch in range(10) for index in range(30)]
    first_numbers = {sample_generator(*key).standard_normal() for key in keys}
    assert len(first_numbers) == len(keys)
    assert len({draw(1, 2, 3), draw(3, 2, 1), draw(2, 1, 3), draw(1, 3, 2)}) == 4
