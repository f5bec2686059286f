"""Work done ahead in a thread: reading, detecting, drawing and encoding beside the network, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
WAIT = 0.1  # seconds between looks at whether anybody still wants the items


class _Worker(threading.Thread):
    """Puts the items of an iterable into a bounded queue; what it raises comes out behind them."""

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        super().__init__(daemon=True)
        self.items = items
        self.queue: queue.Queue = queue.Queue(depth)
        self.stop = threading.Event()
        self.error: BaseException | None = None

    def run(self) -> None:
        iterator = iter(self.items)
        try:
            for item in iterator:
                if not self._put((item,)):
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the items are wanted
            self.error = error
        finally:
            if isinstance(iterator, Generator):
                iterator.close()  # in the thread that it ran in
            self._put(())

    def _put(self, entry: tuple) -> bool:
        while not self.stop.is_set():
            try:
                self.queue.put(entry, timeout=WAIT)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Iterator[Item]]:
    """An iterator of the same items, which a thread makes up to `depth` + 1 items before they are asked for.

    The order is kept, and an exception is raised behind the items made before it. When the block ends, early or
    not, the thread has ended, and a generator among `items` is closed.
    """
    worker = _Worker(items, depth)
    worker.start()
    try:
        yield _taken(worker)
    finally:
        worker.stop.set()
        worker.join()


def _taken(worker: _Worker) -> Iterator[Item]:
    while True:
        entry = worker.queue.get()
        if not entry:
            if worker.error is not None:
                raise worker.error
            return
        yield entry[0]
