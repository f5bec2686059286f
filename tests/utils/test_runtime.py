"""The process around the work: whole files or none, folders, the device, one-line errors, the log."""

import logging
import os
import subprocess
import sys

import pytest

from lib.utils import runtime
from lib.utils.errors import RunError, UserError
from lib.utils.runtime import (
    clear_parts,
    make_folder,
    make_logger,
    prepare_processor,
    replacing,
    run_script,
)


def test_a_replaced_file_is_the_new_one_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"  # a reader sees a whole file at any moment
        assert temporary.parent == tmp_path  # the same disk, so that the rename is one step
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_a_run_error_that_names_the_file(tmp_path):
    with pytest.raises(RunError, match=r"a\.txt: No space left"), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_a_run_error(tmp_path):
    with pytest.raises(RunError, match=r"a\.txt"), replacing(tmp_path / "nowhere" / "a.txt") as temporary:
        temporary.write_text("x")


def test_what_a_killed_process_was_writing_is_cleared_and_what_a_living_one_writes_is_not(tmp_path):
    kill = (
        f"import os, sys; sys.path.insert(0, {os.getcwd()!r})\n"
        "from lib.utils.runtime import replacing\n"
        "with replacing(sys.argv[1]) as temporary: temporary.write_text('half'); os.kill(os.getpid(), 9)"
    )
    for name in ("a.txt", "b.pdckpt"):
        subprocess.run([sys.executable, "-c", kill, str(tmp_path / name)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    for name in (f".c.txt.{os.getppid()}.part", ".of.somebody.part", "visible.1.part"):
        (tmp_path / name).write_text("")
    kept = {path.name for path in tmp_path.iterdir()} - {path.name for path in tmp_path.glob(".[ab].*")}
    (tmp_path / f".d.txt.{os.getpid()}.part").write_text("of a process before this one")
    clear_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept and len(kept) == 3


def test_a_folder_is_made_with_its_parents_and_no_probe_stays(tmp_path):
    folder = make_folder(str(tmp_path / "a" / "b"))
    assert folder == tmp_path / "a" / "b" and folder.is_dir()
    assert os.listdir(folder) == []
    assert make_folder(folder) == folder  # once more is fine


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_file_in_the_way_of_a_folder_is_a_user_error(tmp_path, inside):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match=r"cannot write to the folder .*taken"):
        make_folder(tmp_path / "taken" / inside)
    assert (tmp_path / "taken").read_text() == "a file"


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("wrong\nover two  lines"), 2, "error: wrong over two lines\n"),
        (RunError("disk full"), 1, "error: disk full\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
    ids=["user", "run", "interrupt"],
)
def test_an_error_is_one_line_on_stderr_and_an_exit_code(capsys, error, code, said):
    with pytest.raises(SystemExit) as exit_info:
        run_script(raising(error))
    assert exit_info.value.code == code
    assert capsys.readouterr() == ("", said)


def test_a_script_that_ends_well_does_not_exit():
    calls = []
    run_script(lambda: calls.append("ran"))
    assert calls == ["ran"]


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError):
        run_script(raising(KeyError("a bug")))


def test_a_reader_that_leaves_a_pipe_early_gets_no_traceback(root):
    code = (
        f"import sys; sys.path.insert(0, {str(root)!r})\n"
        "from lib.utils.runtime import run_script\n"
        "def main():\n"
        "    for number in range(100000): print(number)\n"
        "run_script(main)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 141
    assert said == ""


@pytest.fixture
def logger_is_closed():
    yield
    logger = logging.getLogger(runtime.LOGGER_NAME)
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)


def test_a_log_line_goes_to_the_screen_and_the_file_once_and_as_it_is(tmp_path, capsys, logger_is_closed):
    make_logger(tmp_path / "first.log")
    log = make_logger(tmp_path / "second.log")  # a second run in one process: the first file is let go
    log.info("=> a line\twith a tab")
    assert capsys.readouterr().out == "=> a line\twith a tab\n"
    assert (tmp_path / "second.log").read_text() == "=> a line\twith a tab\n"
    assert (tmp_path / "first.log").read_text() == ""


def test_what_the_user_set_for_the_processor_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "4")
    prepare_processor()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_DEBUG_CPU_TYPE"]) == ("7", "4")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell the allowed processors")
def test_threads_default_to_the_processors_that_may_be_used(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    prepare_processor()
    assert os.environ["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell the allowed processors")
def test_processes_that_the_launcher_started_share_the_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(12)))
    for ranks, given, expected in (("4", "1", "3"), ("16", "1", "1"), ("4", "2", "2"), ("1", "1", "1")):
        monkeypatch.setenv("PADDLE_LOCAL_SIZE", ranks)
        monkeypatch.setenv("OMP_NUM_THREADS", given)  # the launcher gives 1, having imported Paddle
        prepare_processor()
        assert os.environ["OMP_NUM_THREADS"] == expected
