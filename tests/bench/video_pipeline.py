"""Frames a second of a whole video against what the two networks alone allow, in one run.

    python tests/bench/video_pipeline.py --detector DETECTOR.onnx --model POSES.onnx --video CLIP.mp4 [--frames 300]

The frames of the clip are repeated and resized. The pose network must be a trained one: with one that sees people
everywhere, the tracker carries more and more boxes on. The networks alone: the detector on each frame, then the pose
network on the people that it finds, one after the other. They take turns with the whole video, without and with
tracking; each figure is the median of the rounds.
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from measuring import machine_line, peak_bytes, table

from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.inference.boxes.detected import DetectedBoxes
from lib.inference.detector import PersonDetector
from lib.inference.pose_app import PoseApp
from lib.inference.results.pose_results import ResultSettings
from lib.tracking.track_app import TrackApp
from lib.tracking.tracker import TrackerSettings
from lib.utils.image import crops_to_input
from lib.utils.media import open_video, video_writer
from lib.utils.runtime import run_script


def write_clip(source, path, count, size):
    """A video of `count` frames of the source's, forwards and backwards, in another size."""
    clip, frames = open_video(source), []
    while (image := clip.read()) is not None:
        frames.append(cv2.resize(image, size))
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    with video_writer(path, 25, size) as writer:
        for number in range(count):
            writer.write(frames[order[number % len(order)]])
    return frames


def networks_alone(detector, predictor, frame, people, repeats=30):
    """A function that measures both sessions alone: (seconds a frame of the detector's, of the pose network's).

    people: in a frame, on average; the pose network has batches of eight, as the app has them.
    """
    run = predictor.run
    width, height = predictor.settings.image_size
    crops = crops_to_input(np.zeros((8, height, width, 3), np.uint8))
    placed = detector.form.placing.place(frame.shape[1::-1], detector.size, True)
    feed = detector._feed(frame, placed, detector.pixels)
    names = list(detector.outputs)

    def seconds_of(action):
        action()
        start = time.perf_counter()
        for _ in range(repeats):
            action()
        return (time.perf_counter() - start) / repeats

    def measure():
        of_eight = seconds_of(lambda: run.session.run([run.output], {run.input.name: crops}))
        return seconds_of(lambda: detector.session.run(names, feed)), of_eight / 8 * people

    return measure


def whole_video(make_app, clip, frames):
    """Seconds a frame of an app's run, and the most memory of this process after it."""
    app = make_app()
    start = time.perf_counter()
    app(clip)
    return (time.perf_counter() - start) / frames, peak_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720])
    parser.add_argument("--joint-thr", type=float, default=TrackerSettings().joint_threshold)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    log = logging.getLogger("bench")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clip = folder / "clip.mp4"
        frames = write_clip(arguments.video, clip, arguments.frames, tuple(arguments.size))
        predictor = OnnxPosePredictor(arguments.model, provider="cpu")
        detector = PersonDetector(arguments.detector, provider="cpu")
        finder = DetectedBoxes(detector)
        people = float(np.mean([len(detector.detect(frame)[1]) for frame in frames]))
        alone = networks_alone(detector, predictor, frames[0], people)

        def pictures():
            app = PoseApp(predictor, finder, ResultSettings(folder / "out", predictor.skeleton), log)
            return lambda clip: app.run([clip])

        def tracking(every):
            app = TrackApp(predictor, finder, predictor.skeleton, folder / "tracks", log)
            return lambda clip: app.run(clip, TrackerSettings(joint_threshold=arguments.joint_thr), detect_every=every)

        apps = {
            "the whole video": pictures, "with --track": lambda: tracking(1),
            "with --track --detect-every 5": lambda: tracking(5),
        }  # fmt: skip
        of_networks, of_apps, memory = [], {name: [] for name in apps}, []
        for _ in range(arguments.rounds):
            of_networks.append(alone())
            for name, make_app in apps.items():
                seconds, peak = whole_video(make_app, clip, arguments.frames)
                of_apps[name].append(seconds)
            memory.append(peak)
    of_detector, of_poses = np.median(of_networks, axis=0)
    both = float(np.median(np.sum(of_networks, axis=1)))
    rows = [
        ("detector alone", f"{1000 * of_detector:.1f}", "", ""),
        ("pose network alone", f"{1000 * of_poses:.1f}", "", ""),
        ("both", f"{1000 * both:.1f}", f"{1 / both:.1f}", "100%"),
    ]  # fmt: skip
    for name, seconds in of_apps.items():
        each = float(np.median(seconds))
        rows.append((name, f"{1000 * each:.1f}", f"{1 / each:.1f}", f"{both / each:.0%}"))
    print(f"{machine_line('cv2', 'onnxruntime')}; {arguments.frames} frames, {people:.1f} people in each")
    print(table(("", "ms a frame", "frames a second", "of the networks alone"), rows))
    grown = (memory[-1] - memory[0]) / 2**20
    print(f"\nMost memory: {memory[0] >> 20} MB after the first round, {grown:.0f} MB more after {arguments.rounds}.")


if __name__ == "__main__":
    run_script(main)
