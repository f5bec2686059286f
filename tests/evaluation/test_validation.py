"""The validation loop: each person once, little in memory. Its figures are tested in test_recorded_run.py."""

import contextlib
import logging
import tracemalloc

import cv2
import numpy as np
import pytest
import toy

from lib.config.config import read_config
from lib.core.skeletons import MPII
from lib.dataset.build import build_loader
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings
from lib.evaluation.build import validation_settings
from lib.evaluation.validation import validate
from lib.utils.errors import RunError


def loader_of(config, picture, count):
    """A validation loader of `count` persons, all in one picture."""
    joints = np.random.default_rng(0).uniform(5, 55, (count, len(MPII.joints), 2))
    center, scale = np.full((count, 2), 30.0), np.full((count, 2), 0.3)
    persons = Persons([picture] * count, center, scale, joints, np.ones(joints.shape[:2]))
    return build_loader(config, JointsDataset(persons, MPII, SampleSettings((64, 64), (16, 16), 1.5)), training=False)


def pick_pixels(crops):
    """Heatmaps (N, 16, 16, 16) float32 of crops (N, 64, 64, 3)."""
    return np.repeat(crops[:, None, ::4, ::4, 0] / np.float32(255), len(MPII.joints), axis=1)


def peak_of_validation(config, picture, count):
    """The most bytes that the validation of `count` persons holds, and the bytes that it returns."""
    loader = loader_of(config, picture, count)
    tracemalloc.start()
    try:
        predictions, maxvals, _, _ = validate(
            validation_settings(config), loader, pick_pixels, logging.getLogger("nobody")
        )
        return tracemalloc.get_traced_memory()[1], predictions.nbytes + maxvals.nbytes
    finally:
        tracemalloc.stop()


@pytest.fixture
def picture(tmp_path):
    path = str(tmp_path / "picture.png")
    cv2.imwrite(path, np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    return path


@pytest.fixture
def config(tmp_path):
    return read_config(toy.write_experiment(tmp_path, tmp_path, TEST={"BATCH_SIZE": 16}))


@pytest.mark.parametrize(
    ("batches", "complaint"),
    [
        ([[0, 1], [2, 3], [4]], None),
        ([[4, 2], [0, 3, 1]], None),
        ([[0, 1], [2, 3]], "1 of 5 persons were never predicted and 0 more than once; the first is person 5, of .*png"),
        ([[0, 1], [1, 2, 3, 4]], "0 of 5 persons were never predicted and 1 more than once; the first is person 2"),
        ([[0, 1, 1], [3, 3]], "2 of 5 persons were never predicted and 2 more than once; the first is person 2"),
    ],
)
def test_each_person_must_be_predicted_once(config, picture, batches, complaint):
    loader = loader_of(config, picture, 5)
    loader.sampler = batches
    with pytest.raises(RunError, match=complaint) if complaint else contextlib.nullcontext():
        predictions, _, _, _ = validate(validation_settings(config), loader, pick_pixels, logging.getLogger("nobody"))
        assert predictions.shape == (5, 16, 2)


class TwoRanks:
    """Stands for the first of two ranks, of which the other did the rows `others`."""

    count = 2

    def __init__(self, others, total):
        self.others, self.total = np.array(others), total

    def add_up(self, values):
        values = np.asarray(values, dtype=np.float64)
        return values + np.bincount(self.others, minlength=self.total) if values.shape == (self.total,) else values

    def gather_rows(self, array):
        own = self.others if array.ndim == 1 else np.zeros((len(self.others), *array.shape[1:]), array.dtype)
        return np.concatenate([array, own])


@pytest.mark.parametrize(("others", "complaint"), [
    ([2, 3, 4], None),
    ([1, 2, 3, 4], "0 of 5 persons were never predicted and 1 more than once; the first is person 2"),
    ([3, 4], "1 of 5 persons were never predicted and 0 more than once; the first is person 3"),
])  # fmt: skip
def test_each_person_must_be_predicted_by_one_rank(config, picture, others, complaint):
    loader = loader_of(config, picture, 5)
    loader.sampler = [[0, 1]]
    with pytest.raises(RunError, match=complaint) if complaint else contextlib.nullcontext():
        validate(
            validation_settings(config), loader, pick_pixels, logging.getLogger("nobody"), ranks=TwoRanks(others, 5)
        )


def test_memory_beyond_a_batch_grows_by_three_floats_a_joint_only(config, picture):
    peak_of_validation(config, picture, 32)  # what is made once: caches of modules
    (small, few), (large, many) = (peak_of_validation(config, picture, count) for count in (64, 640))
    assert few == 64 * 16 * 3 * 4 and many == 10 * few
    assert abs((large - many) - (small - few)) < 0.05 * small
