"""Runs the measurements and writes docs/benchmarks.md.

    python tests/bench/write_report.py [NAME ...]

Each measurement prints Markdown: the machine, then tables. A section that is not measured stays as it is in the
document, so one can be repeated by itself. Progress and errors go to stderr.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from lib.utils.errors import RunError
from lib.utils.runtime import run_script

MAIN = "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
DEMO = "experiments/mini/synthetic_resnet18_96x96.yaml"
DEMO_WEIGHTS = "output/mpii/pose_resnet_18/synthetic_resnet18_96x96/model_best.pdparams"
DOCUMENT = Path("docs/benchmarks.md")
HEAD = """# Benchmarks

What each part costs beside a plain implementation of the same. Each pair was measured in one run, in turns or on the
same input. `make bench` writes this file (`tests/bench/write_report.py`); the command beneath a title repeats that
section. Compare ratios, not absolute times: runs were on shared machines.

There are no GPU figures here. `make bench-gpu` prints them; we did **not** run it, because we had no CUDA GPU with
Paddle.
"""


@dataclass(frozen=True)
class Bench:
    """A measurement: its title, the words after `python`, and a path that it needs, beside the repository."""

    title: str
    words: tuple
    needs: str = ""


BENCHES = {
    "decode": Bench("Accuracy and decoding", ("tests/bench/decode.py",)),
    "loading": Bench("Loading training samples", ("tests/bench/loading.py",), "../shared/data/mpii5"),
    "cache": Bench("Growth of the crop cache", ("tests/bench/loading.py", "--growth", "1000", "10000", "100000")),
    "step": Bench("A training step", (
        "tests/bench/train_loop.py", "TRAIN.BATCH_SIZE", "5", "WORKERS", "2", "MODEL.PRETRAINED", "",
    )),
    "evaluate": Bench("Evaluation", ("tests/bench/evaluate.py",)),
    "validation": Bench("Memory of validation", ("tests/bench/validation_memory.py",)),
    "long_run": Bench("A long training", ("tests/bench/long_run.py",)),
    "annotations": Bench("Reading annotations", ("tests/bench/annotations.py",)),
    "coco": Bench("COCO's train2017", ("tests/bench/coco_loading.py",)),
    "detector": Bench("A detector's answer", ("tests/bench/detector_answers.py",)),
    "video": Bench("Reading and writing a video", ("tests/bench/video.py",)),
    "deploy": Bench("Deployment", (
        "tests/bench/inference_speed.py", "--cfg", MAIN, "--model-file", "output/bench.pdparams",
        "--model", "output/onnx/bench.onnx",
    )),
    "runtimes": Bench("Runtimes and precisions", (
        "tests/bench/runtimes.py", "--cfg", MAIN, "--model", "output/onnx/bench.onnx",
        "--int8", "output/onnx/bench_int8.onnx", "--scored", DEMO, DEMO_WEIGHTS,
    )),
    "analysis": Bench("Reports, intervals and tests", ("tests/bench/analysis.py",), "../shared/data/mpii_val"),
}  # fmt: skip


def section_of(bench):
    """The section of a measurement, which is run. Raises RunError where it fails."""
    command = " ".join(word or "''" for word in ("python", *bench.words))
    head = f"## {bench.title}\n\n`{command}`\n\n"
    if bench.needs and not (ROOT / bench.needs).exists():
        return f"{head}Not run: it needs {bench.needs}, which is not there.\n"
    answer = subprocess.run([sys.executable, *bench.words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise RunError(f"{command} ended with {answer.returncode}; what it says is above")
    return head + answer.stdout.strip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHES)}; all if none is given")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"there is no {unknown[0]}; known are {', '.join(BENCHES)}")
    for name in names:
        print(f"=> {name}", file=sys.stderr, flush=True)
        section = section_of(BENCHES[name])
        sections = {**written_sections(), BENCHES[name].title: section}
        known = [sections[bench.title] for bench in BENCHES.values() if bench.title in sections]
        (ROOT / DOCUMENT).write_text("\n".join([HEAD, *known]), encoding="utf-8")
        print(f"=> {DOCUMENT}", file=sys.stderr)


def written_sections():
    """{title: section} of the document as it is."""
    _, *parts = (ROOT / DOCUMENT).read_text(encoding="utf-8").split("\n## ")
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


if __name__ == "__main__":
    run_script(main)
