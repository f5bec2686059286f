"""The process: processor settings, one-line errors, log. Imports Paddle late."""
from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from .errors import ItemError, RunError, UserError, gpu_problem

LOGGER_NAME = "pose"
CLOSED_PIPE = 13  # SIGPIPE, which Windows has not: programs that it ends have exit code 141
_PACKAGE = Path(__file__).resolve().parent.parent
# the scripts: pose_estimation/ of the repository, or scripts/ of the installed package
SCRIPTS = _PACKAGE / "scripts" if (_PACKAGE / "scripts").is_dir() else _PACKAGE.parent / "pose_estimation"
OF_ONE_NAME = frozenset((errno.ENAMETOOLONG, errno.EISDIR))  # a file of another name can still be written


def prepare_processor() -> None:
    """Settings that must stand before Paddle is imported; on AMD they make a step several times faster.

    Paddle's CPU wheels bring an old Intel MKL that takes its slowest path on AMD processors unless told the
    instruction set, and set one thread unless told how many. glibc gives large blocks back to the system after each
    operation and has them zeroed again for the next one. What the user's environment already says is left alone, but
    for the one thread of paddle.distributed.launch: the processes that it starts on a machine share its cores.
    """
    with contextlib.suppress(OSError):
        information = Path("/proc/cpuinfo").read_text()
        if "AuthenticAMD" in information and "avx2" in information:
            os.environ.setdefault("MKL_DEBUG_CPU_TYPE", "5")
    if hasattr(os, "sched_getaffinity"):
        ranks_here = int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))
        if ranks_here > 1 and os.environ.get("OMP_NUM_THREADS") == "1":
            del os.environ["OMP_NUM_THREADS"]
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // ranks_here)))
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD, M_MMAP_MAX of malloc.h
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_max, 0)


def import_paddle() -> ModuleType:
    """Paddle, imported with `prepare_processor` and without its import-time warnings about ccache and threads."""
    if "paddle" not in sys.modules:
        prepare_processor()
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            import paddle
    import paddle

    # said once a run by every BatchNorm that trains; nothing follows from it
    warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")
    return paddle


class LastingStream:
    """A stream that goes on without its screen: from the first line that cannot be written on, lines go nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As a stream does."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed pipe, a terminal that is gone, a closed file
            return self._lose(text)

    def flush(self) -> None:
        """As a stream does."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._lose("")

    def _lose(self, text: str) -> int:
        self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process
        return len(text)

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def outlast_screen() -> None:
    """For work that takes days: a closed terminal or pipe does not end the process; the log file has everything."""
    sys.stdout, sys.stderr = LastingStream(sys.stdout), LastingStream(sys.stderr)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class _BarHandler(logging.StreamHandler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm = sys.modules.get("tqdm")  # where nobody imported it there is no bar
        if tqdm is None:
            self.stream.write(self.format(record) + self.terminator)
        else:
            tqdm.tqdm.write(self.format(record), file=self.stream)
        self.flush()


def make_logger(log_file: Path | None = None) -> logging.Logger:
    """The logger of a run: lines as they are, to the screen (stdout) and to `log_file` if given."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in list(logger.handlers):
        handler.close()
        logger.removeHandler(handler)
    logger.addHandler(_BarHandler(sys.stdout))
    if log_file:
        logger.addHandler(logging.FileHandler(log_file, encoding="utf-8"))
    for handler in logger.handlers:
        handler.setFormatter(logging.Formatter("%(message)s"))
    return logger


def quiet_logger() -> logging.Logger:
    """A logger that says nothing, for all ranks but the first."""
    logger = logging.getLogger(f"{LOGGER_NAME}.quiet")
    logger.propagate = False
    logger.handlers = [logging.NullHandler()]
    return logger


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Makes a folder that can be written to and returns it as a Path; raises UserError where it cannot."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write_probe.{os.getpid()}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"cannot write to the folder {path}: {error.strerror}") from error
    return path


def clear_parts(folder: Path) -> None:
    """Removes the temporary files of `replacing` that killed processes left in a folder.

    Those of a process that lives stay; one with this process's number is from before, as numbers are given again.
    """
    for path in Path(folder).glob(".*.part"):
        number = path.name.split(".")[-2]
        if number.isdecimal() and (int(number) == os.getpid() or not is_alive(int(number))):
            with contextlib.suppress(OSError):
                path.unlink()


def is_alive(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextlib.contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """A block in which a file that cannot be written is a RunError that names it."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], ending: str = ".part") -> Iterator[Path]:
    """A temporary file name beside `path` that becomes `path` when the block ends well; nothing is left otherwise.

    ending: of the temporary name, for writers that go by it.
    Raises RunError where the disk does not take it, ItemError where this one name is at fault; the old file is whole
    then.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{ending}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        old = "; the file that was there is whole" if os.path.exists(path) else ""
        kind = ItemError if error.errno in OF_ONE_NAME else RunError
        raise kind(f"cannot write {path}: {error.strerror or error}{old}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def run_script(main: Callable) -> None:
    """Runs a script's main(); user errors become one line and exit code 2, failures one line and exit code 1."""
    try:
        main()
    except UserError as error:
        sys.exit(_complain(error, 2))
    except RunError as error:
        sys.exit(_complain(error, 1))
    except KeyboardInterrupt as error:
        message, number = error.args or ("interrupted", signal.SIGINT)
        sys.exit(_complain(message, 128 + number))
    except BrokenPipeError:  # such as by head, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + CLOSED_PIPE)
    except Exception as error:
        problem = gpu_problem(error)
        if not problem:
            raise
        sys.exit(_complain(problem, 1))


def _complain(error: object, code: int) -> int:
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    return code
