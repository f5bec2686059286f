"""A run's folder: an earlier run moves aside, whole, and one process writes at a time."""

import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from lib.utils import run_folder
from lib.utils.errors import UserError
from lib.utils.run_folder import EARLIER, LOCK, WRITER, keep_earlier, one_writer, set_aside

START = "2026-01-02-03-04-05"
NAMES = ("run.json", "checkpoint.pdckpt", "model_best.pdparams", "config.yaml", "e_train.log")
HOLDER = """
import sys, time
from pathlib import Path
from lib.utils.run_folder import one_writer
with one_writer(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a run of START, with results below it."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    folder = tmp_path / "run"
    (folder / "results").mkdir(parents=True)
    for name in (*NAMES, "results/keypoints.json"):
        (folder / name).write_text(name)
    began = 1767323045
    os.utime(folder / "run.json", (began, began))
    yield folder
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def hold(root):
    """Starts processes that hold a folder; they are ended by the test or after it."""
    holders = []

    def hold(folder):
        words = [sys.executable, "-c", HOLDER, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        holders.append(subprocess.Popen(words, cwd=root, text=True, **pipes))
        assert holders[-1].stdout.readline() == "mine\n"
        return holders[-1]

    yield hold
    for holder in holders:
        holder.kill()
        holder.wait()


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_files_of_an_earlier_run_move_to_a_folder_named_by_its_start(folder):
    line = set_aside(folder)
    target = folder / EARLIER / START
    assert names(target) == sorted((*NAMES, "results/keypoints.json"))
    assert [entry.name for entry in folder.iterdir()] == [EARLIER]
    assert line == f"=> {folder} held a run of {START}: its files are in {target} now; to remove them: rm -r {target}"
    assert set_aside(folder) == ""


def test_a_move_that_was_cut_off_is_completed_into_the_same_folder(folder, monkeypatch):
    moved = []

    def rename(source, target, move=os.rename):
        if len(moved) == 4:
            raise KeyboardInterrupt
        moved.append(source)
        move(source, target)

    monkeypatch.setattr(run_folder, "os", SimpleNamespace(**{**vars(os), "rename": rename}))
    with pytest.raises(KeyboardInterrupt):
        set_aside(folder)
    monkeypatch.undo()
    assert (folder / "run.json").exists()  # it tells the start, and goes last
    set_aside(folder)
    assert names(folder / EARLIER / START) == sorted((*NAMES, "results/keypoints.json"))


def test_two_runs_of_one_second_do_not_mix_their_files(folder):
    (folder / EARLIER / START).mkdir(parents=True)
    (folder / EARLIER / START / "run.json").write_text("another")
    set_aside(folder)
    target = folder / EARLIER / START
    assert (target / "run.json").read_text() == "another" and (target / "run_2.json").read_text() == "run.json"


def test_overwrite_deletes_the_run_and_keeps_earlier_ones(folder):
    (folder / EARLIER).mkdir()
    assert set_aside(folder, overwrite=True) == f"=> --overwrite: the run of {START} in {folder} is deleted"
    assert [entry.name for entry in folder.iterdir()] == [EARLIER]


def test_results_of_valid_alone_are_no_run(tmp_path):
    (tmp_path / "results.json").write_text("")
    assert set_aside(tmp_path) == "" and set_aside(tmp_path / "nowhere") == "" and names(tmp_path) == ["results.json"]


def test_results_keep_their_time_in_their_name(folder):
    for _ in range(2):
        (folder / "results.json").write_text("")
        os.utime(folder / "results.json", (1767323045, 1767323045))
        keep_earlier(folder / "results.json")
    keep_earlier(folder / "results.json")  # there is none
    found = sorted(path.name for path in folder.glob("results*.json"))
    assert found == [f"results_{START}.json", f"results_{START}_2.json"]


def test_a_second_writer_is_told_of_the_first(tmp_path, hold):
    holder = hold(tmp_path / "run")
    message = rf"in use: by process {holder.pid} on \S+, which began 20.*Give --wait, or another OUTPUT_DIR"
    with pytest.raises(UserError, match=message), one_writer(tmp_path / "run"):
        pass
    assert holder.poll() is None


def test_wait_waits_until_the_first_has_finished(tmp_path, hold, monkeypatch):
    holder, said = hold(tmp_path / "run"), []

    def sleep(seconds):
        holder.stdin.write("\n")
        holder.stdin.flush()
        holder.wait(20)

    monkeypatch.setattr(run_folder, "time", SimpleNamespace(**{**vars(time), "sleep": sleep}))
    with one_writer(tmp_path / "run", wait=True, say=said.append):
        writer = json.loads((tmp_path / "run" / WRITER).read_text())
    assert writer["process"] == os.getpid() and len(said) == 1 and said[0].startswith("=> waiting: by process")


def test_a_killed_writer_is_followed_with_a_line(tmp_path, hold):
    holder, said = hold(tmp_path / "run"), []
    holder.kill()
    holder.wait()
    with one_writer(tmp_path / "run", say=said.append):
        pass
    assert len(said) == 1 and said[0].startswith(f"=> taking over from process {holder.pid} on ")
    assert said[0].endswith(", which is gone") and not (tmp_path / "run" / WRITER).exists()


def test_another_process_with_the_number_of_a_writer_that_is_gone_is_not_taken_for_it(tmp_path):
    (tmp_path / WRITER).write_text(json.dumps({**writer_here(os.getppid()), "began": "1"}))
    with one_writer(tmp_path, say=lambda line: None):
        pass
    (tmp_path / WRITER).write_text(json.dumps({**writer_here(os.getppid()), "began": None}))  # on a disk without flock
    with pytest.raises(UserError, match="is in use: by process"), one_writer(tmp_path):
        pass


def writer_here(process):
    return {"host": run_folder.socket.gethostname(), "process": process, "start": "today"}


def test_a_writer_of_another_machine_needs_unlock(tmp_path):
    (tmp_path / WRITER).write_text(json.dumps({"host": "elsewhere", "process": 7, "start": "today"}))
    message = "by process 7 on elsewhere, which began today, which cannot be looked at from .*give --unlock"
    with pytest.raises(UserError, match=message), one_writer(tmp_path):
        pass
    said = []
    with one_writer(tmp_path, unlock=True, say=said.append):
        pass
    assert said == ["=> taking over from process 7 on elsewhere, which began today, which is gone (--unlock)"]


def test_a_run_that_wrote_nothing_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="bad data"), one_writer(tmp_path / "a" / "b"):
        raise ValueError("bad data")
    assert not (tmp_path / "a").exists()
    with one_writer(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "x").touch()
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [LOCK, "x"]
