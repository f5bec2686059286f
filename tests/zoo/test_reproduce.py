"""A published row measured again: the comparison, and the original's own checkpoint from end to end."""

import json
import shutil
from types import SimpleNamespace

import pytest
import toy
import yaml

from lib.utils.errors import UserError
from lib.utils.runtime import run_script
from lib.zoo.index import networks
from lib.zoo.reproduce import check_boxes, compare, data_of, figures_of, is_reproduced, published_settings, table_of

COCO, MPII = networks()["coco_resnet50_256x192"], networks()["mpii_resnet50_256x256"]


def test_shares_and_percent_are_points_of_100():
    (ap, half, *_) = compare(COCO, {"AP": 0.7185, "Ap .5": 0.898, "AR": 0.774})
    assert (ap.figure, ap.published, ap.measured) == ("AP", pytest.approx(71.8), pytest.approx(71.85))
    assert (half.figure, half.difference) == ("AP@0.5", pytest.approx(0))
    mean, tenth = compare(MPII, {"Mean": 88.15, "Mean@0.1": 28.6})
    assert (mean.published, mean.difference) == (pytest.approx(88.2), pytest.approx(-0.05))
    assert tenth.measured == 28.6


@pytest.mark.parametrize(
    ("measured", "expected"), [(0.7185, True), (0.7130, True), (0.7129, False), (float("nan"), False)]
)
def test_the_first_figure_within_the_tolerance_is_reproduced(measured, expected):
    rows = compare(COCO, {"AP": measured})
    assert is_reproduced(COCO, rows) is expected
    assert table_of(COCO, rows)[-1].startswith("=> reproduced" if expected else "=> not reproduced")


def test_figures_that_are_not_measured_here_are_named():
    with pytest.raises(UserError, match="nothing was measured that coco_resnet50_256x192 was published with"):
        compare(COCO, {"PCK": 3.0})


@pytest.mark.parametrize("name", ["wholebody", "crowdpose", "wholebody_face"])
def test_figures_of_another_definition_are_refused_at_once(name):
    network = next(network for network in networks().values() if network.name.startswith(f"{name}_resnet50"))
    with pytest.raises(UserError, match=f"{network.name} cannot be compared: none of its published figures"):
        figures_of(network)


def test_hands_are_compared_in_percent_and_pixels():
    hand = networks()["rhd2d_resnet50_256x256"]
    config = hand.config(published_settings(hand, annotated_boxes=False))
    assert config.test.metric == "pck" and config.test.use_gt_bbox
    right, error = compare(hand, {"PCK@0.2": 99.0, "AUC": 0.5, "EPE": 2.3})
    assert (right.figure, right.published, right.measured) == ("PCK@0.2", pytest.approx(99.1), 99.0)
    assert (error.figure, error.published, error.measured) == ("EPE", 2.32, 2.3)


def test_animals_have_annotated_boxes_and_their_publishers_data():
    animal = networks()["ap10k_resnet50_256x256"]
    config = animal.config(published_settings(animal, annotated_boxes=False))
    check_boxes(config)
    assert config.test.metric == "ap" and config.test.use_gt_bbox
    with pytest.raises(UserError, match=r"AP-10K is not in the index: .* DATASET\.ROOT FOLDER"):
        data_of(animal)
    assert data_of(COCO) == ("coco_val2017",)


def test_a_quick_look_gives_no_verdict():
    lines = table_of(COCO, compare(COCO, {"AP": 0.5}), 20)
    assert lines[-1].startswith("=> a quick look at the first 20 persons: no verdict")


def test_rows_are_measured_with_the_settings_they_were_published_with():
    config = COCO.config(published_settings(COCO, annotated_boxes=False))
    assert config.test.flip_test and config.test.shift and not config.test.use_gt_bbox and config.dataset.color_rgb
    with pytest.raises(UserError, match="then TEST.COCO_BBOX_FILE FILE; annotated boxes, .*--annotated-boxes"):
        check_boxes(config)
    check_boxes(COCO.config(published_settings(COCO, annotated_boxes=True)))
    assert MPII.config(published_settings(MPII, annotated_boxes=False)).test.flip_test


@pytest.fixture
def reproduce(shared, tmp_path, monkeypatch, capfd):
    """Runs reproduce.py on the original's checkpoint of LSP extended; returns (exit code, what it said)."""

    def reproduce(published, *more):
        entry = {
            "url": "https://example.org/lspet_r18_original.pth.tar", "depth": 18, "input_size": [128, 128],
            "heatmap_size": [32, 32], "color_order": "BGR", "skeleton": "mpii", "source": "original",
            "tolerance": 0.001, "published": [{"Mean": published, "on": "LSP extended"}],
        }  # fmt: skip
        (tmp_path / "own.yaml").write_text(yaml.safe_dump({"lspet_resnet18": entry}))
        (tmp_path / "models" / "downloads").mkdir(parents=True, exist_ok=True)
        shutil.copy(shared / "data" / "lspet_r18_original.pth.tar", tmp_path / "models" / "downloads")
        monkeypatch.setenv("POSE_ZOO", str(tmp_path / "own.yaml"))
        monkeypatch.setenv("POSE_HOME", str(tmp_path / "models"))
        words = ["lspet_resnet18", "--gpus", "cpu", "DATASET.ROOT", shared / "data" / "lspet_mpii", "WORKERS", 0, *more]
        monkeypatch.setattr("sys.argv", ["reproduce.py", *map(str, words), "OUTPUT_DIR", str(tmp_path / "out")])
        with pytest.raises(SystemExit) as ended:
            run_script(toy.import_script("reproduce").main)
        return SimpleNamespace(code=ended.value.code, out=capfd.readouterr().out)

    return reproduce


@pytest.mark.slow
def test_the_originals_own_row_is_reproduced_and_another_is_not(paddle, reproduce, tmp_path, monkeypatch):
    done = reproduce(26.851)
    assert done.code == 0 and "=> reproduced: Mean differs by -0.000, tolerance 0.001" in done.out
    (path,) = (tmp_path / "out").rglob("reproduction.json")
    content = json.loads(path.read_text())
    assert content["reproduced"] is True and len(content["weights_sha256"]) == 64
    assert content["test"]["FLIP_TEST"] is True
    assert content["figures"][0]["measured"] == pytest.approx(26.851, abs=1e-3)
    monkeypatch.setattr("lib.evaluation.scoring.validate_network", lambda *_: {"Mean": 26.851})  # as just measured
    done = reproduce(27.851)
    assert done.code == 1 and "=> not reproduced: Mean differs by -1.000" in done.out


@pytest.mark.slow
def test_a_quick_look_is_at_the_first_persons(paddle, reproduce, tmp_path):
    done = reproduce(26.851, "--persons", 8)
    assert done.code == 0 and "=> load 8 samples" in done.out and "the first 8 persons: no verdict" in done.out
    (path,) = (tmp_path / "out").rglob("reproduction.json")
    content = json.loads(path.read_text())
    assert content["reproduced"] is None and content["quick_look_persons"] == 8
