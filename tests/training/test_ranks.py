"""Two real processes over gloo: what they train and gather is what one process with the joined batch does."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import rank_toy

from lib.training.ranks import Ranks, between_steps, ranks_asked, start_ranks
from lib.utils.errors import UserError

ALONE = Ranks()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def environment(**variables):
    """The environment for ranks on CPUs, whatever GPUs there are: the launcher has labels enough to give out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PADDLE_", "FLAGS_"))}
    cpu = {"CUDA_VISIBLE_DEVICES": "0,1", "PADDLE_DISTRI_BACKEND": "gloo", "OMP_NUM_THREADS": "1"}
    return {**kept, **cpu, **variables}


def start_two(root, manner, folder):
    """Two ranks with the variables that the launcher sets, without the launcher; returns the processes."""
    master, processes = f"127.0.0.1:{free_port()}", []
    for rank in range(2):
        variables = environment(
            PADDLE_TRAINER_ID=str(rank), PADDLE_TRAINERS_NUM="2", PADDLE_MASTER=master,
            PADDLE_CURRENT_ENDPOINT=f"127.0.0.1:{rank + 1}", PADDLE_TRAINER_ENDPOINTS="127.0.0.1:1,127.0.0.1:2",
        )  # fmt: skip
        command = [sys.executable, str(root / "tests" / "rank_toy.py"), manner, str(folder)]
        processes.append(subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True))
        time.sleep(0.5)  # where rank 1 comes first, Paddle has it wait for three seconds
    return processes


def finish(processes, seconds=60):
    """(exit code, stderr) of each; none is left running."""
    try:
        return [(process.wait(seconds), process.stderr.read()) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def together(paddle, root, tmp_path_factory):
    """What each of two ranks found, by name."""
    folder = tmp_path_factory.mktemp("ranks")
    for code, said in finish(start_two(root, "together", folder)):
        assert code == 0, said
    return [np.load(folder / f"{rank}.npz") for rank in range(2)]


@pytest.fixture(scope="module")
def alone(paddle):
    return rank_toy.train(ALONE)


def test_twenty_steps_of_two_ranks_are_those_of_one_with_the_joined_batch(together, alone):
    losses, network = alone
    assert losses[-1] < losses[0] / 2  # it does learn: equal losses of a network that stands still would mean little
    for found in together:
        np.testing.assert_allclose(found["losses"], losses, atol=1e-4, rtol=0)
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(together[0][f"net_{name}"], together[1][f"net_{name}"])
        np.testing.assert_allclose(together[0][f"net_{name}"], value.numpy(), atol=1e-3, err_msg=name)


def test_gradients_that_accumulate_are_averaged_once(together):
    np.testing.assert_allclose(together[0]["accumulated"], rank_toy.train(ALONE, parts=2)[0], atol=1e-4, rtol=0)


def test_batch_norm_over_the_ranks_is_paddles_own_over_the_joined_batch(together):
    expected = rank_toy.normalize(ALONE)
    for found in together:
        for name, value in expected.items():
            np.testing.assert_allclose(found[f"bn_{name}"], value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_rows_are_gathered_in_the_order_of_ranks_whatever_their_number(together):
    first = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    for found in together:
        np.testing.assert_array_equal(found["rows"], np.concatenate([first, first[:2] + 100]))
        assert found["rows"].dtype == np.float32
        np.testing.assert_array_equal(found["some_without"], [0, 1, 2, 3])  # rank 0 had none
        np.testing.assert_array_equal(found["sums"], [[3.0, 1.0]])


def test_every_rank_gets_rank_0s_weights(together):
    for found in together:
        np.testing.assert_array_equal(found["shared"], [0, 0, 0, 0, 7, 7, 7])


def test_one_rank_needs_no_launcher_and_costs_nothing(paddle, monkeypatch):
    monkeypatch.delenv("PADDLE_TRAINERS_NUM", raising=False)
    network, rows = paddle.nn.Linear(2, 2), np.ones((3, 2))
    with start_ranks() as ranks:
        assert (ranks.rank, ranks.count, ranks.is_first, ranks.watch) == (0, 1, True, None)
        assert ranks.data_parallel(network) is network and ranks.gather_rows(rows) is rows
        assert ranks.add_up([2.5]).tolist() == [2.5] and ranks.loss_weight(7, 7) == 1
        ranks.share_state(network.state_dict())
        ranks.wait()
        with between_steps(network):
            network(paddle.ones([1, 2])).sum().backward()
    assert not paddle.distributed.is_initialized()


@pytest.mark.parametrize(("rank", "count"), [("2", "2"), ("x", "2"), ("0", "many"), ("-1", "2")])
def test_an_environment_that_no_launcher_made_is_one_clear_error(monkeypatch, rank, count):
    monkeypatch.setenv("PADDLE_TRAINER_ID", rank)
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", count)
    with pytest.raises(UserError, match="paddle.distributed.launch sets both"):
        ranks_asked()


# -- the launcher ----------------------------------------------------------------------------------------------------


def launch(root, folder, manner, *options, ranks=1):
    command = [sys.executable, "-m", "paddle.distributed.launch", "--log_level", "ERROR", *options]
    command += ["--nproc_per_node", str(ranks), "--log_dir", str(folder / "launcher")]
    command += [str(root / "tests" / "rank_toy.py"), manner, str(folder)]
    log = open(folder / "screen.txt", "w")  # noqa: SIM115  (a pipe would stay open as long as any rank lives)
    return subprocess.Popen(command, env=environment(), stdout=log, stderr=log, cwd=folder)


def wait_for_file(path, seconds=60):
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.05)


def assert_gone(folder, seconds=15):
    """No rank that wrote its number to the folder runs any more; one that does is ended."""
    left = {int(path.read_text()) for path in folder.glob("*.pid")}
    end = time.monotonic() + seconds
    while left and time.monotonic() < end:
        left = {process for process in left if rank_toy.runs(process)}
        time.sleep(0.05)
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left


@pytest.mark.slow
def test_a_killed_rank_ends_the_run_with_a_message(root, tmp_path):
    launcher = launch(root, tmp_path, "killed", ranks=2)
    assert launcher.wait(60) != 0
    said = (tmp_path / "screen.txt").read_text()
    assert "error: rank 1 of 2 ended without a word: killed, or out of memory?" in said and "Traceback" not in said
    assert_gone(tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_every_rank(root, tmp_path):
    launcher = launch(root, tmp_path, "never", ranks=2)
    wait_for_file(tmp_path / "began")
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(60) != 0
    assert_gone(tmp_path)
    assert "Traceback" not in (tmp_path / "launcher" / "workerlog.0").read_text()


@pytest.mark.slow
def test_on_two_machines_an_error_ends_both_and_each_says_which(root, tmp_path):
    master, launchers = f"127.0.0.1:{free_port()}", []
    folders = [tmp_path / str(node) for node in range(2)]
    for node, folder in enumerate(folders):
        folder.mkdir()
        launchers.append(launch(root, folder, "bad-input", "--master", master, "--nnodes", "2", "--rank", str(node)))
    assert [launcher.wait(60) for launcher in launchers] == [1, 2]
    first, second = ((folder / "launcher" / "workerlog.0").read_text() for folder in folders)
    assert first.count("error: rank 1 ended: picture 7.jpg is truncated") == 1
    assert second.count("error: picture 7.jpg is truncated") == 1
    assert "Traceback" not in first + second
