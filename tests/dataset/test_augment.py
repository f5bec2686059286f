"""Random changes: how far, how often, and that the same key draws the same."""

import itertools

import numpy as np
import pytest

from lib.core.skeletons import Skeleton
from lib.dataset.augment import Augmentation, sample_generator
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings


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


# -- half bodies -----------------------------------------------------------------------------------------------------

# three joints above: a mean of (20, 30), 20 x 50 px; three below: a mean of (40, 100), 60 x 30 px
BODY = np.array([[10.0, 10], [30, 20], [20, 60], [10, 90], [70, 90], [40, 120]])
UPPER = [0, 1, 2]
UPPER_BOX, LOWER_BOX = (10, 5, 20, 50), (10, 85, 60, 30)


def half_body(seed=0, joints=BODY, visible=(1,) * 6, probability=1.0, joint_count=5):
    augmentation = Augmentation(half_body=probability, half_body_joints=joint_count)
    return augmentation.draw_half_body(np.random.default_rng(seed), np.array(joints), np.array(visible), UPPER)


def test_a_half_bodys_box_lies_around_the_mean_of_its_joints_and_is_as_large_as_they_are_apart():
    boxes = {half_body(seed) for seed in range(30)}
    assert boxes == {UPPER_BOX, LOWER_BOX}


def test_the_upper_half_is_taken_seven_times_in_ten():
    share = np.mean([half_body(seed) == UPPER_BOX for seed in range(2000)])
    assert abs(share - 0.7) < 4 * (0.7 * 0.3 / 2000) ** 0.5  # four deviations of a binomial


def test_as_many_persons_are_halved_as_the_probability_says():
    share = np.mean([half_body(seed, probability=0.3) is not None for seed in range(2000)])
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5


def test_persons_who_show_few_joints_stay_whole():
    assert [half_body(seed, joint_count=6) for seed in range(30)] == [None] * 30
    assert [half_body(seed, visible=(1, 1, 1, 1, 1, 0)) for seed in range(30)] == [None] * 30


def test_joints_that_are_not_visible_do_not_count_in_the_half():
    visible, far = [1, 1, 1, 1, 1, 1, 0], np.vstack([BODY, [900, 900]])
    assert {half_body(seed, far, visible) for seed in range(30)} == {UPPER_BOX, LOWER_BOX}


@pytest.mark.parametrize(
    ("visible", "box"),
    [
        ((1, 1, 1, 1, 1, 0), UPPER_BOX),  # two below: the upper half, whatever the draw
        ((1, 1, 0, 1, 1, 1), LOWER_BOX),
        ((1, 1, 0, 1, 1, 0), (10, 10, 20, 10)),  # two and two
        ((1, 0, 0, 1, 1, 0), None),  # one and two
        ((0, 0, 0, 1, 1, 1), LOWER_BOX),
        ((0, 0, 0, 1, 1, 0), None),
    ],
)
def test_a_half_of_more_than_two_joints_is_preferred_and_one_joint_is_no_half(visible, box):
    assert {half_body(seed, visible=visible, joint_count=1) for seed in range(30)} == {box}


@pytest.mark.parametrize("visible", list(itertools.product((0, 1), (0, 1), (1,), (1,), (0, 1), (0, 1))))
def test_the_halves_that_may_be_drawn_are_those_that_are(visible):
    possible = Augmentation(half_body=1.0, half_body_joints=1).half_bodies(BODY, np.array(visible), UPPER)
    drawn = {half_body(seed, visible=visible, joint_count=1) for seed in range(60)}
    assert set(possible) == drawn - {None}
    assert Augmentation(half_body=1.0, half_body_joints=6).half_bodies(BODY, np.array(visible), UPPER) == []
    assert Augmentation(half_body_joints=1).half_bodies(BODY, np.array(visible), UPPER) == []


def test_joints_that_all_lie_in_one_place_are_no_half():
    assert {half_body(seed, np.full((6, 2), 50.0)) for seed in range(30)} == {None}
    upright = np.array([[50.0, 10], [50, 20], [50, 60]] * 2)
    assert {half_body(seed, upright) for seed in range(30)} == {(50, 5, 0, 50)}  # grows to the crop's aspect


@pytest.fixture(scope="module")
def samples_of(data_folder):
    """The samples (crop, center, scale) of one person in ten epochs with an Augmentation."""
    skeleton = Skeleton("six", tuple("abcdef"), upper_body=("a", "b", "c"))
    persons = Persons([str(data_folder / "picture.png")], np.array([[50.0, 60]]), np.array([[0.5, 0.5]]), BODY[None],
                      np.ones((1, 6)))  # fmt: skip

    def samples_of(**settings):
        settings = SampleSettings((64, 64), (16, 16), augmentation=Augmentation(**settings), seed=3)
        dataset = JointsDataset(persons, skeleton, settings)
        return [dataset[epoch, 0] for epoch in range(10)]

    return samples_of


def assert_same_samples(first, second):
    for one, other in zip(first, second, strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key])


def test_where_nobody_is_halved_the_samples_are_those_without(samples_of):
    published = samples_of()
    assert_same_samples(published, samples_of(half_body=0.0, half_body_joints=0))
    assert_same_samples(published, samples_of(half_body=1.0, half_body_joints=6))
    halved = samples_of(half_body=1.0, half_body_joints=5)
    assert not any(np.array_equal(one["crop"], other["crop"]) for one, other in zip(published, halved, strict=True))


def test_a_probability_of_zero_takes_no_number_from_the_generator():
    generator = np.random.default_rng(5)
    before = generator.bit_generator.state
    assert Augmentation(half_body_joints=0).draw_half_body(generator, BODY, np.ones(6), UPPER) is None
    assert generator.bit_generator.state == before


def test_a_halved_persons_crop_is_its_half_grown_by_a_half(samples_of):
    samples = samples_of(half_body=1.0, half_body_joints=5, scale_factor=0, rotation_factor=0, flip=False)
    boxes = {tuple(np.round([*sample["center"], *sample["scale"] * 200], 4)) for sample in samples}
    assert boxes == {(20, 30, 75, 75), (40, 100, 90, 90)}  # squares of the longer side


def test_a_halved_and_mirrored_persons_crop_is_the_mirrored_one(samples_of):
    settings = {"half_body": 1.0, "half_body_joints": 5, "scale_factor": 0, "rotation_factor": 0}
    pairs = list(zip(samples_of(flip=False, **settings), samples_of(flip=True, **settings), strict=True))
    moved = [(plain["center"][0], mirrored["center"][0]) for plain, mirrored in pairs]
    width = {plain + mirrored + 1 for plain, mirrored in moved if plain != mirrored}
    assert len(width) == 1  # the picture's
    assert 2 <= sum(plain != mirrored for plain, mirrored in moved) <= 8
