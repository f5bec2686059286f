"""train.py and valid.py on drawn people in COCO's form, and on a skeleton of 14 joints; and what they refuse."""

import json
import re
import shutil
import sys
from types import SimpleNamespace

import pytest
import toy
import yaml

from lib.core import skeletons
from lib.evaluation.coco_evaluator import FIGURES
from lib.utils.files import file_digest
from lib.utils.runtime import run_script

pytestmark = pytest.mark.slow

HEADER = "| Arch | " + " | ".join(FIGURES) + " |"
ROW = re.compile(r"^\| (\S+) \|((?: -?\d+\.\d{3} \|){10})$", re.MULTILINE)
COCO = {"DATASET": {"DATASET": "coco", "TRAIN_SET": "train2017", "TEST_SET": "val2017"}, "MODEL": {"NUM_JOINTS": 17}}


def run_main(script, experiment, *words):
    """Runs a script's main() in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [f"{script}.py", "--cfg", str(experiment), *map(str, words)])
        run_script(toy.import_script(script).main)


@pytest.fixture(scope="module")
def trained(paddle, tmp_path_factory):
    """A training of one epoch on COCO's form."""
    place = tmp_path_factory.mktemp("coco")
    data = toy.draw_coco_data(place)
    experiment = toy.write_experiment(place, data, **COCO)
    run_main("train", experiment, "TRAIN.END_EPOCH", 1)
    folder = place / toy.COCO_RUN_FOLDER
    return SimpleNamespace(
        place=place, data=data, experiment=experiment, folder=folder, weights=folder / "model_best.pdparams"
    )


@pytest.fixture
def call(trained, tmp_path, capfd):
    """Runs a script on the toy, or on another experiment, and returns what it printed; output goes to tmp_path."""

    def call(script, *words, experiment=trained.experiment):
        capfd.readouterr()
        run_main(script, experiment, *words, "OUTPUT_DIR", tmp_path / "output")
        out, err = capfd.readouterr()
        assert err == ""
        return out

    return call


def row_of(text):
    """The figures of the only table row of a text."""
    assert HEADER in text.splitlines()
    ((_, figures),) = ROW.findall(text)
    return figures


def read(path):
    return json.loads(path.read_text())


class TestCoco:
    def test_a_training_logs_the_ap_row_and_counts_who_is_left_out(self, trained):
        (log,) = trained.folder.glob("*_train.log")
        lines = log.read_text().splitlines()
        assert [line for line in lines if line.startswith("=> load ")] == ["=> load 8 samples", "=> load 4 samples"]
        assert "=> 1 of 9 annotations left out: 1 crowds" in lines
        assert "=> 1 of 5 annotations left out: 1 crowds" in lines
        (epoch,) = read(trained.folder / "history.json")
        assert list(epoch["results"]) == list(FIGURES)
        assert row_of(log.read_text()).split(" | ")[0].strip() == f"{epoch['results']['AP']:.3f}"

    def test_annotated_boxes_give_a_row_and_a_result_file_that_scores_the_same(self, trained, call, tmp_path, paddle):
        # with COCO's own sigmas a network of one epoch scores 0 throughout
        skeleton = {"JOINTS": list(skeletons.COCO.joints), "SIGMAS": [1.0] * 17}
        experiment = toy.write_experiment(
            tmp_path, trained.data, **{**COCO, "DATASET": {**COCO["DATASET"], "SKELETON": skeleton}}
        )
        out = call("valid", "--model-file", trained.weights, experiment=experiment)
        assert "=> ground truth boxes, with flip test, BGR pictures" in out
        folder = tmp_path / toy.COCO_RUN_FOLDER
        report = read(folder / "results.json")
        annotations = trained.data / "annotations" / "person_keypoints_val2017.json"
        assert report["conditions"] == {
            "notes": ["=> 1 of 5 annotations left out: 1 crowds"],
            "annotations": file_digest(annotations)[:16],
            "runs_on": f"Paddle {paddle.__version__}",
            "model_file": str(trained.weights), "loss": report["conditions"]["loss"],
            "accuracy": report["conditions"]["accuracy"], "boxes": "ground truth", "flip_test": True,
            "decode": "quarter", "shift_heatmap": True, "udp": False, "color_order": "BGR", "pixel_scale": 255.0,
            "decode_reduced": False, "metric": "ap", "oks_thre": 0.9, "in_vis_thre": 0.2, "soft_nms": False,
        }  # fmt: skip
        results = folder / "results" / "keypoints_val2017_results.json"
        assert f"=> saving predictions to {results}" in out
        assert [entry["image_id"] for entry in read(results)] == [100, 101, 102, 103]
        assert all(len(entry["keypoints"]) == 51 and entry["category_id"] == 1 for entry in read(results))
        again = call("valid", "--pred-file", results, experiment=experiment)
        assert row_of(again) == row_of(out)
        assert float(row_of(out).split("|")[0]) > 0

    def test_the_truth_as_a_result_file_scores_one(self, trained, call, tmp_path):
        persons = read(trained.data / "annotations" / "person_keypoints_val2017.json")["annotations"]
        entries = [{**person, "score": 0.5} for person in persons if not person["iscrowd"]]
        (tmp_path / "truth.json").write_text(json.dumps(entries))
        figures = row_of(call("valid", "--pred-file", tmp_path / "truth.json"))
        assert set(figures.replace("|", "").split()) <= {"1.000", "-1.000"}  # -1: nobody is of that size
        assert figures.split("|")[0] == " 1.000 "

    def test_boxes_detected_where_they_are_annotated_give_the_same_row(self, trained, call, tmp_path):
        detections = trained.data / "detections_val2017.json"
        out = call("valid", "--model-file", trained.weights, "--coco-bbox-file", detections)  # which asks for them
        assert "=> detected boxes, with flip test, BGR pictures" in out
        conditions = read(tmp_path / toy.COCO_RUN_FOLDER / "results.json")["conditions"]
        assert (conditions["boxes"], conditions["coco_bbox_file"]) == ("detected", str(detections))
        assert "loss" not in conditions
        detected = read(tmp_path / toy.COCO_RUN_FOLDER / "results" / "keypoints_val2017_results.json")
        assert row_of(out) == row_of(call("valid", "--model-file", trained.weights))
        assert detected == read(tmp_path / toy.COCO_RUN_FOLDER / "results" / "keypoints_val2017_results.json")

    def test_a_set_without_truth_gets_its_result_file_and_no_row(self, trained, call, tmp_path):
        out = call("valid", "--model-file", trained.weights, "DATASET.TEST_SET", toy.NO_TRUTH, "--use-detect-bbox",
                   "--coco-bbox-file", trained.data / "detections_val2017.json")  # fmt: skip
        path = trained.data / "annotations" / "image_info_test-dev2017.json"
        assert f"=> predictions are saved, not scored: {path} has no annotations" in out
        assert "| AP |" not in out
        folder = tmp_path / toy.COCO_RUN_FOLDER
        assert len(read(folder / "results" / "keypoints_test-dev2017_results.json")) == 4
        assert not (folder / "results.json").exists()

    def test_a_skeleton_without_sigmas_gets_its_result_file_of_a_set_without_truth(self, trained, call, tmp_path):
        detections = read(trained.data / "detections_val2017.json")
        twice = [{**box, "score": score} for box in detections for score in (0.5, 1.0)]
        (tmp_path / "twice.json").write_text(json.dumps(twice))
        skeleton = {"JOINTS": list(skeletons.COCO.joints)}
        experiment = toy.write_experiment(
            tmp_path, trained.data,
            **{**COCO, "DATASET": {**COCO["DATASET"], "TEST_SET": toy.NO_TRUTH, "SKELETON": skeleton}},
        )  # fmt: skip
        out = call("valid", "--model-file", trained.weights, "--coco-bbox-file", tmp_path / "twice.json",
                   "TEST.IN_VIS_THRE", 0, experiment=experiment)  # fmt: skip
        assert "=> predictions are saved, not scored: " in out
        entries = read(tmp_path / toy.COCO_RUN_FOLDER / "results" / "keypoints_test-dev2017_results.json")
        assert [entry["image_id"] for entry in entries] == [100, 100, 101, 101, 102, 102, 103, 103]
        for better, worse in zip(entries[::2], entries[1::2], strict=True):
            assert better["score"] == pytest.approx(2 * worse["score"]) and worse["score"] > 0
            assert better["keypoints"] == pytest.approx(worse["keypoints"], abs=1e-3)

    def test_a_training_validated_in_detected_boxes_has_no_validation_loss(self, trained, call, tmp_path):
        words = ["TEST.USE_GT_BBOX", "false", "TEST.COCO_BBOX_FILE", trained.data / "detections_val2017.json"]
        call("train", "TRAIN.END_EPOCH", 1, *words)
        (epoch,) = read(tmp_path / toy.COCO_RUN_FOLDER / "history.json")
        assert epoch["valid_loss"] is None and epoch["valid_accuracy"] is None and epoch["train_loss"] > 0
        assert (tmp_path / toy.COCO_RUN_FOLDER / "curves.png").is_file()

    def test_pictures_in_an_archive_give_the_same_results(self, trained, call, tmp_path):
        data = shutil.copytree(trained.data, tmp_path / "zipped")
        toy.zip_pictures(data, "val2017")
        results, words = tmp_path / toy.COCO_RUN_FOLDER / "results", ["--model-file", trained.weights]
        call("valid", *words)
        expected = read(results / "keypoints_val2017_results.json")
        call("valid", *words, "DATASET.ROOT", data, "DATASET.DATA_FORMAT", "zip")
        assert read(results / "keypoints_val2017_results.json") == expected


class TestSkeletonOf14Joints:
    """Leeds Sports Pose's joints, as in experiments/custom/, out of annotations that have MPII's 16."""

    def test_it_trains_and_validates_by_pck(self, root, trained, call, tmp_path):
        written = yaml.safe_load((root / "experiments/custom/lsp_resnet18_128x128.yaml").read_text())
        experiment = toy.write_experiment(
            tmp_path, trained.place / "data", DATASET={"SKELETON": written["DATASET"]["SKELETON"]},
            MODEL={"NUM_JOINTS": 14}, TEST={"METRIC": "pck"},
        )  # fmt: skip
        groups = "Ankle | Knee | Hip | Upper neck | Head top | Wrist | Elbow | Shoulder"
        out = call("train", "TRAIN.END_EPOCH", 1, experiment=experiment)
        assert f"| Arch | {groups} | PCK@0.2 | AUC | EPE |" in out.splitlines()
        pairs = "=> mirror pairs of lsp, found by the names: right_ankle/left_ankle, right_knee/left_knee, "
        folder = tmp_path / toy.RUN_FOLDER
        assert [*read(folder / "history.json")[0]["results"]][-3:] == ["PCK@0.2", "AUC", "EPE"]
        validated = call("valid", "--model-file", folder / "model_best.pdparams", experiment=experiment)
        rows = [line for line in out.splitlines() if line.startswith("| 64x64_pose_resnet_18")]
        assert len(rows) == 1 and rows[0] in validated.splitlines()
        assert out.count(pairs) == validated.count(pairs) == 1
        again = call("valid", "--pred-file", folder / "pred.mat", experiment=experiment)
        assert rows[0].partition(" | ")[2] in again


class TestBadInput:
    @pytest.fixture
    def complain(self, trained, tmp_path, capfd):
        """Runs a script on the data set of tmp_path, the test's own to spoil, and returns its one line of complaint."""
        data = tmp_path / "coco"

        def complain(script, *words):
            experiment = toy.write_experiment(tmp_path, data, **COCO)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                run_main(script, experiment, *words, *(["--model-file", trained.weights] if script == "valid" else []))
            error = capfd.readouterr().err
            assert ended.value.code == 2, error
            assert error.startswith("error: ") and error.count("\n") == 1 and error.endswith("\n"), error
            assert not (tmp_path / "output").exists()
            return error

        return complain

    @pytest.fixture
    def data(self, trained, tmp_path):
        return shutil.copytree(trained.data, tmp_path / "coco")

    @pytest.mark.parametrize(("change", "complaint"), [
        (lambda content: content["annotations"], "expected an object with images and annotations, got a list"),
        (lambda content: content["annotations"][2].update(keypoints=[1, 2, 2]),
         "annotation 2: keypoints has 3 numbers, expected 51"),
        (lambda content: content["annotations"][2].update(bbox=[1, 2, 3]), "annotation 2: a box of [1, 2, 3]; "),
        (lambda content: [person.update(area=0) for person in content["annotations"]] and None,
         "no person of it has a box and a joint that can be used"),
    ], ids=["a list", "one joint", "three numbers", "no area"])  # fmt: skip
    def test_an_annotation_that_does_not_fit_is_named_before_training_starts(self, complain, data, change, complaint):
        path = data / "annotations" / "person_keypoints_train2017.json"
        content = read(path)
        path.write_text(json.dumps(change(content) or content))
        error = complain("train")
        assert str(path) in error and complaint in error

    @pytest.mark.parametrize(("change", "complaint"), [
        ({"image_id": 99}, "detection 2 of 4: its image_id 99 is not among the images of"),
        ({"score": "high"}, "detection 2 of 4: a score of 'high'; expected"),
    ])  # fmt: skip
    def test_a_detection_that_does_not_fit_is_named(self, complain, data, change, complaint):
        path = data / "detections_val2017.json"
        detections = read(path)
        detections[1] |= change
        path.write_text(json.dumps(detections))
        error = complain("valid", "--use-detect-bbox", "--coco-bbox-file", path)
        assert str(path) in error and complaint in error

    def test_detections_of_which_none_can_be_looked_at_are_refused(self, complain, data):
        path = data / "detections_val2017.json"
        path.write_text(json.dumps([{**box, "bbox": [5, 5, 0, 9]} for box in read(path)]))
        error = complain("valid", "--use-detect-bbox", "--coco-bbox-file", path)
        assert "no box to look at; 4 of 4 detections left out: 4 boxes of no area" in error

    def test_detected_boxes_without_their_file_are_refused(self, complain, data):
        assert "TEST.COCO_BBOX_FILE: detected boxes" in complain("valid", "--use-detect-bbox")

    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_missing_pycocotools_are_asked_for_before_a_network_runs(self, complain, data, monkeypatch, script):
        for name in ("pycocotools", "pycocotools.coco", "pycocotools.cocoeval"):
            monkeypatch.setitem(sys.modules, name, None)  # makes their import fail
        assert "COCO's AP needs pycocotools: pip install pycocotools" in complain(script)

    @pytest.mark.parametrize("script", ["train", "valid"])
    def test_a_set_without_truth_has_no_annotated_boxes(self, complain, data, script):
        error = complain(script, "DATASET.TEST_SET", toy.NO_TRUTH)
        assert "image_info_test-dev2017.json: it has no annotations: nothing to train on" in error

    def test_a_training_is_not_validated_by_a_set_without_truth(self, complain, data):
        words = ["TEST.USE_GT_BBOX", "false", "TEST.COCO_BBOX_FILE", data / "detections_val2017.json"]
        error = complain("train", "DATASET.TEST_SET", toy.NO_TRUTH, *words)
        assert "DATASET.TEST_SET: test-dev2017 cannot be validated: " in error and "has no annotations" in error

    @pytest.mark.parametrize(("content", "complaint"), [
        ({"annotations": []}, "expected a list of {image_id, category_id, keypoints, score}"),
        ([{"image_id": 9, "category_id": 1, "keypoints": [1] * 51, "score": 1}], "entry 1 of 1: its image_id 9"),
    ], ids=["an object", "unknown image"])  # fmt: skip
    def test_a_result_file_that_does_not_fit_is_refused(self, complain, data, tmp_path, content, complaint):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content))
        error = complain("valid", "--pred-file", path)
        assert str(path) in error and complaint in error
