"""Handles Ctrl-C and SIGTERM where the work can be resumed."""
from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """A context in which the first Ctrl-C or SIGTERM is remembered, in `asked`, until somebody looks; another one ends
    the work at once, as KeyboardInterrupt.

    Does nothing outside the main thread, which alone gets signals.
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._patient = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _: object) -> None:
        if self.asked or not self._patient:
            self.asked = number
            raise stopped("interrupted", number)
        self.asked = number

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """A block in which a signal raises KeyboardInterrupt at once; the block is repeated after a resume."""
        self._patient = False
        try:
            if self.asked:
                raise stopped("interrupted", self.asked)
            yield
        finally:
            self._patient = True


def stopped(message: str, number: int) -> KeyboardInterrupt:
    """The KeyboardInterrupt of a signal, with a message for the person who sent it; see runtime.run_script."""
    return KeyboardInterrupt(message, number)
