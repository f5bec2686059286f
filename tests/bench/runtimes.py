"""How fast each runtime and precision runs an exported network on this processor, and what each costs in accuracy.

    python tests/bench/runtimes.py --cfg YAML --model X.onnx --int8 X_int8.onnx [--scored YAML WEIGHTS]

Speed: the network alone on people of the validation set of --cfg; all take turns, one person and batches of 8; medians.
Largest difference: of those heatmaps from ONNX Runtime's in float32, as a share of their maximum.
--scored: an experiment and weights, which are exported both ways and scored by valid.py in each of them.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import interleaved_ms, machine_line, table

from lib.config.config import read_config
from lib.dataset.build import build_dataset
from lib.deploy.openvino_session import PRECISIONS, import_openvino
from lib.deploy.runtimes import open_session
from lib.deploy.session import picture_input, run_pictures
from lib.utils.errors import RunError, UserError
from lib.utils.image import crops_to_input
from lib.utils.runtime import prepare_processor, run_script

FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "amx_int8")
PERSONS = 8
PAUSE = 0.1  # seconds: ONNX Runtime's threads wait for work in a loop, and would take the next runtime's cores
FLOAT, INT8 = "float", "int8"


def contenders():
    """[(title, file, provider, precision), ...]: ONNX Runtime in float32 first, then what OpenVINO has here."""
    has = import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    names = [name for name, (_, capability) in PRECISIONS.items() if capability in has]
    return [
        ("ONNX Runtime, float32", FLOAT, "cpu", "auto"),
        *((f"OpenVINO, {name}", FLOAT, "openvino", name) for name in names),
        ("ONNX Runtime, INT8", INT8, "cpu", "auto"),
        ("OpenVINO, INT8", INT8, "openvino", "auto"),
    ]


def processor_line():
    """Which instructions for networks the processor has, and what OpenVINO makes of them."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    found = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    core = import_openvino().Core()
    has = ", ".join(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    missing = " ".join(flag for flag in FLAGS if flag not in found)
    return f"Flags: {' '.join(flag for flag in FLAGS if flag in found)} (not {missing}). OpenVINO says: {has}."


def opened(path, provider, precision):
    """(what runs it, a function of images (N, 3, h, w)), after the runs that compile."""
    session = open_session(path, provider, precision=precision)
    source, output = picture_input(session, path), session.outputs[0].name

    def run(images):
        return run_pictures(session, path, source, output, images)

    return session.runs_on, run


def measure_speed(files, images, rounds):
    """Of each of the contenders: what runs it, ms of one person, ms a person in batches, largest difference."""
    runs = [opened(files[file], provider, precision) for _, file, provider, precision in contenders()]
    expected = runs[0][1](images)
    differences = [np.abs(run(images) - expected).max() / np.abs(expected).max() for _, run in runs]
    for _, run in runs:
        run(np.concatenate([images] * 4))  # so many that OpenVINO compiles for several at the same time
    one = interleaved_ms(*(lambda run=run: run(images[:1]) for _, run in runs), rounds=rounds, pause=PAUSE)
    many = interleaved_ms(*(lambda run=run: run(images) for _, run in runs), rounds=max(3, rounds // 2), pause=PAUSE)
    words = [words for words, _ in runs]
    return list(zip(words, one, [value / len(images) for value in many], differences, strict=True))


def scores(experiment, weights, folder):
    """The Mean of valid.py of each of the contenders, with flip test."""
    shared = ["--cfg", experiment, "--model-file"]
    files = {name: f"{folder}/{name}.onnx" for name in (FLOAT, INT8)}
    run_script_of("export", *shared, weights, "--output", files[FLOAT])
    run_script_of("export", *shared, weights, "--output", files[INT8], "--int8", "--calib", experiment)
    found = []
    for _, file, provider, precision in contenders():
        words = ["--flip-test", "--provider", provider, "--precision", precision]
        run_script_of("valid", *shared, files[file], *words, "OUTPUT_DIR", folder, "LOG_DIR", folder)
        (report,) = Path(folder).rglob("results.json")
        found.append(json.loads(report.read_text(encoding="utf-8"))["results"]["Mean"])
    return found


def run_script_of(name, *words):
    command = [sys.executable, ROOT / "pose_estimation" / f"{name}.py", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{name}.py {' '.join(map(str, words))}: {done.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, help="the experiment of the network whose speed is measured")
    parser.add_argument("--model", required=True, help="it as export.py wrote it")
    parser.add_argument("--int8", required=True, help="it as export.py --int8 wrote it")
    parser.add_argument("--scored", nargs=2, metavar=("YAML", "WEIGHTS"), help="a trained network, for the scores")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    if importlib.util.find_spec("openvino") is None:
        raise UserError("this needs OpenVINO: pip install -r requirements/openvino.txt")
    prepare_processor()
    config = read_config(arguments.cfg)
    dataset = build_dataset(config, training=False)
    images = crops_to_input(np.stack([dataset[index % len(dataset)]["crop"] for index in range(PERSONS)]))
    print(f"{machine_line('onnxruntime')}, openvino {import_openvino().__version__.partition('-')[0]}")
    print(f"\n{processor_line()}\n")
    files = {FLOAT: arguments.model, INT8: arguments.int8}
    measured = measure_speed(files, images, arguments.rounds)
    means = ["not run"] * len(measured)
    if arguments.scored and Path(arguments.scored[1]).is_file():
        with tempfile.TemporaryDirectory() as folder:
            means = [f"{mean:.3f}" for mean in scores(*arguments.scored, folder)]
    elif arguments.scored:
        print(f"No PCKh: {arguments.scored[1]} is not there (make demo).")
    print("Wanted: with AMX, bfloat16 at least 2 times as fast as ONNX Runtime in float32, INT8 at least 2.5 times.")
    _, base_one, base_many, _ = measured[0]
    rows = []
    for (title, *_), (_, one, many, off), mean in zip(contenders(), measured, means, strict=True):
        speed = (f"{one:.1f} ms", f"{base_one / one:.2f}", f"{many:.1f} ms", f"{base_many / many:.2f}")
        rows.append((title, *speed, f"{off:.1e}", mean))
    titles = ("runtime", "one person", "times as fast", "a person of 8", "times as fast", "largest difference", "PCKh")
    print(table(titles, rows))
    print("\nWhat ran, as the runtimes say: " + "; ".join(dict.fromkeys(words for words, *_ in measured)) + ".")


if __name__ == "__main__":
    run_script(main)
