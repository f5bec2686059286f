"""Bad input to train.py and valid.py: one clear line, a non-zero exit, and nothing that looks like a result."""

import json
import shutil
import sys

import numpy as np
import pytest
import scipy.io
import toy

from lib.utils.runtime import run_script

RESULTS = ("*.pdparams", "*.pdckpt", "pred.mat", "results.json", "history.json", "curves.png", "*.part")
WHERE_FROM = ("MPII Human Pose Dataset", "annot/{train,valid}.json", "unzip data/mpii.zip -d data/")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def data(drawn, tmp_path):
    """A data set of the test's own, to spoil."""
    return shutil.copytree(drawn, tmp_path / "data")


@pytest.fixture(scope="module")
def weight_file(paddle, tmp_path_factory):
    """Makes a weight file of the toy's network, with overrides {key of the network: value}."""
    from lib.models.pose_resnet import PoseResNet

    def weight_file(**overrides):
        path = tmp_path_factory.mktemp("weights") / "w.pdparams"
        paddle.save(PoseResNet(18, **{"deconv_filters": (16, 16, 16), **overrides}).state_dict(), str(path))
        return path

    return weight_file


@pytest.fixture(scope="module")
def good_weights(weight_file):
    return weight_file()


@pytest.fixture
def complain(paddle, data, tmp_path, monkeypatch, capfd):
    """Runs a script's main() and returns its one line of complaint, and the names of the files it wrote."""

    def complain(script, *words, code=2, experiment=None):
        experiment = experiment or toy.write_experiment(tmp_path, data)
        monkeypatch.setattr("sys.argv", [f"{script}.py", "--cfg", str(experiment), *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_script(toy.import_script(script).main)
        error = capfd.readouterr().err
        assert ended.value.code == code, error
        assert error.startswith("error: ") and error.count("\n") == 1 and error.endswith("\n"), error
        assert "Traceback" not in error
        assert not [path for pattern in RESULTS for path in tmp_path.rglob(pattern) if path.parent != tmp_path]
        written = [path.name for path in (tmp_path / "output").rglob("*") if path.is_file()]
        return error, written

    return complain


def edit(path, change):
    """Applies `change` to the records of an annotation file."""
    records = json.loads(path.read_text())
    path.write_text(json.dumps(change(records)))


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def without(key):
    return lambda records: [{name: value for name, value in record.items() if name != key} for record in records]


class TestCommandLine:
    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_a_missing_experiment_file_is_named(self, complain, tmp_path, script):
        error, _ = complain(script, experiment=tmp_path / "nowhere.yaml")
        assert f"there is no experiment file {tmp_path / 'nowhere.yaml'}" in error

    def test_an_experiment_file_that_is_no_yaml_is_named(self, complain, tmp_path):
        (tmp_path / "x.yaml").write_text("TRAIN: [1, 2\nMODEL: }")
        error, _ = complain("train", experiment=tmp_path / "x.yaml")
        assert f"{tmp_path / 'x.yaml'} is not valid YAML" in error

    def test_an_unknown_key_gets_the_nearest_valid_one(self, complain):
        assert "unknown key TRAIN.EPOCH; the nearest valid key is TRAIN" in complain("train", "TRAIN.EPOCH", "3")[0]

    def test_detected_boxes_are_cocos(self, complain):
        error, _ = complain("valid", "--coco-bbox-file", "boxes.json")
        assert "TEST.USE_GT_BBOX: false needs annotations in COCO's form" in error

    def test_an_odd_number_of_overrides_is_refused(self, complain):
        error, _ = complain("valid", "TEST.FLIP_TEST", "true", "WORKERS")
        assert "KEY VALUE pairs; 'WORKERS' has no value" in error

    @pytest.mark.parametrize(("words", "complaint"), [
        (["--gpus", "3"], "GPU 3 was asked for, but"),
        (["--gpus", "cuda"], "--gpus cuda: expected numbers such as 0, or cpu"),
        (["--workers", "-1"], "WORKERS: input should be greater than or equal to 0, got -1"),
        (["--batch_size", "0"], "TRAIN.BATCH_SIZE: input should be greater than or equal to 1, got 0"),
        (["--frequent", "often"], "argument --frequent: invalid int value: 'often'"),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
    ])  # fmt: skip
    def test_an_option_that_cannot_be_is_refused_before_anything_is_written(self, complain, words, complaint):
        error, written = complain("train", *words)
        assert complaint in error
        assert written == []

    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_an_output_folder_that_cannot_be_written_is_named(self, complain, good_weights, tmp_path, script):
        (tmp_path / "file").write_text("a file, not a folder")
        words = ["--model-file", good_weights] if script == "valid" else []
        error, _ = complain(script, *words, "OUTPUT_DIR", tmp_path / "file" / "output")
        assert f"cannot write to the folder {tmp_path / 'file' / 'output'}" in error
        assert (tmp_path / "file").read_text() == "a file, not a folder"

    def test_a_log_folder_that_cannot_be_written_is_named(self, complain, tmp_path):
        pytest.importorskip("visualdl")
        (tmp_path / "file").write_text("a file, not a folder")
        error, _ = complain("train", "LOG_DIR", tmp_path / "file" / "log")
        assert f"cannot write to the folder {tmp_path / 'file' / 'log'}" in error


class TestData:
    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_a_missing_data_folder_says_where_mpii_comes_from_and_how_it_is_laid_out(
        self, complain, good_weights, tmp_path, script
    ):
        words = ["--model-file", good_weights] if script == "valid" else []
        error, written = complain(script, *words, "DATASET.ROOT", tmp_path / "nowhere")
        assert f"there is no data folder {tmp_path / 'nowhere'}" in error
        assert all(part in error for part in WHERE_FROM)
        assert written == []

    @pytest.mark.parametrize("name", ["train.json", "valid.json", "gt_valid.mat"])
    def test_a_missing_annotation_says_where_it_comes_from_before_training_starts(self, complain, data, name):
        (data / "annot" / name).unlink()
        error, written = complain("train")
        assert str(data / "annot" / name) in error
        assert all(part in error for part in WHERE_FROM)
        assert written == []

    @pytest.mark.parametrize("content", [b"", b"no MATLAB file " * 40, None], ids=["empty", "text", "cut off"])
    def test_a_ground_truth_that_cannot_be_read_is_named_before_training_starts(self, complain, data, content):
        path = data / "annot" / "gt_valid.mat"
        path.write_bytes(path.read_bytes()[:300] if content is None else content)
        error, written = complain("train")
        assert str(path) in error
        assert written == []

    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_a_ground_truth_of_another_number_of_persons_is_refused_before_the_network_runs(
        self, complain, good_weights, data, script
    ):
        edit(data / "annot" / "valid.json", lambda records: records[:3])
        error, written = complain(script, *(["--model-file", good_weights] if script == "valid" else []))
        assert "gt_valid.mat has 4 persons, but valid.json beside it has 3" in error
        assert written == []

    @pytest.mark.parametrize("split", ["train", "valid"])
    def test_a_missing_picture_is_named_before_training_starts(self, complain, data, split):
        path = data / "images" / f"{split}_00003.jpg"
        path.unlink()
        error, written = complain("train")
        assert str(path) in error
        assert "missing" in error
        assert written == []

    @pytest.mark.parametrize("workers", [0, 2])
    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_a_truncated_picture_is_named_with_and_without_workers(self, complain, good_weights, data, script, workers):
        path = data / "images" / f"{script}_00003.jpg"
        cut(path)
        words = ["--model-file", good_weights] if script == "valid" else []
        error, _ = complain(script, *words, "--workers", workers)
        assert f"the picture {path} is truncated" in error

    def test_a_picture_that_is_none_is_named(self, complain, data):
        path = data / "images" / "train_00005.jpg"
        path.write_text("<html>404</html>")
        assert f"the picture {path} cannot be decoded" in complain("train")[0]

    @pytest.mark.parametrize(("change", "complaint"), [
        (lambda records: [], "the list of persons is empty"),
        (lambda records: {"persons": records}, "expected a list of persons"),
        (without("scale"), "person 1 of 8: no 'scale'"),
        (lambda records: [*records[:2], {**records[2], "joints": records[2]["joints"][:15]}, *records[3:]],
         "person 3 of 8: 15 joints and 16 visibilities, expected 16"),
        (lambda records: [*records[:2], {**records[2], "joints_vis": [1] * 17}, *records[3:]],
         "person 3 of 8: 16 joints and 17 visibilities, expected 16"),
        (lambda records: [{**records[0], "scale": 0}, *records[1:]], "scale above 0"),
    ], ids=["empty", "not a list", "no scale", "15 joints", "17 visibilities", "scale 0"])  # fmt: skip
    def test_an_annotation_that_does_not_fit_names_the_file_and_the_person(self, complain, data, change, complaint):
        path = data / "annot" / "train.json"
        edit(path, change)
        error, written = complain("train")
        assert str(path) in error
        assert complaint in error
        assert written == []

    def test_an_annotation_that_was_cut_off_is_named(self, complain, data):
        cut(data / "annot" / "valid.json")
        assert f"{data / 'annot' / 'valid.json'} is not valid JSON" in complain("train")[0]


class TestWeights:
    def test_validation_without_weights_says_what_to_give(self, complain):
        assert "give --model-file FILE, or --pred-file" in complain("valid")[0]

    @pytest.mark.parametrize(("script", "option"), [
        ("valid", "--model-file"), ("train", "MODEL.PRETRAINED"), ("train", "--resume_model"),
    ])  # fmt: skip
    @pytest.mark.parametrize(("content", "complaint"), [
        (None, "there is no"), (b"", "is not a Paddle weight file"), (b"text\n" * 99, "is not a Paddle weight file"),
    ], ids=["missing", "empty", "text"])  # fmt: skip
    def test_a_file_that_is_no_weight_file_is_named(self, complain, tmp_path, script, option, content, complaint):
        path = tmp_path / "weights"
        if content is not None:
            path.write_bytes(content)
        error, written = complain(script, option, path)
        assert complaint in error
        assert str(path) in error
        assert written == []

    def test_weights_of_another_network_are_refused(self, complain, good_weights):
        error, written = complain("valid", "--model-file", good_weights, "MODEL.DEPTH", "34")
        assert f"{good_weights} is of another network" in error
        assert "check MODEL.DEPTH" in error
        assert written == []

    def test_weights_for_another_joint_count_are_refused_in_validation(self, complain, weight_file):
        error, written = complain("valid", "--model-file", weight_file(joint_count=17))
        assert "of another shape (such as final_layer.weight)" in error
        assert written == []

    def test_weights_that_are_not_numbers_make_no_table(self, complain, paddle, good_weights, tmp_path):
        state = paddle.load(str(good_weights))
        state["final_layer.bias"] = paddle.full([16], float("nan"))
        paddle.save(state, str(tmp_path / "nan.pdparams"))
        error, _ = complain("valid", "--model-file", tmp_path / "nan.pdparams", code=1)
        assert "the validation loss is nan at step 0: weights not finite" in error

    @pytest.mark.parametrize("name", ["w.pth", "w.pth.tar"])
    def test_weights_of_another_project_are_to_be_converted_first(self, complain, tmp_path, name):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(200))
        error, written = complain("valid", "--model-file", tmp_path / name)
        assert f"{tmp_path / name} is not a Paddle weight file" in error and "pose_estimation/convert.py" in error
        assert written == []

    def test_an_onnx_file_says_what_to_install_where_that_is_missing(self, complain, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # makes `import onnxruntime` fail
        (tmp_path / "w.onnx").write_bytes(b"a network")
        error, written = complain("valid", "--model-file", tmp_path / "w.onnx")
        assert f"{tmp_path / 'w.onnx'} needs ONNX Runtime: pip install onnxruntime" in error
        assert written == []

    def test_a_rate_that_blows_the_loss_up_stops_the_training(self, complain):
        error, _ = complain("train", "TRAIN.LR", "1e12", code=1)
        assert "at epoch 0, step 1, learning rate" in error


class TestGoingOn:
    def test_a_folder_without_a_checkpoint_is_refused(self, complain, tmp_path):
        error, written = complain("train", "--resume_model", tmp_path)
        assert f"--resume_model: there is no checkpoint {tmp_path / 'checkpoint.pdckpt'}" in error
        assert written == []

    def test_weights_alone_are_refused(self, complain, good_weights):
        assert "weights only; give it as MODEL.PRETRAINED" in complain("train", "--resume_model", good_weights)[0]

    @pytest.mark.parametrize(("key", "old", "new"), [
        ("OPTIMIZER", "adam", "sgd"), ("LR_TYPE", "PolynomialDecay", "MultiStepDecay"),
    ])  # fmt: skip
    def test_another_optimizer_or_schedule_than_the_checkpoints_is_refused(
        self, complain, paddle, good_weights, tmp_path, key, old, new
    ):
        settings = {"OPTIMIZER": "adam", "LR_TYPE": "PolynomialDecay"}
        progress = {"epoch": 1, "best": None, "history": [], "train": settings}
        state = {"network": paddle.load(str(good_weights)), "progress": progress}
        state["optimizer"] = {"LR_Scheduler": {"last_epoch": 2, "last_lr": 0.0005}}
        paddle.save(state, str(tmp_path / "checkpoint.pdckpt"))
        error, written = complain("train", "--resume_model", tmp_path, f"TRAIN.{key}", new)
        assert f"this run has TRAIN.{key} {old}, not {new}" in error
        assert written == []

    def test_a_run_that_averages_does_not_go_on_without(self, complain, paddle, good_weights, tmp_path):
        network = paddle.load(str(good_weights))
        state = {"network": network, "optimizer": {}, "progress": {"epoch": 1, "best": None, "history": []}}
        paddle.save({**state, "average": {"state": network, "step": 3}}, str(tmp_path / "checkpoint.pdckpt"))
        error, written = complain("train", "--resume_model", tmp_path)
        assert "averages its weights; give TRAIN.EMA too, or start from it with MODEL.PRETRAINED" in error
        assert written == []


class TestNothingToMeasureBy:
    """PCK by head size of a set in which nobody's head top is annotated."""

    WHY = "no person of this set has joints and the PCK_REFERENCE ('upper_neck', 'head_top')"

    @pytest.fixture(autouse=True)
    def _without_head_tops(self, data):
        edit(data / "annot" / "valid.json", lambda records: [
            {**record, "joints_vis": [*record["joints_vis"][:9], 0, *record["joints_vis"][10:]]} for record in records
        ])  # fmt: skip

    def test_a_training_is_refused(self, complain):
        error, written = complain("train", "TEST.METRIC", "pck")
        assert f"DATASET.TEST_SET: valid cannot be validated: {self.WHY}" in error
        assert written == []

    def test_saved_predictions_are_refused(self, complain, tmp_path):
        scipy.io.savemat(tmp_path / "mine.mat", {"preds": np.zeros((4, 16, 2))})
        error, written = complain("valid", "--pred-file", tmp_path / "mine.mat", "TEST.METRIC", "pck")
        assert f"{tmp_path / 'mine.mat'} cannot be scored: {self.WHY}" in error
        assert written == []

    def test_a_validation_saves_its_predictions_and_says_why_there_is_no_row(
        self, data, good_weights, tmp_path, monkeypatch, capfd
    ):
        words = ["--cfg", toy.write_experiment(tmp_path, data), "--model-file", good_weights, "TEST.METRIC", "pck"]
        monkeypatch.setattr("sys.argv", ["valid.py", *map(str, words)])
        run_script(toy.import_script("valid").main)
        out, error = capfd.readouterr()
        assert out.endswith(f"=> predictions are saved, not scored: {self.WHY}\n") and error == ""
        assert scipy.io.loadmat(tmp_path / toy.RUN_FOLDER / "pred.mat")["preds"].shape == (4, 16, 2)
        assert not (tmp_path / toy.RUN_FOLDER / "results.json").exists()


class TestPredictionFile:
    @pytest.mark.parametrize(("content", "complaint"), [
        (None, "there is no prediction file"),
        ({"preds": np.zeros((3, 16, 2))}, "predictions of shape (3, 16, 2), but the ground truth"),
        ({"preds": np.zeros((4, 16))}, "preds has shape (4, 16), expected (persons, joints, 2)"),
        ({"other": np.zeros((4, 16, 2))}, "is not a pred.mat with `preds` in it"),
    ], ids=["missing", "3 of 4 persons", "no coordinates", "another name"])  # fmt: skip
    def test_a_prediction_file_that_does_not_fit_is_refused(self, complain, tmp_path, content, complaint):
        path = tmp_path / "mine.mat"
        if content:
            scipy.io.savemat(path, content)
        error, written = complain("valid", "--pred-file", path)
        assert complaint in error
        assert written == []
