"""Drawing: joints, limbs and heatmaps on pictures, and the grids of the DEBUG flags."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..core.heatmap import get_max_preds
from ..core.sides import side_of
from ..core.transforms import get_affine_transform

if TYPE_CHECKING:
    from ..config.schema import DebugConfig
    from ..core.poses import PersonHeatmaps
    from ..core.skeletons import Skeleton

LEFT_COLOR, RIGHT_COLOR, MIDDLE_COLOR = (230, 150, 40), (60, 90, 240), (80, 200, 120)  # BGR
BOX_COLOR = (255, 255, 255)
GRID_COLUMNS = 8
CROP_SIDE, HEATMAP_SIDE = 192, 64  # smaller ones are enlarged to about this many pixels in the grids


def side_color(name: str) -> tuple[int, int, int]:
    """BGR colour of a joint or limb end by its side: blue for left, red for right, green for the middle."""
    return {"left": LEFT_COLOR, "right": RIGHT_COLOR}.get(side_of(name), MIDDLE_COLOR)


def draw_pose(
    image: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton, one_color: Sequence[int] | None = None
) -> np.ndarray:
    """Draws one person's joints and limbs into `image` (H, W, 3) uint8 BGR, in place, and returns it.

    joints: (K, 2) pixels; drawn: (K,) which joints to draw; a limb needs both its ends. one_color: BGR, of everything,
    in place of the sides' colours.
    """
    thickness = max(1, round(min(image.shape[:2]) / 150))
    points = [tuple(round(value) for value in joint.tolist()) if show else None
              for joint, show in zip(np.asarray(joints, float), drawn, strict=True)]  # fmt: skip
    for first, second in skeleton.limb_indices:
        if points[first] and points[second]:
            ends = skeleton.joints[first], skeleton.joints[second]
            color = next((side_color(end) for end in ends[::-1] if side_color(end) != MIDDLE_COLOR), MIDDLE_COLOR)
            cv2.line(image, points[first], points[second], one_color or color, thickness, cv2.LINE_AA)
    for name, point in zip(skeleton.joints, points, strict=True):
        if point:
            cv2.circle(image, point, thickness + 1, one_color or side_color(name), -1, cv2.LINE_AA)
    return image


def draw_people(
    image: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """Draws N persons' boxes (N, 4) and poses (N, K, 2) into `image`, in place; drawn (N, K): which joints to draw."""
    for box, joints, shown in zip(boxes, keypoints, drawn, strict=True):
        x, y, width, height = (round(value) for value in box.tolist())
        cv2.rectangle(image, (x, y), (x + width, y + height), BOX_COLOR, 1)
        draw_pose(image, joints, shown, skeleton)
    return image


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


def heatmap_grid(crops: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Each person's crop, then its K heatmaps coloured over the crop, a row a person."""
    enlarge = max(1, HEATMAP_SIDE // heatmaps.shape[3])
    height, width = (side * enlarge for side in heatmaps.shape[2:])
    cells = []
    for crop, maps in zip(crops, heatmaps, strict=True):
        small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA)
        cells.append(small)
        for heatmap in maps:
            values = (np.clip(heatmap, 0, 1) * 255).astype(np.uint8).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
            colored = cv2.applyColorMap(values, cv2.COLORMAP_JET)
            cells.append((colored * 0.7 + small * 0.3).astype(np.uint8))
    return make_grid(cells, columns=heatmaps.shape[1] + 1)


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
        pictures["hm_gt"] = heatmap_grid(crops, target)
    if debug.save_heatmaps_pred:
        pictures["hm_pred"] = heatmap_grid(crops, heatmaps)
    for name, picture in pictures.items():
        cv2.imwrite(f"{prefix}_{name}.jpg", picture)


def pose_grid(
    crops: np.ndarray, joints: np.ndarray, drawn: np.ndarray, skeleton: Skeleton, captions: Sequence[str] | None = None
) -> np.ndarray:
    """Crops (N, h, w, 3) with their poses, side by side; joints (N, K, 2) crop pixels, drawn (N, K), N captions."""
    enlarge = max(1, CROP_SIDE // crops.shape[2])
    size = crops.shape[2] * enlarge, crops.shape[1] * enlarge
    cells = [
        draw_pose(cv2.resize(crop, size), pose * enlarge, shown, skeleton)
        for crop, pose, shown in zip(crops, joints, drawn, strict=True)
    ]
    for cell, caption in zip(cells, captions or (), strict=False):
        for color, thickness in ((0, 0, 0), 3), ((255, 255, 255), 1):  # white with a black rim, readable on anything
            cv2.putText(cell, caption, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, thickness, cv2.LINE_AA)
    return make_grid(cells)
