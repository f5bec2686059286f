"""How boxes are written, and what tells that they are written in another way than they are read.

N boxes, four numbers each, of pictures whose `sizes` (N, 2) are width and height in pixels, NaN where they are
not known.
"""

from __future__ import annotations

import numpy as np

XYWH, XYXY, CXCYWH = "xywh", "xyxy", "cxcywh"
FORMATS = {XYWH: "x y width height", XYXY: "x1 y1 x2 y2", CXCYWH: "centre x y, width, height"}
PIXEL, SHARE = "pixel", "share"
UNITS = (PIXEL, SHARE)
LARGEST_SHARE = 1.5  # of a picture's side; in pixels no person is so small
FAR = 0.1  # of the picture's side: so far beyond it hardly a box reaches
SLACK = 0.02  # of the picture's side, and a pixel, by which boxes may lie beyond it
CHECKED = 5000  # boxes of a long list tell how they are written
ENOUGH = 5  # different boxes; of fewer one person, cut off by the border, may be the cause
FAR_ALONE = 0.4  # what is far beyond the picture for fewer boxes than that
SOME, MANY, MOST, NEARLY_ALL = 0.2, 1 / 3, 0.5, 0.95


def as_xywh(boxes: np.ndarray, form: str) -> np.ndarray:
    """Boxes (N, 4) of a key of FORMATS -> x, y, width, height (N, 4) float64, in the same unit."""
    first, second = np.split(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 2, axis=1)
    if form == XYXY:
        return np.hstack([first, second - first])
    return np.hstack([first - second / 2 if form == CXCYWH else first, second])


def are_shares(boxes: np.ndarray) -> bool:
    """Whether boxes (N, 4) x, y, width, height are all of 0 to 1, as shares of a picture's sides are."""
    return bool(len(boxes)) and bool((np.abs(boxes) <= LARGEST_SHARE).all())


def reach_beyond(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(N,) how far boxes x, y, width, height end right of or below their picture, as a share of its side."""
    return np.asarray(((boxes[:, :2] + boxes[:, 2:] - sizes) / sizes).max(axis=1, initial=-np.inf))


def likely_format(boxes: np.ndarray, sizes: np.ndarray) -> str:
    """The key of FORMATS that boxes (N, 4) x, y, width, height in pixels were likely written in; '' if they can be so.

    That many reach far beyond their picture is no proof, as boxes of MPII's scale do; but these do not fit when they
    are read in another way. The figures are measured in tests/inference/test_box_alarms.py.
    """
    known = np.flatnonzero(np.isfinite(sizes).all(axis=1))
    known = known[:: -(-len(known) // CHECKED) or 1]
    boxes, sizes = boxes[known], sizes[known]
    if not len(boxes):
        return ""
    beyond = reach_beyond(boxes, sizes)
    different = len(np.unique(np.round(boxes / np.tile(sizes, 2) / FAR), axis=0))
    far, share = (FAR, MANY) if different >= ENOUGH else (FAR_ALONE, MOST)
    if (beyond > far).mean() >= share and _fit(as_xywh(boxes, XYXY), sizes) >= NEARLY_ALL:
        return XYXY
    some = different >= 2 * ENOUGH and (beyond > FAR).mean() >= SOME
    return CXCYWH if some and _fit(as_xywh(boxes, CXCYWH), sizes) >= NEARLY_ALL else ""


def may_be_corners(boxes: np.ndarray, sizes: np.ndarray) -> bool:
    """Whether most of a few boxes reach beyond their picture, and fit into it as x1 y1 x2 y2: no proof, but a hint."""
    if not len(boxes) or not (reach_beyond(boxes, sizes) > FAR).mean() >= MOST:
        return False
    return _fit(as_xywh(boxes, XYXY), sizes) >= NEARLY_ALL


def unlikely_words(boxes: np.ndarray, sizes: np.ndarray) -> tuple[str, str]:
    """(what is wrong with boxes (N, 4) that are taken for x, y, width, height in pixels, likely cause), '' if nothing.

    The cause is SHARE or a key of FORMATS.
    """
    if are_shares(boxes):
        each = "the box is" if len(boxes) == 1 else f"all {len(boxes)} boxes are"
        return f"{each} between 0 and 1, like shares of the picture's sides, not pixels", SHARE
    form = likely_format(boxes, sizes)
    if not form:
        return "", ""
    if len(boxes) == 1:
        return f"the box reaches far beyond its picture, and looks like {FORMATS[form]}", form
    beyond = int((reach_beyond(boxes, sizes) > FAR).sum())
    return f"{beyond} of {len(boxes)} boxes reach far beyond their picture: they look like {FORMATS[form]}", form


def _fit(boxes: np.ndarray, sizes: np.ndarray) -> float:
    """The share of boxes that have an area and lie in their picture."""
    slack = SLACK * sizes + 1
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    inside = (low >= -slack).all(axis=1) & (high <= sizes + slack).all(axis=1)
    return float((inside & (boxes[:, 2:] > 0).all(axis=1)).mean())
