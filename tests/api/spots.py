"""A network of three joints that sees bright spots, and a picture of one person with them."""

import numpy as np
import onnx_toy

SPOTS = [(60, 70), (90, 50), (40, 110)]
BOX = (20, 30, 90, 100)
PICTURE = onnx_toy.spotted_picture(SPOTS)


def assert_spots(poses, spots=SPOTS):
    """One person whose joints are at the spots, to a pixel of the network's heatmap."""
    assert len(poses) == 1
    np.testing.assert_allclose(poses.keypoints[0], spots, atol=8)
