"""How many cases the fuzz tests run and ran. FUZZ_CASES: of each target, and then other ones each time.

Without it a slice that is the same every time runs with the rest of the suite.
"""

import os
import signal
from collections import Counter
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings

from lib.utils.errors import RunError, UserError

SLICE, LONGEST = 40, 20  # cases of a test in the suite; seconds that one may take
CASES = int(os.environ.get("FUZZ_CASES", 0))
settings.register_profile(
    "fuzz", max_examples=CASES or SLICE, derandomize=not CASES, database=None, deadline=None, print_blob=bool(CASES),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
settings.load_profile("fuzz")
_counts, _good = Counter(), Counter()


@contextmanager
def _time_limit():
    def stop(*_):
        raise TimeoutError(f"it took more than {LONGEST} s")

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.fixture(scope="module")
def attempt(tmp_path_factory):
    """attempt(target, function, *arguments): a result, or one of the project's own errors in one short line."""

    def attempt(target, function, *arguments):
        _counts[target] += 1
        try:
            with _time_limit():
                result = function(*arguments)
        except (UserError, RunError) as error:
            assert 0 < len(str(error)) < 2000, f"a message of {len(str(error))} characters"
            return None
        _good[target] += 1
        return result

    return attempt


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for the files of a module's cases, each of which replaces the one before."""
    return tmp_path_factory.mktemp("fuzz")


def pytest_terminal_summary(terminalreporter):
    if CASES and _counts:
        for target, count in sorted(_counts.items()):
            terminalreporter.write_line(f"{count:7d} {target} ({_good[target]} were taken, the rest refused in a line)")
        terminalreporter.write_line(f"{sum(_counts.values()):7d} cases in all")
