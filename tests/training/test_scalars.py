"""What a run tells VisualDL, by a writer that keeps what it is given."""

import cv2
import numpy as np
import pytest

from lib.config.schema import Config
from lib.core.skeletons import Skeleton
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings
from lib.training.scalars import RunScalars, hyperparameters

THREE = Skeleton("three", ("nose", "left_hand", "right_hand"))
COUNT = 20


class Kept:
    def __init__(self):
        self.scalars, self.images = {}, {}

    def add_scalar(self, tag, value, step):
        self.scalars[tag, step] = value

    def add_image(self, tag, img, step):
        self.images[tag, step] = img


@pytest.fixture
def dataset(tmp_path):
    """Twenty persons of 64x64 in one dark picture; nobody shows the right hand."""
    cv2.imwrite(str(tmp_path / "a.png"), np.full((64, 64, 3), 20, np.uint8))
    joints = np.tile([[20.0, 20], [40, 40], [0, 0]], (COUNT, 1, 1))
    persons = Persons(
        [str(tmp_path / "a.png")] * COUNT, np.full((COUNT, 2), 32.0), np.full((COUNT, 2), 0.32), joints,
        np.tile([1.0, 1, 0], (COUNT, 1)), np.tile([0.0, 0, 64, 64], (COUNT, 1)),
    )  # fmt: skip
    return JointsDataset(persons, THREE, SampleSettings((64, 64), (16, 16)))


def test_each_joint_has_its_own_pck(dataset):
    predictions = dataset.persons.joints.copy()
    predictions[:5, 1] += 20  # 64 * 0.2 are 12.8 px
    kept = Kept()
    RunScalars(kept, 0, 0.2).add_persons(3, dataset, predictions, np.ones((COUNT, 3)))
    assert kept.scalars == {("PCK@0.2/nose", 3): 100, ("PCK@0.2/left_hand", 3): 75} and not kept.images


def test_the_grid_comes_every_so_many_epochs_with_the_joints_that_are_sure(dataset):
    kept, scores = Kept(), np.tile([0.9, 0.1, 0.1], (COUNT, 1))
    scalars = RunScalars(kept, 2, 0.2)
    for epoch in range(4):
        scalars.add_persons(epoch, dataset, dataset.persons.joints, scores)
    assert set(kept.images) == {("valid/persons", 0), ("valid/persons", 2)}
    grid = kept.images["valid/persons", 2]
    cell = grid[2:194, 2:194]  # 64 pixels are drawn as 192
    assert cell[60, 60].max() > 100 and cell[120, 120].max() < 40  # the nose is drawn, the left hand is not
    assert grid.shape == (2 * 194 + 2, 8 * 194 + 2, 3)  # 16 of the 20


def test_settings_are_numbers_and_texts():
    values = hyperparameters(Config())
    assert values["TRAIN.LR"] == 0.001 and values["MODEL.DEPTH"] == 50 and values["MODEL.IMAGE_SIZE"] == "[256, 256]"
    assert values["DATASET.FLIP"] == "True" and "OUTPUT_DIR" not in values
    assert {type(value) for value in values.values()} == {int, float, str}
