"""People of several frames go through the network together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.poses import Poses
    from ..core.predictor import PosePredictor
    from ..utils.media import Frame

MAX_FRAMES, MAX_BYTES = 16, 2**28  # that wait for persons enough to fill a batch


def in_groups(
    found: Iterator[Any] | list[tuple[Frame, Poses]], batch_size: int
) -> Iterator[list[tuple[Frame, Poses]]]:
    """(frame, Poses) in lists with persons enough for a batch, or with as many frames as memory should hold.

    batch_size: 0 for each frame alone.
    """
    group, persons, size = [], 0, 0
    for frame, people in found:
        group.append((frame, people))
        persons, size = persons + len(people), size + frame.image.nbytes
        if persons >= batch_size or len(group) >= MAX_FRAMES or size >= MAX_BYTES:
            yield group
            group, persons, size = [], 0, 0
    if group:
        yield group


def posed(
    predictor: PosePredictor, found: Iterator[Any], live: bool = False, keep_heatmaps: bool = False
) -> Iterator[tuple[Frame, Poses]]:
    """(frame, Poses) with keypoints of `found`, (frame, Poses) with boxes; people of several frames share batches.

    live: each frame goes through the network at once, as nobody knows when the next one comes.
    """
    for group in in_groups(found, 0 if live else predictor.settings.batch_size):
        images = [frame.image for frame, _ in group]
        every = predictor.predict_many(images, [poses for _, poses in group], keep_heatmaps)
        yield from ((frame, poses) for (frame, _), poses in zip(group, every, strict=True))
