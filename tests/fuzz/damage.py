"""What a file may look like when it is not what it should be: values replaced in a tree, bytes changed and cut."""

import copy
import math
import string

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.integers(-3, 300), st.sampled_from((-1, 0, 2**31, 2**63, 10**400, -(10**30))),
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from((math.nan, math.inf, 1e308, 5e-324, 1e6)),
)  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(("", "person", "left_knee", "../../x", "null", "1e3", "\x00", "\ud800", "a" * 5000, "__class__")),
    st.text(max_size=12),
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


def deep(depth):
    """Lists in lists."""
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def _places(tree, path=()):
    """Every path in a tree, as tuples of keys and indices."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


def _change(tree, path, how, value):
    if not path:
        return value
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    if how == "remove":
        del inner[path[-1]]
    elif how == "repeat" and isinstance(inner, list):
        inner.insert(path[-1], copy.deepcopy(inner[path[-1]]))
    else:
        inner[path[-1]] = value
    return tree


@st.composite
def changed_tree(draw, seed, junk=JUNK):
    """A copy of a tree of lists and dictionaries with one to three values replaced, removed or repeated."""
    tree = copy.deepcopy(seed)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(tree))
        path = draw(st.sampled_from(places)) if len(places) > 1 else ()
        how = draw(st.sampled_from(("replace", "replace", "remove", "repeat")))
        tree = _change(tree, path, how, draw(junk) if how != "remove" else None)
        if not isinstance(tree, (dict, list)):
            break
    return tree


@st.composite
def changed_bytes(draw, seeds):
    """One of `seeds` with some bytes changed, put in, left out or cut off; now and then any bytes at all."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.sampled_from(("set", "set", "flip", "put in", "leave out", "cut", "copy")))
        if how == "set":
            data[place : place + 1] = bytes([draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFE, 0xFF)))])
        elif how == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif how == "put in":
            data[place:place] = draw(st.binary(max_size=9))
        elif how == "leave out":
            del data[place : place + draw(st.integers(1, 40))]
        elif how == "cut":
            del data[place:]
        elif how == "copy":
            start = draw(st.integers(0, max(len(data) - 1, 0)))
            data[place:place] = data[start : start + draw(st.integers(1, 40))]
    return bytes(data)


@st.composite
def changed_text(draw, seeds):
    """One of `seeds` with pieces of punctuation, and of itself, put in and left out."""
    text = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(text)))
        if draw(st.booleans()):
            text = text[:place] + text[place + draw(st.integers(1, 20)) :]
        else:
            pieces = ("&a ", "*a", "<<: ", "!!int ", "!!float ", "!!binary ", "!!timestamp ", "{", "}", "[", "]", "- ",
                      ": ", "\n", "'", '"', "? ", "| ", "%", "\t", "2024-13-99", "0x", "1:99", ".", "~")  # fmt: skip
            piece = draw(st.one_of(st.sampled_from(pieces), st.text(string.printable, max_size=5)))
            text = text[:place] + piece + text[place:]
    return text
