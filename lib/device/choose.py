"""Prints the requirements file for this machine, and on stderr why: python -m lib.device.choose, as make setup does."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request

from .families import CPU_FILE, Family, Gpu, choose_family, dotted, parse_gpus

QUERIES = ("name,compute_cap,driver_version", "name,driver_version")  # drivers before 2021 do not know compute_cap
SECONDS = 15  # for nvidia-smi, and for Paddle's package index


def present_gpus() -> tuple[list[Gpu], str]:
    """The GPUs that nvidia-smi lists, and why there are none."""
    problem = ""
    for query in QUERIES:
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, errors="replace")
        except FileNotFoundError:
            return [], "no NVIDIA GPU was found (there is no nvidia-smi)"
        except (OSError, subprocess.TimeoutExpired) as error:
            return [], f"nvidia-smi failed ({type(error).__name__})"
        said = " ".join((done.stdout + done.stderr).split())[:160]
        if done.returncode == 0:
            try:
                gpus = parse_gpus(done.stdout)
            except ValueError as error:
                return [], f"nvidia-smi answered with an {error}"
            return gpus, "" if gpus else "nvidia-smi lists no GPU"
        problem = problem or f"nvidia-smi failed: {said or f'exit code {done.returncode}'}"
        if "valid field" not in said:
            break
    return [], problem


def index_problem(family: Family) -> str:
    """Why the package index of a family cannot be used, '' if it can or none is needed."""
    index = family.index()
    if not index:
        return ""
    address = f"{index.rstrip('/')}/paddlepaddle-gpu/"
    try:
        with urllib.request.urlopen(address, timeout=SECONDS):
            return ""
    except (OSError, ValueError) as error:  # URLError and HTTPError are OSErrors
        reason = getattr(error, "reason", None) or error
        return f"{address} cannot be reached ({reason})"


def choose(python: tuple[int, ...] = sys.version_info[:2]) -> tuple[str, list[str]]:
    """The requirements file for this machine and a version of Python, and lines that say why."""
    gpus, problem = present_gpus()
    if problem:
        return CPU_FILE, [f"{problem}: {CPU_FILE}"]
    lines = [f"GPU {number}: {gpu}" for number, gpu in enumerate(gpus)]
    family, reasons = choose_family(gpus)
    lines += reasons
    if family is None:
        return CPU_FILE, [*lines, f"{CPU_FILE} runs everything on the processor"]
    if python > family.python:
        newest = dotted(family.python)
        lines.append(f"it needs Python {newest} at most: {CPU_FILE} for now; later, make setup PYTHON=python{newest}")
        return CPU_FILE, lines
    unreachable = index_problem(family)
    if unreachable:
        lines.append(f"{unreachable}: {CPU_FILE} for now; later, make setup REQUIREMENTS={family.file}")
        return CPU_FILE, lines
    return family.file, lines


def main() -> None:
    file, lines = choose()
    for line in lines:
        print(f"=> {line}", file=sys.stderr)
    print(file)


if __name__ == "__main__":
    main()
