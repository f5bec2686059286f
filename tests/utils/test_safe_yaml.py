"""YAML that is no experiment: enormous, endless, nested too deep, or with values that cannot be."""

import pytest

from lib.utils.safe_yaml import LARGEST_TEXT, parse_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_plain_values_and_aliases_are_read():
    text = "base: &base {LR: 1e-3, STEPS: [1, 2]}\nother: *base\nmore: {<<: *base, LR: 2.5}\nname: text\nnone:\n"
    base = {"LR": "1e-3", "STEPS": [1, 2]}
    assert parse_yaml(text) == {
        "base": base, "other": base, "more": {**base, "LR": 2.5}, "name": "text", "none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (LAUGHS, "more than 20000 values, with those that its aliases repeat"),
        (MERGED, "more than 20000 values"),
        ("a: &a [*a]", "an alias stands for what it is a part of"),
        ("a: &a {b: *a}", "an alias stands for what it is a part of"),
        ("&a a: *a\nb: *c", "undefined alias"),
        ("[" * 5000, "nested too deep"),
        ("a" * (LARGEST_TEXT + 1), "the most are 1048576"),
        ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("!!python/name:os.system", "could not determine a constructor"),
        ("a: 2024-02-30", "day is out of range"),
        ("a: [1", "expected ',' or ']'"),
        ('!!int ""', "."), ("!!bool perhaps", "."), ("!!timestamp soon", "."), ("? [a]\n: b", "unhashable key"),
        ("!!float ''", "."), ("\x00", "special characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_a_value_error_of_one_line(text, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
