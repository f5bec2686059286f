"""Batches of samples, loaded ahead by worker processes, which import no Paddle and so start fast."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..utils.errors import RunError, UserError
from ..utils.shared_memory import check_shared_memory

if TYPE_CHECKING:
    pass

BATCHES_AHEAD = 2  # of each worker


class EpochSampler:
    """Batches of (epoch, index): the index says which person, the epoch which augmentation.

    The order of an epoch depends on the seed and the epoch alone, so a resumed run sees what it would have seen.
    Set `epoch` before iterating.
    """

    def __init__(self, length: int, batch_size: int, shuffle: bool = False, seed: int = 0) -> None:
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.length // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        for start in range(0, self.length, self.batch_size):
            yield [(self.epoch, int(index)) for index in order[start : start + self.batch_size]]

    def joined_rows(self, step: int) -> int:
        """How many persons the batches of a step have, of all ranks together."""
        return min(self.batch_size, self.length - step * self.batch_size)


class TrainingShare(EpochSampler):
    """What one of `count` ranks trains on: its part of each batch of an EpochSampler with `count` times the batch size.

    The parts are disjoint, contiguous and as even as possible, so the ranks together see what one rank with the joined
    batch sees, in its order. A last batch with fewer persons than ranks is left out: a rank without any cannot take
    part in a step. Raises UserError where nothing else is there.
    """

    def __init__(self, length: int, batch_size: int, shuffle: bool, seed: int, rank: int, count: int) -> None:
        super().__init__(length, batch_size * count, shuffle, seed)
        self.rank, self.count = rank, count
        if length < count:
            raise UserError(f"{length} persons to train on are too few for {count} ranks: start fewer")

    @property
    def left_out(self) -> int:
        """The number of persons that an epoch leaves out; which ones depends on its order."""
        rest = self.length % self.batch_size
        return rest if rest < self.count else 0

    def __len__(self) -> int:
        return super().__len__() - bool(self.left_out)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for joined in itertools.islice(super().__iter__(), len(self)):
            ends = np.linspace(0, len(joined), self.count + 1).astype(int)
            yield joined[ends[self.rank] : ends[self.rank + 1]]


class ValidationShare(EpochSampler):
    """What one of `count` ranks validates: every `count`-th batch of an EpochSampler, from batch `rank` on.

    The batches are those of one rank, so that each person's heatmaps are the same to the last bit.
    """

    def __init__(self, length: int, batch_size: int, rank: int, count: int) -> None:
        super().__init__(length, batch_size)
        self.rank, self.count = rank, count

    def __len__(self) -> int:
        return len(range(self.rank, super().__len__(), self.count))

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        yield from itertools.islice(super().__iter__(), self.rank, None, self.count)


_worker_dataset: Any = None  # in a worker process: the data set, sent once


def _start_worker(dataset: Any) -> None:
    global _worker_dataset
    _worker_dataset = dataset
    cv2.setNumThreads(0)  # the workers are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    wait([parent.sentinel])
    os._exit(1)


def _load_batch(keys: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
    return _worker_dataset.collate([_worker_dataset[key] for key in keys])


@contextlib.contextmanager
def _naming_killed_workers() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise RunError("a loader process was killed, perhaps for memory: use fewer WORKERS, or 0") from error


class BatchLoader:
    """An iterable over a data set's batches in `sampler`'s order, the same whatever the number of workers.

    dataset: has __getitem__ and collate, see JointsDataset; its batches are dicts of numpy arrays.
    workers: processes that load ahead, kept between epochs; 0 loads in this process.
    Set `skipped` to leave out as many batches at the beginning.
    Errors of a sample reach the caller as they are. Batches come through pipes, not through /dev/shm, which containers
    keep small; Paddle's own DataLoader is not used because it waits for ever when a sample fails and workers is 0, and
    (2.6) when two loaders with persistent workers end.
    """

    def __init__(self, dataset: Any, sampler: Any, workers: int = 0) -> None:
        self.dataset, self.sampler, self.workers = dataset, sampler, workers
        self.skipped = 0
        self._pool: ProcessPoolExecutor | None = None
        self._prepared: tuple[int, Iterator[Any], deque[Any]] | None = None

    def __len__(self) -> int:
        return len(self.sampler)

    def prepare(self, epoch: int) -> None:
        """Has the workers begin with an epoch, which is to be the next one that is iterated over."""
        self.sampler.epoch = epoch
        if self.workers and self._prepared is None:
            keys, waiting = self._begin()
            self._prepared = (epoch, keys, waiting)

    def __iter__(self) -> Iterator[Any]:
        if self.workers == 0:
            for keys in self._keys():
                yield self.dataset.collate([self.dataset[key] for key in keys])
            return
        if self._prepared:
            epoch, keys, waiting = self._prepared
            self._prepared = None
            if epoch != self.sampler.epoch:
                raise ValueError(f"epoch {epoch} was prepared, and {self.sampler.epoch} is asked for")
        else:
            keys, waiting = self._begin()
        try:
            while waiting:
                with _naming_killed_workers():
                    batch = waiting.popleft().result()
                self._load_ahead(keys, waiting)
                yield batch
        finally:
            for future in waiting:
                future.cancel()

    def _begin(self) -> tuple[Iterator[Any], deque]:
        """(the keys to come, futures of the batches that are being loaded)."""
        keys = self._keys()
        waiting: deque[Any] = deque()
        self._load_ahead(keys, waiting)
        return keys, waiting

    def _keys(self) -> Iterator[Any]:
        return itertools.islice(self.sampler, self.skipped, None)

    def _load_ahead(self, keys: Iterator[Any], waiting: deque) -> None:
        while len(waiting) < self.workers * BATCHES_AHEAD and (some := next(keys, None)):
            with _naming_killed_workers():  # one that was killed between two epochs shows here
                waiting.append(self._workers().submit(_load_batch, some))

    def _workers(self) -> ProcessPoolExecutor:
        if self._pool is None:
            check_shared_memory()
            # forked from a small server process: forking this one, with Paddle's threads and CUDA in it, is not safe
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self.workers, context, _start_worker, (self.dataset,))
        return self._pool

    def close(self) -> None:
        """Ends the workers. The loader starts new ones if it is used again."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._prepared = None
