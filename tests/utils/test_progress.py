"""The bar where somebody looks on, and the stopwatch."""

import sys
import time
from types import SimpleNamespace

import pytest

from lib.utils import progress
from lib.utils.progress import Stopwatch, progress_bar


class Screen:
    def __init__(self, is_terminal):
        self.is_terminal, self.written = is_terminal, ""

    def isatty(self):
        return self.is_terminal

    def write(self, text):
        self.written += text

    def flush(self):
        pass


@pytest.mark.parametrize(("out", "err"), [(True, True), (True, False), (False, True), (False, False)])
def test_there_is_a_bar_only_where_both_outputs_are_a_terminal(monkeypatch, out, err):
    pytest.importorskip("tqdm")
    screen = Screen(err)
    monkeypatch.setattr(sys, "stdout", Screen(out))
    monkeypatch.setattr(sys, "stderr", screen)
    with progress_bar(3, "pictures") as bar:
        for _ in range(3):
            bar.update()
    assert ("pictures" in screen.written) == (out and err)


def test_without_tqdm_there_is_none_and_nothing_fails(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Screen(True))
    monkeypatch.setattr(sys, "stderr", Screen(True))
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with progress_bar(3, "pictures") as bar:
        bar.update()
    assert sys.stderr.written == ""


def test_a_stopwatch_adds_up_and_counts_an_inner_part_for_itself_only(monkeypatch):
    moments = iter([0, 1, 4, 6, 10, 13])
    monkeypatch.setattr(progress, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
    clock = Stopwatch()
    with clock.part("network"), clock.part("preprocess"):  # 0 to 6, of which 1 to 4 is the inner part's
        pass
    with clock.part("network"):
        pass
    assert clock.seconds == {"network": 1 + 2 + 3, "preprocess": 3}


def test_a_stopwatch_outlives_a_failure():
    clock = Stopwatch()
    with pytest.raises(ZeroDivisionError), clock.part("read"):
        raise ZeroDivisionError
    with clock.part("read"):
        time.sleep(0.01)
    assert 0.01 <= clock.seconds["read"] < 5
