"""How fast a picture becomes a pose: ONNX Runtime, OpenCV's dnn and Paddle on one network, and deployment's own part.

    python tests/bench/inference_speed.py --cfg YAML --model-file X.pdparams --model output/onnx/posenet.onnx

One person a picture, on the CPU; medians in milliseconds after a warm-up. Then persons a second in batches, and the
seconds from the start of deploy.py to its end, with one picture.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import interleaved_ms, machine_line, median_ms, table

from lib.config.config import read_config
from lib.deploy.onnx_predictor import OnnxPosePredictor
from lib.inference.build import open_network
from lib.utils.image import crops_to_input
from lib.utils.runtime import prepare_processor, run_script

PICTURE_SIZE, BOX = (720, 1280, 3), (400, 100, 300, 560)
MEASURED = ("preprocess", "network", "decode")


def measure_deployment(predictor, picture, rounds):
    """deploy.py's times for one person, and what the network alone takes in the same session: rows, and a line."""
    run, (width, height) = predictor.run, predictor.metadata.image_size
    values = crops_to_input(np.zeros((1, height, width, 3), np.uint8))
    parts = {name: [] for name in MEASURED}

    def predict():
        predictor.clock.seconds.clear()
        predictor.predict(picture, [BOX])
        for name in MEASURED:
            parts[name].append(1000 * predictor.clock.seconds[name])

    bare, total = interleaved_ms(
        lambda: run.session.run([run.output], {run.input.name: values}), predict, rounds=rounds
    )
    rows = [("ONNX Runtime, session.run alone", bare), ("deployment, picture and box to joints", total)]
    rows += [(f"of which {name}", float(np.median(parts[name][3:]))) for name in MEASURED]
    eight = median_ms(lambda: predictor.predict(picture, [BOX] * 8), max(3, rounds // 4))
    line = (
        f"Deployment takes {total / bare:.2f} times what the network alone does. Persons a second: {1000 / total:.1f} "
        f"one by one, {8000 / eight:.1f} in batches of 8, {total * 8 / eight:.2f} times as many."
    )
    return rows, line


def measure_start(arguments, count=5):
    """A line with the median seconds of a whole deploy.py with one picture."""
    with tempfile.TemporaryDirectory() as folder:
        cv2.imwrite(f"{folder}/x.jpg", np.full((480, 640, 3), 99, np.uint8))
        words = [sys.executable, ROOT / "pose_estimation" / "deploy.py", "--provider", "cpu"]
        words += ["--img", f"{folder}/x.jpg", "--model", arguments.model, "--output", folder]
        start = median_ms(lambda: subprocess.run(words, check=True, capture_output=True), count)
    return f"deploy.py from start to end, one picture: {start / 1000:.2f} s."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, help="the experiment of the network")
    parser.add_argument("--model-file", required=True, help="its weights")
    parser.add_argument("--model", required=True, help="the same as export.py wrote it")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    prepare_processor()
    picture = np.random.default_rng(0).integers(0, 256, PICTURE_SIZE, dtype=np.uint8)
    predictor = OnnxPosePredictor(arguments.model, provider="cpu")
    print(f"{machine_line('cv2', 'onnxruntime')}; {predictor.lines[0].removeprefix('=> ')}\n")
    rows, line = measure_deployment(predictor, picture, arguments.rounds)
    width, height = predictor.metadata.image_size
    crops = np.zeros((1, height, width, 3), np.uint8)
    try:
        network, values = cv2.dnn.readNetFromONNX(str(arguments.model)), crops_to_input(crops)
        forward = median_ms(lambda: network.setInput(values) or network.forward(), arguments.rounds)
        rows.append(("cv2.dnn, the network alone", forward))
    except cv2.error as error:
        print(f"cv2.dnn cannot run it: {' '.join(str(error).split())[:150]}")
    config = read_config(arguments.cfg, {"TEST.MODEL_FILE": arguments.model_file, "GPUS": "cpu"})
    run, _ = open_network(config)
    rows.append(("Paddle eager, the network with its normalisation", median_ms(lambda: run(crops), arguments.rounds)))
    print(f"{line} {measure_start(arguments)}")
    print(table(("what", "time"), [(name, f"{milliseconds:.2f} ms") for name, milliseconds in rows]))


if __name__ == "__main__":
    run_script(main)
