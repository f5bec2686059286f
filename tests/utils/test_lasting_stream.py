"""Work goes on where the screen is gone."""

import os
import subprocess
import sys

SAYS = """
import signal, sys, time
from pathlib import Path
from lib.utils.runtime import make_logger, outlast_screen
outlast_screen()
log = make_logger(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(50):
    log.info(f"line {number}")
    print("to stderr", file=sys.stderr, flush=True)
    time.sleep(0.02)
log.info("done")
"""


def say(root, path, **pipes):
    return subprocess.Popen([sys.executable, "-c", SAYS, str(path)], cwd=root, text=True, **pipes)


def test_a_closed_pipe_does_not_end_the_work_and_the_log_has_every_line(root, tmp_path):
    process = say(root, tmp_path / "a.log", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    process.stderr.close()
    assert process.wait(30) == 0
    assert (tmp_path / "a.log").read_text().splitlines() == [*(f"line {number}" for number in range(50)), "done"]


def test_a_terminal_that_is_closed_does_not_end_the_work(root, tmp_path):
    ours, theirs = os.openpty()
    process = say(root, tmp_path / "a.log", stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    os.read(ours, 5)
    os.close(ours)  # writes fail with EIO from now on
    process.send_signal(1)  # SIGHUP
    assert process.wait(30) == 0 and (tmp_path / "a.log").read_text().endswith("done\n")

