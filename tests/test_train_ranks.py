"""train.py by two ranks under Paddle's launcher, gloo on this CPU, against train.py alone with the joined batch."""

import json
import re
import subprocess
import sys
import threading
import time

import pytest
import toy

from lib.utils.run_folder import one_writer

pytestmark = pytest.mark.slow
SETTINGS = ("TRAIN.END_EPOCH", "5", "TEST.BATCH_SIZE", "1")  # epochs of four steps, validation of four batches
LAUNCH = ("-m", "paddle.distributed.launch", "--nproc_per_node", "2")


def run(*words, two=False):
    environment = {name: value for name, value in toy.quiet_environment().items() if not name.startswith("PADDLE_")}
    if two:  # the launcher gives each rank a GPU's number, there or not
        environment |= {"PADDLE_DISTRI_BACKEND": "gloo", "CUDA_VISIBLE_DEVICES": "0,1"}
    environment["OMP_NUM_THREADS"] = "2"  # sums over threads differ in the last digits
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{name: (folder of what was written, stdout)} of a training by one process and of one by two."""
    folder, found = tmp_path_factory.mktemp("ranks"), {}
    data = toy.draw_data(folder)
    for name, batch in (("one", 2), ("two", 1)):
        place = folder / name
        place.mkdir()
        script = [toy.SCRIPTS / "train.py", "--cfg", toy.write_experiment(place, data), *SETTINGS]
        script += ["TRAIN.BATCH_SIZE", batch, "TRAIN.SYNC_BN", "true"]
        launch = [*LAUNCH, "--log_dir", place / "launch"] if name == "two" else []
        answer = run(*launch, *script, two=name == "two")
        assert answer.returncode == 0, answer.stderr[-3000:]
        found[name] = place / toy.RUN_FOLDER, answer.stdout
    return found


def history(folder):
    return json.loads((folder / "history.json").read_text(encoding="utf-8"))


def test_the_losses_of_twenty_steps_are_those_of_one_process(runs):
    one, two = (history(runs[name][0]) for name in ("one", "two"))
    assert len(one) == len(two) == 5 and one[4]["train_loss"] < one[0]["train_loss"]
    for first, second in zip(one, two, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], abs=1e-4)
        assert second["lr"] == first["lr"]


def test_the_first_rank_alone_speaks_and_writes(runs):
    folder, out = runs["two"]
    assert len(re.findall(r"^.*Epoch: \[0\]\[0/4\].*$", out, re.MULTILINE)) == 1
    assert "=> device: 2 ranks, this one on cpu" in out
    assert "=> total batch 2 (TRAIN.BATCH_SIZE 1 x 2 ranks); TRAIN.LR 0.001 is taken as it stands" in out
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (record["ranks"], record["total_batch_size"]) == (2, 2)
    assert len(list(folder.glob("*_train.log"))) == 1
    others = (folder.parents[3] / "launch" / "workerlog.1").read_text(encoding="utf-8")
    assert "Epoch" not in others and "=>" not in others


def test_gpus_are_the_launchers_to_say(runs):
    place = runs["two"][0].parents[3]
    script = [toy.SCRIPTS / "train.py", "--cfg", place / "toy.yaml", "--gpus", "0"]
    answer = run(*LAUNCH, "--log_dir", place / "gpus", *script, two=True)
    assert answer.returncode != 0
    assert "error: --gpus is not allowed under the launcher" in answer.stdout + answer.stderr


def test_wait_waits_on_every_rank(runs):
    place = runs["two"][0].parents[3]
    words = [toy.SCRIPTS / "train.py", "--cfg", place / "toy.yaml", "TRAIN.END_EPOCH", "1"]
    words += ["OUTPUT_DIR", place / "waiting", "--wait"]
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(run(*LAUNCH, "--log_dir", place / "wait", *words, two=True))
    )
    with one_writer(place / "waiting" / runs["two"][0].relative_to(place / "output")):
        thread.start()
        log = place / "wait" / "workerlog.0"
        until = time.monotonic() + 100
        while not (log.is_file() and "=> waiting: by process" in log.read_text()) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)
        assert thread.is_alive() and "Epoch" not in log.read_text()
    thread.join()
    assert answers[0].returncode == 0 and "Epoch: [0][0/" in answers[0].stdout


def test_the_table_of_two_ranks_is_that_of_one_process_to_the_last_digit(runs):
    folder, _ = runs["two"]
    place = folder.parents[3]
    answer = run(toy.SCRIPTS / "valid.py", "--cfg", place / "toy.yaml", "--model-file", folder / "final_state.pdparams",
                 *SETTINGS[2:])  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    alone = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    last = history(folder)[-1]
    assert last["results"] == alone["results"]
    assert last["valid_loss"] == pytest.approx(alone["conditions"]["loss"], rel=1e-12)
    assert last["valid_accuracy"] == pytest.approx(alone["conditions"]["accuracy"], rel=1e-12)
