"""Batches of samples, loaded ahead by other processes. No Paddle here, so a worker starts small and fast."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import cv2
import numpy as np

from lib.utils.errors import RunError
from lib.utils.shared_memory import check_shared_memory

BATCHES_AHEAD = 2  # of each worker


class EpochSampler:
    """Batches of (epoch, index): the index says which person, the epoch which augmentation.

    The order of an epoch depends on the seed and the epoch alone, so a resumed run sees what it would have seen.
    Set `epoch` before iterating.
    """

    def __init__(self, length, batch_size, shuffle=False, seed=0):
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.epoch = 0

    def __len__(self):
        return -(-self.length // self.batch_size)

    def __iter__(self):
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        for start in range(0, self.length, self.batch_size):
            yield [(self.epoch, int(index)) for index in order[start : start + self.batch_size]]


_worker_dataset = None  # in a worker process: the data set, sent once


def _start_worker(dataset):
    global _worker_dataset
    _worker_dataset = dataset
    cv2.setNumThreads(0)  # the workers are the parallelism
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _load_batch(keys):
    return _worker_dataset.collate([_worker_dataset[key] for key in keys])


class BatchLoader:
    """An iterable over a data set's batches in `sampler`'s order, the same whatever the number of workers.

    dataset: has __getitem__ and collate, see JointsDataset; its batches are dicts of numpy arrays.
    workers: processes that load ahead, kept between epochs; 0 loads in this process.
    Errors of a sample reach the caller as they are. Batches come through pipes, not through /dev/shm, which containers
    keep small; Paddle's own DataLoader is not used because it waits for ever when a sample fails and workers is 0, and
    (2.6) when two loaders with persistent workers end.
    """

    def __init__(self, dataset, sampler, workers=0):
        self.dataset, self.sampler, self.workers = dataset, sampler, workers
        self._pool = None

    def __len__(self):
        return len(self.sampler)

    def __iter__(self):
        if self.workers == 0:
            for keys in self.sampler:
                yield self.dataset.collate([self.dataset[key] for key in keys])
            return
        pool, waiting = self._workers(), deque()
        try:
            for keys in self.sampler:
                waiting.append(pool.submit(_load_batch, keys))
                if len(waiting) > self.workers * BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise RunError("a loader process was killed, perhaps for memory: use fewer WORKERS, or 0") from error
        finally:
            for future in waiting:
                future.cancel()

    def _workers(self):
        if self._pool is None:
            check_shared_memory()
            # forked from a small server process: forking this one, with Paddle's threads and CUDA in it, is not safe
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self.workers, context, _start_worker, (self.dataset,))
        return self._pool

    def close(self):
        """Ends the workers. The loader starts new ones if it is used again."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
