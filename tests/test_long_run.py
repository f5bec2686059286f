"""What a training leaves behind when it ends or is stopped, and how its memory is judged: tests/bench/long_run.py."""

import signal

import numpy as np
import pytest
import toy


@pytest.fixture
def long_run(monkeypatch):
    monkeypatch.syspath_prepend(str(toy.ROOT / "tests" / "bench"))
    return __import__("long_run")


def test_memory_is_judged_from_the_step_on_at_which_it_has_settled(long_run):
    steps = list(range(0, 2001, 50))
    grown = np.array([1e9 + 100e6 * (step - 200) / 1800 for step in steps])
    grown[:4] = 5e9  # before
    watched = long_run.Watched(steps, list(grown))
    assert watched.drift == pytest.approx(100e6 / 1.05e9) and watched.peak == pytest.approx(1.1 / 1.05 - 1)
    watched.memory[20] = 2e9
    assert watched.peak == pytest.approx(2e9 / np.median(watched.memory[4:]) - 1)


def test_a_process_or_segment_that_is_left_is_an_error(long_run):
    long_run.check_left(long_run.Watched(exit_code=0), 0)
    for left in ({"exit_code": 1}, {"processes": [7]}, {"segments": ["/dev/shm/x"]}):
        with pytest.raises(long_run.RunError, match="are left"):
            long_run.check_left(long_run.Watched(**left), 0)


@pytest.mark.slow
class TestNothingIsLeft:
    STEPS = 20

    @pytest.fixture
    def watch(self, long_run, tmp_path):
        """Watches a training of three epochs of 20 steps, with two loader processes."""
        experiment = long_run.write_experiment(tmp_path, self.STEPS * long_run.BATCH, 3)
        return lambda **how: long_run.watch(experiment, tmp_path / "output", self.STEPS, every=10, **how)

    def test_after_the_last_step(self, long_run, watch):
        watched = watch()
        long_run.check_left(watched, 0)
        assert watched.steps == [0, 10, 20, 30, 40, 50]
        assert watched.open_files[2] == watched.open_files[-1]  # from the first validation on

    @pytest.mark.parametrize("to_all", [True, False], ids=["as a terminal does", "the first process alone"])
    def test_after_ctrl_c(self, long_run, watch, to_all):
        watched = watch(stop_at=30, to_all=to_all)
        long_run.check_left(watched, 128 + signal.SIGINT)
        assert "error: stopped in epoch 1 after " in watched.said and "go on with --resume_model " in watched.said
