"""JSON that a person gave, and JSON that results are written as."""

import json
import math

import numpy as np
import pytest

from lib.utils.files import checked_box, write_json


def test_figures_that_json_does_not_know_become_null_at_any_depth(tmp_path):
    value = {"a": math.nan, "b": [1, (math.inf, {"c": -math.inf, "d": "nan"})], "e": np.float64("nan"), "f": True}
    write_json(value, tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": None, "b": [1, [None, {"c": None, "d": "nan"}]], "e": None, "f": True,
    }  # fmt: skip


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, math.nan], [1, 2, 3, 1e6], "1234", None, [1, 2, 3, "4"]])
def test_a_box_that_cannot_be_is_refused_with_what_it_is(box):
    with pytest.raises(ValueError, match="a box of .*expected x, y, width, height"):
        checked_box(box)
