"""Tells every rank of a training when another one ends.

Neither NCCL nor the launcher does it beyond one machine: a GPU's communication with a process that is gone waits for
ever. Every rank keeps a connection to rank 0; the operating system closes it when a process ends, however it ends, and
(by TCP's keep-alive) when its machine does. A process that is stopped (SIGSTOP) keeps its connection: who gives no sign
of life within TRAIN.RANK_TIMEOUT ends the others too. A rank whose launcher is killed ends as well: nobody else would
end it.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection, wait

from ..utils.errors import RunError

SECONDS_TO_MEET = 60.0
SECONDS_TO_HEAR = 600.0  # TRAIN.RANK_TIMEOUT's default
BEATS = 5  # signs of life within that time
SECONDS_TO_STOP = 10.0  # for the main thread to end in its own way, before the process is ended
SILENT_SECONDS = 30  # after which a machine that does not answer is taken for gone
# the first byte of a message; BEAT is a sign of life, FAILED is followed by the reason
HERE, GO, DONE, FAILED, BEAT = b"h", b"g", b"d", b"f", b"b"


class RankWatch:
    """A connection between rank 0 and each other rank, and a thread that watches it.

    listener: of `listen`, on rank 0, else None; address (host, port) of it and key: 16 random bytes, the same on every
    rank; timeout: seconds without a sign of life after which a rank ends the others.
    Raises RunError where the ranks do not meet.
    """

    def __init__(
        self, rank: int, count: int, listener: socket.socket | None, address: tuple[str, int], key: bytes,
        timeout: float = SECONDS_TO_HEAR,
    ) -> None:
        self.rank, self.count, self.timeout = rank, count, timeout
        self._places: dict[int, str] = {}  # rank -> the address that it called from
        self._condition = threading.Condition()
        self._reason: str | None = None
        self._left = False
        self._arrived = dict.fromkeys(range(count), 0)  # rank -> how often it came to `wait`; rank 0's counts GO
        try:
            self._peers = self._answer(listener, key) if listener else self._call(address, key)
        except OSError as error:
            host, port = address
            raise RunError(
                f"rank {rank} of {count} did not meet the others at {host}, port {port}: {error}; the machines must "
                "reach each other at every port"
            ) from error
        self._parent = os.getppid()
        threading.Thread(target=self._watch, daemon=True).start()

    @staticmethod
    def listen(host: str) -> socket.socket:
        """Rank 0's socket, at a free port of `host`, an address of this machine."""
        listener = socket.create_server((host, 0), backlog=128)
        listener.settimeout(SECONDS_TO_MEET)
        return listener

    def _answer(self, listener: socket.socket, key: bytes) -> dict[Connection, int]:
        peers: dict[Connection, int] = {}
        with listener:
            while len(peers) < self.count - 1:
                accepted, (host, *_) = listener.accept()
                connection = _connection(accepted)
                with contextlib.suppress(OSError, EOFError):  # ignore connections without the key
                    greeting = connection.recv_bytes(len(key) + 4) if connection.poll(5.0) else b""
                    if hmac.compare_digest(greeting[:-4], key):
                        peers[connection] = int.from_bytes(greeting[-4:], "big")
                        self._places[peers[connection]] = host
        return peers

    def _call(self, address: tuple[str, int], key: bytes) -> dict[Connection, int]:
        connection = _connection(socket.create_connection(address, SECONDS_TO_MEET))
        connection.send_bytes(key + self.rank.to_bytes(4, "big"))
        self._places[0] = address[0]
        return {connection: 0}

    def wait(self) -> None:
        """Returns when every rank has called it as often as this one; raises RunError where a rank has ended."""
        with self._condition:
            self._arrived[self.rank] += 1
            turn = self._arrived[self.rank]
            if self.rank:
                self._send(HERE)
            others = range(1, self.count) if self.rank == 0 else [0]
            self._condition.wait_for(lambda: self._reason or all(self._arrived[other] >= turn for other in others))
            if self._reason:
                raise RunError(self._reason)
            if self.rank == 0:
                self._send(GO)

    def reason(self, seconds: float) -> str | None:
        """Why this rank must end, if that is known within so many seconds, else None."""
        with self._condition:
            self._condition.wait_for(lambda: self._reason, seconds)
            return self._reason

    def leave(self, failure: str | None = None) -> None:
        """The last call: tells the other ranks that this one ends, well or with a failure said in one line."""
        with self._condition:
            self._left = True
            if failure is None:
                self._send(DONE)
            elif self._reason is None:
                self._send(FAILED + f"rank {self.rank} ended: {failure}".encode())

    def _send(self, message: bytes) -> None:
        for connection in self._peers:
            with contextlib.suppress(OSError):  # gone: the thread finds out
                connection.send_bytes(message)

    def _watch(self) -> None:
        connections = list(self._peers)
        pause = min(1.0, self.timeout / BEATS)
        quiet = dict.fromkeys(connections, 0.0)  # seconds in which this thread heard nothing from each
        last = next_beat = time.monotonic()
        while connections and self._reason is None:
            if last >= next_beat:  # not at every message: beats would answer beats
                next_beat = last + pause
                with self._condition:
                    self._send(BEAT)
            heard = wait(connections, timeout=max(0.0, next_beat - time.monotonic()))
            now = time.monotonic()
            # a longer time is one in which this process was stopped or starved itself: nobody was silent in it
            passed, last = min(now - last, 2 * pause), now
            for connection in list(connections):
                quiet[connection] = 0.0 if connection in heard else quiet[connection] + passed
                if connection in heard and not self._receive(connection):
                    connections.remove(connection)
            quietest = max(connections, key=lambda connection: quiet[connection], default=None)
            if quietest and quiet[quietest] > self.timeout:
                self._stop(self._silence(self._peers[quietest]))
            if os.getppid() != self._parent:
                self._stop("the launcher was killed, so its ranks end")
        if self._reason is None:
            return
        time.sleep(SECONDS_TO_STOP)
        if not self._left:  # stuck, such as in a GPU's communication
            print("error:", self._reason, file=sys.stderr, flush=True)
        os._exit(1)

    def _receive(self, connection: Connection) -> bool:
        """Reads one message; returns whether more may come."""
        peer = self._peers[connection]
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            message = FAILED + (
                f"rank {peer} of {self.count} ended without a word: killed, or out of memory? Its workerlog, in the "
                "launcher's --log_dir, may say more"
            ).encode()
        if message == DONE:
            return False
        if message == BEAT:
            return True
        if message[:1] == FAILED:
            self._stop(message[1:].decode())
            return False
        with self._condition:  # HERE or GO
            self._arrived[peer] += 1
            self._condition.notify_all()
        return True

    def _silence(self, peer: int) -> str:
        return (
            f"rank {peer} of {self.count}, at {self._places.get(peer, 'an unknown address')}, gave no sign of life for "
            f"{self.timeout:g} s (TRAIN.RANK_TIMEOUT): is its process stopped, its machine or the network gone?"
        )

    def _stop(self, reason: str) -> None:
        with self._condition:
            self._reason = self._reason or reason
            self._condition.notify_all()
            if self.rank == 0:
                self._send(FAILED + self._reason.encode())


def _connection(peer: socket.socket) -> Connection:
    """A Connection over a connected socket that also ends when the other machine is gone."""
    peer.settimeout(None)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_NODELAY": 1, "TCP_KEEPIDLE": SILENT_SECONDS // 3, "TCP_KEEPINTVL": SILENT_SECONDS // 6,
               "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": SILENT_SECONDS * 1000}  # fmt: skip
    for name, value in options.items():
        if hasattr(socket, name):  # not every system has each
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return Connection(peer.detach())
