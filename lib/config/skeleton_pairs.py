"""What a run says about the mirror pairs of a skeleton of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.sides import sided_names

if TYPE_CHECKING:
    from .schema import Config

MOST_SHOWN = 12


def pair_lines(config: Config) -> list[str]:
    """Lines for the log: the mirror pairs and where they are from, and a warning where mirroring lacks them.

    None for a built-in skeleton.
    """
    own, skeleton = config.dataset.skeleton, config.skeleton
    if not own.joints:
        return []
    pairs = [[skeleton.joints[index] for index in pair] for pair in skeleton.flip_pairs]
    source = "found by the names" if own.flip_pairs is None else "as FLIP_PAIRS says"
    line = f"=> mirror pairs of {skeleton.name}, {source}: {_shown(['/'.join(pair) for pair in pairs]) or 'none'}"
    if own.flip_pairs is not None:
        return [line]
    sided = sided_names([name for name in skeleton.joints if not any(name in pair for pair in pairs)])
    if pairs or not sided:
        return [line + (f"; without a twin: {_shown(sided)}" if sided else "")]
    keys = [("DATASET.FLIP", config.dataset.flip), ("TEST.FLIP_TEST", config.test.flip_test)]
    mirroring = " and ".join(key for key, is_on in keys if is_on)
    if not mirroring:
        return [line]
    return [
        line,
        f"=> WARNING: {_shown(sided)} look like left and right, but no two are known as twins, and {mirroring} mirrors "
        "pictures: name the pairs in DATASET.SKELETON.FLIP_PAIRS ([] if they are none)",
    ]


def _shown(names: list[str]) -> str:
    rest = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
