"""Left and right in the names of joints: which names are twins, and which side a name is of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# left and right anywhere (left_x, x_left, leftX, front_left_paw, "left eye"), and l or r where it stands by itself
# (l_x, x_L, L1, lEye, LEye, toeL, hindLKnee): in lip, liver and lower it is a letter of a word
MARK = re.compile(
    r"[Ll]eft|LEFT|[Rr]ight|RIGHT"
    r"|(?<![^\W\d_])[lr](?![a-z])"
    r"|(?:(?<![^\W\d_])|(?<=[a-z]))[LR](?=[A-Z][a-z]|[\W\d_]|$)"
)
TWIN = {"left": "right", "Left": "Right", "LEFT": "RIGHT", "l": "r", "L": "R"}
TWIN |= {right: left for left, right in TWIN.items()}


def side_of(name: str) -> str:
    """left, right, or '' where the name has no side; of several marks the first one counts."""
    mark = MARK.search(name)
    return {"l": "left", "r": "right"}[mark[0][0].lower()] if mark else ""


def base_name(name: str) -> str:
    """The name without its side (left_eye, eyeL, L_eye: eye), or itself where nothing else is left of it."""
    return re.sub(r"[\W_]+", "_", MARK.sub("_", name)).strip("_") or name


def plain_name(name: str) -> str:
    """The name in lower case, with letters and digits alone: Left-Eye and left_eye are one joint."""
    return re.sub(r"[\W_]+", "", name).lower()


def name_pairs(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The twins among the names, in their order: those that are each other's only possible twin."""
    return _pairs(tuple(names))


@lru_cache(maxsize=64)
def _pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    twins = {name: [twin for twin in names if twin in _exchanged(name)] for name in names}
    return tuple(
        (name, found[0])
        for place, (name, found) in enumerate(twins.items())
        if len(found) == 1 and twins[found[0]] == [name] and names.index(found[0]) > place
    )


def _exchanged(name: str) -> set[str]:
    """The name with one of its marks exchanged, or all of them."""
    marks = list(MARK.finditer(name))
    ones = {f"{name[: mark.start()]}{TWIN[mark[0]]}{name[mark.end() :]}" for mark in marks}
    return ones | ({MARK.sub(lambda mark: TWIN[mark[0]], name)} if marks else set())


def left_and_right(first: str, second: str) -> tuple[str, str] | None:
    """A pair's names, the left one first, or None where they do not say it; lhip and rhip do, once they are a pair."""
    sides = side_of(first), side_of(second)
    if set(sides) != {"left", "right"}:
        letters = [(one, other) for one, other in zip(first.lower(), second.lower(), strict=False) if one != other]
        if len(first) != len(second) or len(letters) != 1 or set(letters[0]) != {"l", "r"}:
            return None
        sides = ("left", "right") if letters[0][0] == "l" else ("right", "left")
    return (first, second) if sides[0] == "left" else (second, first)


def sided_names(names: Sequence[str]) -> list[str]:
    """The names that look as if they were of a side: by a mark, or as lhip beside rhip."""
    known = set(names)
    letters = {"l": "r", "r": "l", "L": "R", "R": "L"}

    def beside(name: str) -> bool:
        twins = (letters.get(name[0], "") + name[1:], name[:-1] + letters.get(name[-1], ""))
        return any(len(twin) == len(name) and twin in known for twin in twins)

    return [name for name in names if name and (side_of(name) or beside(name))]
