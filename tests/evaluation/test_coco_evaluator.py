"""COCO's AP: the original's recorded figures, figures worked out on paper, rescoring, and the result file's form."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import toy

from lib.core.skeletons import COCO, Skeleton
from lib.dataset.annotations.coco import detected_persons
from lib.dataset.annotations.coco_truth import CocoTruth, read_truth
from lib.dataset.joints_dataset import Persons
from lib.evaluation.coco_evaluator import FIGURES, COCOEvaluator, Suppression
from lib.utils.errors import UserError
from lib.utils.runtime import run_script

THREE = Skeleton("three", ("head", "left_hand", "right_hand"), sigmas=(0.05, 0.05, 0.05))


def persons_of(image_ids, center=(50.0, 50.0), scale=(0.5, 0.5), box_scores=None):
    """Persons whose joints nobody asks for."""
    count = len(image_ids)
    return Persons(
        [f"{image_id}.jpg" for image_id in image_ids],
        np.tile(np.array(center), (count, 1)),
        np.tile(np.array(scale), (count, 1)),
        np.zeros((count, 3, 2)),
        np.ones((count, 3)),
        image_ids=np.array(image_ids, dtype=object),
        box_scores=np.ones(count) if box_scores is None else np.array(box_scores),
    )


def truth_of(joints, skeleton, image_ids=None, area=10_000.0):
    """A CocoTruth of persons with joints (N, K, 2), all visible, of a large size (COCO: above 96 x 96)."""
    image_ids = image_ids or [7] * len(joints)
    annotations = [
        {"id": row + 1, "image_id": image_ids[row], "category_id": 1, "bbox": [0.0, 0.0, 100.0, 100.0], "area": area,
         "iscrowd": 0, "keypoints": np.column_stack([places, np.full(len(places), 2.0)]).ravel()}
        for row, places in enumerate(joints)
    ]  # fmt: skip
    images = {image_id: (f"{image_id}.jpg", 640, 480) for image_id in {*image_ids, 7}}
    assert len(joints[0]) == len(skeleton.joints)
    return CocoTruth(Path("truth.json"), images, [{"id": 1, "name": "person"}], annotations)


def two_persons(joint_count):
    """Joints (2, joint_count, 2) of two persons far apart."""
    return np.random.default_rng(0).uniform(0, 100, (2, joint_count, 2)) + np.array([0, 300])[:, None, None]


def scores_of(*values, joint_count=17):
    return np.tile(np.array(values)[:, None], (1, joint_count))


# -- the record ------------------------------------------------------------------------------------------------------


@pytest.fixture
def coco4(shared):
    return shared / "data" / "coco4"


@pytest.fixture
def coco4_truth(coco4):
    return read_truth(coco4 / "annotations" / "person_keypoints_val2017.json", COCO)


@pytest.fixture
def recorded(reference, coco4_truth):
    """(persons, predictions, scores, {setting: figures}) of coco4_evaluator.npz."""
    record = reference("coco4_evaluator.npz")
    boxes = record["boxes"].astype(np.float64)
    image_ids = [int(Path(name).stem) for name in record["images"]]
    persons = persons_of(image_ids, box_scores=boxes[:, 5])
    persons.center, persons.scale = boxes[:, :2], boxes[:, 2:4]
    predictions = record["preds"]
    return persons, predictions[..., :2], predictions[..., 2], json.loads(str(record["metrics"]))


SETTINGS = ["0.5,0.0", "0.5,0.2", "0.9,0.0", "0.9,0.2"]


def recorded_evaluator(setting, truth, persons):
    oks_threshold, joint_threshold = map(float, setting.split(","))
    return COCOEvaluator(truth, persons, COCO, Suppression(joint_threshold, oks_threshold), "val2017")


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_figures_are_the_originals(coco4_truth, recorded, setting):
    persons, predictions, scores, expected = recorded
    assert sorted(expected) == SETTINGS
    evaluator = recorded_evaluator(setting, coco4_truth, persons)
    assert len(evaluator.results(predictions, scores)) == expected[setting].pop("kept")
    assert evaluator.evaluate(predictions, scores) == pytest.approx(expected[setting], abs=1e-6)


def test_valid_py_scores_a_result_file_by_the_originals_figures(
    coco4, coco4_truth, recorded, tmp_path, monkeypatch, capfd
):
    persons, predictions, scores, expected = recorded
    path = recorded_evaluator("0.9,0.2", coco4_truth, persons).save(predictions, scores, tmp_path)
    experiment = tmp_path / "coco4.yaml"
    experiment.write_text(
        f"OUTPUT_DIR: {tmp_path}\nDATASET: {{DATASET: coco, ROOT: {coco4}, TEST_SET: val2017}}\n"
        "MODEL: {NUM_JOINTS: 17, IMAGE_SIZE: [192, 256], EXTRA: {HEATMAP_SIZE: [48, 64]}}\n"
    )
    words = ["valid.py", "--cfg", str(experiment), "--pred-file", str(path)]
    monkeypatch.setattr("sys.argv", words)
    run_script(toy.import_script("valid").main)
    row = " | ".join(f"{expected['0.9,0.2'][name]:.3f}" for name in FIGURES)
    assert f"| {path} | {row} |" in capfd.readouterr().out
    (report,) = tmp_path.rglob("results.json")
    expected["0.9,0.2"].pop("kept")
    assert json.loads(report.read_text())["results"] == pytest.approx(expected["0.9,0.2"], abs=1e-6)


def test_the_poses_kept_of_detected_boxes_are_the_originals(shared, coco4, coco4_truth):
    record = np.load(shared / "reference" / "coco4_r50_256x192.npz")
    expected = json.loads(str(record["results"]))
    pictures = dict.fromkeys(coco4_truth.images, "")
    path = coco4 / "person_detections_val2017.json"
    persons = detected_persons(coco4_truth, path, 17, (192, 256), pictures)
    evaluator = COCOEvaluator(coco4_truth, persons, COCO)
    results = evaluator.results(record["preds"][..., :2], record["preds"][..., 2])
    assert len(results) == len(expected) == 117
    for found, wanted in zip(results, expected, strict=True):
        assert found.keys() == wanted.keys()
        for key, value in wanted.items():
            assert found[key] == pytest.approx(value, abs=1e-6), key
    assert evaluator.evaluate_results(results) == json.loads(str(record["metrics"]))


# -- on paper --------------------------------------------------------------------------------------------------------


def evaluate(predictions, truth, skeleton, scores, **settings):
    persons = persons_of([record["image_id"] for record in truth.annotations])
    return COCOEvaluator(truth, persons, skeleton, Suppression(**settings)).evaluate(predictions, scores)


def test_the_ground_truth_as_prediction_is_perfect():
    joints = two_persons(17)
    figures = evaluate(joints, truth_of(joints, COCO, image_ids=[7, 8]), COCO, scores_of(0.9, 0.8))
    assert list(figures) == list(FIGURES)
    medium = {"AP (M)": -1.0, "AR (M)": -1.0}  # pycocotools' figure where nobody is of that size
    assert figures == pytest.approx({**dict.fromkeys(FIGURES, 1.0), **medium})


def test_one_joint_of_17_far_away_is_an_oks_of_16_17ths():
    joints = two_persons(17)
    predictions = joints.copy()
    predictions[1, 3] += 1e5
    figures = evaluate(predictions, truth_of(joints, COCO), COCO, scores_of(0.9, 0.8))
    # 0.941: right at the thresholds 0.5 ... 0.9, wrong at 0.95, where precision is 1 up to the recall of a half: 51 of
    # the 101 places at which it is read
    assert figures["AP"] == figures["AP (L)"] == pytest.approx((9 + 51 / 101) / 10)
    assert figures["AR"] == pytest.approx((9 + 1 / 2) / 10)
    assert figures["Ap .5"] == figures["AP .75"] == figures["AR .75"] == pytest.approx(1)


def test_a_wrong_pose_before_a_right_one_halves_the_precision():
    joints = two_persons(17)
    predictions = joints.copy()
    predictions[0] += 1e4
    figures = evaluate(predictions, truth_of(joints, COCO), COCO, scores_of(0.9, 0.8))
    assert figures["AP"] == pytest.approx(51 / 101 / 2)  # one of two found, at the second try
    assert figures["AR"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("sigma", "oks", "thresholds"),
    [(0.05, (2 + math.exp(-1)) / 3, 6), (0.1, (2 + math.exp(-1 / 4)) / 3, 9), (0.02, (2 + math.exp(-6.25)) / 3, 4)],
)
def test_the_skeletons_own_sigmas_count(sigma, oks, thresholds):
    # a joint 14.1 px away: exp(-200 / ((2 * sigma)^2 * 10,000 * 2)); the figure is the share of 0.5, 0.55 ... 0.95
    # that the OKS reaches
    assert sum(oks >= 0.5 + 0.05 * step for step in range(10)) == thresholds
    skeleton = Skeleton("three", THREE.joints, sigmas=(sigma,) * 3)
    joints = two_persons(3)[:1]
    predictions = joints.copy()
    predictions[0, 1] += 10
    figures = evaluate(predictions, truth_of(joints, skeleton), skeleton, scores_of(0.9, joint_count=3))
    assert figures["AP"] == pytest.approx(thresholds / 10)


def test_crowds_are_not_missed():
    joints = two_persons(17)
    truth = truth_of(joints, COCO)
    truth.annotations[1]["iscrowd"] = 1
    persons = persons_of([7])
    assert COCOEvaluator(truth, persons, COCO).evaluate(joints[:1], scores_of(0.9))["AR"] == 1


def test_nothing_found_is_zero_everywhere():
    evaluator = COCOEvaluator(truth_of(two_persons(17), COCO), None, COCO)
    assert evaluator.evaluate_results([]) == dict.fromkeys(FIGURES, 0.0)
    assert len(evaluator) == 2


def test_a_set_without_annotations_says_so():
    truth = truth_of(two_persons(17), COCO)
    assert not COCOEvaluator(truth, None, COCO).skip_reason
    truth.annotations = []
    assert "no annotations" in COCOEvaluator(truth, None, COCO).skip_reason


# -- scores and suppression ------------------------------------------------------------------------------------------


def three_results(scores, box_scores, joints=None, **settings):
    """The result list of persons of three joints, far apart unless given, in picture 7."""
    count = len(scores)
    joints = 1000.0 * np.arange(count)[:, None, None] + np.zeros((count, 3, 2)) if joints is None else joints
    persons = persons_of([7] * count, box_scores=box_scores)
    evaluator = COCOEvaluator(truth_of(np.zeros((1, 3, 2)), THREE), persons, THREE, Suppression(**settings))
    return evaluator.results(joints, np.array(scores))


def test_a_persons_score_is_its_boxs_times_the_mean_of_its_joints_above_the_threshold():
    scores = [[0.9, 0.1, 0.5], [0.25, 0.25, 0.25], [0.2, 0.1, 0.0]]
    results = three_results(scores, [0.5, 0.8, 1.0], joint_threshold=0.2)
    assert [entry["score"] for entry in results] == pytest.approx([0.7 * 0.5, 0.25 * 0.8, 0])


def test_an_entry_holds_the_form_of_the_original():
    joints = np.array([[[1.5, 2], [3, 4], [5, 6]]])
    (entry,) = three_results([[0.5, 0.25, 0.75]], [1.0], joints)
    assert entry == {
        "image_id": 7, "category_id": 1, "keypoints": [1.5, 2, 0.5, 3, 4, 0.25, 5, 6, 0.75], "score": 0.5,
        "center": [50, 50], "scale": [0.5, 0.5],
    }  # fmt: skip


def test_persons_of_different_pictures_do_not_compete():
    scores, joints = scores_of(0.9, 0.8, 0.7, joint_count=3), np.zeros((3, 3, 2))
    evaluator = COCOEvaluator(truth_of(np.zeros((2, 3, 2)), THREE, [7, 8]), persons_of([8, 7, 8]), THREE)
    assert [entry["image_id"] for entry in evaluator.results(joints, scores)] == [8, 7]


def test_soft_suppression_keeps_a_second_pose_with_a_lower_score():
    # both in one place, OKS 1
    arguments = [[0.9] * 3, [0.8] * 3], [1.0, 1.0], np.zeros((2, 3, 2))
    assert [entry["score"] for entry in three_results(*arguments, oks_threshold=0.5)] == pytest.approx([0.9])
    softly = three_results(*arguments, oks_threshold=0.5, soft=True)
    assert [entry["score"] for entry in softly] == pytest.approx([0.9, 0.8 * math.exp(-1 / 0.5)])


def test_without_sigmas_nobody_is_suppressed_and_the_best_comes_first():
    joints, skeleton = np.zeros((3, 3, 2)), Skeleton("three", THREE.joints)
    truth = truth_of(joints, skeleton)
    truth.annotations = []
    for soft in (False, True):
        evaluator = COCOEvaluator(truth, persons_of([7, 8, 7]), skeleton, Suppression(oks_threshold=0.1, soft=soft))
        results = evaluator.results(joints, scores_of(0.7, 0.9, 0.8, joint_count=3))
        assert [(entry["image_id"], entry["score"]) for entry in results] == [
            (7, pytest.approx(0.8)), (7, pytest.approx(0.7)), (8, pytest.approx(0.9)),
        ]  # fmt: skip


def test_pycocotools_are_needed_where_there_is_truth_only(monkeypatch):
    for name in ("pycocotools", "pycocotools.coco", "pycocotools.cocoeval"):
        monkeypatch.setitem(sys.modules, name, None)  # makes their import fail
    truth = truth_of(two_persons(17), COCO)
    with pytest.raises(UserError, match=r"COCO's AP needs pycocotools: pip install pycocotools \("):
        COCOEvaluator(truth, None, COCO)
    truth.annotations = []
    assert COCOEvaluator(truth, persons_of([7]), COCO).results(two_persons(17)[:1], scores_of(0.9))


def test_the_crops_size_decides_how_far_apart_one_person_may_be_found():
    # all joints 10 px apart: OKS exp(-100 / (0.1^2 * area * 2)), the crop's area 100 x 100 or 200 x 200
    joints = np.zeros((2, 3, 2))
    joints[1, :, 0] = 10
    for scale, oks in ((0.5, math.exp(-0.5)), (1.0, math.exp(-0.125))):
        persons = persons_of([7, 7], scale=(scale, scale))
        for threshold, kept in ((oks - 1e-3, 1), (oks + 1e-3, 2)):
            settings = Suppression(oks_threshold=threshold)
            evaluator = COCOEvaluator(truth_of(joints[:1], THREE), persons, THREE, settings)
            assert len(evaluator.results(joints, scores_of(0.9, 0.8, joint_count=3))) == kept


# -- the result file -------------------------------------------------------------------------------------------------


def test_a_saved_file_scores_as_the_predictions_do(tmp_path):
    joints = two_persons(17)
    predictions = joints + np.random.default_rng(1).normal(scale=5, size=joints.shape)
    evaluator = COCOEvaluator(truth_of(joints, COCO), persons_of([7, 7]), COCO, name="mine")
    figures = evaluator.evaluate(predictions, scores_of(0.9, 0.8))
    assert 0 < figures["AP"] < 1
    path = evaluator.save(predictions, scores_of(0.9, 0.8), tmp_path)
    assert path == tmp_path / "results" / "keypoints_mine_results.json"
    assert evaluator.evaluate_file(path) == figures


def test_the_file_may_lack_what_coco_does_not_ask_for(tmp_path):
    joints = two_persons(3)
    path = tmp_path / "r.json"
    keypoints = np.concatenate([joints[0], np.ones((3, 1))], axis=1).ravel().tolist()
    path.write_text(json.dumps([{"image_id": 7, "category_id": 1, "keypoints": keypoints, "score": 1}]))
    assert COCOEvaluator(truth_of(joints[:1], THREE), None, THREE).evaluate_file(path)["AP"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image_id": 9}, "its image_id 9 is not among the images of truth.json"),
        ({"image_id": [7]}, "its image_id [7] is not among the images"),
        ({"category_id": 2}, "its category_id is 2, but person is 1"),
        ({"keypoints": [1.0] * 8}, "keypoints: expected 9 numbers (x, y, score of 3 joints)"),
        ({"keypoints": None}, "keypoints: expected 9 numbers"),
        ({"keypoints": "123456789"}, "keypoints: expected 9 numbers"),
        ({"keypoints": [math.nan, *[1.0] * 8]}, "not a finite number"),
        ({"keypoints": ["1", *[1.0] * 8]}, "not a finite number"),
        ({"keypoints": [10**400, *[1.0] * 8]}, "not a finite number"),
        ({"keypoints": [[1.0], *[1.0] * 8]}, "not a finite number"),
        ({"score": math.inf}, "not a finite number"),
        ({"score": "0.5"}, "not a finite number"),
        ({"score": None}, "not a finite number"),
    ],
)
def test_an_ill_formed_entry_is_named_in_one_line(tmp_path, change, complaint):
    good = {"image_id": 7, "category_id": 1, "keypoints": [1.0] * 9, "score": 0.5}
    check_refusal(tmp_path, [good, {**good, **change}], f"entry 2 of 2: .*{re.escape(complaint)}")


@pytest.mark.parametrize("key", ["image_id", "category_id", "keypoints", "score"])
def test_an_entry_that_lacks_a_key_is_named(tmp_path, key):
    entry = {"image_id": 7, "category_id": 1, "keypoints": [1.0] * 9, "score": 0.5}
    del entry[key]
    check_refusal(tmp_path, [entry], "entry 1 of 1: expected a list of {image_id, category_id, keypoints, score}")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"image_id": 7}, "expected a list .* got a dict"),
        ("words", "expected a list .* got a str"),
        ([3], "entry 1 of 1: expected a list"),
        ([[7, 1]], "entry 1 of 1: expected a list"),
    ],
)
def test_a_file_that_is_no_result_list_is_named(tmp_path, content, complaint):
    check_refusal(tmp_path, content, complaint)


def check_refusal(folder, content, complaint):
    path = folder / "r.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=complaint) as caught:
        COCOEvaluator(truth_of(np.zeros((1, 3, 2)), THREE), None, THREE).evaluate_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < 400


@pytest.mark.parametrize("wrong", ["a person less", "a joint less", "a score less", "not finite"])
def test_predictions_of_other_persons_or_not_finite_are_refused(wrong):
    joints = two_persons(3)
    predictions, scores = joints.copy(), np.ones((2, 3))
    if wrong == "a person less":
        predictions, scores = predictions[:1], scores[:1]
    elif wrong == "a joint less":
        predictions = predictions[:, :2]
    elif wrong == "a score less":
        scores = scores[:, :2]
    else:
        predictions[1, 2, 0] = math.nan
    evaluator = COCOEvaluator(truth_of(joints, THREE), persons_of([7, 7]), THREE)
    with pytest.raises(UserError, match="expected finite ones of 2 persons with 3 joints"):
        evaluator.evaluate(predictions, scores)


def test_a_quick_look_takes_whole_pictures_and_counts_people_without_boxes():
    joints = np.concatenate([two_persons(17), two_persons(17) + 900])  # on the pictures 7, 7, 8, 9
    truth = truth_of(joints, COCO, image_ids=[7, 7, 8, 9])
    truth.images.clear()
    truth.images.update({number: (f"{number}.jpg", 640, 480) for number in (7, 8, 9)})
    evaluator = COCOEvaluator(truth, persons_of([9, 7, 9, 7, 7]), COCO)  # nobody was found on 8
    assert evaluator.first(1).tolist() == [False, True, False, True, True]
    assert len(evaluator) == 3 and [record["image_id"] for record in evaluator.ground_truth.annotations] == [7, 7]
    figures = evaluator.evaluate(joints[[0, 1, 1]], scores_of(0.9, 0.8, 0.7))
    assert figures["AP"] == pytest.approx(1) and len(truth.annotations) == 4

    evaluator = COCOEvaluator(truth, persons_of([9, 7, 9, 7, 7]), COCO)
    assert evaluator.first(4).all()
    evaluator = COCOEvaluator(truth, persons_of([7, 7]), COCO)
    assert evaluator.first(3).all() and len(evaluator.ground_truth.annotations) == 4


@pytest.mark.parametrize("ids", [[2**63 + 5, 2**64 + 7], ["b", "a"], [7, "7"], [-3, 2**70]])
def test_ids_of_any_kind_give_the_same_figures(ids, tmp_path):
    joints = two_persons(17)
    truth = truth_of(joints, COCO, image_ids=ids)
    truth.images.pop(7, None) if 7 not in ids else None
    persons = persons_of(ids)
    evaluator = COCOEvaluator(truth, persons, COCO)
    predictions = joints.copy()
    predictions[1, 0] += 1e4
    assert evaluator.evaluate(predictions, scores_of(0.9, 0.8))["AP"] == pytest.approx((9 + 51 / 101) / 10)
    path = evaluator.save(predictions, scores_of(0.9, 0.8), tmp_path)
    assert [entry["image_id"] for entry in json.loads(path.read_text())] == ids
    assert evaluator.evaluate_file(path)["AP"] == pytest.approx((9 + 51 / 101) / 10)


def test_several_categories_are_scored_together_and_each():
    joints = np.concatenate([two_persons(17), two_persons(17) + 900])
    truth = truth_of(joints, COCO, image_ids=[7, 7, 8, 8])
    truth.categories[:] = [{"id": number, "name": name} for number, name in ((4, "ape"), (9, "gibbon"), (5, "none"))]
    for record, category in zip(truth.annotations, [4, 9, 4, 9], strict=True):
        record["category_id"] = category
    persons = persons_of([7, 7, 8, 8])
    persons.category_ids = np.array([4, 9, 4, 9], dtype=object)
    predictions = joints.copy()
    predictions[[1, 3]] += 1e4  # both gibbons
    figures = COCOEvaluator(truth, persons, COCO).evaluate(predictions, scores_of(0.9, 0.8, 0.7, 0.6))
    assert (figures["AP"], figures["AP ape"], figures["AP gibbon"]) == pytest.approx((0.5, 1, 0))
    assert "AP none" not in figures  # nobody is annotated as such


def test_results_beyond_a_part_are_left_out_where_that_is_asked_for(tmp_path):
    joints = two_persons(17)
    entry = {"category_id": 1, "score": 0.9}
    entries = [
        {**entry, "image_id": image_id, "keypoints": np.column_stack([places, np.ones(17)]).ravel().tolist()}
        for image_id, places in zip([7, 7, 99], [*joints, joints[0]], strict=True)
    ]
    (tmp_path / "r.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match="its image_id 99 is not among the images"):
        COCOEvaluator(truth_of(joints, COCO), None, COCO).evaluate_file(tmp_path / "r.json")
    evaluator = COCOEvaluator(truth_of(joints, COCO), None, COCO, part=True)
    assert evaluator.evaluate_file(tmp_path / "r.json")["AP"] == 1
    assert evaluator.notes == ["=> 1 of 3 results are of images outside of this part"]
