"""Frames a second of a whole video against what the two networks alone allow, in one run.

    python tests/bench/video_pipeline.py --detector DETECTOR.onnx --video CLIP.mp4 [--frames 300] [--size 1280 720]

The frames of the clip are repeated and resized; the pose network is a ResNet-18 at 128x128 with seeded weights. The
networks alone: the detector on each frame, then the pose network on the people that it finds, one after the other.
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
from seeded import seed_network

from lib.core.skeletons import SKELETONS
from lib.deploy.model_metadata import ModelMetadata
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.deploy.onnx_writer import write_network
from lib.inference.boxes.detected import DetectedBoxes
from lib.inference.detector import PersonDetector
from lib.inference.pose_app import PoseApp
from lib.inference.results.pose_results import ResultSettings
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


def seeded_model(path):
    """An ONNX file of a ResNet-18 for 128x128 with COCO's joints."""
    from lib.config.schema import ModelConfig
    from lib.models.build import get_pose_net

    model = ModelConfig.model_validate(
        {"DEPTH": 18, "NUM_JOINTS": 17, "IMAGE_SIZE": [128, 128], "EXTRA": {"HEATMAP_SIZE": [32, 32]}}
    )
    network = seed_network(get_pose_net(model), 0)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    write_network(weights, ModelMetadata(SKELETONS["coco"], (128, 128)), path)


def networks_alone(detector, predictor, frames, rounds):
    """Seconds a frame of both sessions alone: the detector's, and the pose network's in batches as the app has them."""
    people = [len(detector.detect(frame)[1]) for frame in frames]
    crops = crops_to_input(np.zeros((8, 128, 128, 3), np.uint8))
    run = predictor.run
    placed = detector.form.placing.place(frames[0].shape[1::-1], detector.size, True)
    feed = detector._feed(frames[0], placed, detector.pixels)
    names, output = list(detector.outputs), [run.output]

    def timed(action):
        action()
        start = time.perf_counter()
        for _ in range(rounds):
            action()
        return (time.perf_counter() - start) / rounds

    of_detector = timed(lambda: detector.session.run(names, feed))
    of_eight = timed(lambda: run.session.run(output, {run.input.name: crops}))
    return of_detector, of_eight / 8 * float(np.mean(people)), float(np.mean(people))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detector", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        frames = write_clip(arguments.video, folder / "clip.mp4", arguments.frames, tuple(arguments.size))
        seeded_model(folder / "x.onnx")
        predictor = OnnxPosePredictor(folder / "x.onnx", provider="cpu")
        detector = PersonDetector(arguments.detector, provider="cpu")
        of_detector, of_poses, people = networks_alone(detector, predictor, frames, 60)
        before = peak_bytes()
        log = logging.getLogger("bench")
        app = PoseApp(predictor, DetectedBoxes(detector), ResultSettings(folder / "out", predictor.skeleton), log)
        start = time.perf_counter()
        app.run([folder / "clip.mp4"])
        seconds = (time.perf_counter() - start) / arguments.frames
        after = peak_bytes()
    alone = of_detector + of_poses
    rows = [
        ("detector alone", f"{1000 * of_detector:.1f}", ""), ("pose network alone", f"{1000 * of_poses:.1f}", ""),
        ("both", f"{1000 * alone:.1f}", f"{1 / alone:.1f}"),
        ("the whole video", f"{1000 * seconds:.1f}", f"{1 / seconds:.1f}"),
    ]  # fmt: skip
    print(f"{machine_line('cv2', 'onnxruntime')}; {arguments.frames} frames, {people:.1f} people in each")
    print(table(("", "ms a frame", "frames a second"), rows))
    grown = (after - before) >> 20
    print(f"\n{100 * alone / seconds:.0f}% of what the networks alone allow; memory grew by {grown} MB.")
    print(app.time_line())


if __name__ == "__main__":
    run_script(main)
