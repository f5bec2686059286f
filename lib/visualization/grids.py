"""Grids: many people side by side with captions and a legend, and the pictures of the DEBUG flags."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..core.heatmap import get_max_preds
from .palette import DARK, joint_colors
from .poses import draw_joint_numbers, draw_pose
from .text import draw_text, joint_label, shortened, text_size

if TYPE_CHECKING:
    from ..config.schema import DebugConfig
    from ..core.skeletons import Skeleton

GRID_COLUMNS = 8
CROP_SIDE, HEATMAP_SIDE = 192, 96  # pixels: narrower ones are enlarged in the grids
PERSON_SHARE = 0.8  # of a crop's longer side: the rest is margin
LINE_HEIGHT = 1.9  # of the letters' height
HEADING = 10  # pixels of a letter over the heatmaps


def make_grid(images: Sequence[np.ndarray], columns: int = GRID_COLUMNS, gap: int = 2) -> np.ndarray:
    """Pictures of one size (h, w, 3) side by side in rows of `columns`."""
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid


def pose_grid(crops: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Crops (N, h, w, 3) with their poses, side by side; joints (N, K, 2) crop pixels, drawn (N, K)."""
    return make_grid(_posed(crops, joints, drawn, skeleton))


def captioned_grid(
    crops: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton, captions: Sequence[Sequence[str]],
    columns: int = 3,
) -> np.ndarray:
    """As pose_grid, with numbered joints, a legend that says which number is which joint, and captions.

    captions: N lists of lines, equally many for each; they stand above the crops, shortened to fit.
    """
    cells = _posed(crops, joints, drawn, skeleton)
    enlarge = cells[0].shape[1] / crops.shape[2]
    height = max(10.0, cells[0].shape[1] / 20)
    for cell, pose, shown in zip(cells, joints, drawn, strict=True):
        draw_joint_numbers(cell, pose * enlarge, shown, height * 0.75)
    strips = [_lines(lines, cells[0].shape[1], height) for lines in captions]
    grid = make_grid([np.vstack(both) for both in zip(strips, cells, strict=True)], columns, gap=6)
    return np.vstack([grid, _legend(skeleton, grid.shape[1], height)])


def heatmap_grid(crops: np.ndarray, heatmaps: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Each person's crop, then its K heatmaps coloured over the crop, a row a person; names: K, over the columns."""
    enlarge = max(1, round(HEATMAP_SIDE / heatmaps.shape[3]))
    height, width = (side * enlarge for side in heatmaps.shape[2:])
    cells = []
    for crop, maps in zip(crops, heatmaps, strict=True):
        small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
        cells.append(small)
        for heatmap in maps:
            values = (np.clip(heatmap, 0, 1) * 255).astype(np.uint8).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
            colored = cv2.applyColorMap(values, cv2.COLORMAP_JET)
            cells.append((colored * 0.7 + small * 0.3).astype(np.uint8))
    grid = make_grid(cells, columns=heatmaps.shape[1] + 1)
    if not names:
        return grid
    words = [joint_label(name, number).split(" ") for number, name in enumerate(names, 1)]
    most = max(map(len, words))
    headings = [_lines(each + [""] * (most - len(each)), width, HEADING) for each in (["crop"], *words)]
    return np.vstack([make_grid(headings, columns=len(headings))[:-2], grid])


def save_debug_images(
    debug: DebugConfig, prefix: str | os.PathLike[str], batch: dict[str, np.ndarray], target: np.ndarray,
    heatmaps: np.ndarray, skeleton: Skeleton,
) -> None:
    """Saves the grids that the four DEBUG flags ask for: {prefix}_gt, _pred, _hm_gt and _hm_pred .jpg.

    batch: of JointsDataset.collate; target, heatmaps: (N, K, H, W) numpy; skeleton: of the K joints.
    """
    crops = batch["crop"]
    stride = crops.shape[2] / heatmaps.shape[3]
    seen = batch["target_weight"][..., 0] > 0
    pictures = {}
    if debug.save_batch_images_gt:
        pictures["gt"] = pose_grid(crops, batch["joints"], seen, skeleton)
    if debug.save_batch_images_pred:
        coords, maxvals = get_max_preds(heatmaps)
        pictures["pred"] = pose_grid(crops, coords * stride, maxvals[..., 0] > 0, skeleton)
    if debug.save_heatmaps_gt:
        pictures["hm_gt"] = heatmap_grid(crops, target, skeleton.joints)
    if debug.save_heatmaps_pred:
        pictures["hm_pred"] = heatmap_grid(crops, heatmaps, skeleton.joints)
    for name, picture in pictures.items():
        cv2.imwrite(f"{prefix}_{name}.jpg", picture)


def _posed(crops: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton) -> list[np.ndarray]:
    """The crops, small ones enlarged, with their poses."""
    enlarge = -(-CROP_SIDE // crops.shape[2])
    size = crops.shape[2] * enlarge, crops.shape[1] * enlarge
    return [
        draw_pose(cv2.resize(crop, size), pose * enlarge, shown, skeleton, size=PERSON_SHARE * max(size))
        for crop, pose, shown in zip(crops, joints, drawn, strict=True)
    ]


def _lines(lines: Sequence[str], width: int, height: float) -> np.ndarray:
    """A white strip of this width with lines of text, each shortened to fit."""
    step = round(height * LINE_HEIGHT)
    strip = np.full((len(lines) * step, width, 3), 255, np.uint8)
    for number, line in enumerate(lines):
        draw_text(strip, shortened(line, width - 2, height), (1, number * step + round(step * 0.75)), height)
    return strip


def _legend(skeleton: Skeleton, width: int, height: float) -> np.ndarray:
    """A white strip that says of each number which joint it is, with a dot of the joint's colour."""
    entries = [f"{number}: {joint_label(name, number)}" for number, name in enumerate(skeleton.joints, 1)]
    step, dot = round(height * LINE_HEIGHT), round(height / 2)
    column = min(width, max(text_size(entry, height)[0] for entry in entries) + 5 * dot)
    columns = max(1, width // column)
    rows = -(-len(entries) // columns)
    strip = np.full((rows * step + dot, width, 3), 255, np.uint8)
    for index, (entry, color) in enumerate(zip(entries, joint_colors(skeleton), strict=True)):
        left, base = index // rows * column + dot, index % rows * step + round(step * 0.75)
        center = left + dot, base - dot
        cv2.circle(strip, center, dot, color, -1, cv2.LINE_AA)
        cv2.circle(strip, center, dot, DARK, 1, cv2.LINE_AA)
        draw_text(strip, shortened(entry, width - left - 3 * dot, height), (left + 3 * dot, base), height)
    return strip
