"""Heatmaps: joints -> targets (encode) and heatmaps -> joints (decode). No Paddle here.

The pixel convention, written once: all coordinates are (x, y), 0-based, and (0, 0) is the centre of the top-left pixel.
MPII's files are MATLAB's and 1-based: the data set subtracts 1 on reading, `pred.mat` adds it on writing. A joint at x
in the input stands at x * heatmap_width / input_width in the heatmap, rounded half up to a whole pixel (x / 4 for the
published networks: the paper's code does not shift by half a pixel, so neither do we).
Unbiased data processing (TEST.UDP; Huang et al., "The Devil is in the Details", CVPR 2020) measures lengths between
pixel centres instead: x stands at x * (heatmap_width - 1) / (input_width - 1), and the gaussian's peak is not rounded.
Legend: N persons, K joints, H and W the heatmap's height and width.
"""

import math

import cv2
import numpy as np

from lib.utils.transforms import mirrored_order, transform_preds

BACKBONE_STRIDE = 32  # a ResNet's last layer has a place for every 32 pixels, begun ones included


def heatmap_size_of(image_size, deconv_layers=3):
    """(width, height) of the heatmaps that the network makes of an input of (width, height)."""
    return tuple(-(-side // BACKBONE_STRIDE) * 2**deconv_layers for side in image_size)


def gaussian_vectors(joints, visible, image_size, heatmap_size, sigma, unbiased=False):
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
    place = joints / ((np.asarray(image_size, dtype=np.float64) - unbiased) / (size - unbiased))
    reach = sigma * 3
    if unbiased:
        peak = np.floor(place + 0.5)
        outside = (peak - reach > size - 1) | (peak + reach < 0)
    else:  # int() of the original cuts towards zero; it matters for joints left of or above the picture
        peak = np.trunc(place + 0.5)
        outside = (np.trunc(peak - reach) >= size) | (np.trunc(peak + reach + 1) < 0)
    target_weight = np.where(outside.any(axis=-1), 0, np.asarray(visible)).astype(np.float32)
    drawn = target_weight > 0.5

    vectors = []
    for axis in (0, 1):
        # joints that are not drawn may hold anything, even numbers too large to square
        pixels = np.arange(size[axis])
        inside = (np.abs(pixels - np.where(drawn, peak[..., axis], 0)[..., None]) <= reach) & drawn[..., None]
        distance = pixels - np.where(drawn, (place if unbiased else peak)[..., axis], 0)[..., None]
        vectors.append(np.where(inside, np.exp(-(distance**2) / (2 * sigma**2)), 0).astype(np.float32))
    return vectors[0], vectors[1], target_weight[..., None]


def generate_target(joints, visible, image_size, heatmap_size, sigma, unbiased=False):
    """Gaussian targets (N, K, H, W) and their weights (N, K, 1), float32. Arguments as in `gaussian_vectors`."""
    horizontal, vertical, target_weight = gaussian_vectors(joints, visible, image_size, heatmap_size, sigma, unbiased)
    return outer_product(horizontal, vertical), target_weight


def outer_product(horizontal, vertical):
    """Targets (N, K, H, W) from the vectors (N, K, W) and (N, K, H) of `gaussian_vectors`."""
    return vertical[..., :, None] * horizontal[..., None, :]


def get_max_preds(heatmaps):
    """The highest pixel of each heatmap (N, K, H, W).

    Returns coords (N, K, 2) float32, heatmap pixels, and maxvals (N, K, 1). Where the maximum is not above 0 the
    coordinates are (0, 0). Of equal maxima the first in reading order wins.
    """
    persons, joints, _, width = heatmaps.shape
    flat = heatmaps.reshape(persons, joints, -1)
    index = flat.argmax(axis=2)
    maxvals = np.take_along_axis(flat, index[..., None], axis=2)
    coords = np.stack([index % width, index // width], axis=-1).astype(np.float32)
    return coords * (maxvals > 0), maxvals


def quarter_offset(heatmaps, coords):
    """Moves whole-pixel `coords` (N, K, 2) by a quarter of a pixel towards the higher neighbour, on each axis.

    Peaks within one pixel of the border stay, as in the original. Returns new coordinates.
    """
    persons, joints, height, width = heatmaps.shape
    x = np.floor(coords[..., 0] + 0.5).astype(np.int64)
    y = np.floor(coords[..., 1] + 0.5).astype(np.int64)
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    x, y = np.where(inside, x, 1), np.where(inside, y, 1)  # any legal place: the offset there is dropped below
    n, k = np.ogrid[:persons, :joints]
    difference = np.stack(
        [heatmaps[n, k, y, x + 1] - heatmaps[n, k, y, x - 1], heatmaps[n, k, y + 1, x] - heatmaps[n, k, y - 1, x]],
        axis=-1,
    )
    return coords + (np.sign(difference) * 0.25 * inside[..., None]).astype(coords.dtype)


def dark_offset(heatmaps, coords, sigma):
    """Moves whole-pixel `coords` (N, K, 2) to the peak of the gaussian that each heatmap looks like.

    Distribution-aware decoding (Zhang et al., CVPR 2020): blur as wide as the target's gaussian, logarithm, and one
    Newton step from the highest pixel. sigma: the target's, in heatmap pixels. The step is left out where the five
    pixels on an axis that it looks at are not all inside the heatmap, where they are not those of a peak, and where it
    would lead further than they reach (2 pixels). Returns new coordinates.
    """
    persons, joints, height, width = heatmaps.shape
    x, y = np.floor(coords[..., 0] + 0.5).astype(np.int64), np.floor(coords[..., 1] + 0.5).astype(np.int64)
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    x, y = np.where(inside, x, 2), np.where(inside, y, 2)  # any legal place: the offset there is dropped below
    logarithms = np.log(np.maximum(_blur(heatmaps, 2 * math.ceil(3 * sigma) - 1), 1e-10)).astype(np.float64)
    n, k = np.ogrid[:persons, :joints]

    def at(right, down):
        return logarithms[n, k, y + down, x + right]

    middle = at(0, 0)
    slope_x, slope_y = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    bend_x, bend_y = (at(2, 0) - 2 * middle + at(-2, 0)) / 4, (at(0, 2) - 2 * middle + at(0, -2)) / 4
    twist = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    determinant = bend_x * bend_y - twist**2
    is_peak = inside & (bend_x < 0) & (determinant > 0)
    safe = np.where(is_peak, determinant, 1.0)
    offset = np.stack([twist * slope_y - bend_y * slope_x, twist * slope_x - bend_x * slope_y], axis=-1)
    offset = offset / safe[..., None]
    is_peak &= (np.abs(offset) <= 2).all(axis=-1)
    return coords + (offset * is_peak[..., None]).astype(coords.dtype)


def _blur(heatmaps, side):
    """Each heatmap blurred by a gaussian `side` pixels wide, as high as before; outside the heatmap is 0."""
    blurred = np.empty(heatmaps.shape, dtype=np.float32)
    for index in np.ndindex(heatmaps.shape[:2]):
        heatmap = np.ascontiguousarray(heatmaps[index], dtype=np.float32)
        blurred[index] = cv2.GaussianBlur(heatmap, (side, side), 0, borderType=cv2.BORDER_CONSTANT)
    heights = blurred.max(axis=(2, 3), keepdims=True)
    return blurred * (heatmaps.max(axis=(2, 3), keepdims=True) / np.where(heights > 0, heights, 1))


def get_final_preds(heatmaps, center, scale, decode="quarter", sigma=2.0, unbiased=False):
    """Joints in picture pixels from heatmaps (N, K, H, W).

    center, scale: (N, 2) of each person's crop.
    decode: what is added to the highest pixel: "quarter" of a pixel towards the higher neighbour (the original), "dark"
        (`dark_offset`, for which sigma is the target's), "none".
    unbiased: the crop was made by unbiased data processing.
    Returns preds (N, K, 2) float32, 0-based picture pixels, and maxvals (N, K, 1): the confidence of each joint.
    """
    coords, maxvals = get_max_preds(heatmaps)
    if decode == "quarter":
        coords = quarter_offset(heatmaps, coords)
    elif decode == "dark":
        coords = dark_offset(heatmaps, coords, sigma)
    height, width = heatmaps.shape[2:]
    preds = np.empty_like(coords)
    for person in range(len(coords)):
        preds[person] = transform_preds(coords[person], center[person], scale[person], (width, height), unbiased)
    return preds, maxvals


def flip_back(flipped_heatmaps, flip_pairs):
    """Heatmaps (N, K, H, W) of the mirrored picture, mirrored back: columns reversed, left and right exchanged."""
    return flipped_heatmaps[:, mirrored_order(flipped_heatmaps.shape[1], flip_pairs), :, ::-1]


def shift_right(heatmaps):
    """Heatmaps moved right by one pixel; the first column stays.

    The network sees pixel x of the input as x / 4 of the heatmap, its mirror image as (w - 1 - x) / 4: mirrored back
    the two are 3/4 of a heatmap pixel apart. Shifting by one nearly aligns them (TEST.SHIFT_HEATMAP); unbiased data
    processing has no such gap and does not shift.
    """
    shifted = heatmaps.copy()
    shifted[..., 1:] = heatmaps[..., :-1]
    return shifted
