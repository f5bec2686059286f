"""Heatmaps: joints -> targets (encode) and heatmaps -> joints (decode).

The pixel convention, written once: all coordinates are (x, y), 0-based, and (0, 0) is the centre of the top-left pixel.
MPII's files are MATLAB's and 1-based: the data set subtracts 1 on reading, `pred.mat` adds it on writing. A joint at x
in the input stands at x * heatmap_width / input_width in the heatmap, rounded half up to a whole pixel (x / 4 for the
published networks: the paper's code does not shift by half a pixel, so neither do we).
Unbiased data processing (TEST.UDP; Huang et al., "The Devil is in the Details", CVPR 2020) measures lengths between
pixel centres instead: x stands at x * (heatmap_width - 1) / (input_width - 1), and the gaussian's peak is not rounded.
Legend: N persons, K joints, H and W the heatmap's height and width.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from .transforms import mirrored_order, transform_preds

DARK_REACH = 2  # pixels that distribution-aware decoding looks at on each side of the highest one
BACKBONE_STRIDE = 32  # a ResNet's last layer has a place for every 32 pixels, begun ones included


def heatmap_size_of(image_size: tuple[int, int], deconv_layers: int = 3) -> tuple[int, int]:
    """(width, height) of the heatmaps that the network makes of an input of (width, height)."""
    return tuple(-(-side // BACKBONE_STRIDE) * 2**deconv_layers for side in image_size)


def gaussian_vectors(
    joints: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], heatmap_size: tuple[int, int], sigma: float,
    unbiased: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The targets of N persons as one vector per axis: target[n, k, y, x] = vertical[n, k, y] * horizontal[n, k, x].

    A gaussian of this form is separable, so a loader can hand over K * (H + W) numbers instead of K * H * W.

    joints: (N, K, 2) pixels of the input; visible: (N, K), > 0 counts.
    image_size, heatmap_size: (width, height); sigma: in heatmap pixels; the gaussian ends at 3 sigma and its peak is 1.
    unbiased: see the top of this file; the gaussian then ends at 3 sigma from the peak's nearest pixel.
    Returns horizontal (N, K, W), vertical (N, K, H) float32, and target_weight (N, K, 1) float32: `visible`, but 0
    where no part of the gaussian is inside the heatmap. Joints with weight <= 0.5 have an all-zero target.
    """
    joints = np.asarray(joints, dtype=np.float64)
    size = np.asarray(heatmap_size)
    position = joints / ((np.asarray(image_size, dtype=np.float64) - unbiased) / (size - unbiased))
    reach = sigma * 3
    if unbiased:
        peak = np.floor(position + 0.5)
        outside = (peak - reach > size - 1) | (peak + reach < 0)
    else:  # int() of the original cuts towards zero; it matters for joints left of or above the picture
        peak = np.trunc(position + 0.5)
        outside = (np.trunc(peak - reach) >= size) | (np.trunc(peak + reach + 1) < 0)
    target_weight = np.where(outside.any(axis=-1), 0, np.asarray(visible)).astype(np.float32)
    drawn = target_weight > 0.5

    vectors = []
    for axis in (0, 1):
        # joints that are not drawn may hold anything, even numbers too large to square
        pixels = np.arange(size[axis])
        inside = (np.abs(pixels - np.where(drawn, peak[..., axis], 0)[..., None]) <= reach) & drawn[..., None]
        distance = pixels - np.where(drawn, (position if unbiased else peak)[..., axis], 0)[..., None]
        vectors.append(np.where(inside, np.exp(-(distance**2) / (2 * sigma**2)), 0).astype(np.float32))
    return vectors[0], vectors[1], target_weight[..., None]


def generate_target(
    joints: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], heatmap_size: tuple[int, int], sigma: float,
    unbiased: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian targets (N, K, H, W) and their weights (N, K, 1), float32. Arguments as in `gaussian_vectors`."""
    horizontal, vertical, target_weight = gaussian_vectors(joints, visible, image_size, heatmap_size, sigma, unbiased)
    return outer_product(horizontal, vertical), target_weight


def outer_product(horizontal: np.ndarray, vertical: np.ndarray) -> np.ndarray:
    """Targets (N, K, H, W) from the vectors (N, K, W) and (N, K, H) of `gaussian_vectors`."""
    return vertical[..., :, None] * horizontal[..., None, :]


def get_max_preds(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest pixel of each heatmap (N, K, H, W).

    Returns coords (N, K, 2) float32, heatmap pixels, and maxvals (N, K, 1). Where the maximum is not above 0 the
    coordinates are (0, 0). Of equal maxima the first in reading order wins.
    """
    persons, joints, _, width = heatmaps.shape
    flat = heatmaps.reshape(persons * joints, -1)
    index = flat.argmax(axis=1)
    maxvals = flat[np.arange(len(flat)), index].reshape(persons, joints, 1)
    return coords_of_index(index.reshape(persons, joints) * (maxvals[..., 0] > 0), width), maxvals


def coords_of_index(index: np.ndarray, width: int) -> np.ndarray:
    """(..., 2) float32 coordinates x, y of places (...) in a heatmap of this width, counted in reading order."""
    y, x = np.divmod(index, width)
    return np.stack([x, y], axis=-1).astype(np.float32)


def target_peaks(horizontal: np.ndarray, vertical: np.ndarray) -> np.ndarray:
    """The highest pixel (N, K, 2) of each target, from the vectors of `gaussian_vectors`; (0, 0) where all is 0."""
    return np.stack([horizontal.argmax(axis=2), vertical.argmax(axis=2)], axis=-1).astype(np.float32)


def reach_of(decode: str, sigma: float | None) -> int:
    """How many pixels on each side of the highest one a decoder of `get_final_preds` looks at."""
    return DECODERS[decode].reach(sigma)


def peak_patches(heatmaps: np.ndarray, coords: np.ndarray, reach: int) -> np.ndarray:
    """The surroundings (N, K, 2 * reach + 1, 2 * reach + 1) of whole-pixel coords (N, K, 2); 0 outside the heatmap."""
    persons, joints, height, width = heatmaps.shape
    x, y = _whole_pixels(coords)
    steps = np.arange(-reach, reach + 1)
    # one list of places in the flat array: lists that go together, one per axis, are gathered at a third of the speed
    middle = np.arange(0, heatmaps.size, height * width).reshape(persons, joints) + y * width + x
    places = middle[..., None, None] + (steps[:, None] * width + steps)
    patches = heatmaps.reshape(-1).take(places, mode="clip")
    beyond = (x < reach) | (x >= width - reach) | (y < reach) | (y >= height - reach)
    if beyond.any():
        columns, rows = x[beyond, None] + steps, y[beyond, None] + steps
        inside_x, inside_y = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
        patches[beyond] *= inside_y[:, :, None] & inside_x[:, None, :]
    return patches


def refine_peaks(
    coords: np.ndarray, patches: np.ndarray, heatmap_size: tuple[int, int], decode: str, sigma: float | None
) -> np.ndarray:
    """Whole-pixel coords (N, K, 2) moved as `decode` says; see `get_final_preds`.

    patches: from `peak_patches`, with the reach of `reach_of`; heatmap_size: (width, height). Returns new coordinates.
    """
    return coords + DECODERS[decode].step(coords, patches, heatmap_size, sigma)


def refine_coords(heatmaps: np.ndarray, coords: np.ndarray, decode: str, sigma: float | None) -> np.ndarray:
    """`refine_peaks` of whole-pixel coords (N, K, 2) that `get_max_preds` found in heatmaps (N, K, H, W).

    sigma: the target's; only the decoder "dark" wants it.
    """
    patches = peak_patches(heatmaps, coords, reach_of(decode, sigma))
    return refine_peaks(coords, patches, heatmaps.shape[:1:-1], decode, sigma)


def quarter_offset(heatmaps: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """Moves whole-pixel `coords` (N, K, 2) by a quarter of a pixel towards the higher neighbour, on each axis.

    Peaks within one pixel of the border stay, as in the original. Returns new coordinates.
    """
    return refine_coords(heatmaps, coords, "quarter", None)


def dark_offset(heatmaps: np.ndarray, coords: np.ndarray, sigma: float) -> np.ndarray:
    """Moves whole-pixel `coords` (N, K, 2) to the peak of the gaussian that each heatmap looks like.

    Distribution-aware decoding (Zhang et al., CVPR 2020): blur as wide as the target's gaussian, logarithm, and one
    Newton step from the highest pixel. sigma: the target's, in heatmap pixels. The step is left out where the five
    pixels on an axis that it looks at are not all inside the heatmap, where they are not those of a peak, and where it
    would lead further than they reach (2 pixels). Returns new coordinates.
    """
    return refine_coords(heatmaps, coords, "dark", sigma)


def _whole_pixels(coords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pixels = np.floor(coords + 0.5).astype(np.int64)
    return pixels[..., 0], pixels[..., 1]


def _quarter_step(
    coords: np.ndarray, patches: np.ndarray, heatmap_size: tuple[int, int], sigma: float | None = None
) -> np.ndarray:
    x, y = _whole_pixels(coords)
    width, height = heatmap_size
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    difference = np.stack(
        [patches[..., 1, 2] - patches[..., 1, 0], patches[..., 2, 1] - patches[..., 0, 1]], axis=-1
    )
    return (np.sign(difference) * 0.25 * inside[..., None]).astype(coords.dtype)


def _dark_step(coords: np.ndarray, patches: np.ndarray, heatmap_size: tuple[int, int], sigma: float) -> np.ndarray:
    x, y = _whole_pixels(coords)
    width, height = heatmap_size
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    blur = _blur_matrix(_blur_side(sigma))
    # how high the blurred peak is does not matter to the slopes of its logarithm
    logarithms = np.log(np.maximum(blur @ patches.astype(np.float64) @ blur.T, 1e-10))  # (N, K, 5, 5)

    def at(right: int, down: int) -> np.ndarray:
        return logarithms[..., DARK_REACH + down, DARK_REACH + right]

    middle = at(0, 0)
    slope_x, slope_y = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    bend_x, bend_y = (at(2, 0) - 2 * middle + at(-2, 0)) / 4, (at(0, 2) - 2 * middle + at(0, -2)) / 4
    twist = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    determinant = bend_x * bend_y - twist**2
    is_peak = inside & (bend_x < 0) & (determinant > 0)
    safe = np.where(is_peak, determinant, 1.0)
    offset = np.stack([twist * slope_y - bend_y * slope_x, twist * slope_x - bend_x * slope_y], axis=-1)
    offset = offset / safe[..., None]
    is_peak &= (np.abs(offset) <= DARK_REACH).all(axis=-1)
    return (offset * is_peak[..., None]).astype(coords.dtype)


def _blur_side(sigma: float) -> int:
    """The width of the blur whose gaussian is about the target's, in heatmap pixels."""
    return 2 * math.ceil(3 * sigma) - 1


def _blur_matrix(side: int) -> np.ndarray:
    """(5, 4 + side): each row blurs one of the five middle pixels of a row of 4 + side."""
    taps = cv2.getGaussianKernel(side, 0)[:, 0]
    matrix = np.zeros((2 * DARK_REACH + 1, 2 * DARK_REACH + side))
    for row in range(len(matrix)):
        matrix[row, row : row + side] = taps
    return matrix


def _no_step(coords: np.ndarray, patches: np.ndarray, heatmap_size: tuple[int, int], sigma: float) -> np.ndarray:
    return np.zeros_like(coords)


class Decoder(NamedTuple):
    """What is added to the highest pixel of a heatmap.

    reach(sigma): how many pixels on each side it looks at; step(coords, patches, heatmap_size, sigma): the offsets
    (N, K, 2) of the highest pixels, see `refine_peaks`. sigma is the target's, in heatmap pixels.
    """

    reach: Callable[[Any], int]
    step: Callable[[np.ndarray, np.ndarray, tuple[int, int], Any], np.ndarray]


# TEST.DECODE: a new decoder is one entry here and its name in lib/config/schema.py
DECODERS = {
    "quarter": Decoder(lambda sigma: 1, _quarter_step),
    "dark": Decoder(lambda sigma: DARK_REACH + _blur_side(sigma) // 2, _dark_step),
    "none": Decoder(lambda sigma: 0, _no_step),
}


def decode_heatmaps(heatmaps: np.ndarray, decode: str = "quarter", sigma: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """The joints of heatmaps (N, K, H, W): coords (N, K, 2) float32, heatmap pixels, and maxvals (N, K, 1).

    decode: what is added to the highest pixel: "quarter" of a pixel towards the higher neighbour (the original), "dark"
        (`dark_offset`, for which sigma is the target's), "none".
    """
    coords, maxvals = get_max_preds(heatmaps)
    return refine_coords(heatmaps, coords, decode, sigma), maxvals


def get_final_preds(
    heatmaps: np.ndarray, center: np.ndarray, scale: np.ndarray, decode: str = "quarter", sigma: float = 2.0,
    unbiased: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Joints in picture pixels from heatmaps (N, K, H, W).

    center, scale: (N, 2) of each person's crop; decode and sigma: see `decode_heatmaps`.
    unbiased: the crop was made by unbiased data processing.
    Returns preds (N, K, 2) float32, 0-based picture pixels, and maxvals (N, K, 1): the confidence of each joint.
    """
    coords, maxvals = decode_heatmaps(heatmaps, decode, sigma)
    return transform_preds(coords, center, scale, heatmaps.shape[:1:-1], unbiased).astype(np.float32), maxvals


def flip_back(flipped_heatmaps: np.ndarray, flip_pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Heatmaps (N, K, H, W) of the mirrored picture, mirrored back: columns reversed, left and right exchanged."""
    return flipped_heatmaps[:, mirrored_order(flipped_heatmaps.shape[1], flip_pairs), :, ::-1]


def shift_right(heatmaps: np.ndarray) -> np.ndarray:
    """Heatmaps moved right by one pixel; the first column stays.

    The network sees pixel x of the input as x / 4 of the heatmap, its mirror image as (w - 1 - x) / 4: mirrored back
    the two are 3/4 of a heatmap pixel apart. Shifting by one nearly aligns them (TEST.SHIFT_HEATMAP); unbiased data
    processing has no such gap and does not shift.
    """
    shifted = heatmaps.copy()
    shifted[..., 1:] = heatmaps[..., :-1]
    return shifted
