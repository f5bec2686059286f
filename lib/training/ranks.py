"""Training by several processes ("ranks"), one a GPU or several on CPUs, started by paddle.distributed.launch.

The gradients of a step are averaged by paddle.DataParallel, on GPUs (NCCL, while the backward pass still runs) and on
CPUs (gloo) alike, so what is tested on CPUs is what runs on GPUs. Each rank scales its loss with `loss_weight`; the
average is then the gradient of the joined batch, whatever part of it each rank had.

Two things of gloo that Paddle (2.6.2 and 3.3.1) gives no option for:
- it gives up where a rank comes 30 seconds late: `Ranks.wait` first wherever one may;
- arrays of different length end the process (SIGABRT): `gather_rows` makes them equal. float16 sums are wrong in 3.3.1,
  so what goes over the line is float32, float64 or int64.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import paddle.distributed as dist

from ..utils.errors import RunError, UserError
from .rank_watch import SECONDS_TO_HEAR, RankWatch


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    rank: 0 ... count - 1; rank 0 alone writes and speaks. device: cpu, or gpu:<number>, as Paddle names it; empty where
    there is one rank, whose device is the caller's choice.
    """

    rank: int = 0
    count: int = 1
    device: str = ""
    watch: RankWatch | None = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def line(self) -> str:
        """A line that says what the ranks run on; empty where there is one, whose device is the caller's choice."""
        return f"=> device: {self.count} ranks, this one on {self.device}" if self.count > 1 else ""

    def wait(self) -> None:
        """Waits, for as long as it takes, until every rank is here; raises RunError where one has ended."""
        if self.watch:
            self.watch.wait()

    def data_parallel(self, network: paddle.nn.Layer) -> paddle.nn.Layer:
        """What to call instead of the network, so that its backward pass averages the gradients over the ranks.

        Every rank has rank 0's weights afterwards. The network itself stays what is validated and saved.
        """
        if self.count == 1:
            return network
        self.wait()
        return paddle.DataParallel(network)

    def loss_weight(self, rows: int, joined_rows: int) -> float:
        """What to multiply the mean loss of this rank's `rows` by: the joined batch has `joined_rows` of all ranks."""
        return rows * self.count / joined_rows

    def add_up(self, values: npt.ArrayLike) -> np.ndarray:
        """The sums over the ranks of a few numbers, float64, the same on every rank."""
        values = np.asarray(values, dtype=np.float64)
        if self.count == 1:
            return values
        self.wait()
        total = paddle.to_tensor(values.reshape(-1))
        dist.all_reduce(total)
        return total.numpy().reshape(values.shape)

    def gather_rows(self, array: np.ndarray) -> np.ndarray:
        """The arrays (n, ...) of every rank, one below the other in the order of ranks; n may differ and be 0.

        array: float32, float or int; the same type and the same shape but for n on every rank.
        """
        if self.count == 1:
            return array
        lengths = self.add_up(np.eye(self.count)[self.rank] * len(array)).astype(int)
        padded = np.zeros((max(lengths.max(), 1), *array.shape[1:]), dtype=array.dtype)
        padded[: len(array)] = array
        parts: list[paddle.Tensor] = []
        dist.all_gather(parts, paddle.to_tensor(padded))
        return np.concatenate([part.numpy()[:length] for part, length in zip(parts, lengths, strict=True)])

    @paddle.no_grad()
    def share_state(self, state: dict[str, paddle.Tensor]) -> None:
        """Gives every rank rank 0's {name: tensor}, in place: weights, or BatchNorm's statistics, which differ."""
        if self.count > 1:
            self.wait()
            for name in sorted(state):
                dist.broadcast(state[name], 0)


def between_steps(network: paddle.nn.Layer) -> contextlib.AbstractContextManager[Any]:
    """For all backward passes of a step but the last one, where gradients are accumulated: they stay on this rank."""
    return network.no_sync() if isinstance(network, paddle.DataParallel) else contextlib.nullcontext()


def ranks_asked() -> tuple[int, int]:
    """(rank, count) as the launcher's environment says; (0, 1) without a launcher. Raises UserError."""
    rank, count = os.environ.get("PADDLE_TRAINER_ID", "0"), os.environ.get("PADDLE_TRAINERS_NUM", "1")
    if not (rank.isdecimal() and count.isdecimal() and int(rank) < int(count)):
        raise UserError(
            f"PADDLE_TRAINER_ID is {rank}, PADDLE_TRAINERS_NUM {count}: python -m paddle.distributed.launch sets both"
        )
    return int(rank), int(count)


@contextlib.contextmanager
def start_ranks(timeout: float = SECONDS_TO_HEAR) -> Iterator[Ranks]:
    """Joins the other ranks, where the launcher started more than one; a context that gives the Ranks.

    timeout: TRAIN.RANK_TIMEOUT, seconds after which a rank that is not heard of is taken for gone.
    NCCL where the launcher chose GPUs, gloo on CPUs. A rank that is killed, or that leaves the context by an error,
    ends the others: they raise RunError with its message, or, stuck in a GPU's communication, exit with 1 after a
    few seconds. SIGTERM, the launcher's way to end its ranks (Ctrl-C too), is KeyboardInterrupt here.
    """
    rank, count = ranks_asked()
    if count == 1:
        yield Ranks()
        return
    device = _initialize()
    watch = RankWatch(rank, count, *_meeting_point(rank), timeout)
    interrupted = _interrupt_at_sigterm()  # not before: Paddle waits for the others in a way that Python cannot stop
    try:
        yield Ranks(rank, count, device, watch)
        watch.wait()
    except (UserError, RunError, KeyboardInterrupt) as error:
        watch.leave(str(error) or "interrupted")
        raise
    except Exception as error:  # perhaps Paddle's, because another rank has ended
        if interrupted.is_set():  # in a backward pass: Paddle has made an error of its own of it
            watch.leave("interrupted")
            raise KeyboardInterrupt from None
        lost = any(name in str(error).lower() for name in ("gloo", "nccl"))
        reason = watch.reason(seconds=5.0) or (f"the ranks lost each other: {_first_line(error)}" if lost else None)
        watch.leave(reason or f"{type(error).__name__}: {_first_line(error)}")
        if reason:
            raise RunError(reason) from error
        raise
    watch.leave()


def _interrupt_at_sigterm() -> threading.Event:
    """Makes the launcher's SIGTERM a KeyboardInterrupt; returns an Event that says whether it came."""
    interrupted = threading.Event()

    def interrupt(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is sent three times
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    return interrupted


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _initialize() -> str:
    """Starts Paddle's communication and returns the device of this rank."""
    gpus = os.environ.get("FLAGS_selected_gpus", "")  # noqa: SIM112  (Paddle's name)
    cpu = os.environ.get("PADDLE_DISTRI_BACKEND") == "gloo" or not paddle.is_compiled_with_cuda()
    if cpu:
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    elif not gpus.isdecimal():
        raise UserError(f"the launcher gave this rank the GPUs {gpus!r}, not one: see docs/distributed.md")
    device = "cpu" if cpu else f"gpu:{gpus}"
    try:
        paddle.set_device(device)
        # it prints flags that nobody has changed
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            dist.init_parallel_env()
    except (RuntimeError, ValueError, AssertionError) as error:
        raise RunError(f"the ranks did not find each other: {error}") from error
    return device


def _meeting_point(rank: int) -> tuple[socket.socket | None, tuple[str, int], bytes]:
    """(listener or None, address, key) of RankWatch, agreed on over Paddle's own connection."""
    first = os.environ.get("PADDLE_MASTER") or os.environ["PADDLE_TRAINER_ENDPOINTS"].split(",")[0]
    host, key = first.rpartition(":")[0], os.urandom(16)
    listener = RankWatch.listen(host) if rank == 0 else None
    port = listener.getsockname()[1] if listener else 0
    agreed = paddle.to_tensor([port, *key], dtype="int64")
    dist.broadcast(agreed, 0)
    numbers: Any = agreed.tolist()
    return listener, (host, numbers[0]), bytes(numbers[1:])
