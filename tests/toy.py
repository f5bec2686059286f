"""A toy experiment that trains in seconds: a few drawn persons, small pictures, a thin network."""

import os
import sys
from pathlib import Path

from lib.dataset.synthetic import write_dataset

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "pose_estimation"
EXPERIMENT = """
GPUS: '0'
WORKERS: 0
PRINT_FREQ: 1
OUTPUT_DIR: {folder}/output
LOG_DIR: {folder}/log
DATASET: {{ROOT: {data}}}
MODEL:
  DEPTH: 18
  IMAGE_SIZE: [64, 64]
  EXTRA: {{HEATMAP_SIZE: [16, 16], SIGMA: 1.5, NUM_DECONV_FILTERS: [16, 16, 16]}}
TRAIN: {{BATCH_SIZE: 4, END_EPOCH: 2, LR_TYPE: PolynomialDecay}}
TEST: {{BATCH_SIZE: 4, FLIP_TEST: true}}
"""
TRAINING_PERSONS, VALIDATION_PERSONS = 8, 4
RUN_FOLDER = Path("output", "mpii", "pose_resnet_18", "toy")


def draw_data(folder):
    """Draws the toy's data set, one person a picture, and returns its folder."""
    data = Path(folder) / "data"
    write_dataset(data, TRAINING_PERSONS, VALIDATION_PERSONS, picture_size=(120, 120), persons_per_picture=(1, 1))
    return data


def write_experiment(folder, data):
    """Writes toy.yaml, whose output goes below `folder`, and returns its path."""
    path = Path(folder) / "toy.yaml"
    path.write_text(EXPERIMENT.format(folder=folder, data=data), encoding="utf-8")
    return path


def import_script(name):
    """The module of a script in pose_estimation/."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return __import__(name)


def quiet_environment():
    """The environment for a script in a process of its own: no device but the CPU."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
