"""Draws saved poses over the picture or video that they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from ...core.poses import Poses
from ...utils.errors import ItemError, UserError
from ...utils.image import read_image
from ...utils.media import Frame, is_video, open_video, video_writer, write_picture
from ...utils.progress import progress_bar
from ...visualization.poses import draw_joint_names, draw_people, draw_pose
from ...visualization.style import PLAIN, DrawStyle
from ...visualization.tracks import TrackDrawing
from .saved_poses import SavedPerson, SavedPoses


def pose_file_of(source: Path, name: str, folder: Path) -> Path:
    """The file in `folder` that infer.py, deploy.py or track.py wrote of a picture or video; name: its results' name.

    Raises UserError where there is none, or two of a video, tracked and not.
    """
    endings = ("_pose.jsonl", "_track.jsonl") if is_video(source) else ("_pose.json",)
    names = [f"{name}{ending}" for ending in endings]
    there = [folder / name for name in names if (folder / name).is_file()]
    if len(there) == 1:
        return there[0]
    if there:
        raise UserError(f"{folder} has both {' and '.join(names)}: give one of them as --pose-file")
    raise UserError(f"{folder} has no poses of {source}: expected {' or '.join(names)}")


def draw_saved(
    frame: Frame, saved: SavedPoses, threshold: float, drawing: TrackDrawing | None = None
) -> np.ndarray:
    """A copy of the frame's image with its saved persons and their joints with a score of at least `threshold`.

    drawing: what draws people who are tracked, remembers their trails and has the style; None: plain, without trails.
    """
    drawing = drawing or TrackDrawing(saved.skeleton, 0)
    people = saved.of(frame)
    followed = [person for person in people if person.identity is not None and person.box is not None]
    boxes = [person.box for person in followed if person.box is not None]
    image = frame.image.copy()
    if saved.tracked:
        points, shown = _shown(followed, threshold, len(saved.skeleton.joints))
        poses = Poses.in_boxes(np.reshape(boxes, (-1, 4)))
        poses.track_ids[:] = [person.identity for person in followed]
        image = drawing.draw(image, poses, points, shown)
    for person in people:
        if person in followed:
            continue
        points, shown = _shown([person], threshold, len(saved.skeleton.joints))
        if person.box is not None:
            draw_people(image, person.box[None], points, shown, saved.skeleton, drawing.style)
            continue
        draw_pose(image, points[0], shown[0], saved.skeleton)
        if drawing.style.names:
            draw_joint_names(image, points[0], shown[0], saved.skeleton)
    return image


def _shown(people: Sequence[SavedPerson], threshold: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(keypoints (N, K, 2), which of them (N, K) are drawn): finite ones with scores from the threshold on."""
    joints = np.array([person.joints for person in people]).reshape(-1, count, 3)
    shown = np.isfinite(joints).all(axis=2) & (joints[..., 2] >= threshold)
    return np.where(shown[..., None], joints[..., :2], 0), shown


def draw_file(
    path: Path, target: Path, saved: SavedPoses, threshold: float, style: DrawStyle = PLAIN
) -> Path:
    """Draws one picture to `target`.jpg, or one video to `target`.mp4, and returns that path."""
    if not is_video(path):
        result = target.with_name(f"{target.name}.jpg")
        frame = Frame(read_image(path, use_orientation=True), path)
        write_picture(draw_saved(frame, saved, threshold, TrackDrawing(saved.skeleton, 0, style)), result)
        return result
    result, drawing = target.with_name(f"{target.name}.mp4"), TrackDrawing(saved.skeleton, style=style)
    with closing(open_video(path)) as video, progress_bar(video.count or None, path.name) as bar:
        with video_writer(result, video.rate, video.size, video) as writer:
            while (image := video.read()) is not None:
                frame = Frame(image, path, video.position - 1, video.seconds)
                writer.write(draw_saved(frame, saved, threshold, drawing), frame.seconds)
                bar.update()
        if video.missing():
            raise ItemError(video.loss_line())
    return result
