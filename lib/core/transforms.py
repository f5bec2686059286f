"""Affine transforms between the image and the network's input.

Coordinates are (x, y) in pixels, 0-based, with the centre of the top-left pixel at (0, 0). A person's `scale` is
(width, height) in units of 200 pixels, as MPII's annotations have it.
"""
from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

PIXELS_PER_SCALE = 200.0


def crop_of_box(
    box: npt.ArrayLike, image_size: tuple[int, int], padding: float = 1.25
) -> tuple[np.ndarray, np.ndarray]:
    """(center, scale), each (..., 2) float32, of the crop around a box (..., 4): x, y, width, height in pixels.

    The box is widened or heightened to the aspect of image_size (width, height), then grown by `padding` (1.25 in the
    published networks). The original's arithmetic for COCO, float32 included.
    """
    x, y, width, height = np.moveaxis(np.asarray(box, dtype=np.float64), -1, 0)
    center = np.stack([x + width * 0.5, y + height * 0.5], axis=-1).astype(np.float32)
    aspect = image_size[0] / image_size[1]
    wide, high = width > aspect * height, width < aspect * height
    fitted = np.stack([np.where(high, height * aspect, width), np.where(wide, width / aspect, height)], axis=-1)
    return center, (fitted / PIXELS_PER_SCALE).astype(np.float32) * np.float32(padding)


def _third_point(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The corner that makes a right angle with the segment second -> first, at `second`."""
    direction = first - second
    return second + np.array([-direction[1], direction[0]], dtype=np.float32)


def get_affine_transform(
    center: np.ndarray, scale: np.ndarray, rotation_degrees: float, output_size: tuple[int, int],
    inverse: bool = False, unbiased: bool = False,
) -> np.ndarray:
    """The 2x3 matrix that takes picture pixels to pixels of the crop (`inverse`: back again).

    center: (2,) x, y of the person's centre in picture pixels; lands at the middle of the crop.
    scale: (2,) width and height of the person's box in units of 200 px, or one number for a square. Only the width
        counts: the crop has the output's aspect, the annotation's box was fitted to it before. A float32 scale, as
        `crop_of_box` gives it, is multiplied in float32: where it is not, a pixel in thousands has another grey level.
    rotation_degrees: positive turns the picture's content anticlockwise in the crop.
    output_size: (width, height) of the crop.
    unbiased: lengths are counted between pixel centres (see `_unbiased_matrix`).
    Returns (2, 3) float64. The three point pairs are rounded to float32 as the original does, so results agree.
    """
    source_width = float((np.broadcast_to(scale, (2,)) * PIXELS_PER_SCALE)[0])
    scale = np.broadcast_to(np.asarray(scale, dtype=np.float64), (2,))
    if unbiased:
        matrix = _unbiased_matrix(np.asarray(center, dtype=np.float64), scale[0], rotation_degrees, output_size)
        return cv2.invertAffineTransform(matrix) if inverse else matrix
    width, height = output_size
    radians = np.pi * rotation_degrees / 180
    sine, cosine = np.sin(radians), np.cos(radians)
    upwards = np.array([source_width * 0.5 * sine, -source_width * 0.5 * cosine])

    source = np.zeros((3, 2), dtype=np.float32)
    target = np.zeros((3, 2), dtype=np.float32)
    source[0] = center
    source[1] = np.asarray(center) + upwards
    target[0] = [width * 0.5, height * 0.5]
    target[1] = target[0] + np.array([0, -width * 0.5], dtype=np.float32)
    source[2] = _third_point(source[0], source[1])
    target[2] = _third_point(target[0], target[1])
    return cv2.getAffineTransform(target, source) if inverse else cv2.getAffineTransform(source, target)


def _unbiased_matrix(
    center: np.ndarray, scale_width: float, rotation_degrees: float, output_size: tuple[int, int]
) -> np.ndarray:
    """The box's corners land on the centres of the crop's corner pixels (Huang et al. 2020, section 3.2).

    A box of w pixel intervals becomes output width - 1 intervals, so that a mirrored crop is exactly the crop mirrored.
    """
    radians = np.pi * rotation_degrees / 180
    sine, cosine = np.sin(radians), np.cos(radians)
    intervals = np.asarray(output_size, dtype=np.float64) - 1
    box = scale_width * PIXELS_PER_SCALE / output_size[0] * np.asarray(output_size)  # of the output's aspect
    turn = np.array([[cosine, sine], [-sine, cosine]]) * (intervals / box)[:, None]
    return np.column_stack([turn, intervals / 2 - turn @ center])


def affine_transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Moves points (..., 2) by a (2, 3) matrix; returns float64 of the same shape."""
    points = np.asarray(points, dtype=np.float64)
    return points @ matrix[:, :2].T + matrix[:, 2]


def transform_preds(
    coords: np.ndarray, center: np.ndarray, scale: np.ndarray, output_size: tuple[int, int], unbiased: bool = False
) -> np.ndarray:
    """Heatmap pixels back to picture pixels: the inverse of `get_affine_transform` without rotation.

    coords: (K, 2) of one person whose center and scale are (2,), or (N, K, 2) of N persons with (N, 2) each; as there,
        the scale's width counts, and lengths are rounded to float32 unless unbiased.
    output_size: (width, height) of the heatmap that `coords` are in; unbiased: as in `get_affine_transform`.
    Returns float64 of the shape of coords.
    """
    width, size = np.asarray(scale)[..., :1], np.asarray(output_size, dtype=np.float64)
    center = np.asarray(center, dtype=np.float64)
    if unbiased:
        middle, per_pixel = (size - 1) / 2, np.float64(width) * PIXELS_PER_SCALE / size[0] * size / (size - 1)
    else:
        # the original's three points, one above the centre and one to its left, each rounded as it is computed
        top = (center[..., 1:] - np.float64(width * PIXELS_PER_SCALE) * 0.5).astype(np.float32)
        center = center.astype(np.float32)
        left = center[..., :1] - (center[..., 1:] - top)
        middle, per_pixel = size / 2, (np.float64(center) - np.concatenate([left, top], axis=-1)) / (size[0] / 2)
    return (np.asarray(coords) - middle) * per_pixel[..., None, :] + center[..., None, :]


def fliplr_joints(
    joints: np.ndarray, visible: np.ndarray, picture_width: int, flip_pairs: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Joints of the mirrored picture: x -> picture_width - 1 - x, left and right joints exchanged.

    joints: (K, 2) pixels; visible: (K,); flip_pairs: sequence of (joint, mirrored joint).
    Returns new arrays; joints that are not visible come back as zeros, as in the original.
    """
    order = mirrored_order(len(joints), flip_pairs)
    joints = np.array(joints, dtype=np.float64)
    joints[:, 0] = picture_width - joints[:, 0] - 1
    visible = np.asarray(visible)[order]
    return joints[order] * (visible > 0)[:, None], visible.copy()


def mirrored_order(joint_count: int, flip_pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """(K,) int: for each joint, the joint that takes its place in the mirrored picture."""
    order = np.arange(joint_count)
    for first, second in flip_pairs:
        order[first], order[second] = second, first
    return order
