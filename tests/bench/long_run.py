"""Whether a long training stays as large as it is, and leaves nothing behind, also after Ctrl-C.

    python tests/bench/long_run.py [--steps 2000]

train.py in a process of its own, with two loader processes: a thin network on 200 drawn persons, a validation and a
checkpoint every 100 steps. Every 50 steps: the resident memory of the process and of those it started, added up (what
they share counts for each), and the open files of the first. After the end, and after a second run that gets Ctrl-C in
the middle: processes that still run, and files of theirs in /dev/shm. Exits with 1 where something was left behind.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from measuring import machine_line, table

from lib.dataset.synthetic.pictures import write_dataset
from lib.utils.errors import RunError
from lib.utils.runtime import import_paddle, run_script

PERSONS, BATCH, EVERY, SETTLED = 200, 2, 50, 200
STOPPED = 150
WANTED = 0.02
EXPERIMENT = {
    "GPUS": "cpu", "WORKERS": 2,
    "MODEL": {"DEPTH": 18, "IMAGE_SIZE": [32, 32], "EXTRA": {
        "HEATMAP_SIZE": [8, 8], "SIGMA": 1.0, "NUM_DECONV_FILTERS": [16, 16, 16],
    }},
    "TRAIN": {"BATCH_SIZE": BATCH, "LR_TYPE": "PolynomialDecay"}, "TEST": {"BATCH_SIZE": 8},
}  # fmt: skip


@dataclass
class Watched:
    """What was seen of a run: at `steps`, the bytes of all its processes and the open files of the first.

    exit_code; processes: numbers of those that ran on after it; segments: its files in /dev/shm that are still there.
    """

    steps: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    open_files: list = field(default_factory=list)
    exit_code: int = 0
    processes: list = field(default_factory=list)
    segments: list = field(default_factory=list)
    said: str = ""

    def since_settled(self):
        """(steps, memory) from step SETTLED on, as arrays."""
        steps, memory = np.array(self.steps), np.array(self.memory, dtype=float)
        return steps[steps >= SETTLED], memory[steps >= SETTLED]

    @property
    def drift(self):
        """How much the memory grew by a straight line through it, as a share of its mean."""
        steps, memory = self.since_settled()
        return np.polyfit(steps, memory, 1)[0] * (steps[-1] - steps[0]) / memory.mean()

    @property
    def peak(self):
        """How far the most memory lies above the median, as a share of it."""
        _, memory = self.since_settled()
        return memory.max() / np.median(memory) - 1


def members(session):
    """Numbers of the processes of a session that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, *numbers = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended
            continue
        if int(numbers[2]) == session and state != "Z":
            found.append(int(path.parent.name))
    return found


def resident_bytes(process):
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def mapped_segments(process):
    """The files in /dev/shm that a process has in its memory."""
    try:
        return set(re.findall(r"/dev/shm/\S+", Path(f"/proc/{process}/maps").read_text()))
    except OSError:
        return set()


def segments_of(session):
    """The files in /dev/shm that the processes of a session have in their memory."""
    return set().union(*map(mapped_segments, members(session)))


def watch(experiment, output, steps_of_epoch, every=EVERY, stop_at=None, to_all=True):
    """Trains by an experiment file to its end and returns what was Watched, every `every` steps.

    stop_at: the step at which the run gets Ctrl-C: all its processes, as in a terminal, or (to_all False) the first.
    """
    words = ["--cfg", experiment, "--frequent", every, "OUTPUT_DIR", output]
    run = subprocess.Popen(
        [sys.executable, ROOT / "pose_estimation/train.py", *map(str, words)], start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    watched, segments = Watched(), set()
    for line in run.stdout:
        watched.said += line
        place = re.search(r"Epoch: \[(\d+)\]\[(\d+)/", line)
        if not place:
            continue
        segments |= segments_of(run.pid)
        watched.steps.append(int(place[1]) * steps_of_epoch + int(place[2]))
        watched.memory.append(sum(map(resident_bytes, members(run.pid))))
        watched.open_files.append(len(os.listdir(f"/proc/{run.pid}/fd")))
        if stop_at is not None and watched.steps[-1] >= stop_at:
            stop_at = None
            (os.killpg if to_all else os.kill)(run.pid, signal.SIGINT)
    watched.exit_code = run.wait()
    time.sleep(2)  # for the processes that end with the first
    watched.processes = members(run.pid)
    watched.segments = sorted(path for path in segments if os.path.exists(path))
    if not segments:
        raise RunError(f"the loader's processes were never seen at work; the run said: {watched.said[-500:]}")
    return watched


def write_experiment(folder, persons, epochs):
    """Draws a data set and writes the experiment of it; returns the file."""
    write_dataset(folder / "data", persons, 16, picture_size=(80, 80), persons_per_picture=(1, 1))
    content = {**EXPERIMENT, "LOG_DIR": str(folder / "log"), "DATASET": {"ROOT": str(folder / "data")}}
    content["TRAIN"] = {**EXPERIMENT["TRAIN"], "END_EPOCH": epochs}
    path = folder / "long_run.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def check_left(watched, exit_code):
    """Raises RunError where a run left something behind or ended otherwise."""
    if watched.exit_code != exit_code or watched.processes or watched.segments:
        raise RunError(
            f"exit code {watched.exit_code}, expected {exit_code}; processes {watched.processes} and segments "
            f"{watched.segments} are left; the run said: {watched.said[-500:]}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="a multiple of 100")
    steps, steps_of_epoch = parser.parse_args().steps, PERSONS // BATCH
    with tempfile.TemporaryDirectory() as place:
        experiment = write_experiment(Path(place), PERSONS, steps // steps_of_epoch)
        import_paddle()
        print(machine_line("paddle"))
        whole = watch(experiment, f"{place}/whole", steps_of_epoch)
        stopped = watch(experiment, f"{place}/stopped", steps_of_epoch, stop_at=STOPPED)
    check_left(whole, 0)
    check_left(stopped, 128 + signal.SIGINT)
    megabytes = [f"{value / 1e6:.0f} MB" for value in (whole.since_settled()[1][0], whole.memory[-1])]
    files = [str(whole.open_files[whole.steps.index(SETTLED)]), str(whole.open_files[-1])]
    validations = steps // steps_of_epoch
    print(f"\n{steps} steps, {validations} validations. Wanted: within {WANTED:.0%} from step {SETTLED} on.")
    row = (*megabytes, f"{whole.drift:+.2%}", f"{whole.peak:+.2%}", " to ".join(files))
    titles = f"memory at step {SETTLED}", "at the end", "drift (least squares)", "most over median", "open files"
    print(table(titles, [row]))
    rows = [(name, str(run.exit_code), str(len(run.processes)), str(len(run.segments)))
            for name, run in (("to the end", whole), (f"Ctrl-C at step {STOPPED}", stopped))]  # fmt: skip
    print(table(("run", "exit code", "processes left", "segments left in /dev/shm"), rows))


if __name__ == "__main__":
    run_script(main)
