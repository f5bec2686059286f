"""Heatmaps: joints -> targets (encode) and heatmaps -> joints (decode). No Paddle here.

The pixel convention, written once: all coordinates are (x, y), 0-based, and (0, 0) is the centre of the top-left pixel.
MPII's files are MATLAB's and 1-based: the data set subtracts 1 on reading, `pred.mat` adds it on writing. A joint at x
in the input stands at x * heatmap_width / input_width in the heatmap, rounded half up to a whole pixel (x / 4 for the
published networks: the paper's code does not shift by half a pixel, so neither do we).
Legend: N persons, K joints, H and W the heatmap's height and width.
"""

import numpy as np

from lib.utils.transforms import mirrored_order, transform_preds

BACKBONE_STRIDE = 32  # a ResNet's last layer has a place for every 32 pixels, begun ones included


def heatmap_size_of(image_size, deconv_layers=3):
    """(width, height) of the heatmaps that the network makes of an input of (width, height)."""
    return tuple(-(-side // BACKBONE_STRIDE) * 2**deconv_layers for side in image_size)


def gaussian_vectors(joints, visible, image_size, heatmap_size, sigma):
    """The targets of N persons as one vector per axis: target[n, k, y, x] = vertical[n, k, y] * horizontal[n, k, x].

    A gaussian of this form is separable, so a loader can hand over K * (H + W) numbers instead of K * H * W.

    joints: (N, K, 2) pixels of the input; visible: (N, K), > 0 counts.
    image_size, heatmap_size: (width, height); sigma: in heatmap pixels; the gaussian ends at 3 sigma and its peak is 1.
    Returns horizontal (N, K, W), vertical (N, K, H) float32, and target_weight (N, K, 1) float32: `visible`, but 0
    where no part of the gaussian is inside the heatmap. Joints with weight <= 0.5 have an all-zero target.
    """
    joints = np.asarray(joints, dtype=np.float64)
    size = np.asarray(heatmap_size)
    # int() of the original cuts towards zero; it matters for joints left of or above the picture
    peak = np.trunc(joints / (np.asarray(image_size, dtype=np.float64) / size) + 0.5)
    reach = sigma * 3
    outside = ((np.trunc(peak - reach) >= size) | (np.trunc(peak + reach + 1) < 0)).any(axis=-1)
    target_weight = np.where(outside, 0, np.asarray(visible)).astype(np.float32)
    drawn = target_weight > 0.5

    vectors = []
    for axis in (0, 1):
        # joints that are not drawn may hold anything, even numbers too large to square
        distance = np.arange(size[axis]) - np.where(drawn, peak[..., axis], 0)[..., None]
        inside = (np.abs(distance) <= reach) & drawn[..., None]
        vectors.append(np.where(inside, np.exp(-(distance**2) / (2 * sigma**2)), 0).astype(np.float32))
    return vectors[0], vectors[1], target_weight[..., None]


def generate_target(joints, visible, image_size, heatmap_size, sigma):
    """Gaussian targets (N, K, H, W) and their weights (N, K, 1), float32. Arguments as in `gaussian_vectors`."""
    horizontal, vertical, target_weight = gaussian_vectors(joints, visible, image_size, heatmap_size, sigma)
    return vertical[..., :, None] * horizontal[..., None, :], target_weight


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


def get_final_preds(heatmaps, center, scale, post_process=True):
    """Joints in picture pixels from heatmaps (N, K, H, W).

    center, scale: (N, 2) of each person's crop; post_process: with the quarter-pixel offset.
    Returns preds (N, K, 2) float32, 0-based picture pixels, and maxvals (N, K, 1): the confidence of each joint.
    """
    coords, maxvals = get_max_preds(heatmaps)
    if post_process:
        coords = quarter_offset(heatmaps, coords)
    height, width = heatmaps.shape[2:]
    preds = np.empty_like(coords)
    for person in range(len(coords)):
        preds[person] = transform_preds(coords[person], center[person], scale[person], (width, height))
    return preds, maxvals


def flip_back(flipped_heatmaps, flip_pairs):
    """Heatmaps (N, K, H, W) of the mirrored picture, mirrored back: columns reversed, left and right exchanged."""
    return flipped_heatmaps[:, mirrored_order(flipped_heatmaps.shape[1], flip_pairs), :, ::-1]


def shift_right(heatmaps):
    """Heatmaps moved right by one pixel; the first column stays.

    The network sees pixel x of the input as x / 4 of the heatmap, its mirror image as (w - 1 - x) / 4: mirrored back
    the two are 3/4 of a heatmap pixel apart. Shifting by one aligns them (TEST.SHIFT_HEATMAP).
    """
    shifted = heatmaps.copy()
    shifted[..., 1:] = heatmaps[..., :-1]
    return shifted
