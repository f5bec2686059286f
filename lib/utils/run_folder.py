"""A run's folder: one writer at a time, and no run over another."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import RunError, UserError
from .runtime import is_alive, make_folder, replacing

EARLIER = "earlier"  # the folder for runs that were there before
LOCK, WRITER = ".lock", ".writer.json"
RUN_RECORD = "run.json"
# any of these is what a training leaves behind
OF_A_RUN = (
    RUN_RECORD, "checkpoint.pdckpt", "checkpoint_previous.pdckpt", "model_best.pdparams", "final_state.pdparams",
    "history.json",
)  # fmt: skip
TIME_FORMAT = "%Y-%m-%d-%H-%M-%S"
POLL_SECONDS = 1.0


def set_aside(folder: Path, overwrite: bool = False) -> str:
    """Makes room for a new run: an earlier one's files move to `folder`/earlier/<its start>. Returns a line, or ''.

    overwrite: they are deleted instead. A move that was cut off is completed by the next one: run.json, which tells
    the start, goes last. Raises RunError where files cannot be moved or deleted.
    """
    found = [name for name in OF_A_RUN if (folder / name).exists()]
    if not found:
        return ""
    start = time.strftime(TIME_FORMAT, time.localtime((folder / found[0]).stat().st_mtime))
    entries = [entry for entry in folder.iterdir() if entry.name not in (EARLIER, LOCK, WRITER)]
    entries.sort(key=lambda entry: (entry.name == RUN_RECORD, entry.name in OF_A_RUN, entry.name))
    target = folder / EARLIER / start
    try:
        if overwrite:
            for entry in entries:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            return f"=> --overwrite: the run of {start} in {folder} is deleted"
        target.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            os.rename(entry, free_name(target / entry.name))
    except OSError as error:
        raise RunError(f"cannot clear {folder} of the run of {start}: {error.strerror or error}") from error
    return f"=> {folder} held a run of {start}: its files are in {target} now; to remove them: rm -r {target}"


def keep_earlier(path: Path) -> None:
    """Renames a file that is about to be written anew: its time goes into its name."""
    with contextlib.suppress(FileNotFoundError):
        moment = time.strftime(TIME_FORMAT, time.localtime(path.stat().st_mtime))
        os.rename(path, free_name(path.with_name(f"{path.stem}_{moment}{path.suffix}")))


def free_name(path: Path) -> Path:
    """`path`, or with _2, _3, ... at the end of its stem where something is there already."""
    name, number = path, 1
    while os.path.lexists(name):
        number += 1
        name = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return name


@contextlib.contextmanager
def one_writer(
    folder: Path, wait: bool = False, unlock: bool = False, say: Callable[[str], None] = print
) -> Iterator[None]:
    """A block in which this process alone writes to a run's folder.

    Two marks hold it. The lock of the file .lock (flock) is the system's, which takes it away when a process ends,
    however it ends; some network disks give it to everybody. .writer.json says who holds it, and is there as long as
    the process of this machine lives that it names.
    wait: until the other one has finished; unlock: take over from another machine, which must be gone.
    Raises UserError, naming host, process and start of the other, where there is one.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    lock = FileLock(folder / LOCK)
    holder = _take(folder, lock, unlock, say)
    if holder and not wait:
        raise UserError(f"{folder} is in use: {holder}. Give --wait, or another OUTPUT_DIR")
    if holder:
        say(f"=> waiting: {holder}")
    while holder:
        time.sleep(POLL_SECONDS)
        holder = _take(folder, lock, unlock, say)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / WRITER).unlink()
        lock.release()
        with contextlib.suppress(OSError):  # of a run that wrote nothing, nothing stays
            if {entry.name for entry in folder.iterdir()} <= {LOCK}:
                (folder / LOCK).unlink(missing_ok=True)
                for path in made:
                    path.rmdir()


def _take(folder: Path, lock: FileLock, unlock: bool, say: Callable[[str], None]) -> str:
    """Takes both marks and returns '', or who holds them, in words."""
    path = folder / WRITER
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _words(_read(path))
    except NotImplementedError:  # a disk without such locks: the other mark must do
        pass
    writer = _read(path)
    if writer:
        here = writer.get("host") == socket.gethostname()
        if here and _lives(writer):
            lock.release()
            return _words(writer)
        if not here and not unlock:
            lock.release()
            other = f"{_words(writer)}, which cannot be looked at from {socket.gethostname()}"
            raise UserError(f"{folder} is in use: {other}. If it is gone, give --unlock")
        said = "" if here else " (--unlock)"
        say(f"=> taking over from {_words(writer).removeprefix('by ')}, which is gone{said}")
    own = {"host": socket.gethostname(), "process": os.getpid(), "start": time.strftime("%Y-%m-%d %H:%M:%S")}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**own, "began": _began(os.getpid())}), encoding="utf-8")
    return ""


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _words(writer: dict[str, Any]) -> str:
    if not writer:
        return "by another train.py"
    return f"by process {writer.get('process')} on {writer.get('host')}, which began {writer.get('start')}"


def _lives(writer: dict[str, Any]) -> bool:
    """Whether the process still runs; another one may have its number by now, and began at another time."""
    number = writer.get("process")
    if not isinstance(number, int) or number == os.getpid() or not is_alive(number):
        return False
    return writer.get("began") in (None, _began(number))


def _began(process: int) -> str | None:
    """When a process began, in the system's own count; None where there is no /proc."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
