"""The process: processor settings, device, one-line errors, log. Imports Paddle late."""
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

from .errors import ItemError, RunError, UserError

LOGGER_NAME = "pose"
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


def gpu_numbers(gpus: str) -> list[int]:
    """List of the numbers in '0' or '0,1', as in GPUS; empty for 'cpu' or ''. Raises UserError for anything else."""
    names = [name.strip() for name in gpus.split(",") if name.strip()]
    if names in ([], ["cpu"]):
        return []
    if not all(name.isdecimal() for name in names):
        raise UserError(f"--gpus {gpus}: expected numbers such as 0, or cpu")
    return [int(name) for name in names]


def choose_device(gpus: str, asked: bool = False) -> str:
    """Sets Paddle's device and returns a line that says which: the first of `gpus`, or the CPU where there is no GPU.

    gpus: '0' or '0,1', as in GPUS; 'cpu' or '' for the CPU. asked: the user gave --gpus, so a GPU that is not there
    is an error rather than a reason to run on the CPU. Raises UserError.
    """
    paddle, numbers = import_paddle(), gpu_numbers(gpus)
    if not numbers:
        paddle.set_device("cpu")
        return f"=> device: CPU, {os.environ.get('OMP_NUM_THREADS', '1')} threads"
    present = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    wanted = numbers[0]
    if wanted >= present:
        reason = f"this machine has {present} GPU(s)" if present else "no CUDA GPU can be used"
        if not paddle.is_compiled_with_cuda():
            reason += " (this Paddle is built without CUDA)"
        if asked or present:
            raise UserError(f"GPU {wanted} was asked for, but {reason}; --gpus cpu runs on the CPU")
        paddle.set_device("cpu")
        return f"=> device: CPU, {os.environ.get('OMP_NUM_THREADS', '1')} threads; {reason}"
    paddle.set_device(f"gpu:{wanted}")
    others = f"; one GPU is used, {','.join(map(str, numbers[1:]))} not" if len(numbers) > 1 else ""
    return f"=> device: GPU {wanted}, {paddle.device.cuda.get_device_name(wanted)}{others}"


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
        if number.isdecimal() and (int(number) == os.getpid() or not _is_alive(int(number))):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


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
        old = "; the file that was there is whole" if path.exists() else ""
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
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _complain(error: BaseException, code: int) -> int:
    print("error:", " ".join(str(error).split()), file=sys.stderr)
    return code
