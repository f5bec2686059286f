"""Draws saved poses over the picture or video that they were found in."""

from contextlib import closing
from pathlib import Path

import numpy as np

from ...utils.errors import ItemError
from ...utils.image import read_image
from ...utils.media import Frame, is_video, open_video, video_writer, write_picture
from ...utils.progress import progress_bar
from ...visualization.poses import draw_joint_names, draw_people, draw_pose
from ...visualization.style import PLAIN, DrawStyle
from .saved_poses import SavedPoses


def draw_saved(frame: Frame, saved: SavedPoses, threshold: float, style: DrawStyle = PLAIN) -> np.ndarray:
    """A copy of the frame's image with its saved persons and their joints with a score of at least `threshold`.

    style: what is drawn besides joints and limbs.
    """
    image = frame.image.copy()
    for box, joints in saved.of(frame):
        shown = np.isfinite(joints).all(axis=1) & (joints[:, 2] >= threshold)
        points = np.where(shown[:, None], joints[:, :2], 0)
        if box is None:
            draw_pose(image, points, shown, saved.skeleton)
            if style.names:
                draw_joint_names(image, points, shown, saved.skeleton)
        else:
            draw_people(image, box[None], points[None], shown[None], saved.skeleton, style)
    return image


def draw_file(
    path: Path, target: Path, saved: SavedPoses, threshold: float, style: DrawStyle = PLAIN
) -> Path:
    """Draws one picture to `target`.jpg, or one video to `target`.mp4, and returns that path."""
    if not is_video(path):
        result = target.with_name(f"{target.name}.jpg")
        frame = Frame(read_image(path, use_orientation=True), path)
        write_picture(draw_saved(frame, saved, threshold, style), result)
        return result
    result = target.with_name(f"{target.name}.mp4")
    with closing(open_video(path)) as video, progress_bar(video.count or None, path.name) as bar:
        with video_writer(result, video.rate, video.size, video) as writer:
            while (image := video.read()) is not None:
                frame = Frame(image, path, video.position - 1, video.seconds)
                writer.write(draw_saved(frame, saved, threshold, style), frame.seconds)
                bar.update()
        if video.missing():
            raise ItemError(video.loss_line())
    return result
