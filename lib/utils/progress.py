"""A progress bar on terminals, and a stopwatch for the parts of the work."""
from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Sequence
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
    """Seconds spent in named parts of the work; a part within another one counts for itself only.

    Threads have their own parts at the same time: their seconds may then add up to more than have gone by.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._of_thread = threading.local()
        self._began: float | None = None

    def begin(self) -> None:
        """What `line` says of the time that has gone by counts from here."""
        self._began = time.perf_counter()

    def line(self, parts: Sequence[str], count: int) -> str:
        """Milliseconds for each of `count` pictures: of each part, of all since `begin`, and which part limits."""
        count, known = max(1, count), [part for part in parts if part in self.seconds]
        said = ", ".join(f"{part} {1000 * self.seconds[part] / count:.1f}" for part in known)
        if self._began is None or not known:
            return said
        most = max(known, key=lambda part: self.seconds[part])
        return f"{said}; {1000 * (time.perf_counter() - self._began) / count:.1f} in all, limited by {most}"

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Counts what happens in the block as `name`."""
        self._turn()
        self._of_thread.open.append(name)
        try:
            yield
        finally:
            self._turn()
            self._of_thread.open.pop()

    def _turn(self) -> None:
        thread, now = self._of_thread, time.perf_counter()
        if not hasattr(thread, "open"):
            thread.open = []
        if thread.open:
            name = thread.open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - thread.since
        thread.since = now
