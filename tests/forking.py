"""Runs train.py again and again without importing Paddle each time: a process that forks one for each command line.

A line of its input is a JSON list, the file for what the script says and the words of the command line. It answers with
two lines: the number of the new process, which leads a process group of its own, and, when that has ended, its exit
code, below zero for a signal. tests/test_kills.py uses it.
"""

import json
import os
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "pose_estimation")]


def run_train(said, words):
    """train.py in this process, as from a command line; returns its exit code."""
    import train

    from lib.utils.runtime import run_script

    os.setsid()
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["train.py", *words]
    try:
        run_script(train.main)
    except SystemExit as end:
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main():
    import train  # noqa: F401

    from lib.utils.runtime import import_paddle

    import_paddle()
    import lib.training.start  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            sys.exit(run_train(*json.loads(line)))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
