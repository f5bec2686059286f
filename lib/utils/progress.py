"""A progress bar on terminals, and a stopwatch for the parts of the work."""
from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol, cast


def progress_bar(total: int | None, description: str) -> ProgressBar:
    """A tqdm bar beneath the log lines on a terminal; none where it goes to a pipe or file, or without tqdm.

    total: how many steps, None where nobody knows.
    """
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        return _NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar()
    return cast(ProgressBar, tqdm(total=total, desc=description, leave=False))


class ProgressBar(Protocol):
    """What is asked of a progress bar; a context manager that ends it."""

    def update(self, n: int = 1, /) -> object: ...

    def __enter__(self) -> ProgressBar: ...

    def __exit__(self, *_: object) -> bool | None: ...


class _NoBar(contextlib.nullcontext):
    def __enter__(self) -> _NoBar:
        return self

    def update(self, steps: int = 1) -> None:
        pass


class Stopwatch:
    """Seconds spent in named parts of the work; a part within another one counts for itself only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what happens in the block as `name`."""
        self._turn()
        self._open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
