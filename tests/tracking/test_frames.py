"""The frames of a folder."""

import numpy as np
from PIL import Image

from lib.tracking.frames import FrameFolder


def test_frames_are_turned_as_their_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    lying = np.zeros((40, 60, 3), np.uint8)
    lying[:, :30] = 200
    Image.fromarray(lying).save(tmp_path / "000000.jpg", exif=exif)
    clip = FrameFolder(tmp_path)
    frame = clip.read()
    assert clip.size == (40, 60)
    assert frame[:25].mean() > 190 and frame[35:].mean() < 10
