"""Small videos."""

import cv2
import numpy as np

from lib.utils.media import video_writer

SIZE = (64, 48)


def write_video(path, count=5, size=SIZE, rate=10.0):
    """Writes a video whose frame number n is a grey of 20 * n, modulo 256."""
    with video_writer(path, rate, size) as writer:
        for number in range(count):
            writer.write(np.full((size[1], size[0], 3), 20 * number % 256, np.uint8))
    return path


def write_other_video(path, encoder, count, size=SIZE, rate=10.0):
    """Writes a video of noise with OpenCV alone, of the kind that the ending says; encoder: its four letters."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*encoder), rate, size)
    assert writer.isOpened(), f"this OpenCV does not write {path.suffix}"
    noise = np.random.default_rng(0)
    for _ in range(count):
        writer.write(noise.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    writer.release()
    return path
