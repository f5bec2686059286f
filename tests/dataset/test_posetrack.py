import json

import cv2
import numpy as np
import pytest

from lib.config.config import read_config
from lib.core.skeletons import COCO, POSETRACK18
from lib.dataset.annotations.posetrack import NECK_SHARE, TOP_SHARE, posetrack_of_coco, read_posetrack
from lib.dataset.annotations.posetrack_form import PLACES
from lib.dataset.build import build_dataset, read_persons
from lib.evaluation.build import build_evaluator, metric_of
from lib.evaluation.tracks import score_tracks
from lib.utils.errors import UserError

EXPERIMENT = "experiments/posetrack/resnet50/256x192_d256x3_adam_lr1e-4.yaml"
REGION = {"ignore_regions_x": [[200, 300, 300, 200]], "ignore_regions_y": [[0, 0, 200, 200]]}


def annotation(image_id, track_id, left, shown=PLACES):
    """A person whose joint number n is at (left + 2 n, 10 + 5 n)."""
    keypoints = []
    for place, name in enumerate(PLACES):
        seen = name in shown and not name.endswith("_ear")
        keypoints += [left + 2 * place, 10 + 5 * place, 1] if seen else [0, 0, 0]
    return {
        "image_id": image_id, "track_id": track_id, "keypoints": keypoints, "bbox_head": [left, 10, 6, 8],
        "category_id": 1, "id": 10 * image_id + track_id,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A set of two sequences: three labelled frames and one that is not."""
    sequences = {
        "walk": (
            [{"id": 1, "is_labeled": True}, {"id": 2, "is_labeled": False}, {"id": 3, "is_labeled": True, **REGION}],
            [annotation(1, 0, 20), annotation(1, 1, 80, ("nose", "left_hip")), annotation(2, 0, 20)]
            + [annotation(3, 0, 30), annotation(3, 1, 190), annotation(3, 2, 240)],
        ),
        "stand": ([{"id": 7, "is_labeled": True}], [annotation(7, 0, 60), annotation(7, 3, 90, ())]),
    }
    for name, (images, annotations) in sequences.items():
        pictures = tmp_path / "images" / "val" / name
        pictures.mkdir(parents=True)
        for image in images:
            image["file_name"] = f"images/val/{name}/{image['id']:06d}.jpg"
            cv2.imwrite(str(tmp_path / image["file_name"]), np.full((200, 320, 3), 90, np.uint8))
        path = tmp_path / "annotations" / "val" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        categories = [{"name": "person", "keypoints": list(PLACES)}]
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return tmp_path


def test_labelled_people_with_joints_are_read_and_ignored_regions_honoured(folder):
    persons = read_posetrack(folder, "val", POSETRACK18, (192, 256))
    # stand: one of two; walk: two in frame 1, none of frame 2, two of three in frame 3 (one wholly ignored)
    assert len(persons) == 5
    assert "2 of 7 annotations left out: 2 without a joint" in persons.note
    names = [picture.rsplit("/", 2)[1:] for picture in persons.pictures]
    assert names == [["stand", "000007.jpg"]] + [["walk", "000001.jpg"]] * 2 + [["walk", "000003.jpg"]] * 2
    # the last one: three joints left of the region at 200, and one on its border
    assert persons.visible.sum(axis=1).tolist() == [15, 15, 2, 15, 4]
    first = persons.joints[1]
    assert first[0].tolist() == [20, 10] and first[3].tolist() == [30, 35]  # the left shoulder, from place 5
    # joints from (20, 10) to (52, 90): 32 x 80 grows by 15%
    np.testing.assert_allclose(persons.boxes[1], [17.6, 4, 36.8, 92])


def test_the_usual_scripts_parts_take_it(folder, root):
    config = read_config(root / EXPERIMENT, {
        "DATASET.ROOT": str(folder), "DATASET.TRAIN_SET": "val", "MODEL.PRETRAINED": "",
    })  # fmt: skip
    dataset = build_dataset(config, training=True)
    batch = dataset.collate([dataset[0, number] for number in range(len(dataset))])
    assert batch["crop"].shape == (5, 256, 192, 3) and batch["joints"].shape == (5, 15, 2)
    assert metric_of(config) == "pck"
    persons = read_persons(config, training=False)
    results = build_evaluator(config, persons).evaluate(persons.joints, None)
    assert results["PCK@0.5"] == 100 and results["Head"] == 100


def test_real_annotations_train(shared, root):
    place = shared / "data" / "posetrack18_mini"
    config = read_config(root / EXPERIMENT, {"DATASET.ROOT": str(place), "DATASET.TRAIN_SET": "val"})
    dataset = build_dataset(config, training=True)
    assert len(dataset) == 14
    crops = [dataset[0, number] for number in range(14)]
    assert all((crop["visible"] > 0).sum() >= 8 and crop["crop"].std() > 5 for crop in crops)


def test_cocos_joints_become_posetracks():
    keypoints = np.zeros((2, 17, 3))
    keypoints[:] = np.stack([np.arange(17), np.arange(17) * 2, np.full(17, 2)], axis=1)
    for name, place in (("nose", (50, 20)), ("left_shoulder", (60, 60)), ("right_shoulder", (40, 60))):
        keypoints[:, COCO.joints.index(name), :2] = place
    keypoints[1, COCO.joints.index("left_shoulder"), 2] = 0
    made = posetrack_of_coco(keypoints)
    at = {name: made[0, place] for place, name in enumerate(POSETRACK18.joints)}
    assert at["head_bottom"].tolist() == [50, 60 - 40 * NECK_SHARE, 1]
    assert at["head_top"].tolist() == [50, 20 - 40 * TOP_SHARE, 1]
    assert at["right_ankle"].tolist() == [16, 32, 2] and at["left_shoulder"].tolist() == [60, 60, 2]
    assert not made[1, POSETRACK18.indices_of(("head_bottom", "head_top"))].any()  # a shoulder is not annotated


def test_coco_trains_with_posetracks_joints(root, tmp_path):
    keypoints = [[50, 20, 2]] + [[10 * n, 5 * n, 2] for n in range(1, 17)]
    record = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 160, 90], "area": 9000, "iscrowd": 0,
        "keypoints": sum(keypoints, []),
    }  # fmt: skip
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}], "annotations": [record],
        "categories": [{"id": 1, "name": "person"}],
    }  # fmt: skip
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(content))
    cfg = root / "experiments/posetrack/resnet50/coco_256x192_d256x3_adam_lr1e-3.yaml"
    persons = read_persons(read_config(cfg, {"DATASET.ROOT": str(tmp_path)}), training=True)
    assert persons.joints.shape == (1, 15, 2) and persons.visible.all()
    assert persons.joints[0, 3].tolist() == [50, 25]  # the left shoulder is COCO's joint 5


def test_true_tracks_score_a_hundred_and_need_not_be_in_order(folder):
    pytest.importorskip("motmetrics", reason="needs motmetrics (requirements/base.txt)")
    results, count = score_tracks(folder / "annotations" / "val", folder, "val", POSETRACK18)
    assert count == 3 and results["MOTA"] == results["mAP"] == 100


def test_tracks_of_frames_with_other_ids_are_matched_by_name(folder, tmp_path):
    pytest.importorskip("motmetrics", reason="needs motmetrics (requirements/base.txt)")
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    for path in (folder / "annotations" / "val").glob("*.json"):
        text = path.read_text()
        content = json.loads(text)
        for record in content["images"] + content["annotations"]:
            record["image_id" if "track_id" in record else "id"] += 1000
        for image in content["images"]:
            image["file_name"] = image["file_name"].rsplit("/")[-1]
        (tracks / f"{path.stem}_track.json").write_text(json.dumps(content))
    assert score_tracks(tracks, folder, "val", POSETRACK18)[0]["MOTA"] == 100
    (tracks / "walk_track.json").unlink()
    with pytest.raises(UserError, match="1 of 2 sequences, the first is walk"):
        score_tracks(tracks, folder, "val", POSETRACK18)


def test_tracks_of_another_clip_are_refused(folder, tmp_path):
    pytest.importorskip("motmetrics", reason="needs motmetrics (requirements/base.txt)")
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    for name in ("walk", "stand"):
        content = {"images": [{"id": 99, "file_name": "other.jpg"}], "annotations": []}
        (tracks / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="neither by id nor by name"):
        score_tracks(tracks, folder, "val", POSETRACK18)


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(UserError, match=r"posetrack\.net"):
        read_posetrack(tmp_path, "val", POSETRACK18, (192, 256))
    (tmp_path / "annotations" / "val").mkdir(parents=True)
    with pytest.raises(UserError, match="no sequence"):
        read_posetrack(tmp_path, "val", POSETRACK18, (192, 256))
