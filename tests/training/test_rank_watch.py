"""The watch between processes that train together, without Paddle: whoever ends, however, the others end too."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import rank_toy

from lib.training.rank_watch import RankWatch
from lib.utils.errors import RunError

KEY = b"k" * 16
RANK = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from lib.training import rank_watch
from lib.utils.errors import RunError
rank_watch.SECONDS_TO_STOP = 0.3
rank, count, port = (int(word) for word in sys.argv[1:])
listener = rank_watch.RankWatch.listen("127.0.0.1") if rank == 0 else None
if listener:
    port = listener.getsockname()[1]
    print(port, flush=True)
watch = rank_watch.RankWatch(rank, count, listener, ("127.0.0.1", port), {key!r}, timeout={timeout})
try:
    watch.wait()
    {action}
    watch.wait()
    watch.leave()
except RunError as error:
    watch.leave(str(error))
    sys.exit("said: " + str(error))
"""


def rank_code(root, action, timeout="5.0"):
    return RANK.format(root=str(root), key=KEY, action=action, timeout=timeout)


def start(root, action, count=3, timeout="5.0"):
    """Starts ranks that meet, then do `action` (a line of Python that knows `rank` and `watch`), then meet again."""
    code = rank_code(root, action, timeout)
    processes, port = [], "0"
    for rank in range(count):
        command = [sys.executable, "-c", code, str(rank), str(count), port]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(command, text=True, **pipes))
        if rank == 0:
            port = processes[0].stdout.readline().strip()
    return processes


def finish(processes):
    """(exit code, stderr) of each rank."""
    try:
        return [(process.wait(20), process.communicate()[1].strip()) for process in processes]
    finally:
        for process in processes:
            process.kill()


def test_ranks_wait_for_the_slowest_and_leave_in_peace(root):
    began = time.monotonic()
    assert finish(start(root, "time.sleep(rank)")) == [(0, "")] * 3
    assert time.monotonic() - began > 2


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_killed_rank_ends_all_others(root, victim):
    ends = finish(start(root, f"rank == {victim} and os.kill(os.getpid(), signal.SIGKILL)"))
    assert ends.pop(victim) == (-signal.SIGKILL, "")
    for code, said in ends:
        assert code == 1 and said.startswith(f"said: rank {victim} of 3 ended without a word: killed")


def test_the_reason_of_the_rank_that_failed_reaches_every_other(root):
    ends = finish(start(root, "rank == 2 and (watch.leave('the disk is full'), sys.exit(1))"))
    assert ends == [(1, "said: rank 2 ended: the disk is full")] * 2 + [(1, "")]


def test_a_rank_that_is_stuck_is_ended_all_the_same(root):
    ends = finish(start(root, "time.sleep(0.5 if rank == 1 else 100); os.kill(os.getpid(), signal.SIGKILL)"))
    for code, said in (ends[0], ends[2]):
        assert code == 1 and said.startswith("error: rank 1 of 3 ended without a word")


def test_ranks_whose_launcher_was_killed_end(root, tmp_path):
    code = rank_code(root, "time.sleep(100)")
    numbers = tmp_path / "numbers"
    launcher = (
        "import os, subprocess, sys\n"
        f"rank = subprocess.Popen([sys.executable, '-c', {code!r}, '0', '2', '0'], stdout=subprocess.PIPE, text=True)\n"
        "port = rank.stdout.readline().strip()\n"
        f"other = subprocess.Popen([sys.executable, '-c', {code!r}, '1', '2', port])\n"
        f"open({str(numbers)!r}, 'w').write(f'{{rank.pid}} {{other.pid}}')\n"
        "rank.wait()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", launcher], stderr=subprocess.DEVNULL)
    try:
        ranks = _until(lambda: numbers.exists() and numbers.read_text().split())
        time.sleep(1)  # they meet
    finally:
        process.kill()
        process.wait()
    try:
        _until(lambda: not any(rank_toy.runs(rank) for rank in ranks))
    finally:
        for rank in filter(rank_toy.runs, ranks):
            os.kill(int(rank), signal.SIGKILL)


def _until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_a_stranger_at_the_port_is_not_taken_for_a_rank(root):
    code = rank_code(root, "pass")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    first = subprocess.Popen([sys.executable, "-c", code, "0", "2", "0"], text=True, **pipes)
    port = first.stdout.readline().strip()
    with socket.create_connection(("127.0.0.1", int(port))) as stranger:
        stranger.sendall(b"\0\0\0\x14" + b"x" * 20)  # as long as a greeting, with another key
        second = subprocess.Popen([sys.executable, "-c", code, "1", "2", port], text=True, **pipes)
        assert finish([first, second]) == [(0, "")] * 2


def test_a_port_that_nobody_answers_is_one_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RunError, match=rf"rank 1 of 2 did not meet the others at 127\.0\.0\.1, port {port}"):
        RankWatch(1, 2, None, ("127.0.0.1", port), KEY)


@pytest.mark.slow
@pytest.mark.parametrize("silent", [0, 2])
def test_a_rank_that_is_stopped_ends_the_others_within_the_timeout(root, silent):
    action = f"os.kill(os.getpid(), signal.SIGSTOP) if rank == {silent} else time.sleep(60)"
    processes = start(root, action)
    others = [process for rank, process in enumerate(processes) if rank != silent]
    try:
        said = [(process.wait(60), process.stderr.read()) for process in others]
        line = f"rank {silent} of 3, at 127.0.0.1, gave no sign of life for 5 s (TRAIN.RANK_TIMEOUT): is its process"
        assert all(code == 1 and line in text for code, text in said), said
    finally:
        for process in processes:
            process.kill()


@pytest.mark.slow
def test_ranks_that_are_busy_for_longer_than_the_timeout_are_left_alone(root):
    assert finish(start(root, "time.sleep(6)")) == [(0, "")] * 3


@pytest.mark.slow
def test_a_machine_that_stood_still_blames_nobody(root, tmp_path):
    ready = tmp_path / "ready"
    action = f"rank or open({str(ready)!r}, 'w').close(); time.sleep(7)"
    ranks = start(root, action, timeout="3.0 if rank == 0 else 60.0")
    _until(ready.exists, 30)
    for moment, rank, sign in (
        (0.5, 1, signal.SIGSTOP), (0, 2, signal.SIGSTOP), (0.3, 0, signal.SIGSTOP),
        (4, 0, signal.SIGCONT), (0.1, 1, signal.SIGCONT), (0, 2, signal.SIGCONT),
    ):  # fmt: skip
        time.sleep(moment)
        ranks[rank].send_signal(sign)
    assert finish(ranks) == [(0, "")] * 3
