"""Results for people and machines: exact log lines, tables, JSON, pred.mat."""

import json
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io

from lib.config.names import architecture_name, model_name
from lib.config.schema import ExtraConfig, ModelConfig
from lib.evaluation import report
from lib.evaluation.report import (
    AverageMeter,
    describe_run,
    read_predictions,
    report_results,
    table_lines,
    train_line,
    write_predictions,
)
from lib.utils.errors import UserError

RESULTS = {
    "Head": 96.6582, "Shoulder": 95.516, "Elbow": 89.0, "Wrist": 84.1, "Hip": 88.4, "Knee": 84.0, "Ankle": 79.6,
    "Mean": 88.5324, "Mean@0.1": 33.9,
    "true_mean_at_0.1": 29.1,
}  # fmt: skip


def meter(*values):
    one = AverageMeter()
    for value in values:
        one.update(value)
    return one


def test_a_meter_holds_the_latest_value_and_the_average_weighted_by_count():
    one = AverageMeter()
    one.update(2.0, 3)
    one.update(6.0, 1)
    assert (one.value, one.average) == (6, 3)


def test_a_meter_that_counted_nothing_averages_zero():
    one = AverageMeter()
    one.update(0.0, 0)
    assert one.average == 0


def test_the_training_line_is_exactly_the_documented_one():
    meters = {
        "time": meter(1.03), "data": meter(0.819), "lr": meter(0.001), "loss": meter(0.00045), "accuracy": meter(0.851),
        "speed": 32 / 1.03,
    }  # fmt: skip
    assert train_line(61, 0, 695, meters, 2 * 3600 + 11 * 60 + 9.7) == (
        "Epoch: [61][0/695]\tTime 1.030s (1.030s)\tSpeed 31.1 samples/s\tData 0.819s (0.819s)\tLr 0.0010 (0.0010)\t"
        "Loss 0.00045 (0.00045)\tAccuracy 0.851 (0.851)\teta: 02:11:09"
    )


def test_the_training_line_gives_the_latest_value_and_the_average():
    meters = {
        "time": meter(1, 2), "data": meter(0.1, 0.2), "lr": meter(0.01, 0.02), "loss": meter(0.5, 0.25),
        "accuracy": meter(0.5, 1), "speed": 16.0,
    }  # fmt: skip
    assert train_line(0, 99, 100, meters, 100 * 3600) == (
        "Epoch: [0][99/100]\tTime 2.000s (1.500s)\tSpeed 16.0 samples/s\tData 0.200s (0.150s)\tLr 0.0200 (0.0150)\t"
        "Loss 0.25000 (0.37500)\tAccuracy 1.000 (0.750)\teta: 100:00:00"
    )


def test_the_validation_line_is_exactly_the_documented_one():
    line = report.validation_line(0, 93, meter(5.032), meter(0.0003), meter(0.946))
    assert line == "Test: [0/93]\tTime 5.032 (5.032)\tLoss 0.0003 (0.0003)\tAccuracy 0.946 (0.946)"


def test_the_architecture_names_height_width_depth_and_deconvolutions():
    assert architecture_name(ModelConfig()) == "256x256_pose_resnet_50_d256d256d256"
    extra = ExtraConfig(NUM_DECONV_FILTERS=(128, 64), NUM_DECONV_LAYERS=2)
    tall = ModelConfig(IMAGE_SIZE=(192, 256), DEPTH=101, EXTRA=extra)
    assert architecture_name(tall) == "256x192_pose_resnet_101_d128d64"
    assert model_name(tall) == "pose_resnet_101"


def test_the_table_is_the_published_one():
    head, rule, row = table_lines("256x256_pose_resnet_50_d256d256d256", RESULTS)
    assert head == "| Arch | Head | Shoulder | Elbow | Wrist | Hip | Knee | Ankle | Mean | Mean@0.1 |"
    assert rule == "|" + "---|" * 10
    assert row == (
        "| 256x256_pose_resnet_50_d256d256d256 | 96.658 | 95.516 | 89.000 | 84.100 | 88.400 | 84.000 | 79.600 "
        "| 88.532 | 33.900 |"
    )


def test_results_go_to_the_log_and_to_results_json_with_their_conditions(tmp_path, caplog):
    log = logging.getLogger("test_report")
    conditions = {"boxes": "ground-truth", "flip_test": True, "color_order": "BGR"}
    with caplog.at_level(logging.INFO, "test_report"):
        report_results("arch", {**RESULTS, "Ankle": math.nan}, conditions, tmp_path, log)
    assert "=> ground-truth boxes, with flip test, BGR pictures" in caplog.messages
    assert any(line.startswith("| arch | 96.658 |") for line in caplog.messages)
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["name"] == "arch" and written["conditions"] == conditions
    assert written["results"]["true_mean_at_0.1"] == 29.1  # with the figure that the table leaves out
    assert written["results"]["Ankle"] is None


def test_predictions_come_back_from_pred_mat_which_is_1_based(tmp_path):
    predictions = np.random.default_rng(0).uniform(0, 999, (7, 16, 2)).astype(np.float32)
    write_predictions(predictions, tmp_path / "pred.mat")
    np.testing.assert_allclose(scipy.io.loadmat(tmp_path / "pred.mat")["preds"], predictions + 1.0, atol=1e-4)
    np.testing.assert_allclose(read_predictions(tmp_path / "pred.mat"), predictions, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["pred.mat"]


def test_a_third_column_of_pred_mat_is_left_aside(tmp_path):
    scipy.io.savemat(tmp_path / "pred.mat", {"preds": np.full((3, 16, 3), 5.0)})
    assert read_predictions(tmp_path / "pred.mat").tolist() == np.full((3, 16, 2), 4.0).tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no prediction file"),
        (b"not a mat file" * 99, "is not a pred.mat"),
        ({"other": np.zeros(3)}, "is not a pred.mat"),
        ({"preds": np.zeros((3, 16))}, "expected"),
        ({"preds": np.zeros((3, 16, 1))}, "expected"),
    ],
    ids=["missing", "damaged", "without preds", "flat", "one column"],
)
def test_a_file_without_predictions_is_refused_by_name(tmp_path, content, said):
    path = tmp_path / "pred.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        scipy.io.savemat(path, content)
    with pytest.raises(UserError, match=said) as error:
        read_predictions(path)
    assert "pred.mat" in str(error.value)


def test_a_run_is_described_by_its_command_commit_and_versions(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/some/where/train.py", "--cfg", "x.yaml"])
    described = describe_run("=> device: CPU")
    assert described["command"] == ["train.py", "--cfg", "x.yaml"]
    assert described["device"] == "=> device: CPU"
    assert set(described["packages"]) == {"paddle", "numpy", "opencv"}
    json.dumps(described)


def test_a_run_outside_of_git_is_described_too(monkeypatch):
    monkeypatch.setattr(report.subprocess, "run", lambda *words, **options: SimpleNamespace(stdout=""))
    assert describe_run("")["git_commit"] == "unknown"

    def no_git(*words, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(report.subprocess, "run", no_git)
    assert describe_run("")["git_commit"] == "unknown"


def test_a_small_learning_rate_is_not_logged_as_zero():
    rates = [report._rate(value) for value in (0.001, 0.0001, 1e-5, 2.5e-6)]
    assert rates == ["0.0010", "0.0001", "1.0e-05", "2.5e-06"]


def test_predictions_that_are_not_numbers_are_refused(tmp_path):
    report.write_predictions(np.full((2, 16, 2), np.nan), tmp_path / "pred.mat")
    with pytest.raises(UserError, match="not finite"):
        report.read_predictions(tmp_path / "pred.mat")


def test_a_mat_file_that_is_cut_off_anywhere_is_an_error(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"names": np.array(["b", "c"], dtype=object), "preds": np.ones((2, 3, 2))})
    whole = path.read_bytes()
    assert report.read_mat(path).keys() == {"names", "preds"}
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        try:
            assert len(report.read_mat(path)) < 2
        except ValueError as error:
            assert "no MATLAB file of version 5 to 7" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"text" * 100, b"MATLAB 7.3 MAT-file".ljust(200)])
def test_another_kind_of_file_is_no_mat_file(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match="no MATLAB file of version 5 to 7"):
        report.read_mat(tmp_path / "a.mat")
