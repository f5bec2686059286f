"""A progress bar where a person looks on, and the time that each part of the work takes."""

import contextlib
import sys
import time


def progress_bar(total, description):
    """A tqdm bar beneath the log lines on a terminal; none where it goes to a pipe or file, or without tqdm.

    total: how many steps, None where nobody knows.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return _NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    return tqdm(total=total, desc=description, leave=False)


class _NoBar(contextlib.nullcontext):
    def __enter__(self):
        return self

    def update(self, steps=1):
        pass


class Stopwatch:
    """Seconds spent in named parts of the work; a part within another one counts for itself only."""

    def __init__(self):
        self.seconds = {}
        self._open, self._since = [], 0.0

    @contextlib.contextmanager
    def part(self, name):
        """Counts what happens in the block as `name`."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self):
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
