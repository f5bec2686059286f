"""Which categories of a file in COCO's form have the skeleton, and whether its joints have the file's names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...core.sides import plain_name
from ...utils.errors import UserError

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton

PERSON = "person"
ALL = "all"
SHOWN = 5  # names in a message


def named_categories(categories: Sequence[Mapping[str, Any]]) -> str:
    """The categories' names, the first few of many."""
    return _few([str(category.get("name")) for category in categories])


def choose_categories(
    path: str | os.PathLike[str], categories: Sequence[Mapping[str, Any]], annotated: Sequence[bool],
    skeleton: Skeleton, wanted: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The categories to take, as {id, name}.

    annotated: of each, whether an annotation is of it. wanted: their names, or `all` with the skeleton; empty: those
    with the skeleton and annotations; where the file says of none what joints it has: person, or the only one.
    Raises UserError where there is none, or where a category has the skeleton's joints in another order.
    """
    fitting = [_has_skeleton(category, skeleton) for category in categories]
    if wanted and tuple(wanted) != (ALL,):
        known = {str(category.get("name")): category for category in categories}
        missing = [name for name in wanted if name not in known]
        if missing:
            names = named_categories(categories) or "none"
            raise UserError(f"{path}: DATASET.CATEGORIES: no {', '.join(missing)}; its categories are {names}")
        chosen = [known[name] for name in wanted]
    else:
        chosen = [each for each, fits in zip(categories, fitting, strict=True) if fits] or _unnamed(categories)
        if not wanted:
            used = [each for each, used in zip(categories, annotated, strict=True) if used and each in chosen]
            chosen = used or chosen
    if not chosen:
        raise UserError(
            f"{path}: its categories are {named_categories(categories) or 'none'}; none has the {len(skeleton.joints)} "
            f"joints of {skeleton.name}, and none is {PERSON} or the only one: name them in DATASET.CATEGORIES"
        )
    for category in chosen:
        _refuse_other_order(path, category, skeleton)
    return [{"id": category.get("id"), "name": str(category.get("name"))[:60]} for category in chosen]


def _names(category: Mapping[str, Any], skeleton: Skeleton) -> list[str]:
    """The joints' names as the file gives them, of those that the skeleton takes; none where it does not say."""
    names = category.get("keypoints")
    if not isinstance(names, list):
        return []
    if skeleton.indices:
        names = [names[index] for index in skeleton.indices if index < len(names)]
    return [str(name) for name in names]


def _has_skeleton(category: Mapping[str, Any], skeleton: Skeleton) -> bool:
    return len(_names(category, skeleton)) == len(skeleton.joints)


def _unnamed(categories: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Where no category says that it has the joints: person, or the only one."""
    return [each for each in categories if each.get("name") == PERSON or len(categories) == 1]


def renamed_joints(categories: Sequence[Mapping[str, Any]], skeleton: Skeleton) -> str:
    """A line where joints have other names in the file than in the skeleton, a warning where all have; else ''."""
    for category in categories:
        theirs, ours = _names(category, skeleton), skeleton.joints
        renamed = [pair for pair in zip(theirs, ours, strict=False) if plain_name(pair[0]) != plain_name(pair[1])]
        if len(theirs) != len(ours) or not renamed:
            continue
        if len(renamed) == len(ours):
            return (
                f"=> WARNING: the file names its joints {_few(theirs)}, DATASET.SKELETON {_few(ours)}: are they the "
                "same? Without DATASET.SKELETON, joints are the file's"
            )
        names = _few([f"{theirs} is {ours}" for theirs, ours in renamed])
        return f"=> {len(renamed)} of {len(ours)} joints have other names in DATASET.SKELETON than in the file: {names}"
    return ""


def _few(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(name[:60] for name in names[:SHOWN]) + rest


def _refuse_other_order(path: str | os.PathLike[str], category: Mapping[str, Any], skeleton: Skeleton) -> None:
    """Raises UserError where a joint's name stands at another place in the file than in the skeleton."""
    theirs, ours = ([plain_name(name) for name in names] for names in (_names(category, skeleton), skeleton.joints))
    if len(theirs) != len(ours):
        return  # the annotations decide
    moved = [index for index, name in enumerate(ours) if name in theirs and theirs[index] != name]
    if moved:
        index = moved[0]
        raise UserError(
            f"{path}: joint {index} of {str(category.get('name'))[:60]} is {_names(category, skeleton)[index]} in the "
            f"file and {skeleton.joints[index]} in DATASET.SKELETON, and {len(moved)} of {len(ours)} differ so. The "
            f"file's order: {', '.join(_names(category, skeleton))[:300]}"
        )
