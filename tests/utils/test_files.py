"""JSON that a person gave, and JSON that results are written as."""

import json
import math

import numpy as np
import pytest

from lib.utils import files
from lib.utils.errors import UserError
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


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("3", 0), ("[]", 1), ('{"a": [1, {"b": 2}], "c": [[]]}', 3), ('["[[[["]', 1), (r'["\"[[", "\\", [1]]', 2),
        (r'["\\\"]]]", [[1]]]', 3), ('"]]]]", [[', 2),
    ],
)  # fmt: skip
def test_how_deep_json_is_does_not_count_brackets_in_texts(text, deep):
    assert files._depth(text.encode()) == deep


def test_how_deep_a_large_json_is_is_counted_through_its_parts():
    many = "[" * 3 + '"]"' + ', {"a": "["}' * 400_000
    assert files._depth(many.encode()) == 4


@pytest.mark.parametrize("deep", ["[" * 101, '{"a":' * 101 + "1", '["]", ' * 101, "[" * 2_000_000])
def test_json_nested_too_deep_is_refused_before_it_is_parsed(tmp_path, deep):
    path = tmp_path / "a.json"
    path.write_text(deep)
    with pytest.raises(UserError, match=r"a\.json is nested deeper than 100 lists and objects"):
        files.read_json(path)
    path.write_text("[" * 100 + "]" * 100)
    assert files.read_json(path)


def test_a_mark_before_the_first_character_is_no_fault(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert files.read_json(path) == [1]


def test_enormous_json_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_FILE", 2**30)
    path = tmp_path / "a.json"
    with open(path, "wb") as file:
        file.truncate(2**30 + 1)  # takes no room on the disk
    with pytest.raises(UserError, match=r"a\.json is larger than 1 GB"):
        files.read_json(path)


@pytest.mark.parametrize("value", ["x" * 10**6, [[[[[1] * 9] * 9] * 9] * 9] * 9, {"a": list(range(10**5))}])
def test_a_value_in_a_message_is_short(value):
    with pytest.raises(ValueError, match="a score of") as caught:
        files.finite(value, "a score")
    assert len(str(caught.value)) < 400
