"""Draws the picture of docs/tracking.md: one step of the method on a synthetic clip."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np
from tracking import StandIn, make_scenes

from lib.core.boxes import box_of_joints
from lib.core.skeletons import MPII
from lib.tracking.similarity import tracking_sigmas
from lib.tracking.tracker import PoseTracker
from lib.visualization.grids import make_grid
from lib.visualization.palette import identity_color
from lib.visualization.tracks import TrackDrawing

WHITE = (255, 255, 255)


def caption(image, text):
    """The picture with a line of text on a dark strip below it."""
    strip = np.full((26, image.shape[1], 3), 40, np.uint8)
    cv2.putText(strip, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.48, WHITE, 1, cv2.LINE_AA)
    return np.concatenate([image, strip])


def draw_boxes(image, boxes, color, thickness=1):
    for left, top, width, height in np.rint(boxes).astype(int).tolist():
        cv2.rectangle(image, (left, top), (left + width, top + height), color, thickness)


def draw_carried(image, before, now):
    """Arrows from where the joints were to where flow has carried them, and the boxes around these."""
    shown = before.scores >= 0.4
    for identity, olds, news, seen in zip(before.track_ids, before.keypoints, now, shown, strict=True):
        color = identity_color(int(identity))
        for old, new in zip(olds[seen], news[seen], strict=True):
            ends = (tuple(np.rint(point).astype(int).tolist()) for point in (old, new))
            cv2.arrowedLine(image, *ends, color, 2, cv2.LINE_AA, tipLength=0.4)
        draw_boxes(image, box_of_joints(news[None], seen[None]), color, 2)


def step_pictures(scenes, tracker, number):
    """Three pictures of one step: the frame before, what is proposed, what comes of it; the tracker is at the step."""
    drawing, see, pictures = TrackDrawing(MPII), StandIn(), []
    for place, scene in enumerate(scenes[: number + 1]):
        before = tracker._queue[0] if tracker._queue else None
        people = tracker.propose(scene.image, scene.detected)
        if place == number:
            image = scene.image.copy()
            draw_carried(image, before, tracker._queue[0].keypoints)
            draw_boxes(image, scene.detected.boxes, WHITE, 2)
            about = "the detector's boxes (white), joints and boxes carried by flow"
            pictures.append(caption(image, f"frame {number}: {about}"))
        keypoints, scores = see(scene, people.boxes)
        tracked = tracker.update(replace(people, keypoints=keypoints, scores=scores))
        image = drawing.draw(scene.image, tracked, tracked.keypoints, tracked.scores >= 0.4)
        if place == number - 1:
            pictures.append(caption(image, f"frame {place}: poses and identities so far"))
        if place == number:
            about = "poses in the boxes that are left, matched with the last 10 frames"
            pictures.append(caption(image, f"frame {place}: {about}"))
    return pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=1007)
    parser.add_argument("--frame", type=int, default=35)
    parser.add_argument("--output", type=Path, default=Path("images/tracking.jpg"))
    arguments = parser.parse_args()
    scenes = make_scenes(arguments.seed, arguments.frame + 1)
    tracker = PoseTracker(tracking_sigmas(MPII))
    pictures = step_pictures(scenes, tracker, arguments.frame)
    picture = make_grid(pictures, columns=1, gap=4)
    cv2.imwrite(str(arguments.output), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    print(f"=> {arguments.output}: dropped by the detector {scenes[-1].dropped}")


if __name__ == "__main__":
    main()
