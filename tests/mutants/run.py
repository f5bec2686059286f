"""Makes one mistake at a time in a copy of the project and runs the tests that ought to see it: make mutants.

python tests/mutants/run.py              all of them; prints the table of docs/testing.md
python tests/mutants/run.py NAME ...     some of them; --jobs 4: four at once

Exit code 1 where a mutant survives, 2 where there is no such mutant, its text is gone, or its tests fail without it.
The working tree is left alone; the copy has no ../shared beside it, so what is caught is caught without.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent))

from of_analysis import ANALYSIS  # noqa: E402
from of_results import RESULTS  # noqa: E402
from of_samples import SAMPLES  # noqa: E402
from of_training import TRAINING  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = (*SAMPLES, *TRAINING, *RESULTS, *ANALYSIS)
COPIED = ("lib", "pose_estimation", "experiments", "tests", "pyproject.toml")
SECONDS = 600  # for the tests of one mutant, on a busy machine
PYTEST = ("-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py(?:::\w+)*)", re.MULTILINE)
PASSED, SOME_FAILED = 0, 1  # pytest's exit codes; the others say that tests were not run


class NoAnswerError(Exception):
    """The tests say nothing of a mutant."""


def copy_project(root, folder):
    """Copies what tests need into `folder`/project, which nothing stands beside, and returns its path."""
    tree = Path(folder) / "project"
    tree.mkdir(parents=True)
    for name in COPIED:
        source = Path(root) / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "mutants"))
        elif source.exists():
            shutil.copy(source, tree / name)
    return tree


def first_failure(tree, tests, stop=True):
    """The first test that fails in the tree, without its parameters, or None. Raises NoAnswerError.

    Python writes no compiled files: one with the mistake in it could outlive it.
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *PYTEST, *["-x"] * stop, *tests]
    try:
        answer = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"the tests took more than {SECONDS} seconds") from None
    found = FAILED.search(answer.stdout)
    if answer.returncode == SOME_FAILED and found:
        return found[1]
    if answer.returncode == PASSED:
        return None
    raise NoAnswerError(f"pytest ended with {answer.returncode}: {answer.stdout[-500:]}{answer.stderr[-500:]}")


def check_without(tree, mutants):
    """Raises NoAnswerError where a test fails in the tree as it is, or there is none: it could prove nothing."""
    failed = first_failure(tree, sorted({test for mutant in mutants for test in mutant.tests}), stop=False)
    if failed:
        raise NoAnswerError(f"{failed} fails without any mutant")


def run(mutants, root=ROOT, jobs=1):
    """Prints the table of the mutants, a row as soon as it is known; returns how many survived.

    jobs: how many are tried at once, each in a copy of its own.
    """
    survived = 0
    for mutant in mutants:  # rather now than in ten minutes
        mutant.applied_to((Path(root) / mutant.file).read_text(encoding="utf-8"))
    with TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        trees = SimpleQueue()
        for number in range(jobs):
            trees.put(copy_project(root, Path(folder) / str(number)))
        check_without(Path(folder) / "0" / "project", mutants)
        print("| mutant | file | fault | test that catches it |\n|---|---|---|---|", flush=True)
        try:
            for mutant, caught in zip(mutants, pool.map(partial(try_out, trees), mutants), strict=True):
                survived += caught is None
                seen = f"`{caught.removeprefix('tests/')}`" if caught else "SURVIVED"
                print(f"| {mutant.name} | {mutant.file} | {mutant.breaks} | {seen} |", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
    print(f"\n{len(mutants) - survived} of {len(mutants)} mutants were caught")
    return survived


def try_out(trees, mutant):
    """The first test that fails with a mutant in one of the trees that are free, or None. Raises NoAnswerError."""
    tree = trees.get()
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutant.applied_to(text), encoding="utf-8")
        return first_failure(tree, mutant.tests)
    except NoAnswerError as error:
        raise NoAnswerError(f"{mutant.name}: {error}") from error
    finally:
        path.write_text(text, encoding="utf-8")
        trees.put(tree)


def choose(names, mutants=MUTANTS):
    """The mutants of these names, all without names. Raises NoAnswerError for a name that there is not."""
    unknown = set(names) - {mutant.name for mutant in mutants}
    if unknown:
        raise NoAnswerError(f"no mutant is called {', '.join(sorted(unknown))}")
    return [mutant for mutant in mutants if not names or mutant.name in names]


def main(arguments=None, mutants=MUTANTS, root=ROOT):
    """Runs the script and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a mutant (default: all of them)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at once (default %(default)s)")
    given = parser.parse_args(arguments)
    try:
        return 1 if run(choose(given.names, mutants), root, given.jobs) else 0
    except (NoAnswerError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
