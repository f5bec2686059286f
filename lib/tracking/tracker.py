"""People followed through a video: section 3 of the paper, frame by frame.

A frame takes two steps, with the pose network between them:
    people = tracker.propose(image, detected)            # boxes: the detector's and those carried by flow
    tracked = tracker.update(people, keypoints, scores)  # what the network sees in them, with identities
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.boxes import BOX_GROWTH, box_nms, box_of_joints, box_overlaps, cut_at_border
from ..core.nms import oks_nms
from ..inference.person_boxes import NOBODY, People
from .flow import FlowEstimator
from .similarity import match_greedily, pose_similarity

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class Tracked:
    """The N people of a frame who have an identity.

    identities: (N,) int from 1 on; boxes (N, 4) x, y, width, height; box_scores (N,); keypoints (N, K, 2) pixels;
    scores (N, K). rows: (N,) their places among the people that the frame proposed.
    """

    identities: np.ndarray
    boxes: np.ndarray
    box_scores: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    rows: np.ndarray


class PoseTracker:
    """Gives the people of one video their identities. Memory: the queue's poses and one small grey picture.

    sigmas: (K,) OKS falloffs, see `tracking_sigmas`; settings: TrackerSettings.
    """

    def __init__(self, sigmas: np.ndarray, settings: TrackerSettings | None = None) -> None:
        self.sigmas, self.settings = np.asarray(sigmas, dtype=np.float64), settings or TrackerSettings()
        self._flow = FlowEstimator(self.settings.flow, self.settings.flow_side)
        # the newest first, joints where they are now
        self._queue: deque[Tracked] = deque(maxlen=self.settings.queue)
        self._last_identity = 0

    def propose(self, image: np.ndarray, detected: People) -> People:
        """Where to look for people in the next frame: the People that a detector found, and those carried by flow.

        image: (H, W, 3) uint8 BGR. Of boxes that overlap the one with the best score stays; a carried box has the mean
        score of its joints. Boxes are cut at the picture's border.
        """
        settings, size = self.settings, image.shape[1::-1]
        flow = self._flow.advance(image)
        if flow:
            self._queue = deque((self._carried(past, flow) for past in self._queue), maxlen=settings.queue)
        boxes, scores = [np.reshape(detected.boxes, (-1, 4))], [np.asarray(detected.scores, dtype=np.float64)]
        if settings.carry_boxes and self._queue:
            past = self._queue[0]
            around = past.scores >= settings.carried_threshold
            boxes.append(box_of_joints(past.keypoints, around, settings.box_growth))
            scores.append(_mean_score(past.scores, past.scores >= settings.joint_threshold))
        every_box, inside = cut_at_border(np.concatenate(boxes), size)
        every_score = np.concatenate(scores)
        good = np.flatnonzero(inside & (every_score >= settings.box_threshold))
        keep = good[box_nms(every_box[good], every_score[good], settings.nms_threshold)]
        return People(every_box[keep], every_score[keep]) if len(keep) else NOBODY

    def update(self, people: People, keypoints: np.ndarray, scores: np.ndarray) -> Tracked:
        """The Tracked of the frame that was proposed last.

        people: whose boxes the network has looked at; keypoints (N, K, 2) in picture pixels and scores (N, K): what it
        found there; NaN joints do not count. Who shows too few joints, or is another one's double, is left out.
        """
        settings, count = self.settings, len(self.sigmas)
        keypoints = np.asarray(keypoints, dtype=np.float64).reshape(-1, count, 2)
        scores = np.asarray(scores, dtype=np.float64).reshape(-1, count)
        scores = np.where(np.isfinite(keypoints).all(axis=2) & np.isfinite(scores), scores, 0.0)
        shown = scores >= settings.joint_threshold
        rows = np.flatnonzero(shown.sum(axis=1) >= settings.least_joints)
        rows = rows[self._without_doubles(people.boxes[rows], keypoints[rows], scores[rows], people.scores[rows])]
        nameless = np.zeros(len(rows), dtype=int)
        now = Tracked(nameless, people.boxes[rows], people.scores[rows], keypoints[rows], scores[rows], rows)
        now = replace(now, identities=self._identities(now))
        self._queue.appendleft(now)
        return now

    def skip(self) -> None:
        """A frame went by that could not be read: its place in the queue stays empty."""
        count = len(self.sigmas)
        nothing = np.zeros((0, 4)), np.zeros(0), np.zeros((0, count, 2)), np.zeros((0, count))
        self._queue.appendleft(Tracked(np.zeros(0, dtype=int), *nothing, np.zeros(0, dtype=int)))

    def _carried(self, past: Tracked, flow: Flow) -> Tracked:
        boxes = past.boxes * np.tile(np.divide(flow.new_size, flow.size), 2)
        return replace(past, keypoints=flow.carry(past.keypoints), boxes=boxes)

    def _without_doubles(
        self, boxes: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, box_scores: np.ndarray
    ) -> list[int]:
        """Indices of the poses that are no other one's double, in their order."""
        poses, areas = _poses(keypoints, scores), boxes[:, 2:].prod(axis=1)
        poses = np.where(np.isfinite(poses), poses, 0.0)
        threshold = self.settings.joint_threshold
        shares = box_scores * _mean_score(scores, scores >= threshold)
        return sorted(oks_nms(poses, shares, areas, self.settings.same_pose, self.sigmas, threshold))

    def _identities(self, now: Tracked) -> np.ndarray:
        """(N,) those of the people now; unmatched people get the next number."""
        owners, similarity = self._compare(now)
        identities = match_greedily(similarity, owners, self.settings.least_similarity)
        for row, identity in enumerate(identities):
            if identity is None:
                self._last_identity += 1
                identities[row] = self._last_identity
        return np.array(identities, dtype=int)

    def _compare(self, now: Tracked) -> tuple[np.ndarray, np.ndarray]:
        """(owners (M,), similarity (N, M)) of the people now and all poses in the queue, the newest first."""
        settings = self.settings
        if not self._queue:
            return np.zeros(0, dtype=int), np.zeros((len(now.boxes), 0))
        owners, boxes, keypoints, scores = (
            np.concatenate([getattr(past, name) for past in self._queue])
            for name in ("identities", "boxes", "keypoints", "scores")
        )
        if settings.similarity == "box":
            return owners, box_overlaps(now.boxes, boxes)
        areas, other_areas = now.boxes[:, 2:].prod(axis=1), boxes[:, 2:].prod(axis=1)
        threshold = settings.joint_threshold
        poses, others = _poses(now.keypoints, now.scores >= threshold), _poses(keypoints, scores >= threshold)
        return owners, pose_similarity(poses, areas, others, other_areas, self.sigmas, settings.least_joints)


def _poses(keypoints: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.concatenate([keypoints, scores[..., None]], axis=2)


def _mean_score(scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """(N,) the mean score of the joints that count; 0 where none does."""
    return (scores * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
