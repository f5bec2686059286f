"""train.py and valid.py as a person runs them: a training from the command line to its last file, and validation."""

import json
import re
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io
import toy

from lib.config.config import read_config
from lib.utils.files import file_digest
from lib.utils.runtime import run_script

ROW = re.compile(r"^\| (\S+) \|((?: \d+\.\d{3} \|){9})$", re.MULTILINE)
GRIDS = ("gt", "pred", "hm_gt", "hm_pred")
DEBUG = [word for name in ("DEBUG", "SAVE_BATCH_IMAGES_GT", "SAVE_BATCH_IMAGES_PRED", "SAVE_HEATMAPS_GT",
                           "SAVE_HEATMAPS_PRED") for word in (f"DEBUG.{name}", "true")]  # fmt: skip
LOG_LINES = (
    r"=> device: .+",
    r"=> MODEL\.PRETRAINED is empty: training from scratch",
    r"=> total batch 4 \(TRAIN\.BATCH_SIZE 4\); TRAIN\.LR 0\.001 is taken as it stands",
    r"=> load 8 samples",
    r"=> load 4 samples",
    r"TRAIN 0 0", r"TRAIN 0 1", "TEST", "HEADER", "RULE", "ROW", r"=> saving checkpoint to FOLDER",
    r"TRAIN 1 0", r"TRAIN 1 1", "TEST", "HEADER", "RULE", "ROW", r"=> saving checkpoint to FOLDER",
    r"=> saving final model state to FOLDER/final_state\.pdparams",
    r"=> saving curves to FOLDER/curves\.png",
)  # fmt: skip
FORMS = {
    "TRAIN": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\tEpoch: \[%s\]\[%s/2\]\tTime \d+\.\d{3}s \(\d+\.\d{3}s\)\t"
    r"Speed \d+\.\d samples/s\tData \d+\.\d{3}s \(\d+\.\d{3}s\)\tLr \d\.\d{4} \(\d\.\d{4}\)\t"
    r"Loss \d\.\d{5} \(\d\.\d{5}\)\tAccuracy \d\.\d{3} \(\d\.\d{3}\)\teta: \d\d:\d\d:\d\d",
    "TEST": r"Test: \[0/1\]\tTime \d+\.\d{3} \(\d+\.\d{3}\)\tLoss \d\.\d{4} \(\d\.\d{4}\)\t"
    r"Accuracy \d\.\d{3} \(\d\.\d{3}\)",
    "HEADER": re.escape("| Arch | Head | Shoulder | Elbow | Wrist | Hip | Knee | Ankle | Mean | Mean@0.1 |"),
    "RULE": re.escape("|---|---|---|---|---|---|---|---|---|---|"),
    "ROW": r"\| 64x64_pose_resnet_18_d16d16d16 \|( \d+\.\d{3} \|){9}",
}


def run(script, *words):
    """A script in a process of its own: its exit code, stdout and stderr."""
    command, environment = [sys.executable, str(toy.SCRIPTS / script), *map(str, words)], toy.quiet_environment()
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


def line_pattern(line, folder):
    name, *numbers = line.split(" ")
    return FORMS[name] % tuple(numbers) if name in FORMS else line.replace("FOLDER", re.escape(str(folder)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A training of two epochs with the DEBUG flags on, in a process of its own."""
    place = tmp_path_factory.mktemp("toy")
    data = toy.draw_data(place)
    experiment = toy.write_experiment(place, data)
    answer = run("train.py", "--cfg", experiment, *DEBUG)
    assert answer.returncode == 0, answer.stderr
    return SimpleNamespace(
        place=place, data=data, experiment=experiment, folder=place / toy.RUN_FOLDER, out=answer.stdout,
        err=answer.stderr,
    )  # fmt: skip


@pytest.fixture
def call(paddle, trained, monkeypatch, capfd):
    """Runs a script's main() on the toy in this process and returns what it printed."""

    def call(script, *words):
        monkeypatch.setattr("sys.argv", [f"{script}.py", "--cfg", str(trained.experiment), *map(str, words)])
        capfd.readouterr()
        run_script(toy.import_script(script).main)
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return call


def row_of(text):
    """(first column, figures) of the only table row of a text."""
    (row,) = ROW.findall(text)
    return row[0], row[1]


@pytest.mark.slow
class TestTraining:
    def test_its_lines_have_the_agreed_form_on_screen_and_in_the_log(self, trained):
        (log,) = trained.folder.glob("*.log")
        assert re.fullmatch(r"toy_\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d_train\.log", log.name)
        assert log.read_text() == trained.out
        lines = trained.out.splitlines()
        assert len(lines) == len(LOG_LINES), trained.out
        for line, form in zip(lines, LOG_LINES, strict=True):
            assert re.fullmatch(line_pattern(form, trained.folder), line), line

    def test_in_a_pipe_there_is_no_progress_bar_and_no_noise(self, trained):
        assert trained.err == ""
        assert not re.search(r"\r|\x1b|%\|", trained.out)

    def test_its_folder_holds_every_file_and_nothing_half_written(self, trained):
        names = sorted(path.name for path in trained.folder.iterdir() if path.suffix not in (".log", ".jpg"))
        assert names == [
            ".lock", "checkpoint.pdckpt", "checkpoint_previous.pdckpt", "config.yaml", "curves.png",
            "final_state.pdparams", "history.json", "model_best.pdparams", "run.json",
        ]  # fmt: skip

    def test_the_run_describes_itself(self, trained):
        told = json.loads((trained.folder / "run.json").read_text())
        assert told["command"][:3] == ["train.py", "--cfg", str(trained.experiment)]
        assert told["device"] in trained.out
        assert told["initial_weights"] in trained.out
        assert told["parameters"] > 11_000_000
        assert told["total_batch_size"] == 4
        assert told["packages"].keys() >= {"paddle", "numpy", "opencv"}
        assert re.fullmatch(r"[0-9a-f]{40}|unknown", told["git_commit"])

    def test_its_configuration_reads_back_with_the_overrides_in_it(self, trained):
        overrides = dict.fromkeys(DEBUG[::2], True)
        assert read_config(trained.folder / "config.yaml") == read_config(trained.experiment, overrides)

    def test_its_history_holds_the_figures_of_the_tables(self, trained):
        history = json.loads((trained.folder / "history.json").read_text())
        assert [row["epoch"] for row in history] == [0, 1]
        tables = [[f"{value:.3f}" for name, value in row["results"].items() if not name.startswith("true_")]
                  for row in history]  # fmt: skip
        assert tables == [figures.replace("|", "").split() for _, figures in ROW.findall(trained.out)]
        assert all(0 < row["train_loss"] < 0.1 and 0 < row["valid_loss"] < 0.1 for row in history)
        assert history[0]["lr"] == 0.001 > history[1]["lr"] > 0

    def test_its_scalars_and_curves_can_be_read(self, trained):
        curves = cv2.imread(str(trained.folder / "curves.png"))
        assert curves.shape[0] > 200 and curves.std() > 5
        visualdl = pytest.importorskip("visualdl")
        (events,) = (trained.place / "log" / "mpii" / "pose_resnet_18" / "toy").rglob("vdlrecords*")
        reader = visualdl.LogReader(file_path=str(events))
        tags = set(reader.get_tags()["scalar"])
        assert tags >= {"train_loss", "train_accuracy", "lr", "valid_loss", "valid_accuracy"}
        assert {tag for tag in tags if tag.startswith("valid/")} >= {"valid/Head", "valid/Mean", "valid/Mean@0.1"}
        assert [item.id for item in reader.get_data("scalar", "train_loss")] == [0, 1, 2, 3]
        assert {"PCK@0.5/left_knee", "PCK@0.5/right_ankle"} <= tags
        (grid,) = reader.get_data("image", "valid/persons")
        assert grid.id == 0 and cv2.imdecode(np.frombuffer(grid.image.encoded_image_string, np.uint8), 1).std() > 20

    @pytest.mark.parametrize("prefix", ["train_0", "train_1", "val_0"])
    def test_the_four_debug_flags_save_their_four_grids(self, trained, prefix):
        grids = {name: cv2.imread(str(trained.folder / f"{prefix}_{name}.jpg")) for name in GRIDS}
        assert all(grid.std() > 20 for grid in grids.values())
        shape = {name: grid.shape[1] / grid.shape[0] for name, grid in grids.items()}
        assert shape["gt"] == shape["pred"] == pytest.approx(4, rel=0.1)  # four persons side by side
        assert shape["hm_gt"] == shape["hm_pred"] == pytest.approx(17 / 4, rel=0.1)  # a row each: crop, 16 heatmaps
        assert not np.array_equal(grids["gt"], grids["pred"])
        assert not np.array_equal(grids["hm_gt"], grids["hm_pred"])

    def test_it_goes_on_from_its_folder(self, trained, call):
        words = ["TRAIN.END_EPOCH", 3, "OUTPUT_DIR", trained.place / "more"]
        out = call("train", "--resume_model", trained.folder, *words)
        assert f"=> going on from {trained.folder} with epoch 2" in out
        assert re.findall(r"Epoch: (\[\d+\]\[\d+/\d+\])", out) == ["[2][0/2]", "[2][1/2]"]
        more = trained.place / "more" / trained.folder.relative_to(trained.place / "output")
        history = json.loads((more / "history.json").read_text())
        assert [row["epoch"] for row in history] == [0, 1, 2]
        assert (more / "model_best.pdparams").is_file()

    def test_auto_goes_on_from_its_own_folder_with_the_checkpoint_before_a_damaged_one(self, trained, call):
        words = ["--resume_model", "auto", "TRAIN.END_EPOCH", 1, "OUTPUT_DIR", trained.place / "auto"]
        folder = trained.place / "auto" / trained.folder.relative_to(trained.place / "output")
        nothing = f"=> --resume_model auto: there is no checkpoint in {folder}: training from scratch"
        assert nothing in call("train", *words)
        words[3] = 2
        assert f"=> going on from {folder} with epoch 1" in call("train", *words)
        checkpoint = folder / "checkpoint.pdckpt"
        content = bytearray(checkpoint.read_bytes())
        content[len(content) // 2] ^= 1
        checkpoint.write_bytes(content)
        out = call("train", *words)
        assert f"=> WARNING: {checkpoint} is damaged: its checksum is not that of what was written" in out
        assert f"=> going on from {folder} with epoch 1" in out
        assert "Epoch: [1][1/2]" in out

    def test_a_changed_rate_counts_from_the_first_step_when_it_goes_on(self, trained, call):
        words = ["TRAIN.END_EPOCH", 4, "TRAIN.LR", 0.004, "OUTPUT_DIR", trained.place / "faster"]
        out = call("train", "--resume_model", trained.folder, *words)
        rates = [float(rate) for rate in re.findall(r"Lr ([0-9.]+)", out)]
        assert rates == pytest.approx([0.004 * (1 - step / 8) ** 0.9 for step in (4, 5, 6, 7)], abs=6e-5)

    def test_going_on_with_another_figure_leaves_the_old_best_behind(self, trained, call):
        out = call("train", "--resume_model", trained.folder, "TEST.METRIC", "pck", "OUTPUT_DIR", trained.place / "pck")
        assert "=> nothing left to train: 2 epochs are done" in out and "so the best begins anew" in out
        folder = trained.place / "pck" / trained.folder.relative_to(trained.place / "output")
        assert [path.name for path in folder.glob("*.pdparams")] == ["final_state.pdparams"]

    def test_a_new_run_in_the_folder_of_an_old_one_moves_that_one_aside(self, trained, call):
        words = ["TRAIN.END_EPOCH", 1, "OUTPUT_DIR", trained.place / "again"]
        folder = trained.place / "again" / trained.folder.relative_to(trained.place / "output")
        assert "held a run" not in call("train", *words)
        best = (folder / "model_best.pdparams").read_bytes()
        names = {path.name for path in folder.iterdir()}
        assert f"=> {folder} held a run of 20" in call("train", *words, "TRAIN.SEED", 1)
        (earlier,) = (folder / "earlier").iterdir()
        assert {path.name for path in earlier.iterdir()} == names - {".lock"}
        assert (earlier / "model_best.pdparams").read_bytes() == best != (folder / "model_best.pdparams").read_bytes()
        call("train", *words, "--overwrite")
        assert [path.name for path in (folder / "earlier").iterdir()] == [earlier.name]

    @pytest.mark.parametrize("given", [".", "checkpoint.pdckpt"])
    def test_its_best_weights_come_along_into_another_folder(self, trained, paddle, tmp_path, given):
        import_module("lib.training.start").bring_best(trained.folder / given, tmp_path)
        best = "model_best.pdparams"
        assert (tmp_path / best).read_bytes() == (trained.folder / best).read_bytes()


@pytest.mark.slow
class TestValidating:
    @pytest.fixture
    def validated(self, trained, call):
        """Printed text and folder of a validation of the toy's best weights with flip test."""
        out = call("valid", "--flip-test", "--model-file", trained.folder / "model_best.pdparams",
                   "OUTPUT_DIR", trained.place / "v")  # fmt: skip
        return out, trained.place / "v" / trained.folder.relative_to(trained.place / "output")

    def test_a_process_of_its_own_prints_the_row_of_the_best_epoch_and_nothing_else_goes_wrong(self, trained):
        answer = run("valid.py", "--cfg", trained.experiment, "--flip-test", "--workers", 2,
                     "--model-file", trained.folder / "model_best.pdparams", "OUTPUT_DIR", trained.place / "own")
        assert (answer.returncode, answer.stderr) == (0, "")
        assert "=> load 4 samples" in answer.stdout.splitlines()
        assert "\r" not in answer.stdout
        history = json.loads((trained.folder / "history.json").read_text())
        best = max(range(2), key=lambda epoch: history[epoch]["results"]["Mean"])
        assert row_of(answer.stdout) == ROW.findall(trained.out)[best]

    def test_it_writes_predictions_and_results_that_say_how_they_came_about(self, validated, trained, paddle):
        out, folder = validated
        predictions = scipy.io.loadmat(folder / "pred.mat")["preds"]
        assert predictions.shape == (4, 16, 2)
        report = json.loads((folder / "results.json").read_text())
        assert report["name"] == row_of(out)[0] == "64x64_pose_resnet_18_d16d16d16"
        figures = [f"{value:.3f}" for name, value in report["results"].items() if not name.startswith("true_")]
        assert figures == row_of(out)[1].replace("|", "").split()
        assert report["conditions"] == {
            "notes": [],
            "annotations": file_digest(trained.data / "annot" / "valid.json")[:16],
            "runs_on": f"Paddle {paddle.__version__}",
            "model_file": str(trained.folder / "model_best.pdparams"),
            "loss": pytest.approx(0.0125, abs=0.002), "accuracy": report["conditions"]["accuracy"],
            "boxes": "ground truth", "flip_test": True, "decode": "quarter", "shift_heatmap": True,
            "udp": False, "color_order": "BGR", "pixel_scale": 255.0, "decode_reduced": False, "metric": "pckh",
        }  # fmt: skip
        assert "=> ground truth boxes, with flip test, BGR pictures" in out

    def test_its_prediction_file_scores_the_same_row_without_a_network(self, validated, trained, call):
        out, folder = validated
        again = call("valid", "--pred-file", folder / "pred.mat", "OUTPUT_DIR", trained.place / "scored")
        assert row_of(again) == (str(folder / "pred.mat"), row_of(out)[1])
        report = json.loads(next((trained.place / "scored").rglob("results.json")).read_text())
        assert report["results"] == json.loads((folder / "results.json").read_text())["results"]

    @pytest.mark.parametrize("side", [-1, 1])
    def test_a_prediction_file_counts_from_one_to_the_fraction_of_a_pixel(self, trained, call, side):
        truth = scipy.io.loadmat(trained.place / "data" / "annot" / "gt_valid.mat")
        boxes = truth["headboxes_src"]
        reach = 0.5 * 0.6 * np.linalg.norm(boxes[1] - boxes[0], axis=0)  # half a head size: the farthest hit
        predictions = truth["pos_gt_src"].transpose(2, 0, 1) + side * ((reach - 0.2) / 2**0.5)[:, None, None]
        scipy.io.savemat(trained.place / "edge.mat", {"preds": predictions})
        out = call("valid", "--pred-file", trained.place / "edge.mat", "OUTPUT_DIR", trained.place / "scored")
        assert row_of(out)[1].startswith(" 100.000 |" * 8)

    def test_written_predictions_count_from_one(self, trained, call, monkeypatch):
        known = np.arange(4 * 16 * 2, dtype=np.float32).reshape(4, 16, 2)
        monkeypatch.setattr("lib.evaluation.scoring.validate", lambda *_: (known, None, 0.01, 0.5))
        call("valid", "--model-file", trained.folder / "model_best.pdparams", "OUTPUT_DIR", trained.place / "known")
        (written,) = (trained.place / "known").rglob("pred.mat")
        np.testing.assert_array_equal(scipy.io.loadmat(written)["preds"], known + 1)

    def test_the_flip_test_can_be_turned_off(self, trained, validated, call):
        _, folder = validated
        with_flip = scipy.io.loadmat(folder / "pred.mat")["preds"]
        out = call("valid", "--no-flip-test", "--no-post-process", "--no-shift-heatmap", "--model-file",
                   trained.folder / "checkpoint.pdckpt", "OUTPUT_DIR", trained.place / "plain")  # fmt: skip
        assert "=> ground truth boxes, without flip test, BGR pictures" in out
        plain = trained.place / "plain" / trained.folder.relative_to(trained.place / "output")
        conditions = json.loads((plain / "results.json").read_text())["conditions"]
        assert [conditions[name] for name in ("flip_test", "decode", "shift_heatmap")] == [False, "none", False]
        assert not np.array_equal(scipy.io.loadmat(plain / "pred.mat")["preds"], with_flip)

    def test_overrides_may_stand_before_and_behind_the_options(self, trained, call):
        out = call("valid", "TEST.BATCH_SIZE", 3, "--flip-test", "--model-file", trained.folder / "model_best.pdparams",
                   "OUTPUT_DIR", trained.place / "mixed")  # fmt: skip
        assert re.findall(r"Test: (\[\d/\d\])", out) == ["[0/2]", "[1/2]"]
        assert (trained.place / "mixed").is_dir()


@pytest.mark.parametrize("script", ["train.py", "valid.py", "infer.py"])
def test_help_answers_at_once_and_without_paddle(script):
    code = (
        "import runpy, sys, time; sys.argv = ['SCRIPT', '--help']; sys.path.insert(0, 'FOLDER')\n"
        "try: runpy.run_path('SCRIPT', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, 'paddle' in sys.modules, time.process_time())"
    ).replace("SCRIPT", str(toy.SCRIPTS / script)).replace("FOLDER", str(toy.SCRIPTS))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    help_text, _, last = answer.stdout.rstrip().rpartition("\n")
    exit_code, has_paddle, seconds = last.split()
    assert (exit_code, has_paddle) == ("0", "False")
    assert float(seconds) < 1.5
    for option in ("--cfg", "--gpus", "--workers", "--frequent", "--batch_size"):
        assert option in help_text
    assert answer.stderr == ""
