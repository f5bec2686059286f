"""report.py on drawn people: the page holds all it needs, report.json all figures; bad input ends in one line."""

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import toy

from lib.analysis.error_kinds import ERRORS
from lib.analysis.pages import plots
from lib.analysis.report import shown_of_each
from lib.config.config import read_config
from lib.dataset.build import read_persons
from lib.dataset.synthetic.pictures import write_dataset
from lib.evaluation.build import build_evaluator
from lib.evaluation.report import write_predictions

COCO = {"DATASET": {"DATASET": "coco", "TRAIN_SET": "train2017", "TEST_SET": "val2017"}, "MODEL": {"NUM_JOINTS": 17}}
ROW = "| {} | 100.000 |"


class Page(HTMLParser):
    """What a page refers to: sources and links outside it, images without a text, anchors and where links go."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.links, self.silent, self.anchors, self.images = [], [], 0, [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors += [given["id"]] if "id" in given else []
        if tag == "img":
            self.images += 1
            self.silent += not given.get("alt")
        if "src" in given or tag == "link":
            self.sources.append((given.get("src") or given.get("href"))[:30])
        elif "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def mpii(tmp_path_factory):
    place = tmp_path_factory.mktemp("mpii")
    data = place / "data"
    write_dataset(data, 2, 14, picture_size=(160, 160), persons_per_picture=(1, 2))
    experiment = toy.write_experiment(place, data)
    config = read_config(experiment, {})
    persons = read_persons(config, training=False)
    bad = persons.joints.copy()
    bad[:5] += 60
    write_predictions(persons.joints, place / "good.mat", np.full(persons.visible.shape, 0.9))
    write_predictions(bad, place / "bad.mat")
    return SimpleNamespace(place=place, experiment=experiment, good=place / "good.mat", bad=place / "bad.mat")


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    place = tmp_path_factory.mktemp("coco")
    data = toy.draw_coco_data(place)
    experiment = toy.write_experiment(place, data, **COCO)
    config = read_config(experiment, {})
    persons = read_persons(config, training=False)
    scores = np.linspace(0.3, 0.9, persons.visible.size).reshape(persons.visible.shape)
    path = build_evaluator(config, persons).save(persons.joints, scores, place)
    return SimpleNamespace(place=place, experiment=experiment, results=path)


def read(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    return Page(text), json.loads((folder / "report.json").read_text()), text


def check(page, text):
    """The page asks for nothing outside it, each picture has a text, the contents lead to a place each."""
    assert all(source.startswith("data:") for source in page.sources) and page.images and not page.silent
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert len(inside) > 5 and set(inside) <= set(page.anchors) and len(page.anchors) == len(set(page.anchors))
    outside = [link for link in page.links if not link.startswith("#")]
    assert all("://" not in link and link.endswith((".jpg", ".png")) for link in outside)
    assert 'name="viewport"' in text and "@media print" in text and "<script" not in text


def test_two_runs_in_mpiis_form(mpii, tmp_path, run_main):
    words = [f"good={mpii.good}", f"bad={mpii.bad}", "--cfg", mpii.experiment, "--output", tmp_path / "out", "--group"]
    code, out, err = run_main("report", *words, "--resamples", 200)
    assert (code, err) == (0, "")
    assert ROW.format("good") in out and "=> saving the report to " in out
    page, content, text = read(tmp_path / "out")
    check(page, text)
    assert content["settings"]["resamples"] == 200
    good, bad = content["runs"]
    assert good["figures"]["table"]["Mean"] == {"value": 100.0, "low": 100.0, "high": 100.0}
    assert bad["figures"]["table"]["Mean"]["value"] < 100 and len(bad["persons"]) == 14
    assert len(good["calibration"]) == 10 and bad["calibration"] == []
    (rows,) = content["comparisons"].values()
    assert {row["name"] for row in rows["table"]} >= {"Head", "Mean"}
    assert list(content["groups_of_seeds"]) == ["good (2)"]
    for title in ("Overview", "bad against good", "Run good", "Why it fails", "better in good than in bad: 5"):
        assert f">{title}<" in text
    assert "right in bad" not in text and "better in bad" not in text  # nobody
    assert "PCKh@0.5" in text and mpii.good.name in text and "other seeds" in text
    assert "People at random" in text and "LaTeX" in text and page.images > 40


def test_cocos_form(coco, tmp_path, run_main):
    words = [f"nano={coco.results}", "--cfg", coco.experiment, "--output", tmp_path, "--resamples", 200]
    code, out, err = run_main("report", *words)
    assert (code, err) == (0, "")
    page, content, text = read(tmp_path)
    check(page, text)
    (run,) = content["runs"]
    assert run["figures"]["table"]["AP"]["value"] == pytest.approx(1)
    assert run["detection"] == {
        "poses": 4, "background": 0, "missed": 0, "missed_ids": [], "ap_best_scores": 1.0,
        "ap_without_background": 1.0, "ap_without_missed": 1.0,
    }  # fmt: skip
    assert all(run["kinds"]["total"][kind] == 0 for kind in ERRORS)
    assert "Precision and recall" in text and "Detection and scores" in text


def test_the_same_runs_give_the_same_report(mpii, tmp_path, run_main):
    pages = []
    for name in ("a", "b"):
        words = [f"good={mpii.good}", "--cfg", mpii.experiment, "--resamples", 100, "--output", tmp_path / name]
        run_main("report", *words)
        pages.append([(tmp_path / name / file).read_bytes() for file in ("index.html", "report.json")])
    assert pages[0] == pages[1]


@pytest.mark.parametrize(("runs", "people"), [(1, 24), (3, 24), (10, 6), (1000, 1)])
def test_many_runs_share_the_pages_pictures(runs, people):
    assert shown_of_each(runs) == people


def test_without_people_the_page_says_so(mpii, tmp_path, run_main):
    words = [f"good={mpii.good}", "--cfg", mpii.experiment, "--resamples", 100, "--output", tmp_path, "--no-people"]
    assert run_main("report", *words)[0] == 0
    _, _, text = read(tmp_path)
    assert "People at random" not in text and "no people are shown" in text


def test_valid_reports_what_it_scored(mpii, tmp_path, run_main):
    words = ["--cfg", mpii.experiment, "--pred-file", mpii.good, "--report", "OUTPUT_DIR", tmp_path]
    code, out, err = run_main("valid", *words)
    assert (code, err) == (0, "")
    assert (tmp_path / "mpii" / "pose_resnet_18" / "toy" / "report" / "index.html").is_file()


@pytest.mark.slow
def test_train_reports_its_best_weights(paddle, tmp_path, run_main):
    experiment = toy.write_experiment(tmp_path, toy.draw_data(tmp_path))
    code, _, _ = run_main("train", "--cfg", experiment, "--report", "TRAIN.END_EPOCH", 1)
    assert code == 0
    _, content, text = read(tmp_path / toy.RUN_FOLDER / "report")
    best = json.loads((tmp_path / toy.RUN_FOLDER / "history.json").read_text())[0]["results"]["Mean"]
    assert content["runs"][0]["figures"]["table"]["Mean"]["value"] == pytest.approx(best)
    assert ">Learning curves<" in text


def test_learning_curves_have_plain_numbers(tmp_path):
    losses = [1.0, 0.1, 0.01]
    rows = [
        {"epoch": epoch, "train_loss": loss, "valid_loss": 0.02, "results": {"Mean": 1.0}}
        for epoch, loss in enumerate(losses)
    ]
    text = plots.history_plot(rows, "Mean").decode()
    assert "mathdefault" not in text and ">0.01<" in text and ">0.05<" in text


BAD = {
    "no file": (["nothing.mat", "--cfg", "{cfg}"], "there is no run folder or prediction file"),
    "no experiment": (["{good}"], "give the experiment with --cfg YAML"),
    "too many experiments": (["{good}", "--cfg", "{cfg}", "--cfg", "{cfg}"], "--cfg is given 2 times for 1 runs"),
    "other number": (["{short}", "--cfg", "{cfg}"], "predictions of shape (3, 16, 2), but the set has (14, 16, 2)"),
    "no persons": (["{empty}", "--cfg", "{cfg}"], "is not a pred.mat|preds has shape|of shape"),
    "one name twice": (["x={good}", "x={bad}", "--cfg", "{cfg}"], "two runs are called x"),
    "no name": (["={good}", "--cfg", "{cfg}"], "expected NAME=PATH"),
    "resamples": (["{good}", "--cfg", "{cfg}", "--resamples", "3"], "--resamples 3: expected 100 to 100000"),
    "a word for a key": (["{good}", "--cfg", "{cfg}", "--opts", "TEST.METRICS", "pck"], "TEST.METRIC"),
    "a picture for predictions": (["{cfg}", "--cfg", "{cfg}"], "is not a pred.mat"),
    "no truth": (["{good}", "--cfg", "{cfg}", "--opts", "DATASET.TEST_SET", "test"], "no ground truth"),
    "empty output": (["{good}", "--cfg", "{cfg}", "--output", ""], "argument --output: its value is empty"),
    "output is a file": (["{good}", "--cfg", "{cfg}", "--output", "{cfg}"], "cannot write to the folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(mpii, tmp_path, run_main, name):
    words, message = BAD[name]
    files = {"short": np.zeros((3, 16, 2)), "empty": np.zeros((0, 16, 2))}
    for stem, poses in files.items():
        write_predictions(poses, tmp_path / f"{stem}.mat")
        files[stem] = tmp_path / f"{stem}.mat"
    words = [word.format(cfg=mpii.experiment, good=mpii.good, bad=mpii.bad, **files) for word in words]
    code, _, err = run_main("report", "--output", tmp_path / "out", *words)
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert any(part in err for part in message.split("|")), err
    assert not (tmp_path / "out" / "index.html").exists()


def test_bad_results_of_coco_are_one_line(coco, mpii, tmp_path, run_main):
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    for words, message in (
        ([f"e={empty}", "--cfg", coco.experiment], "holds no poses"),
        ([f"a={coco.results}", f"b={mpii.good}", "--cfg", coco.experiment, "--cfg", mpii.experiment], "different data"),
        ([f"a={coco.results}", "--cfg", coco.experiment, "--opts", "DATASET.TEST_SET", toy.NO_TRUTH], "no annotations"),
    ):
        code, _, err = run_main("report", "--output", tmp_path / "out", *words)
        assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_one_picture_is_too_few(tmp_path, run_main):
    data = tmp_path / "data"
    write_dataset(data, 2, 1, picture_size=(160, 160), persons_per_picture=(1, 1))
    experiment = toy.write_experiment(tmp_path, data)
    write_predictions(read_persons(read_config(experiment, {}), False).joints, tmp_path / "pred.mat")
    code, _, err = run_main("report", tmp_path / "pred.mat", "--cfg", experiment, "--output", tmp_path / "out")
    assert code == 2 and "the annotated people are of 1 picture" in err and len(err.strip().splitlines()) == 1
