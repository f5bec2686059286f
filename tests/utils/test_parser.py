"""Words of a command line as numbers."""

import argparse

import pytest

from lib.utils.parser import count, number, positive


@pytest.mark.parametrize(("kind", "word", "value"), [
    (count, "1", 1), (count, "999999999", 999_999_999), (number, "-1e9", -1e9), (number, "0", 0), (positive, ".5", 0.5),
])  # fmt: skip
def test_numbers_are_taken(kind, word, value):
    assert kind(word) == value


@pytest.mark.parametrize(("kind", "word", "message"), [
    (count, "0", "above 0"), (count, "000", "above 0"), (count, "-1", "above 0"), (count, "1.0", "above 0"),
    (count, "1" + 33 * "0", "up to 9 digits"), (count, 5000 * "9", "up to 9 digits"),
    (number, "nan", "finite"), (number, "-inf", "finite"), (positive, "0", "above 0"), (positive, "-1", "above 0"),
])  # fmt: skip
def test_others_are_refused(kind, word, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        kind(word)
