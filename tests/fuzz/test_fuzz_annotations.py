"""Annotations, results, boxes and ground truth that are not what they should be."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from damage import JUNK, changed_text, changed_tree
from hypothesis import given
from hypothesis import strategies as st

from lib.core.skeletons import COCO, MPII, MPII_MAT_JOINTS, POSETRACK18
from lib.dataset.annotations.coco import annotated_persons, detected_persons, picture_paths
from lib.dataset.annotations.coco_truth import read_truth
from lib.dataset.annotations.mpii import read_mpii
from lib.dataset.annotations.posetrack_form import read_frames
from lib.dataset.checks.check import check_persons
from lib.dataset.joints_dataset import JointsDataset, SampleSettings, select_data
from lib.evaluation.coco_evaluator import COCOEvaluator
from lib.evaluation.evaluators import PCKEvaluator, PCKhEvaluator
from lib.evaluation.report import read_predictions
from lib.inference.person_boxes import FileBoxes
from lib.inference.results.saved_poses import SavedPoses
from lib.utils.media import Frame

SIZE = (64, 64)
PERSON = {"image": "a.jpg", "center": [60.0, 50.0], "scale": 0.4, "joints": [[40.0 + j, 50 - j] for j in range(16)],
          "joints_vis": [1] * 15 + [0]}  # fmt: skip
MPII_SEED = [PERSON, {**PERSON, "image": "b.jpg"}]
KEYPOINTS = [value for j in range(17) for value in (40 + j, 50 - j, 2)]
ANNOTATION = {"id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [30, 20, 50, 60], "area": 900.0,
              "keypoints": KEYPOINTS, "segmentation": [[1, 2, 3]]}  # fmt: skip
COCO_SEED = {
    "images": [{"id": 7, "file_name": "a.jpg", "width": 120, "height": 100},
               {"id": 8, "file_name": "b.jpg", "width": 120, "height": 100}],
    "annotations": [ANNOTATION, {**ANNOTATION, "id": 2, "image_id": 8}],
    "categories": [{"id": 1, "name": "person"}],
}  # fmt: skip
DETECTION = {"image_id": 7, "category_id": 1, "bbox": [30, 20, 50.5, 60], "score": 0.9}
RESULT = {"image_id": 7, "category_id": 1, "keypoints": KEYPOINTS, "score": 0.9}
TRACKS = {
    "images": [{"id": 1000, "file_name": "a.jpg", "is_labeled": True, "ignore_regions_x": [[1, 9, 9]],
                "ignore_regions_y": [[1, 1, 9]]}, {"id": 1001, "file_name": "b.jpg", "is_labeled": True}],
    "annotations": [{"image_id": 1000, "track_id": 0, "bbox_head": [40, 20, 10, 12], "scores": [0.5] * 17,
                     "keypoints": KEYPOINTS}],
    "categories": [{"name": "person", "keypoints": []}],
}  # fmt: skip
TEXTS = [json.dumps(seed) for seed in (MPII_SEED, COCO_SEED, [DETECTION], [RESULT])]


def write(path, content):
    """As JSON with Python's NaN and Infinity, which its reader takes; surrogates as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(content).encode("utf-8", "surrogatepass"))
    return path


@pytest.fixture(scope="module")
def truth(place):
    return read_truth(write(place / "good.json", COCO_SEED), COCO)


def use_persons(persons, skeleton):
    """What is done with persons before a picture is read."""
    check_persons(persons, skeleton)
    select_data(persons)
    JointsDataset(persons, skeleton, SampleSettings(SIZE, (16, 16)))
    PCKEvaluator(persons, skeleton).evaluate(persons.joints)


@given(content=changed_tree(MPII_SEED))
def test_mpii_annotations(attempt, place, content):
    write(place / "annot" / "train.json", content)
    (place / "images").mkdir(exist_ok=True)
    for name in ("a.jpg", "b.jpg"):
        (place / "images" / name).touch()
    attempt("MPII annotations", lambda: use_persons(read_mpii(place, "train"), MPII))


@given(content=changed_tree(COCO_SEED))
def test_coco_annotations(attempt, place, content):
    path = write(place / "coco.json", content)

    def use():
        truth = read_truth(path, COCO)
        paths = picture_paths(place, "val2017", truth, "jpg")
        persons = annotated_persons(truth, SIZE, paths)
        COCOEvaluator(truth, persons, COCO).evaluate(persons.joints, np.ones(persons.visible.shape))
        check_persons(persons, COCO)

    attempt("COCO annotations", use)


@given(content=changed_tree([RESULT, {**RESULT, "image_id": 8}]))
def test_coco_results(attempt, place, truth, content):
    path = write(place / "results.json", content)
    attempt("COCO results", COCOEvaluator(truth, None, COCO).evaluate_file, path)


@given(content=changed_tree([DETECTION, {**DETECTION, "image_id": 8}]))
def test_detections_of_a_set(attempt, place, truth, content):
    path = write(place / "boxes.json", content)
    paths = {7: "a.jpg", 8: "b.jpg"}
    attempt("detected boxes", detected_persons, truth, path, 17, SIZE, paths)


@given(content=changed_tree([DETECTION, {**DETECTION, "image_id": "b"}]))
def test_boxes_of_pictures(attempt, place, content):
    attempt("--bbox-file", FileBoxes, write(place / "boxes.json", content), 0.1)


BOX_TEXTS = [
    "0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.1 0.1 0.9\n", "1,-1,10,20,30,40,0.9,-1,-1,-1\n2,-1,10,20,30,40,0.1,-1,-1,-1\n",
    "image_id,label,x1,y1,x2,y2,score\n7,person,10,20,40,60,0.9\nb,cat,1,1,9,9,0.5\n",
    'file_name;bbox\n7.png;"[10, 20, 30, 40]"\n',
]  # fmt: skip


@given(text=changed_text(BOX_TEXTS))
def test_boxes_of_other_programs(attempt, place, text):
    path = place / "boxes.txt"
    path.write_bytes(text.encode())
    attempt("--bbox-file", FileBoxes, path, 0.1)


INSTANCE = {"keypoints": [[40.0, 50.0]] * 17, "keypoint_scores": [0.9] * 17, "bbox": [[30, 20, 80, 80]]}


@given(content=changed_tree({"meta_info": {}, "instance_info": [{"frame_id": 1, "instances": [INSTANCE]}]}))
def test_poses_of_mmpose(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "poses.json", content))


@given(content=changed_tree([INSTANCE, INSTANCE]))
def test_poses_of_a_picture_of_mmpose(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "7.json", content))


def draw_saved(path):
    picture = np.zeros((100, 120, 3), np.uint8)
    for name in ("7.jpg", "b.jpg"):
        import_module("lib.inference.results.draw_saved").draw_saved(Frame(picture, Path(name)), SavedPoses(path), 0.2)


@given(content=changed_tree([{**RESULT, "bbox": [30, 20, 50, 60]}, {**RESULT, "image_id": "b"}]))
def test_saved_poses(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "poses.json", content))


@given(content=changed_tree({"frame": 7, "seconds": 0.5, "persons": [{**RESULT, "joint_names": list(COCO.joints)}]}))
def test_saved_poses_of_a_video(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "poses.jsonl", content))


@given(content=changed_tree(TRACKS))
def test_saved_poses_of_tracks(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "poses.json", content))


@given(content=changed_tree({"frame": 7, "image": TRACKS["images"][0], "annotations": TRACKS["annotations"]}))
def test_saved_poses_of_tracks_frame_by_frame(attempt, place, content):
    attempt("--pose-file", draw_saved, write(place / "poses.jsonl", content))


@given(content=changed_tree(TRACKS))
def test_tracks(attempt, place, content):
    path = write(place / "tracks.json", content)
    attempt("tracks", read_frames, path, POSETRACK18)


@given(text=changed_text(TEXTS))
def test_text_that_is_hardly_json(attempt, place, truth, text):
    path = place / "text.json"
    path.write_bytes(text.encode())
    attempt("JSON text", read_truth, path, COCO)
    attempt("JSON text", FileBoxes, path, 0.1)
    attempt("JSON text", COCOEvaluator(truth, None, COCO).evaluate_file, path)


def _ground_truth(persons=2):
    names = np.array([[np.array([name]) for name in MPII_MAT_JOINTS]], dtype=object)
    return {
        "dataset_joints": names, "pos_gt_src": np.ones((16, 2, persons)), "jnt_missing": np.zeros((16, persons)),
        "headboxes_src": np.array([[[1.0, 1]], [[9.0, 9]]]).repeat(persons, axis=1).reshape(2, 2, persons),
    }  # fmt: skip


ARRAYS = st.one_of(
    st.sampled_from((
        np.zeros((0, 0)), np.ones((2, 16, 3)), np.ones((2, 16)), np.full((2, 16, 2), np.nan), np.array("text"),
        np.ones((16, 2, 3)), np.zeros((2, 16, 2), complex), np.zeros(3, "u1"), np.array([[1]], dtype=object),
        np.ones((16, 2)), np.ones((2, 2, 2)), np.ones((1, 0, 2)),
    )),
    JUNK.filter(lambda value: isinstance(value, (int, float, list)) and _can_be_saved(value)),
)  # fmt: skip


def _can_be_saved(value):
    try:
        return np.asarray(value).dtype.kind in "ifb"
    except (ValueError, OverflowError):
        return False


def both_mat(path):
    evaluator = PCKhEvaluator(path, MPII)
    evaluator.evaluate(np.ones((2, 16, 2)))


@given(key=st.sampled_from((*_ground_truth(), "preds")), value=ARRAYS)
def test_mat_files_with_other_values(attempt, place, key, value):
    path = place / "other.mat"
    scipy.io.savemat(path, {**_ground_truth(), "preds": np.ones((2, 16, 2)), key: value})
    attempt(".mat values", read_predictions, path)
    attempt(".mat values", both_mat, path)
