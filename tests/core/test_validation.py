"""The validation loop: what it holds in memory. Its figures are tested with the record, in test_recorded_run.py."""

import logging
import tracemalloc

import cv2
import numpy as np
import toy

from lib.core.config import read_config
from lib.core.skeletons import MPII
from lib.core.validation import validate
from lib.dataset.build import build_loader
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings


def peak_of_validation(config, picture, count):
    """The most bytes that the validation of `count` persons holds, and the bytes that it returns."""
    joints = np.random.default_rng(0).uniform(5, 55, (count, len(MPII.joints), 2))
    center, scale = np.full((count, 2), 30.0), np.full((count, 2), 0.3)
    persons = Persons([picture] * count, center, scale, joints, np.ones(joints.shape[:2]))
    loader = build_loader(config, JointsDataset(persons, MPII, SampleSettings((64, 64), (16, 16), 1.5)), training=False)

    def run(crops):
        return np.repeat(crops[:, None, ::4, ::4, 0] / np.float32(255), len(MPII.joints), axis=1)

    tracemalloc.start()
    try:
        predictions, maxvals, _, _ = validate(config, loader, run, logging.getLogger("nobody"))
        return tracemalloc.get_traced_memory()[1], predictions.nbytes + maxvals.nbytes
    finally:
        tracemalloc.stop()


def test_memory_beyond_a_batch_grows_by_three_floats_a_joint_only(tmp_path):
    picture = str(tmp_path / "picture.png")
    cv2.imwrite(picture, np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    config = read_config(toy.write_experiment(tmp_path, tmp_path, TEST={"BATCH_SIZE": 16}))
    peak_of_validation(config, picture, 32)  # what is made once: caches of modules
    (small, few), (large, many) = (peak_of_validation(config, picture, count) for count in (64, 640))
    assert few == 64 * 16 * 3 * 4 and many == 10 * few
    assert abs((large - many) - (small - few)) < 0.05 * small
