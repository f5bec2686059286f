"""Reports what saved predictions get wrong, and compares runs: one page (index.html) and report.json."""

from pathlib import Path

import _init_paths  # noqa: F401

from lib.utils.errors import UserError
from lib.utils.parser import OneLineParser
from lib.utils.runtime import run_script


def make_parser() -> OneLineParser:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    about = "[NAME=]PATH of a run folder, pred.mat or keypoints_<set>_results.json; others are compared with the first"
    parser.add_argument("runs", nargs="+", metavar="RUN", help=about)
    parser.add_argument("--output", required=True, metavar="DIR", help="where the report goes")
    about = "the experiment of all runs, or --cfg A --cfg B for each its own; default: config.yaml of the run folder"
    parser.add_argument("--cfg", action="append", metavar="YAML", help=about)
    about = "override the experiment: --opts DATASET.ROOT data/mpii"
    parser.add_argument("--opts", nargs="+", default=[], metavar="KEY VALUE", help=about)
    about = "also give mean and deviation of runs that differ in TRAIN.SEED alone"
    parser.add_argument("--group", action="store_true", help=about)
    parser.add_argument("--resamples", type=int, default=2000, metavar="N", help="of the bootstrap (default: 2000)")
    parser.add_argument("--no-people", action="store_true", help="leave out the pictures of people")
    return parser


def main() -> None:
    arguments = make_parser().parse_args()
    from lib.analysis.predictions import read_runs
    from lib.analysis.report import ReportSettings, write_report
    from lib.config.config import parse_overrides

    if not 100 <= arguments.resamples <= 100_000:
        raise UserError(f"--resamples {arguments.resamples}: expected 100 to 100000")
    experiments = arguments.cfg or [None]
    if len(experiments) == 1:
        experiments = experiments * len(arguments.runs)
    given, count = len(experiments), len(arguments.runs)
    if given != count:
        raise UserError(f"--cfg is given {given} times for {count} runs: give it once, or once for each")
    overrides = parse_overrides(arguments.opts)
    runs = read_runs(arguments.runs, experiments, overrides)
    settings = ReportSettings(arguments.resamples, by_seed=arguments.group, people=not arguments.no_people)
    write_report(runs, Path(arguments.output), settings)


if __name__ == "__main__":
    run_script(main)
