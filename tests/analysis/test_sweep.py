"""Sweeps: which runs they are of, where they lie, what is skipped, resumed and summed up."""

import json
import subprocess
import sys

import pytest
import toy

from lib.analysis import sweep
from lib.analysis.sweep import parse_grid, plan_runs, shell_lines, summary_lines, train_runs
from lib.utils.errors import UserError

# Stands for train.py: writes what a run of one epoch leaves behind, and counts its calls
TRAIN = """
import json, sys
from pathlib import Path
words = sys.argv[1:]
words.remove("--report")
values = dict(zip(words[::2], words[1::2]))
with open({calls!r}, "a") as file:
    file.write(" ".join(words) + "\\n")
code = {codes}.get(values["TRAIN.SEED"] + values["TRAIN.LR"], 0)
if code:
    sys.exit(code)
folder = Path(values["OUTPUT_DIR"]) / "mpii" / ("pose_resnet_" + values.get("MODEL.DEPTH", "50")) / "e"
folder.mkdir(parents=True)
mean = 50 + 10 * int(values["TRAIN.SEED"]) + 1000 * float(values["TRAIN.LR"])
(folder / "history.json").write_text(json.dumps([{{"results": {{"Head": 1, "Mean": mean}}}}]))
(folder / "report").mkdir()
(folder / "report" / "index.html").touch()
"""


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text(f"OUTPUT_DIR: {tmp_path}/out\nTRAIN: {{END_EPOCH: 1}}\n")
    return str(path)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Replaces train.py by TRAIN, which fails with codes {seed + rate: exit code}; returns its calls so far."""

    def train(codes=None):
        script = tmp_path / "train.py"
        script.write_text(TRAIN.format(calls=str(tmp_path / "calls"), codes=codes or {}))
        monkeypatch.setattr(sweep, "SCRIPT", script)
        return lambda: (tmp_path / "calls").read_text().splitlines()

    return train


def test_words_are_split_at_commas_but_not_in_lists():
    grid = parse_grid(["TRAIN.LR=1e-3, 5e-4", "TRAIN.LR_STEP=[90,120],[100, 130]"])
    assert grid == {"TRAIN.LR": ["1e-3", "5e-4"], "TRAIN.LR_STEP": ["[90,120]", "[100, 130]"]}


@pytest.mark.parametrize("words", [["TRAIN.LR"], ["TRAIN.LR="], ["TRAIN.LR=1,,2"], ["TRAIN.LR=1", "TRAIN.LR=2"]])
def test_words_of_another_form_are_one_line(words):
    with pytest.raises(UserError, match="expected KEY=VALUE,VALUE,... once for each key"):
        parse_grid(words)


def test_every_combination_and_seed_is_a_run_in_a_folder_of_its_own(experiment, tmp_path):
    runs = plan_runs(experiment, parse_grid(["TRAIN.LR=1e-3,5e-4", "MODEL.DEPTH=18,50"]), 3, ["TRAIN.BATCH_SIZE", "8"])
    assert len(runs) == 12 == len({run.folder for run in runs})
    assert runs[4].group == "TRAIN.LR=1e-3 MODEL.DEPTH=50" and runs[4].epochs == 1
    name = "TRAIN.LR=1e-3_MODEL.DEPTH=50_TRAIN.SEED=1"
    assert runs[4].folder == tmp_path / "out" / "sweep" / "e" / name / "mpii" / "pose_resnet_50" / "e"
    assert runs[4].words[:8] == ("TRAIN.BATCH_SIZE", "8", "TRAIN.LR", "1e-3", "MODEL.DEPTH", "50", "TRAIN.SEED", "1")
    (line,) = shell_lines(experiment, runs[:1])
    assert "train.py --cfg" in line and "--resume_model auto --report TRAIN.BATCH_SIZE 8 TRAIN.LR 1e-3" in line


def test_values_that_cannot_be_are_known_before_anything_is_trained(experiment):
    with pytest.raises(UserError, match="MODEL.DEPTH: input should be 18, 34, 50, 101 or 152, got 20"):
        plan_runs(experiment, {"MODEL.DEPTH": ["18", "20"]}, 1)
    with pytest.raises(UserError, match="unknown key TRAIN.LP"):
        plan_runs(experiment, {"TRAIN.LP": ["1"]}, 1)
    with pytest.raises(UserError, match="--seeds 2 and TRAIN.SEED= are one thing"):
        plan_runs(experiment, {"TRAIN.SEED": ["1", "2"]}, 2)


def test_runs_are_summed_up_over_their_seeds_the_best_first(experiment, train):
    calls = train()
    runs = plan_runs(experiment, {"TRAIN.LR": ["0.001", "0.002"]}, 2)
    assert train_runs(experiment, runs) == [] and len(calls()) == 4
    best, other = "| TRAIN.LR=0.002 | 2 | 57.000 | 7.071 |", "| TRAIN.LR=0.001 | 2 | 56.000 | 7.071 |"
    assert summary_lines(runs)[2:] == [best, other]
    assert train_runs(experiment, runs) == [] and len(calls()) == 4  # nothing is trained again


def test_a_run_that_fails_is_named_and_the_others_go_on(experiment, train):
    calls = train({"00.001": 1})
    runs = plan_runs(experiment, {"TRAIN.LR": ["0.001", "0.002"]}, 1)
    (problem,) = train_runs(experiment, runs)
    assert "TRAIN.LR=0.001_TRAIN.SEED=0" in problem and problem.endswith("train.py ended with exit code 1")
    assert summary_lines(runs)[-1] == "=> 1 run is not done" and len(calls()) == 2


def test_an_interrupted_sweep_goes_on_where_it_was(experiment, train):
    calls = train({"00.002": 130})
    runs = plan_runs(experiment, {"TRAIN.LR": ["0.001", "0.002", "0.003"]}, 1)
    with pytest.raises(KeyboardInterrupt, match="run 2 of 3 was stopped; the same command goes on from there"):
        train_runs(experiment, runs)
    train()
    assert train_runs(experiment, runs) == [] and len(calls()) == 4


def test_a_history_that_was_cut_off_is_one_line(experiment, train):
    runs = plan_runs(experiment, {"TRAIN.LR": ["0.001"]}, 1)
    runs[0].folder.mkdir(parents=True)
    (runs[0].folder / "history.json").write_text(json.dumps([{}])[:-1])
    with pytest.raises(UserError, match="is not valid JSON"):
        runs[0].is_done()


@pytest.mark.slow
def test_two_real_trainings_end_in_a_comparison_and_a_report_cut_off_is_written_again(tmp_path):
    experiment = toy.write_experiment(tmp_path, toy.draw_data(tmp_path))
    words = ["--cfg", experiment, "TRAIN.LR=1e-3,1e-4", "TRAIN.END_EPOCH", "1"]
    command = list(map(str, [sys.executable, toy.SCRIPTS / "sweep.py", *words]))
    options = {"capture_output": True, "text": True, "env": toy.quiet_environment(), "check": False}
    answer = subprocess.run(command, **options)
    assert answer.returncode == 0, answer.stderr[-2000:]
    place = tmp_path / "output" / "sweep" / "toy"
    content = json.loads((place / "report" / "report.json").read_text())
    assert [run["name"] for run in content["runs"]] == ["TRAIN.LR=1e-3", "TRAIN.LR=1e-4"]
    assert (place / "report" / "index.html").is_file()
    assert "| TRAIN.LR=1e-4 | 1 |" in answer.stdout
    page = next((place / "TRAIN.LR=1e-3_TRAIN.SEED=0").rglob("report/index.html"))
    page.unlink()
    again = subprocess.run(command, **options)
    assert again.returncode == 0 and page.is_file(), again.stderr[-2000:]
    assert again.stdout.count("is done") == 1 and "Epoch: [" not in again.stdout
