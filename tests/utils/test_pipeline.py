"""Work done ahead in a thread: order, memory, errors, ends."""

import threading
import time

import pytest

from lib.utils.pipeline import ahead


def counting(count, made, closed=None, error=None):
    try:
        for number in range(count):
            made.append(number)
            yield number
        if error:
            raise error
    finally:
        if closed is not None:
            closed.append(threading.current_thread())


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_order_is_kept_and_a_few_items_are_made_ahead():
    made = []
    with ahead(counting(100, made), depth=3) as items:
        wait_until(lambda: len(made) == 4)  # three in the queue, one in the hand
        time.sleep(0.05)
        assert made == [0, 1, 2, 3]
        assert list(items) == list(range(100))


def test_stages_work_side_by_side():
    met = threading.Barrier(2, timeout=10)

    def first():
        for number in range(3):
            if number == 1:
                met.wait()
            yield number

    with ahead(first()) as items:
        for number in items:
            if number == 0:
                met.wait()  # here: would wait for ever in one thread


def test_an_error_comes_behind_the_items_before_it():
    found = []
    with pytest.raises(ValueError, match="broken"), ahead(counting(3, [], error=ValueError("broken"))) as items:
        for number in items:
            found.append(number)
    assert found == [0, 1, 2]


def test_whoever_stops_early_leaves_no_thread_and_closes_the_generator():
    made, closed, before = [], [], threading.active_count()
    with pytest.raises(KeyboardInterrupt), ahead(counting(10**9, made, closed)) as items:
        for number in items:
            if number == 5:
                raise KeyboardInterrupt
    assert threading.active_count() == before and len(made) < 12
    assert closed and closed[0] is not threading.current_thread()
