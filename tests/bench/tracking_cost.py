"""What tracking costs without detector and pose network, part by part, and the memory over many frames."""

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from lib.core.poses import Poses
from lib.core.skeletons import MPII
from lib.dataset.synthetic.clips import ClipSettings, SyntheticClip
from lib.tracking.similarity import tracking_sigmas
from lib.tracking.tracker import PoseTracker, TrackerSettings
from lib.visualization.tracks import TrackDrawing


def megabytes():
    """Of memory that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


class Processor:
    """Seconds of the processor that calls take, whatever else the machine does. seconds: {name: sum}."""

    def __init__(self):
        self.seconds = {}

    def timed(self, name, function, *arguments):
        """What a call returns; its time is counted as `name`."""
        start = time.process_time()
        result = function(*arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--clip-frames", type=int, default=100, help="the clip is run forwards and backwards")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    clip = SyntheticClip(5, ClipSettings(frames=arguments.clip_frames, people=(8, 8)))
    scenes = [(image, people) for image, people in clip]
    scenes += scenes[-2:0:-1]
    tracker, drawing = PoseTracker(tracking_sigmas(MPII), TrackerSettings()), TrackDrawing(MPII)
    clock, memory, counts = Processor(), {}, []
    advance = tracker._flow.advance
    tracker._flow.advance = lambda image: clock.timed("flow", advance, image)
    start = time.perf_counter()
    for number in range(arguments.frames):
        image, people = scenes[number % len(scenes)]
        detected = Poses.in_boxes([person.box for person in people], np.full(len(people), 0.9))
        proposed = clock.timed("flow and boxes", tracker.propose, image, detected)
        # what a network would see: the joints of the person whose box it is, or nothing that counts
        keypoints, scores = np.zeros((len(proposed.boxes), 16, 2)), np.zeros((len(proposed.boxes), 16))
        for row, box in enumerate(proposed.boxes):
            gaps = [np.abs(box - person.box).sum() for person in people]
            if gaps and min(gaps) < 60:
                keypoints[row], scores[row] = people[int(np.argmin(gaps))].joints, 0.9
        tracked = clock.timed("match", tracker.update, replace(proposed, keypoints=keypoints, scores=scores))
        counts.append(len(tracked.track_ids))
        clock.timed("draw", drawing.draw, image, tracked, tracked.keypoints, tracked.scores > 0.4)
        if number in (arguments.frames // 10, arguments.frames - 1):
            memory[number + 1] = megabytes()
    per_frame = {name: 1000 * seconds / arguments.frames for name, seconds in clock.seconds.items()}
    flow = per_frame["flow"]
    total = per_frame["flow and boxes"] + per_frame["match"]
    print(
        f"=> 640x360, {np.mean(counts):.1f} people a frame, {arguments.frames} frames in "
        f"{time.perf_counter() - start:.0f} s, one thread of OpenCV; processor time\n"
        f"=> milliseconds of one core a frame: tracking {total:.1f}, of which flow {flow:.1f}, carried boxes and NMS "
        f"{per_frame['flow and boxes'] - flow:.1f}, similarity and matching {per_frame['match']:.1f}; "
        f"drawing besides: {per_frame['draw']:.1f}\n"
        "=> memory: " + ", ".join(f"{value:.0f} MB after {number} frames" for number, value in memory.items())
    )


if __name__ == "__main__":
    main()
