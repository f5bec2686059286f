"""What the figures of docs/analysis.md rest on: the time of resampling, two simulations, and the growth of a report.

    python tests/bench/analysis.py [--draws 1000] [--splits 200] [--times 1 2 4]

All of it is of the stacked hourglass's predictions for MPII's 2,958 validation persons, in ../shared/data/mpii_val.
The truth of the first simulation is the Mean of all persons; a draw is 500 pictures of theirs. The second one splits
their pictures into two random halves. A larger set is the same persons several times, each size in a fresh process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from measuring import growth_table, in_fresh_process, interleaved_ms, machine_line, peak_bytes, table

from lib.analysis.intervals import RESAMPLES, Column, interval, p_value, resampled
from lib.analysis.predictions import read_run
from lib.utils.errors import UserError
from lib.utils.runtime import run_script

DATA = ROOT.parent / "shared" / "data" / "mpii_val"
PREDICTIONS = "hourglass_s2_pred.mat"
EXPERIMENT = ROOT / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
PICTURES = 500  # of a draw
COLUMNS = {"seconds": ("report.py --no-people", "{:.1f} s", 1), "memory": ("most memory", "{:.0f} MB", 1e6)}


def mean_column(run, rows=slice(None)):
    """The Column of the table's Mean, of some persons."""
    return Column("Mean", run.hits[rows], run.counted[rows].astype(float))


def share_of_intervals_with_the_truth(run, draws):
    """How many of `draws` samples of pictures have an interval that holds the Mean of all persons."""
    truth, picture_of, held = mean_column(run).figure(), run.people.picture_of, 0
    people = [np.flatnonzero(picture_of == number) for number in range(picture_of.max() + 1)]
    generator = np.random.default_rng(0)
    for seed in range(draws):
        chosen = [people[number] for number in generator.integers(0, len(people), PICTURES)]
        numbers = np.repeat(np.arange(PICTURES), [len(rows) for rows in chosen])
        column = mean_column(run, np.concatenate(chosen))
        low, high = interval(resampled([column], numbers, RESAMPLES, seed)[:, 0])
        held += low <= truth <= high
    return held


def significant_halves(run, splits):
    """How many of `splits` random splits of the pictures have halves that differ with p < .05, which is chance."""
    picture_of, significant = run.people.picture_of, 0
    generator, count = np.random.default_rng(0), run.people.picture_of.max() + 1
    for split in range(splits):
        first = np.isin(picture_of, generator.permutation(count)[: count // 2])
        halves = []
        for part, rows in enumerate((first, ~first)):
            numbers = np.unique(picture_of[rows], return_inverse=True)[1]
            halves.append(resampled([mean_column(run, rows)], numbers, RESAMPLES // 2, seed=2 * split + part)[:, 0])
        significant += p_value(halves[0] - halves[1]) < 0.05
    return significant


# -- growth ----------------------------------------------------------------------------------------------------------


def write_set(folder, times):
    """MPII's files and predictions with every person several times; each time has pictures of its own."""
    (folder / "annot").mkdir()
    records = json.loads((DATA / "annot" / "valid.json").read_text(encoding="utf-8"))
    copies = [{**record, "image": f"{number}_{record['image']}"} for number in range(times) for record in records]
    (folder / "annot" / "valid.json").write_text(json.dumps(copies), encoding="utf-8")
    truth = scipy.io.loadmat(DATA / "annot" / "gt_valid.mat")
    names = ("jnt_missing", "pos_gt_src", "headboxes_src")
    repeated = {name: np.concatenate([truth[name]] * times, axis=-1) for name in names}
    scipy.io.savemat(folder / "annot" / "gt_valid.mat", {**repeated, "dataset_joints": truth["dataset_joints"]})
    predicted = scipy.io.loadmat(DATA / PREDICTIONS)["preds"]
    scipy.io.savemat(folder / "pred.mat", {"preds": np.concatenate([predicted] * times)})


def report_alone(folder):
    """Writes the report of a set in this process: prints its seconds and this process's peak of memory as JSON."""
    from lib.analysis.report import ReportSettings, write_report

    start = time.perf_counter()
    run = read_run(f"hourglass={folder / 'pred.mat'}", str(EXPERIMENT), {"DATASET.ROOT": str(folder)})
    write_report([run], folder / "report", ReportSettings(people=False))
    print(json.dumps({"seconds": time.perf_counter() - start, "memory": peak_bytes()}))


def measure_growth(all_times):
    measured = []
    for times in all_times:
        with tempfile.TemporaryDirectory() as place:
            # in a process of its own, so that this one stays small, see `in_fresh_process`
            subprocess.run([sys.executable, __file__, "--write", place, str(times)], check=True)
            measured.append(in_fresh_process(__file__, "--report", place))
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=200)
    about = "how often a larger set has each person"
    parser.add_argument("--times", type=int, nargs="+", default=[1, 2, 4], metavar="N", help=about)
    parser.add_argument("--write", nargs=2, metavar=("FOLDER", "TIMES"), help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise UserError(f"there is no {DATA}")
    if arguments.write:
        return write_set(Path(arguments.write[0]), int(arguments.write[1]))
    if arguments.report:
        return report_alone(arguments.report)
    print(machine_line("numpy"))
    growth = measure_growth(arguments.times)
    run = read_run(f"hourglass={DATA / PREDICTIONS}", str(EXPERIMENT), {"DATASET.ROOT": str(DATA)})
    columns = [mean_column(run)] * 10
    (milliseconds,) = interleaved_ms(lambda: resampled(columns, run.people.picture_of, RESAMPLES), rounds=5)
    held = share_of_intervals_with_the_truth(run, arguments.draws)
    significant = significant_halves(run, arguments.splits)
    print(table(("what", "figure", "target"), [
        (f"{RESAMPLES:,} resamples of {len(run.people):,} persons, ten columns", f"{milliseconds / 1000:.2f} s", "2 s"),
        (f"95% intervals that hold the truth, {arguments.draws:,} draws of {PICTURES} pictures",
         f"{held / arguments.draws:.1%}", "94 to 96%"),
        (f"halves that differ with p < .05, {arguments.splits} splits",
         f"{significant} ({significant / arguments.splits:.1%})", "about 5%"),
    ]))  # fmt: skip
    print(growth_table([len(run.people) * times for times in arguments.times], growth, COLUMNS))
    return None


if __name__ == "__main__":
    run_script(main)
