"""docs/api.md: its examples run as they stand, and its reference is what the docstrings say."""

import re

import cv2
import numpy as np
import onnx_toy
import pytest
from spots import PICTURE

from lib.api.reference import MARK, reference


@pytest.fixture
def page(root):
    return (root / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_examples_run(page, tmp_path, monkeypatch, capsys):
    clips = pytest.importorskip("clips")
    onnx_toy.write_pose_network(tmp_path / "model.onnx", onnx_toy.metadata())
    onnx_toy.write_detector(tmp_path / "detector.onnx", [[40, 60, 300, 360, 0.9]])
    cv2.imwrite(str(tmp_path / "photo.png"), PICTURE)
    clips.write_video(tmp_path / "film.mp4", count=3)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    for example in examples:
        exec(example.replace("simple_baselines", "lib"), names)
    printed = capsys.readouterr().out
    assert len(examples) == 4 and "(1, 3, 2)" in printed
    assert "source is float64 with values from 0 to 1: expected uint8 from 0 to 255: multiply by 255" in printed
    assert (tmp_path / "poses.json").is_file() and names["entries"][0]["image_id"] == 785
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "drawn.png")), names["picture"])


def test_the_reference_is_that_of_the_docstrings(page):
    assert page.partition(MARK)[2] == reference().partition(MARK)[2], "run: python -m lib.api.reference"


def test_extras_of_the_page_are_those_of_the_project(page, root):
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    section = project.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = re.findall(r"^(\w+) = \[", section, re.MULTILINE)
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == sorted(extras)
