"""Predictions read back, figures equal to the evaluator's, and comparisons, on drawn people."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import toy

from lib.analysis.compare import (
    changed_people,
    differences,
    differing_keys,
    group_rows,
    latex_table,
    markdown_table,
    refuse_others,
    seed_groups,
)
from lib.analysis.error_kinds import INVERSION, KINDS
from lib.analysis.groups import groups_of
from lib.analysis.predictions import differing_parts, load, prediction_file, read_run, read_runs, split_name
from lib.analysis.report import remarks
from lib.analysis.run_figures import figures_of, primary_name
from lib.config.config import dump_config, read_config
from lib.core.skeletons import MPII
from lib.dataset.build import read_persons
from lib.dataset.synthetic.pictures import write_dataset
from lib.evaluation.report import write_predictions
from lib.utils.errors import UserError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Thirty drawn people in twenty pictures or so, and predictions: right ones, some of them spoilt in one run."""
    place = tmp_path_factory.mktemp("drawn")
    data = place / "data"
    write_dataset(data, 2, 30, picture_size=(160, 160), persons_per_picture=(1, 2))
    experiment = toy.write_experiment(place, data)
    config = read_config(experiment, {})
    persons = read_persons(config, training=False)
    good = persons.joints + np.random.default_rng(0).uniform(-1, 1, persons.joints.shape)
    bad = good.copy()
    bad[:10] += 60
    for name, poses in (("good", good), ("bad", bad)):
        write_predictions(poses, place / f"{name}.mat", np.full(poses.shape[:2], 0.5))
    runs = {name: load(name, config, place / f"{name}.mat") for name in ("good", "bad")}
    groups = groups_of(runs["good"].people, MPII)
    figures = {name: figures_of(run, groups, 400) for name, run in runs.items()}
    places = {"place": place, "data": data, "experiment": experiment}
    return SimpleNamespace(**places, config=config, good=good, runs=runs, figures=figures, groups=groups)


@pytest.mark.parametrize("metric", ["pckh", "pck"])
@pytest.mark.parametrize("name", ["good", "bad"])
def test_the_table_is_the_evaluators(drawn, metric, name):
    run = read_run(f"{name}={drawn.place / name}.mat", str(drawn.experiment), {"TEST.METRIC": metric})
    assert run.metric == metric
    table = figures_of(run, [], 300).rows["table"]
    expected = run.evaluator.evaluate(run.predicted, run.scores)
    assert set(expected) - set(table) <= {"true_mean_at_0.1"}
    for title, (value, low, high) in table.items():
        assert value == pytest.approx(expected[title], abs=1e-9, nan_ok=True)
        assert not low > value and not high < value


def test_the_figures_of_a_stacked_hourglass_are_the_published_ones(shared, root):
    data = shared / "data" / "mpii_val"
    experiment = root / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
    run = read_run(f"hg={data / 'hourglass_s2_pred.mat'}", str(experiment), {"DATASET.ROOT": str(data)})
    found = figures_of(run, groups_of(run.people, run.skeleton))
    published = {"Head": 95.80, "Shoulder": 94.57, "Elbow": 88.12, "Wrist": 83.31, "Hip": 86.24, "Knee": 80.88,
                 "Ankle": 77.44, "Mean": 87.30}  # fmt: skip
    for title, value in published.items():
        mean, low, high = found.rows["table"][title]
        assert mean == pytest.approx(value, abs=0.0051) and low < mean < high
    assert found.rows["table"]["Mean"][1:] == pytest.approx((86.68, 87.92), abs=0.02)
    total = found.details["kinds"]["total"]
    assert total == {"good": 39018, "jitter": 2203, "inversion": 1644, "swap": 21, "miss": 1354}
    shares = run.hits.sum() / run.counted.sum()
    assert 100 * shares == pytest.approx(found.details["corrected"]["as it is"], abs=1e-9)


def test_left_and_right_exchanged_in_a_tenth_of_the_people_are_found_and_put_right(drawn):
    poses = drawn.good.copy()
    for first, second in MPII.flip_pairs:
        poses[::10, [first, second]] = poses[::10, [second, first]]
    run = replace(drawn.runs["good"], predicted=poses)
    details = figures_of(run, [], 100).details
    original = figures_of(drawn.runs["good"], [], 100).details
    assert original["corrected"]["as it is"] == 100 and details["corrected"]["as it is"] < 100
    assert details["corrected"]["inversion"] == 100
    wrong = run.kinds[run.people.shown] != 0
    assert (run.kinds[run.people.shown][wrong] == INVERSION).all()
    assert wrong.sum() > 0 and not (run.kinds[np.arange(30) % 10 != 0] == INVERSION).any()


def test_a_correction_never_lowers_the_figure(drawn):
    for figures in drawn.figures.values():
        values = figures.details["corrected"]
        assert all(values[kind] >= values["as it is"] for kind in KINDS[1:])


def test_a_run_against_itself_differs_by_nothing(drawn):
    first = drawn.figures["good"]
    again = figures_of(drawn.runs["good"], drawn.groups, 400)
    for part in ("table", "joints", "groups"):
        rows = differences(first, again, part)
        assert rows and all((row.value, row.low, row.high, row.p, row.p_holm) == (0, 0, 0, 1, 1) for row in rows)
    assert all(count == 0 for count, _ in changed_people(drawn.runs["good"], drawn.runs["good"]).values())


def test_a_worse_run_differs_and_the_people_are_named(drawn):
    rows = {row.name: row for row in differences(drawn.figures["good"], drawn.figures["bad"], "table")}
    mean = rows["Mean"]
    assert mean.value == pytest.approx(mean.second - mean.first) and mean.low < mean.value < mean.high < 0
    assert mean.p == 2 / 400 and mean.is_significant and mean.p_holm >= mean.p
    changed = changed_people(drawn.runs["good"], drawn.runs["bad"], most=5)
    (count, rows), nobody = changed["better in good than in bad"], changed["better in bad than in good"]
    assert count == 10 and nobody == (0, []) and set(rows) <= set(range(10))
    lost = drawn.runs["good"].person_scores - drawn.runs["bad"].person_scores
    assert lost[rows].tolist() == sorted(lost, reverse=True)[:5]


def test_differing_keys_leave_places_out_and_seeds_of_one_experiment_are_one_row(drawn):
    words = {"a": {"TRAIN.SEED": 1}, "b": {"TRAIN.SEED": 2, "OUTPUT_DIR": "x"}, "c": {"TRAIN.LR": 0.5}}
    good = drawn.runs["good"]
    runs = [replace(good, name=name, config=read_config(drawn.experiment, keys)) for name, keys in words.items()]
    found = differing_keys(runs)
    assert set(found) == {"TRAIN.SEED", "TRAIN.LR"} and found["TRAIN.SEED"][:2] == ["1", "2"]
    groups = seed_groups(runs)
    assert groups == {"a (2)": [0, 1], "c (1)": [2]}
    rows = group_rows(groups, [drawn.figures["good"], drawn.figures["bad"], drawn.figures["good"]])
    values = [drawn.figures[name].rows["table"]["Mean"][0] for name in ("good", "bad")]
    assert rows["a (2)"]["Mean"] == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert rows["c (1)"]["Mean"][0] == values[0] and np.isnan(rows["c (1)"]["Mean"][1])


def test_tables_to_paste(drawn):
    figures = [drawn.figures["good"]]
    head, line, row = markdown_table(["a_b"], figures).splitlines()
    assert head.startswith("| run | Head |") and set(line) <= set("|-") and head.count("|") == row.count("|")
    assert row.startswith("| a_b | 100.00 (100.00 to 100.00) |")
    text = latex_table(["a_b"], figures)
    assert r"a\_b & \shortstack{100.00 \\ {\scriptsize 100.00 to 100.00}}" in text
    assert text.count("&") == 2 * (head.count("|") - 2)


def test_tables_to_paste_of_two_runs_have_their_difference(drawn):
    figures = [drawn.figures["good"], drawn.figures["bad"]]
    found = differences(*figures, "table")
    mean = {row.name: row for row in found}["Mean"]
    *_, row = markdown_table(["good", "bad"], figures, [found]).splitlines()
    assert row.startswith("| bad less good | ")
    assert f" | {mean.value:+.2f} ({mean.low:+.2f} to {mean.high:+.2f}) * | " in row
    text = latex_table(["good", "bad"], figures, [found])
    assert rf"\shortstack{{{mean.value:+.2f}* \\ {{\scriptsize {mean.low:+.2f} to {mean.high:+.2f}}}}}" in text


def test_names_and_folders(drawn, tmp_path):
    assert split_name("deep=some/pred.mat")[0] == "deep" and split_name("some/pred.mat")[0] == "some"
    assert split_name("run/results/keypoints_valid_results.json")[0] == "run"
    assert split_name("run/pred_2026-11-27-10-00-00.mat")[0] == "run"
    assert split_name("some/hourglass.mat")[0] == "hourglass"
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(UserError, match="neither pred.mat nor results/keypoints_valid_results.json: run valid"):
        prediction_file(folder, "valid")
    with pytest.raises(UserError, match="no config.yaml in .*: give the experiment with --cfg YAML"):
        read_run(str(folder))
    (folder / "config.yaml").write_text(dump_config(drawn.config), encoding="utf-8")
    shutil.copy(drawn.place / "good.mat", folder / "pred.mat")
    run = read_run(str(folder))
    assert (run.name, primary_name(run), run.folder) == ("run", "Mean", folder)
    assert run.scores is not None and (run.scores == 0.5).all()
    other = tmp_path / "other" / "run"
    shutil.copytree(folder, other)
    names = [each.name for each in read_runs([str(folder), str(other)], [None, None], {})]
    assert names == ["run", "other"]
    assert [each.name for each in read_runs([f"a={folder}", f"b={other}"], [None, None], {})] == ["a", "b"]
    (tmp_path / "sweep" / "report").mkdir(parents=True)
    with pytest.raises(UserError, match="is the folder of a sweep: its comparison is .*report/index.html"):
        read_run(str(tmp_path / "sweep"))


@pytest.mark.parametrize(("words", "names"), [
    (("out/A/mpii/r18/e", "out/B/mpii/r18/e"), ["A", "B"]),
    (("out/mpii/r18/e", "out/mpii/r50/e"), ["r18", "r50"]),
    (("out/e", "out/e/earlier/2026"), ["e", "earlier/2026"]),
])  # fmt: skip
def test_runs_of_one_name_are_called_by_what_differs_in_their_paths(words, names):
    assert differing_parts([Path(word) for word in words]) == names


def test_predictions_for_other_annotations_are_noticed(drawn, tmp_path):
    (tmp_path / "config.yaml").write_text(dump_config(drawn.config), encoding="utf-8")
    shutil.copy(drawn.place / "good.mat", tmp_path / "pred.mat")
    digest = read_run(str(tmp_path)).truth.split()[1]
    for made_with, said in ((digest, 0), ("0" * 16, 1)):
        (tmp_path / "results.json").write_text(json.dumps({"conditions": {"annotations": made_with}}))
        lines = remarks([read_run(f"a={tmp_path}")], by_seed=False)
        assert len(lines) == said and all("a was predicted for other annotations" in line for line in lines)


def test_the_same_predictions_twice_and_seeds_that_are_none_are_said(drawn):
    good, bad = drawn.runs["good"], drawn.runs["bad"]
    assert remarks([good, replace(good, name="again"), bad], by_seed=False) == [
        "=> good and again are the same predictions"
    ]
    other = replace(bad, config=read_config(drawn.experiment, {"TRAIN.LR": 0.5}))
    assert remarks([good, other], by_seed=True) == [
        "=> --group: no two runs differ in TRAIN.SEED alone, so there is nothing to average"
    ]


def test_runs_that_cannot_be_compared_are_refused(drawn):
    good = drawn.runs["good"]
    for other, message in (
        (good, "two runs are called good"),
        (replace(good, name="b", truth="other"), "good and b are of different data sets"),
        (replace(good, name="b", metric="pck"), "measured by pckh and b by pck"),
    ):
        with pytest.raises(UserError, match=message):
            refuse_others([good, other])
