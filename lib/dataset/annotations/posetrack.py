"""PoseTrack18: sequences -> persons, ground truth of tracks, COCO's joints converted to PoseTrack18's.

The form of its files is lib.dataset.annotations.posetrack_form's.
"""
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.boxes import box_of_joints, in_regions
from ...core.skeletons import COCO, POSETRACK18
from ...core.transforms import crop_of_box
from ...utils.detections import NO_AREA
from ...utils.errors import UserError
from ..joints_dataset import Persons, left_out_note
from .posetrack_form import read_frames, sequence_files

if TYPE_CHECKING:
    from ...core.skeletons import Skeleton
    from .posetrack_form import PoseFrame

LAYOUT = (
    "PoseTrack18's pictures and annotations come from posetrack.net; they go to "
    "data/posetrack18/images/{train,val}/<sequence>/*.jpg and data/posetrack18/annotations/{train,val}/<sequence>.json"
)
# Where the neck and the top of the head are on the way from the middle of the shoulders to the nose, and beyond it, in
# that way's length: the rounded medians of the people of PoseTrack18 that we had at hand (0.28 and 0.47)
NECK_SHARE, TOP_SHARE = 0.25, 0.5


def annotation_folder(root: str | os.PathLike[str], image_set: str) -> Path:
    """annotations/<set>/, with a .json for each sequence."""
    return Path(root) / "annotations" / image_set


def read_sequences(root: str | os.PathLike[str], image_set: str, skeleton: Skeleton) -> dict[str, dict[int, PoseFrame]]:
    """{sequence: {image id: PoseFrame}} of a set. Raises UserError where it is missing or ill-formed."""
    folder = annotation_folder(root, image_set)
    if not folder.is_dir():
        raise UserError(f"there are no annotations {folder}. {LAYOUT}")
    return {name: read_frames(path, skeleton) for name, path in sequence_files(folder).items()}


def read_posetrack(
    root: str | os.PathLike[str], image_set: str, skeleton: Skeleton, image_size: tuple[int, int]
) -> Persons:
    """The Persons of a set's labelled frames, those who show a joint outside the ignored regions.

    A person's box is that of the joints, longer by 15% (the paper, section 4.2), fitted to the aspect of image_size
    (width, height) and grown by 1.25. Joints in ignored regions count as not annotated.
    """
    pictures: list[str] = []
    every_joints: list[np.ndarray] = []
    every_visible: list[Any] = []
    left_out: dict[str, list[Any]] = {"without a joint": [], NO_AREA: []}
    for name, frames in read_sequences(root, image_set, skeleton).items():
        for frame in frames.values():
            shown = frame.shown & ~in_regions(frame.joints, frame.ignored)
            for row in range(len(shown) if frame.labelled else 0):
                spread = np.ptp(frame.joints[row, shown[row]], axis=0) if shown[row].any() else None
                if spread is None or not (spread > 0).all():
                    left_out["without a joint" if spread is None else NO_AREA].append(f"{name}/{frame.identities[row]}")
                    continue
                pictures.append(f"{root}/{frame.name}")
                every_joints.append(np.where(shown[row][:, None], frame.joints[row], 0))
                every_visible.append(shown[row].astype(float))
    if not pictures:
        raise UserError(f"{annotation_folder(root, image_set)}: nobody in it shows two joints in a labelled frame")
    joints, visible = np.array(every_joints), np.array(every_visible)
    boxes = box_of_joints(joints, visible > 0)
    center, scale = crop_of_box(boxes, image_size)
    left_out_count = sum(map(len, left_out.values()))
    note = left_out_note(left_out, left_out_count + len(pictures), "annotations")
    return Persons(
        pictures, center, scale, joints, visible, boxes, box_scores=np.ones(len(boxes)), note=note, left_out=left_out
    )


def posetrack_of_coco(keypoints: np.ndarray) -> np.ndarray:
    """PoseTrack18's 15 joints (N, 15, 3) of COCO's 17 (N, 17, 3), x, y, visibility.

    Neck and top of the head, which COCO does not have, lie on the line from the middle of the shoulders through the
    nose (NECK_SHARE, TOP_SHARE); they are annotated where these three are. The others go to their places.
    """
    keypoints = np.asarray(keypoints, dtype=np.float64)
    names = ("nose", "left_shoulder", "right_shoulder")
    nose, left, right = (keypoints[:, COCO.joints.index(name)] for name in names)
    known = (nose[:, 2] > 0) & (left[:, 2] > 0) & (right[:, 2] > 0)
    middle = (left[:, :2] + right[:, :2]) / 2
    upwards = nose[:, :2] - middle
    made = {"head_bottom": middle + NECK_SHARE * upwards, "head_top": nose[:, :2] + TOP_SHARE * upwards}
    result = np.zeros((len(keypoints), len(POSETRACK18.joints), 3))
    for index, name in enumerate(POSETRACK18.joints):
        if name in made:
            result[:, index] = np.where(known[:, None], np.column_stack([made[name], known]), 0)
        else:
            result[:, index] = keypoints[:, COCO.joints.index(name)]
    return result
