"""kill -9 at any moment: a training that is killed thirty times, mostly while it writes, loses no finished epoch."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import toy
import yaml

from lib.utils.runtime import is_alive
from lib.weights.checksum import is_changed
from lib.weights.weights import read_content

KILLS, EPOCHS = 30, 30
INTRUDERS = 10  # second trainings in the folder of a first
KILLS_AT_A_LINE = 10  # the others while it writes
LINES, LINES_OF_ONE = 18, 13  # of the start and the first two epochs, or the first one
LONGEST_DELAY = 0.3  # seconds; a checkpoint takes about as long to write
WEIGHTS = (".checkpoint.pdckpt", ".model_best.pdparams")
WRITTEN = (WEIGHTS, WEIGHTS, WEIGHTS[:1], WEIGHTS[:1], (".checkpoint_previous.pdckpt",), (".history.json",), (".run",))

pytestmark = pytest.mark.slow


class Trainings:
    """train.py in one process after another, each forked from one that has imported Paddle: see forking.py."""

    def __init__(self, place, segments_of):
        data, self.segments, self._segments_of = toy.draw_data(place), set(), segments_of
        self.place, self.said = place, place / "said.txt"
        self.experiment = toy.write_experiment(
            place, data, TRAIN={"END_EPOCH": EPOCHS}, TEST={"FLIP_TEST": False},
            MODEL={"IMAGE_SIZE": [32, 32], "EXTRA": {
                "HEATMAP_SIZE": [8, 8], "SIGMA": 1.0, "NUM_DECONV_FILTERS": [16, 16, 16],
            }},
        )  # fmt: skip
        self._forking = subprocess.Popen(
            [sys.executable, toy.ROOT / "tests" / "forking.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=toy.quiet_environment(),
        )  # fmt: skip

    def start(self, *words):
        """Begins a training and returns its process, which leads its group."""
        self.said.unlink(missing_ok=True)
        words = ["--cfg", str(self.experiment), *map(str, words)]
        self._forking.stdin.write(json.dumps([str(self.said), words]) + "\n")
        self._forking.stdin.flush()
        process = int(self._forking.stdout.readline())
        self._until(self.said.exists)
        return process

    def kill(self, process, moment):
        """Kills the process and its workers at a moment, and returns the exit code, 0 where it was too late."""
        self._until(lambda: moment.has_come(self, process))
        time.sleep(moment.delay)
        self.segments |= self._segments_of(process)
        os.killpg(process, signal.SIGKILL)
        return self.wait()

    def wait(self):
        return int(self._forking.stdout.readline())

    def lines(self):
        return self.said.read_text().splitlines()

    def _until(self, is_so, patience=180.0):
        end = time.monotonic() + patience
        while not is_so():
            assert time.monotonic() < end, self.said.exists() and self.said.read_text()
            time.sleep(0.001)

    def close(self):
        self._forking.stdin.close()
        self._forking.wait(60)
        for path in self.segments:  # locks, which nobody is left to remove
            if os.path.exists(path):
                os.unlink(path)


class AtLine(SimpleNamespace):
    """A moment: `delay` seconds after the training has said `count` lines."""

    def has_come(self, trainings, _):
        return len(trainings.lines()) >= self.count


class AtWrite(SimpleNamespace):
    """A moment: `delay` seconds after the training begins to write a file whose name starts with one of `names`.

    A small file may come and go unseen: then after an epoch.
    """

    def has_come(self, trainings, process):
        folder, ending = trainings.place / toy.RUN_FOLDER, f".{process}.part"
        names = os.listdir(folder) if folder.is_dir() else []
        seen = any(name.startswith(self.names) and name.endswith(ending) for name in names)
        return seen or len(trainings.lines()) > LINES_OF_ONE


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Trainings; `whole` is the run folder of one that nobody interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toy.ROOT / "tests" / "bench"))
        trainings = Trainings(tmp_path_factory.mktemp("kills"), __import__("long_run").segments_of)
    trainings.start("OUTPUT_DIR", trainings.place / "whole")
    assert trainings.wait() == 0, trainings.lines()
    trainings.whole = trainings.place / "whole" / toy.RUN_FOLDER.relative_to("output")
    yield trainings
    trainings.close()


def temporary_files(folder):
    return {path.name for path in folder.iterdir() if path.suffix == ".part"}


def check_whole(folder):
    """Asserts that each file of a run folder can be read to its end, those that were being written left out."""
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix in (".pdparams", ".pdckpt"):
            assert is_changed(path) is False, path
            assert read_content(path), path
        elif path.suffix == ".json":
            assert json.loads(path.read_text()), path
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text()), path
        elif path.suffix == ".png":
            assert cv2.imread(str(path)) is not None, path
        else:
            assert path.suffix == ".log", path


def finished_epochs(folder):
    """How many epochs the newest checkpoint has; the one before it, where there is one, has as many or one less."""
    names = ("checkpoint.pdckpt", "checkpoint_previous.pdckpt")
    newest, before = (
        read_content(folder / name)["progress"]["epoch"] if (folder / name).is_file() else None for name in names
    )
    assert before is None or newest - before in (0, 1)
    return newest or 0


def announced_epochs(folder, lines):
    """How many epochs the screen and history.json have said to be finished."""
    begun = [int(number) for number in re.findall(r"Epoch: \[(\d+)\]", "\n".join(lines))]
    history = folder / "history.json"
    return max([*begun, len(json.loads(history.read_text())) if history.is_file() else 0])


def choose_moments():
    generator = random.Random(6)
    moments = []
    for number in range(KILLS):
        delay = generator.uniform(0, LONGEST_DELAY)
        if number < KILLS_AT_A_LINE:
            moments.append(AtLine(count=generator.randrange(LINES), delay=delay / 4))
        else:
            moments.append(AtWrite(names=WRITTEN[number % len(WRITTEN)], delay=delay))
    generator.shuffle(moments)
    return moments


def assert_same(first, second):
    """Two nested contents of checkpoints are the same to the last bit."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for name in first:
            assert_same(first[name], second[name])
    elif isinstance(first, np.ndarray):
        np.testing.assert_array_equal(first, second)
    else:
        assert first == second


def test_a_training_that_is_killed_thirty_times_loses_no_epoch_and_ends_as_if_nobody_had(trainings):
    folder, finished, left, killed_with_workers = trainings.place / toy.RUN_FOLDER, 0, [], 0
    for number, moment in enumerate(choose_moments()):
        workers = 2 if number % 6 == 5 else 0
        process = trainings.start("--resume_model", "auto", "--workers", workers)
        assert trainings.kill(process, moment) == -signal.SIGKILL, (moment, trainings.lines())
        killed_with_workers += bool(workers)
        if not folder.is_dir():
            continue
        check_whole(folder)
        epochs = finished_epochs(folder)
        assert epochs >= max(finished, announced_epochs(folder, trainings.lines())), (moment, trainings.lines())
        finished = epochs
        left.append(temporary_files(folder))
    trainings.start("--resume_model", "auto")
    assert trainings.wait() == 0, trainings.lines()

    assert killed_with_workers == KILLS // 6 and 0 < finished < EPOCHS
    assert sum(map(bool, left)) > 5  # kills in the middle of a file
    assert temporary_files(folder) == set()
    check_whole(folder)
    for name in ("final_state.pdparams", "model_best.pdparams", "checkpoint.pdckpt", "checkpoint_previous.pdckpt"):
        assert_same(read_content(folder / name), read_content(trainings.whole / name))
    assert (folder / "history.json").read_bytes() == (trainings.whole / "history.json").read_bytes()


def test_a_second_training_is_refused_at_any_moment_and_changes_nothing(trainings, tmp_path):
    second = Trainings(tmp_path, trainings._segments_of)
    second.experiment = trainings.experiment
    place = ("OUTPUT_DIR", trainings.place / "shared")
    generator, refused = random.Random(7), 0
    process = trainings.start(*place)
    trainings._until(lambda: any("samples" in line for line in trainings.lines()))
    for number in range(INTRUDERS):
        time.sleep(generator.uniform(0, LONGEST_DELAY))
        second.start(*place, *(("--resume_model", "auto") if number % 2 else ("--overwrite",)))
        code = second.wait()
        if not is_alive(process):
            break
        assert code == 2 and f"is in use: by process {process} on " in second.lines()[-1], second.lines()
        refused += 1
    second.close()
    assert trainings.wait() == 0 and refused == INTRUDERS, trainings.lines()
    folder = trainings.place / "shared" / toy.RUN_FOLDER.relative_to("output")
    assert {path.name for path in folder.iterdir() if path.suffix != ".log"} == {
        path.name for path in trainings.whole.iterdir() if path.suffix != ".log"
    }
    for name in ("final_state.pdparams", "model_best.pdparams", "checkpoint.pdckpt", "checkpoint_previous.pdckpt"):
        assert_same(read_content(folder / name), read_content(trainings.whole / name))
    assert (folder / "history.json").read_bytes() == (trainings.whole / "history.json").read_bytes()
