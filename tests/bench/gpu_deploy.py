"""deploy.py's path on a CUDA GPU, without Paddle: joints against the CPU's, milliseconds a person, and what limits.

    python tests/bench/gpu_deploy.py [--provider cuda] [--batch 1 8 32] [--rounds 20]

ResNet-50 at 256x256 with seeded weights, written as ONNX here, so that nothing has to be brought along. Needs NumPy,
OpenCV, onnx, onnxruntime-gpu and what lib/deploy imports. Exit code 2 where the provider is not there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from measuring import machine_line, table
from seeded import our_name, seeded_array

from lib.core.skeletons import SKELETONS
from lib.deploy.model_metadata import ModelMetadata
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.deploy.onnx_writer import write_network
from lib.utils.runtime import run_script

SHAPES = ROOT / "tests" / "data" / "parameter_names.json"  # of the original's network, depth 50, 16 joints
PARTS = ("preprocess", "network", "decode")
PERSONS = 32


def seeded_model(folder):
    """The path of an ONNX file of the seeded network."""
    shapes = json.loads(SHAPES.read_text())
    weights = {our_name(name): seeded_array(name, tuple(shape)) for name, shape in shapes.items()}
    path = Path(folder) / "seeded.onnx"
    write_network(weights, ModelMetadata(SKELETONS["mpii"], (256, 256)), path)
    return path


def people():
    """(picture, boxes) with a smooth, coloured ground that no two crops share."""
    rows, columns = np.mgrid[:720, :1280]
    waves = [np.sin(rows / a) * np.cos(columns / b) for a, b in ((31, 53), (47, 29), (19, 61))]
    picture = np.stack([127 + 120 * wave for wave in waves], axis=-1).astype(np.uint8)
    draw = np.random.default_rng(0)
    corners = draw.uniform((0, 0), (1000, 300), (PERSONS, 2))
    return picture, np.hstack([corners, draw.uniform((80, 200), (250, 400), (PERSONS, 2))])


def measure(path, provider, batch, rounds):
    """(joints (N, K, 2), line of what runs, {part: milliseconds a person}) of all persons in batches."""
    predictor = OnnxPosePredictor(path, provider=provider, batch_size=batch)
    picture, boxes = people()
    predictor.warm_up()
    predictor.predict(picture, boxes)  # batches of this size, too, are planned at their first run
    parts = {name: [] for name in PARTS}
    for _ in range(rounds):
        predictor.clock.seconds.clear()
        joints, _ = predictor.predict(picture, boxes)
        for name in PARTS:
            parts[name].append(1000 * predictor.clock.seconds[name] / PERSONS)
    medians = {name: float(np.median(values)) for name, values in parts.items()}
    return joints, predictor.lines[0], medians


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default="cuda")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = seeded_model(folder)
        expected, _, _ = measure(path, "cpu", 8, 1)
        rows = []
        for batch in arguments.batch:
            joints, line, parts = measure(path, arguments.provider, batch, arguments.rounds)
            total, limit = sum(parts.values()), max(parts, key=parts.get)
            off = float(np.abs(joints - expected).max())
            times = [f"{value:.2f}" for value in (total, *parts.values())]
            rows.append((f"batches of {batch}", *times, limit, f"{off:.3f}"))
    print(f"{machine_line('cv2', 'onnxruntime')}; {line.removeprefix('=> ')}\n")
    print(table(("milliseconds a person", "all", *PARTS, "what limits", "px off the CPU"), rows))


if __name__ == "__main__":
    run_script(main)
