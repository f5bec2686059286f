"""Trains one network for each combination of settings and each seed, one after the other, and compares them."""

import argparse

import _init_paths  # noqa: F401

from lib.analysis.sweep import compare_runs, parse_grid, plan_runs, shell_lines, summary_lines, train_runs
from lib.utils.errors import RunError
from lib.utils.parser import OneLineParser, count
from lib.utils.runtime import run_script

EPILOG = """
example: sweep.py --cfg YAML TRAIN.LR=1e-3,5e-4 MODEL.DEPTH=18,50 --seeds 3
Runs lie below <OUTPUT_DIR>/sweep/<experiment>/. The same command again skips what is done and resumes what is not.
"""


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the experiment")
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="seeds of each combination (default 1)")
    about = "print one command for each run, for a scheduler, and train nothing"
    parser.add_argument("--print", action="store_true", dest="only_print", help=about)
    about = "KEY=VALUE,VALUE,... to combine, and KEY VALUE pairs that all runs have"
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE,VALUE", help=about)
    return parser.parse_intermixed_args()


def main() -> None:
    arguments = parse_arguments()
    combined = [word for word in arguments.words if "=" in word]
    fixed = [word for word in arguments.words if "=" not in word]
    runs = plan_runs(arguments.cfg, parse_grid(combined), arguments.seeds, fixed)
    if arguments.only_print:
        print("\n".join(shell_lines(arguments.cfg, runs)))
        return
    problems = train_runs(arguments.cfg, runs)
    print("\n".join(summary_lines(runs)))
    compare_runs(runs, runs[0].place / "report")
    if problems:
        raise RunError(f"{len(problems)} of {len(runs)} runs failed: {'; '.join(problems)}")


if __name__ == "__main__":
    run_script(main)
