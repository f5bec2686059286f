"""Drawing people: joints, limbs, boxes and heatmaps on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..core.transforms import get_affine_transform
from .palette import BOX_COLOR, RIM_COLOR, Color, joint_colors, limb_colors
from .sizes import box_line, extent, sizes_of, text_height
from .style import PLAIN, DrawStyle
from .text import draw_label, draw_names, joint_label

if TYPE_CHECKING:
    from ..core.poses import PersonHeatmaps
    from ..core.skeletons import Skeleton

FRACTION_BITS = 4  # of OpenCV's coordinates: dots and lines lie at parts of a pixel
FARTHEST = 1e5  # pixels: OpenCV's coordinates are whole numbers of 32 bits


def draw_pose(
    image: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton, one_color: Color | None = None,
    size: float | None = None,
) -> np.ndarray:
    """Draws one person's joints and limbs into `image` (H, W, 3) uint8 BGR, in place, and returns it.

    joints: (K, 2) pixels; drawn: (K,) which joints to draw; a limb needs both its ends. one_color: BGR, of everything,
    in place of the sides' colours. size: the person's longer side in pixels, which decides the width of the lines;
    None: that of the joints that are drawn.
    """
    drawn = np.asarray(drawn, bool)
    points = np.where(drawn[:, None], np.clip(joints, -FARTHEST, FARTHEST), 0).astype(float)
    sizes = sizes_of(extent(points[drawn]) if size is None else size, points[drawn])
    places = np.rint(points * 2**FRACTION_BITS).astype(int).tolist()
    limbs = [
        (places[first], places[second], one_color or color, sizes.limb(points[first], points[second]))
        for (first, second), color in zip(skeleton.limb_indices, limb_colors(skeleton), strict=True)
        if drawn[first] and drawn[second]
    ]
    colors = [one_color or color for color, show in zip(joint_colors(skeleton), drawn, strict=True) if show]
    for start, end, _, width in limbs:
        if sizes.rim and width > 1:
            cv2.line(image, start, end, RIM_COLOR, width + 2 * sizes.rim, cv2.LINE_AA, FRACTION_BITS)
    for start, end, color, width in limbs:
        cv2.line(image, start, end, color, width, cv2.LINE_AA, FRACTION_BITS)
    for row, color, radius in zip(np.flatnonzero(drawn), colors, sizes.radii.tolist(), strict=True):
        if sizes.rim:
            _dot(image, places[row], radius + min(sizes.rim, radius / 2), RIM_COLOR)
        _dot(image, places[row], radius, color)
    return image


def draw_people(
    image: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton,
    style: DrawStyle = PLAIN, labels: Sequence[str] = (), colors: Sequence[Color] = (),
) -> np.ndarray:  # fmt: skip
    """Draws N persons' boxes (N, 4) and poses (N, K, 2) into `image`, in place, and returns it.

    drawn (N, K): which joints to draw; labels: N texts at the boxes' upper left corners, such as scores, or none;
    colors: N colours of whole persons (BGR), or none for the sides' colours.
    """
    sizes = [max(float(box[2:].max()), 1.0) for box in boxes]
    for row, box in enumerate(boxes):
        color = colors[row] if colors else None
        if style.boxes:
            _box(image, box, color or BOX_COLOR, box_line(sizes[row]))
        draw_pose(image, keypoints[row], drawn[row], skeleton, color, sizes[row])
    for row, box in enumerate(boxes):  # above all the poses
        if style.names:
            draw_joint_names(image, keypoints[row], drawn[row], skeleton, sizes[row])
        if labels:
            corner = round(float(box[0])), round(float(box[1]))
            height = text_height(image.shape, sizes[row])
            draw_label(image, labels[row], corner, height, colors[row] if colors else BOX_COLOR)
    return image


def box_labels(scores: np.ndarray) -> list[str]:
    """Texts of box scores (N,), such as 0.87; none at all where no box is a detector's, and all scores are 1."""
    return [] if (scores == 1).all() else [f"{score:.2f}" for score in scores.tolist()]


def draw_joint_names(
    image: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton, size: float | None = None
) -> None:
    """Writes the joints' names beside them, into `image`; the arguments are those of `draw_pose`."""
    points, rows = np.clip(np.asarray(joints, float), -FARTHEST, FARTHEST), np.flatnonzero(drawn)
    inside = [row for row in rows if (points[row] >= 0).all() and (points[row] < image.shape[1::-1]).all()]
    person = extent(points[rows]) if size is None else size
    sizes = sizes_of(person, points[rows])
    names = [joint_label(skeleton.joints[row], int(row) + 1) for row in inside]
    gap = float(sizes.radii.max(initial=0)) + sizes.rim + 3
    draw_names(image, names, points[inside], gap, sizes.name)


def draw_joint_numbers(image: np.ndarray, joints: np.ndarray, drawn: np.ndarray, height: float) -> None:
    """Writes the joints' numbers, from 1 on, beside them; joints (K, 2) pixels, drawn (K,), height of the digits."""
    rows = np.flatnonzero(drawn)
    names = [str(row + 1) for row in rows]
    draw_names(image, names, np.asarray(joints, float)[rows], height / 2, height)


def overlay_heatmaps(image: np.ndarray, heatmaps: PersonHeatmaps, unbiased: bool = False) -> np.ndarray:
    """A copy of a picture (H, W, 3) with its people's heatmaps over it, red where they are highest."""
    height, width = image.shape[:2]
    highest = np.zeros((height, width), np.float32)
    for heatmap, center, scale in zip(heatmaps.values, heatmaps.centers, heatmaps.scales, strict=True):
        matrix = get_affine_transform(center, scale, 0, heatmap.shape[::-1], unbiased=unbiased)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        np.maximum(highest, cv2.warpAffine(heatmap, matrix, (width, height), flags=flags), out=highest)
    highest = np.clip(highest, 0, 1)
    colored = cv2.applyColorMap((highest * 255).astype(np.uint8), cv2.COLORMAP_JET)
    share = 0.8 * highest[..., None]  # the picture stays as it is where no joint is
    return (image * (1 - share) + colored * share).astype(np.uint8)


def _dot(image: np.ndarray, center: Sequence[int], radius: float, color: Color) -> None:
    cv2.circle(image, center, round(radius * 2**FRACTION_BITS), color, -1, cv2.LINE_AA, FRACTION_BITS)


def _box(image: np.ndarray, box: np.ndarray, color: Color, line: int) -> None:
    x, y, width, height = (round(float(value)) for value in box)
    if line > 1:
        cv2.rectangle(image, (x, y), (x + width, y + height), RIM_COLOR, line + 2)
    cv2.rectangle(image, (x, y), (x + width, y + height), color, line)
