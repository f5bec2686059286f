"""Whether joints, boxes and pictures of a set fit together; where most do not, which mistake explains it.

N persons, K joints; boxes are x, y, width, height, all in picture pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.box_forms import CXCYWH, FORMATS, XYXY, as_xywh, reach_beyond
from ...utils.errors import UserError

if TYPE_CHECKING:
    import os

MIN_PERSONS = 3  # fewer say nothing about a set
SLACK = 0.1  # of a box's sides: joints at the border of a person lie outside of tight boxes
HALF = 0.5
GOOD = 0.9  # a reading of the boxes under which so many joints are inside explains the set
OVERSIZE = 20.0  # times as long as the joints reach: no box is drawn so; MPII's scale in pixels is 200 times
ASIDE = 0.1  # of a box's sides, so far from its middle the joints of most sets are not
CORNERS, LOOK_LIKE, EXPECTED = FORMATS[XYXY], "the boxes look like", "expected x y width height"
AREA_SHARES = (0.01, 1.5)  # of a box: what an outline in it can have


def refuse_misfits(
    path: str | os.PathLike[str], boxes: np.ndarray, joints: np.ndarray, visible: np.ndarray,
    sizes: np.ndarray | None = None,
) -> str:
    """Raises UserError where most joints and boxes contradict each other or the pictures, and names the likely cause.

    Returns a warning where a tenth of them do, else ''. Boxes of no area are not counted: they are left out.
    path: of the annotations; boxes (N, 4) as annotated; joints (N, K, 2); visible (N, K), above 0 where annotated;
    sizes (N, 2): width and height of each person's picture, None where they are not known.
    """
    seen = visible > 0
    counted = seen.any(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    if not counted.any():
        return ""
    known = None if sizes is None else sizes[counted]
    problem = _problem(boxes[counted], joints[counted], seen[counted], known)
    if problem:
        raise UserError(f"{path}: {problem}; check_dataset.py draws some")
    return _warning(boxes[counted], joints[counted], seen[counted], known)


def _problem(boxes: np.ndarray, joints: np.ndarray, seen: np.ndarray, sizes: np.ndarray | None) -> str:
    """What is wrong with most of the persons, '' if nothing is."""
    total = int(seen.sum())
    if np.abs(joints[seen]).max() <= 2 and total >= MIN_PERSONS:
        return f"all {total} visible joints are between 0 and 2: they are shares of the picture's sides, not pixels"
    inside = share_inside(boxes, joints, seen)
    lengths = _reach(joints, seen)
    several = lengths > 0
    oversize = float(np.median(boxes[several, 2:].max(axis=1) / lengths[several])) if several.any() else 1.0
    if not 1 / OVERSIZE < oversize < OVERSIZE and not _are_shares(boxes):
        times = f"{oversize:.{0 if oversize > 1 else 3}f}"
        return (
            f"boxes are {times} times as long as their joints reach: in MPII's form, scale is the person's "
            "height in pixels divided by 200"
        )
    beyond = 0.0 if sizes is None else _share_beyond(boxes, sizes)
    if len(seen) < MIN_PERSONS:
        return ""
    outside = 0.0 if sizes is None else 1 - _share_in_picture(joints, seen, sizes)
    if outside > HALF:
        return f"{100 * outside:.0f}% of the visible joints are outside their picture: it was annotated at another size"
    if inside < HALF or beyond > HALF:
        said = f"{100 * inside:.0f}% of the visible joints are inside their box"
        said += f", {100 * beyond:.0f}% of the boxes reach far out of their picture" if beyond > HALF else ""
        return f"{said}: {_cause(boxes, joints, seen, sizes)}"
    off = np.median(_off_centre(boxes, joints, seen), axis=0)
    if (off < -ASIDE).all() and _cause(boxes, joints, seen, sizes) == f"{LOOK_LIKE} {CORNERS}; {EXPECTED}":
        left, up = (round(-100 * share) for share in off)
        return f"joints lie {left}% left of and {up}% above the middle of their box: {LOOK_LIKE} {CORNERS}; {EXPECTED}"
    return ""


def _warning(boxes: np.ndarray, joints: np.ndarray, seen: np.ndarray, sizes: np.ndarray | None) -> str:
    shares = {"visible joints are outside their box": 1 - share_inside(boxes, joints, seen)}
    if sizes is not None:
        shares["boxes reach far out of their picture"] = _share_beyond(boxes, sizes)
        shares["visible joints are outside their picture"] = 1 - _share_in_picture(joints, seen, sizes)
    said = [f"{100 * share:.0f}% of the {what}" for what, share in shares.items() if share > 1 - GOOD]
    return f"=> WARNING: {', '.join(said)}: {_cause(boxes, joints, seen, sizes)}?" if said else ""


def _are_shares(boxes: np.ndarray) -> bool:
    return bool(np.abs(boxes).max() <= 2)


def _cause(boxes: np.ndarray, joints: np.ndarray, seen: np.ndarray, sizes: np.ndarray | None) -> str:
    readings = {FORMATS[form]: as_xywh(boxes, form) for form in (XYXY, CXCYWH)}
    for form, other in readings.items():
        fits = share_inside(other, joints, seen) >= GOOD and (other[:, 2:] > 0).mean() >= GOOD
        if fits and (sizes is None or _share_beyond(other, sizes) < 1 - GOOD):
            return f"{LOOK_LIKE} {form}; {EXPECTED}"
    if _are_shares(boxes):
        return "the boxes look like shares of the picture's sides, expected pixels"
    if np.abs(boxes[:, :2] + boxes[:, 2:] / 2).max() <= 2:
        return "the centers look like shares of the picture's sides, expected pixels"
    return "boxes and joints are of different persons, or of pictures of different sizes"


def share_inside(boxes: np.ndarray, joints: np.ndarray, seen: np.ndarray) -> float:
    """The share of the visible joints (N, K, 2) that are in their person's box, or a tenth of its sides outside."""
    slack = SLACK * np.abs(boxes[:, None, 2:])
    low, high = boxes[:, None, :2] - slack, boxes[:, None, :2] + boxes[:, None, 2:] + slack
    inside = np.all((joints >= low) & (joints <= high), axis=2)
    return float(np.mean(inside[seen]))


def odd_areas(areas: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N,) bool: areas that no outline in the box has; COCO's AP and its sizes are measured with them."""
    shares = areas / np.maximum(boxes[:, 2] * boxes[:, 3], 1e-9)
    return np.logical_or(shares < AREA_SHARES[0], shares > AREA_SHARES[1])


def _off_centre(boxes: np.ndarray, joints: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N, 2) how far the middle of the visible joints is from the box's, as a share of its sides."""
    middle = (joints * seen[..., None]).sum(axis=1) / seen.sum(axis=1)[:, None]
    return (middle - boxes[:, :2] - boxes[:, 2:] / 2) / np.maximum(boxes[:, 2:], 1e-9)


def _reach(joints: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,) the longer side of what the visible joints span."""
    low = np.where(seen[..., None], joints, np.inf).min(axis=1)
    high = np.where(seen[..., None], joints, -np.inf).max(axis=1)
    return (high - low).max(axis=1)


def _share_beyond(boxes: np.ndarray, sizes: np.ndarray) -> float:
    """The share of the boxes that reach out of their picture by more than a tenth of it."""
    return float((reach_beyond(boxes, sizes) > SLACK).mean())


def _share_in_picture(joints: np.ndarray, seen: np.ndarray, sizes: np.ndarray) -> float:
    inside = np.all((joints >= -1) & (joints <= sizes[:, None]), axis=2)
    return float(np.mean(inside[seen]))
