"""What the measurements share: the machine in a line, tables, medians, and growth with the number of persons."""

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def machine_line(*packages):
    """Processor, cores, load and versions, as in 2 cores of AMD EPYC, load 0.4, Python 3.11.9, numpy 1.26.4.

    packages: import names, whose versions are said too.
    """
    cores = len(os.sched_getaffinity(0))
    versions = [f"{name} {importlib.import_module(name).__version__}" for name in packages]
    load = f"load {os.getloadavg()[0]:.1f}"
    return ", ".join([f"{cores} cores of {_processor()}", load, f"Python {platform.python_version()}", *versions])


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(titles, rows):
    """A Markdown table of texts."""
    lines = [f"| {' | '.join(row)} |" for row in (titles, *rows)]
    return "\n".join(["", lines[0], "|---" * len(titles) + "|", *lines[1:]])


def median_ms(action, rounds):
    """The median time of an action in milliseconds, after three runs that do not count."""
    return interleaved_ms(action, rounds=rounds)[0]


def interleaved_ms(*actions, rounds, clock=time.perf_counter, pause=0.0):
    """The median time of each of several actions in milliseconds, after three rounds that do not count.

    They take turns, so that a busy machine slows all of them. clock: time.process_time for what works in one thread
    and waits for nothing: it leaves out the time that other programs have. pause: seconds before each, where threads of
    the one before still wait for work in a loop.
    """
    times = []
    for _ in range(rounds + 3):
        times.append([])
        for action in actions:
            time.sleep(pause)
            start = clock()
            action()
            times[-1].append(clock() - start)
    return [1000 * float(value) for value in np.median(times[3:], axis=0)]


class TimedLoader:
    """A BatchLoader that keeps what it took: epochs, a list of (seconds that each batch was waited for, seconds from an
    epoch's first batch on).
    """

    def __init__(self, loader):
        self._loader = loader
        self.epochs = []

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def __len__(self):
        return len(self._loader)

    def __iter__(self):
        batches, waits = iter(self._loader), []
        steps_start = None
        while True:
            start = time.perf_counter()
            batch = next(batches, None)
            end = time.perf_counter()
            if batch is None:
                break
            waits.append(end - start)
            steps_start = steps_start or end
            yield batch
        self.epochs.append((waits, end - steps_start))

    def data_share(self):
        """Waiting as a share of the time from an epoch's first batch on, the first epoch left out."""
        return sum(sum(waits[1:]) for waits, _ in self.epochs[1:]) / self.seconds

    @property
    def seconds(self):
        """Of all epochs but the first, from their first batches on."""
        return sum(seconds for _, seconds in self.epochs[1:])


# -- growth ----------------------------------------------------------------------------------------------------------


def peak_bytes():
    """The most memory that this process has held, or inherited: see `in_fresh_process`."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_fresh_process(script, *words):
    """The JSON that `script` prints in its last line, in a process of its own.

    A process that is started has the peak of the one that starts it, so this one must be small.
    """
    answer = subprocess.run([sys.executable, script, *map(str, words)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def growth_exponent(sizes, values):
    """The b of value = a * size**b by least squares of the logarithms: 1 is linear, 2 quadratic."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def growth_table(sizes, measured, columns):
    """A table of figures by size, with a last row of their growth.

    measured: a dict of numbers for each size; columns: {key: (title, format, divisor)}.
    """
    rows = []
    for size, figures in zip(sizes, measured, strict=True):
        rows.append((f"{size:,}", *(form.format(figures[key] / by) for key, (_, form, by) in columns.items())))
    exponents = (growth_exponent(sizes, [figures[key] for figures in measured]) for key in columns)
    rows.append(("grows as N to the power of", *(f"{exponent:.2f}" for exponent in exponents)))
    return table(("persons N", *(title for title, _, _ in columns.values())), rows)
