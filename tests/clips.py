"""Small videos."""

import numpy as np

from lib.core.media import video_writer

SIZE = (64, 48)


def write_video(path, count=5, size=SIZE, rate=10.0):
    """Writes a video whose frame number n is a grey of 20 * n, modulo 256."""
    with video_writer(path, rate, size) as writer:
        for number in range(count):
            writer.write(np.full((size[1], size[0], 3), 20 * number % 256, np.uint8))
    return path
