"""People followed through a video: section 3 of the paper, frame by frame.

A frame takes two steps, with the pose network between them:
    people = tracker.propose(image, detected)   # boxes: the detector's and those carried by flow
    (poses,) = predictor.predict_many([image], [people])
    tracked = tracker.update(poses)             # those who count, with track ids
`follow` takes both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.boxes import BOX_GROWTH, box_nms, box_of_joints, box_overlaps, cut_at_border
from ..core.nms import oks_nms
from ..core.poses import NOBODY, Poses
from .flow import FlowEstimator
from .similarity import match_greedily, pose_similarity

if TYPE_CHECKING:
    from ..core.predictor import PosePredictor
    from .flow import Flow


@dataclass(frozen=True)
class TrackerSettings:
    """What tracking depends on. "Paper": Xiao et al., ECCV 2018, sections 3 and 4.2; "ours": it does not say.

    similarity: how poses are matched: "pose", by OKS (paper), or "box", by IoU (its baseline).
    flow: "dis", "farneback", or "none", points that stay where they were. Paper: FlowNet2S.
    flow_side: the longest side, in pixels, of the picture that flow is computed on (ours).
    queue: L_Q, how many frames back a pose is looked for (paper: 10; 1 is its single flow).
    carry_boxes: the last frame's joints, carried by flow, become boxes as well (paper).
    carried_threshold: joints from this score on are within a carried box (ours; 0: all, so that a person who is half
        hidden, or whose network is unsure, keeps a box of their size).
    box_growth: by which share these grow in length (paper: 0.15).
    box_threshold, joint_threshold: boxes and joints with a lower score do not count (paper: 0.5 and 0.4).
    nms_threshold: boxes that overlap by more are one person (ours: the paper names no figure).
    same_pose: poses of one frame with a higher OKS are one person, and the box with the better score has it (ours).
    least_similarity: who is less like all before is new (ours).
    least_joints: with fewer joints it is nobody, and two poses with fewer in common are not compared (ours).
    """

    similarity: str = "pose"
    flow: str = "dis"
    flow_side: int = 320
    queue: int = 10
    carry_boxes: bool = True
    carried_threshold: float = 0.0
    box_growth: float = BOX_GROWTH
    box_threshold: float = 0.5
    joint_threshold: float = 0.4
    nms_threshold: float = 0.7
    same_pose: float = 0.7
    least_similarity: float = 0.1
    least_joints: int = 3


# The paper's method and what it is measured against, by name
METHODS = {
    "flow-queue": TrackerSettings(),
    "flow": TrackerSettings(queue=1),
    "pose": TrackerSettings(flow="none", queue=1, carry_boxes=False),
    "pose-queue": TrackerSettings(flow="none", carry_boxes=False),
    "box": TrackerSettings(similarity="box", flow="none", queue=1, carry_boxes=False),
    "box-queue": TrackerSettings(similarity="box", flow="none", carry_boxes=False),
}


class PoseTracker:
    """Gives the people of one video their identities. Memory: the queue's poses and one small grey picture.

    sigmas: (K,) OKS falloffs, see `tracking_sigmas`; settings: TrackerSettings.
    """

    def __init__(self, sigmas: np.ndarray, settings: TrackerSettings | None = None) -> None:
        self.sigmas, self.settings = np.asarray(sigmas, dtype=np.float64), settings or TrackerSettings()
        self._flow = FlowEstimator(self.settings.flow, self.settings.flow_side)
        # the newest first, joints where they are now
        self._queue: deque[Poses] = deque(maxlen=self.settings.queue)
        self._last_identity = 0

    def propose(self, image: np.ndarray, detected: Poses) -> Poses:
        """Where to look for people in the next frame: in the boxes that a detector found, and in those carried by flow.

        image: (H, W, 3) uint8 BGR. Of boxes that overlap the one with the best score stays; a carried box has the mean
        score of its joints. Boxes are cut at the picture's border.
        """
        settings, size = self.settings, image.shape[1::-1]
        flow = self._flow.advance(image)
        if flow:
            self._queue = deque((self._carried(past, flow) for past in self._queue), maxlen=settings.queue)
        boxes, scores = [detected.boxes], [detected.box_scores]
        if settings.carry_boxes and self._queue:
            past = self._queue[0]
            around = past.scores >= settings.carried_threshold
            boxes.append(box_of_joints(past.keypoints, around, settings.box_growth))
            scores.append(_mean_score(past.scores, past.scores >= settings.joint_threshold))
        every_box, inside = cut_at_border(np.concatenate(boxes), size)
        every_score = np.concatenate(scores)
        good = np.flatnonzero(inside & (every_score >= settings.box_threshold))
        keep = good[box_nms(every_box[good], every_score[good], settings.nms_threshold)]
        return Poses.in_boxes(every_box[keep], every_score[keep])

    def update(self, poses: Poses) -> Poses:
        """The people of the frame that was proposed last, with their identities.

        poses: the proposed people with the keypoints that the network found; NaN joints do not count. People who show
        too few joints, or are another person's double, are left out.
        """
        settings = self.settings
        count = len(self.sigmas)
        keypoints = np.asarray(poses.keypoints, dtype=np.float64).reshape(-1, count, 2)
        scores = np.asarray(poses.scores, dtype=np.float64).reshape(-1, count)
        scores = np.where(np.isfinite(keypoints).all(axis=2) & np.isfinite(scores), scores, 0.0)
        shown = scores >= settings.joint_threshold
        rows = np.flatnonzero(shown.sum(axis=1) >= settings.least_joints)
        now = replace(poses, keypoints=keypoints, scores=scores)[rows]
        now = now[self._without_doubles(now)]
        now = replace(now, track_ids=self._identities(now))
        self._queue.appendleft(now)
        return now

    def skip(self) -> None:
        """A frame went by that could not be read: its place in the queue stays empty."""
        count = len(self.sigmas)
        nobody = replace(NOBODY, keypoints=np.zeros((0, count, 2)), scores=np.zeros((0, count)))
        self._queue.appendleft(nobody)

    def _carried(self, past: Poses, flow: Flow) -> Poses:
        boxes = past.boxes * np.tile(np.divide(flow.new_size, flow.size), 2)
        return replace(past, keypoints=flow.carry(past.keypoints), boxes=boxes)

    def _without_doubles(self, poses: Poses) -> list[int]:
        """Indices of the poses that are no other one's double, in their order."""
        joints = _joints_with_scores(poses.keypoints, poses.scores)
        joints = np.where(np.isfinite(joints), joints, 0.0)
        areas = poses.boxes[:, 2:].prod(axis=1)
        threshold = self.settings.joint_threshold
        pose_scores = poses.box_scores * _mean_score(poses.scores, poses.scores >= threshold)
        return sorted(oks_nms(joints, pose_scores, areas, self.settings.same_pose, self.sigmas, threshold))

    def _identities(self, now: Poses) -> np.ndarray:
        """(N,) those of the people now; unmatched people get the next number."""
        owners, similarity = self._compare(now)
        identities = match_greedily(similarity, owners, self.settings.least_similarity)
        for row, identity in enumerate(identities):
            if identity is None:
                self._last_identity += 1
                identities[row] = self._last_identity
        return np.array(identities, dtype=int)

    def _compare(self, now: Poses) -> tuple[np.ndarray, np.ndarray]:
        """(owners (M,), similarity (N, M)) of the people now and all poses in the queue, the newest first."""
        settings = self.settings
        if not self._queue:
            return np.zeros(0, dtype=int), np.zeros((len(now.boxes), 0))
        owners, boxes, keypoints, scores = (
            np.concatenate([getattr(past, name) for past in self._queue])
            for name in ("track_ids", "boxes", "keypoints", "scores")
        )
        if settings.similarity == "box":
            return owners, box_overlaps(now.boxes, boxes)
        areas, other_areas = now.boxes[:, 2:].prod(axis=1), boxes[:, 2:].prod(axis=1)
        threshold = settings.joint_threshold
        poses = _joints_with_scores(now.keypoints, now.scores >= threshold)
        others = _joints_with_scores(keypoints, scores >= threshold)
        return owners, pose_similarity(poses, areas, others, other_areas, self.sigmas, settings.least_joints)


def follow(
    tracker: PoseTracker, predictor: PosePredictor, image: np.ndarray, detected: Poses
) -> tuple[Poses, np.ndarray]:
    """(the people of the next frame with their track ids, the joints' scores (M, K) of all who were looked at).

    image: (H, W, 3) uint8 BGR; detected: Poses with a detector's boxes.
    """
    with predictor.clock.part("flow"):
        people = tracker.propose(image, detected)
    (poses,) = predictor.predict_many([image], [people])
    with predictor.clock.part("match"):
        return tracker.update(poses), poses.scores


def _joints_with_scores(keypoints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.concatenate([keypoints, scores[..., None]], axis=2)


def _mean_score(scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(N,) the mean score of the joints that count; 0 where none does."""
    return (scores * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
