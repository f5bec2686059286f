import json

import numpy as np
import pytest

from lib.core.skeletons import MPII, POSETRACK18, Skeleton
from lib.dataset.annotations.posetrack_form import (
    annotation_entry,
    place_names,
    read_frames,
    sequence_files,
    write_form,
)
from lib.utils.errors import UserError

PAIR = Skeleton("pair", ("left_hand", "right_hand"), limbs=(("left_hand", "right_hand"),))


def person(identity=4, **values):
    return {
        "identity": identity, "joints": np.array([[1.5, 2.0], [3.0, 4.0]]), "shown": [True, False],
        "scores": [0.8, 0.1], "box": [0, 1, 2, 3], "score": 0.9, **values,
    }  # fmt: skip


def write(path, annotations, images=({"id": 7, "file_name": "a.jpg"},), names=PAIR.joints):
    path.write_text(json.dumps({
        "images": list(images), "annotations": annotations, "categories": [{"keypoints": list(names)}]
    }))  # fmt: skip
    return path


def test_what_is_written_is_read_back(tmp_path):
    first = annotation_entry(7, 1, person(), PAIR, [0, 0, 3, 4])
    records = [
        {"image": {"id": 7, "file_name": "a.jpg"}, "annotations": [first]},
        {"image": {"id": 8, "file_name": "b.jpg", "is_labeled": False}, "annotations": []},
        {"image": {"id": 9, "file_name": "c.jpg"}, "annotations": [annotation_entry(9, 2, person(), PAIR)]},
    ]
    write_form(tmp_path / "clip.json", lambda: iter(records), PAIR)
    frames = read_frames(tmp_path / "clip.json", PAIR)
    assert list(frames) == [7, 8, 9] and [frame.labelled for frame in frames.values()] == [True, False, True]
    first = frames[7]
    assert first.identities.tolist() == [4] and first.shown.tolist() == [[True, False]]
    assert first.joints[0, 0].tolist() == [1.5, 2.0] and first.scores.tolist() == [[0.8, 0]]
    assert first.head_sizes.tolist() == [3.0] and np.isnan(frames[9].head_sizes).all()  # 0.6 of a diagonal of 5
    assert frames[8].joints.shape == (0, 2, 2)
    limbs = json.loads((tmp_path / "clip.json").read_text())["categories"][0]["skeleton"]
    assert limbs == [[1, 2]]


def test_a_file_without_a_frame_is_valid_json(tmp_path):
    write_form(tmp_path / "clip.json", lambda: iter(()), MPII)
    assert read_frames(tmp_path / "clip.json", MPII) == {}


def test_posetracks_fifteen_joints_stand_in_seventeen_places():
    names = place_names(POSETRACK18)
    assert len(names) == 17 and names[3] == "left_ear"
    assert [names[place] for place in POSETRACK18.indices] == list(POSETRACK18.joints)
    joints = np.arange(30.0).reshape(15, 2)
    whole = {"joints": joints, "shown": np.ones(15, dtype=bool), "scores": np.ones(15), "box": [0] * 4, "score": 1.0}
    entry = annotation_entry(0, 1, {"identity": 1, **whole}, POSETRACK18)
    assert entry["keypoints"][9:15] == [0] * 6  # the ears
    assert entry["keypoints"][15:18] == [6, 7, 1]  # the left shoulder, the fourth joint


def test_ignored_regions_come_as_one_or_as_a_list(tmp_path):
    image = {"id": 7, "file_name": "a.jpg", "ignore_regions_x": [0, 4, 4], "ignore_regions_y": [0, 0, 4]}
    (region,) = read_frames(write(tmp_path / "a.json", [], [image]), PAIR)[7].ignored
    assert region.tolist() == [[0, 0], [4, 0], [4, 4]]
    image = {**image, "ignore_regions_x": [[0, 4, 4], [1, 2]], "ignore_regions_y": [[0, 0, 4], [1, 2]]}
    assert len(read_frames(write(tmp_path / "a.json", [], [image]), PAIR)[7].ignored) == 1  # two points are no region


GOOD = {"image_id": 7, "track_id": 1, "keypoints": [1, 1, 1, 0, 0, 0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [1, 1]}, "expected 6 numbers"),
        ({"keypoints": [1, 1, "x", 0, 0, 0]}, "a keypoint"),
        ({"track_id": "one"}, "track_id"),
        ({"track_id": None}, "track_id"),
        ({"image_id": 8}, "not among its images"),
        ({"scores": [1]}, "scores"),
        ({"bbox_head": [1, 2]}, "annotation 1 of 1"),
    ],
)
def test_ill_formed_annotations_are_named(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        read_frames(write(tmp_path / "a.json", [{**GOOD, **change}]), PAIR)


def test_files_of_another_form_are_refused(tmp_path):
    with pytest.raises(UserError, match="same track_id"):
        read_frames(write(tmp_path / "a.json", [GOOD, GOOD]), PAIR)
    with pytest.raises(UserError, match="expected nose"):
        read_frames(write(tmp_path / "a.json", [GOOD]), POSETRACK18)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UserError, match="images"):
        read_frames(tmp_path / "list.json", PAIR)
    with pytest.raises(UserError, match="no sequence"):
        sequence_files(tmp_path / "nowhere")


def test_a_null_or_endless_joint_does_not_show(tmp_path):
    values = {**GOOD, "keypoints": [None, 1, 1, 1e9, 0, 1], "scores": [1, 1]}
    assert not read_frames(write(tmp_path / "a.json", [values]), PAIR)[7].shown.any()


def test_the_real_form_loads_and_goes_round(shared, tmp_path):
    files = sequence_files(shared / "data" / "posetrack18_mini" / "annotations" / "val")
    assert len(files) == 3
    people = 0
    for name, path in files.items():
        frames = read_frames(path, POSETRACK18)
        (frame,) = frames.values()
        people += len(frame.identities)
        assert frame.ignored and frame.labelled and (frame.head_sizes > 0).all()
        again = tmp_path / f"{name}.json"
        content = json.loads(path.read_text())
        image, annotations = content["images"][0], []
        for number, (identity, joints, shown) in enumerate(
            zip(frame.identities, frame.joints, frame.shown, strict=True), 1
        ):
            box = content["annotations"][number - 1]["bbox_head"]
            values = {"identity": identity, "joints": joints, "shown": shown, "scores": np.ones(15)}
            values |= {"box": [0, 0, 1, 1], "score": 1.0}
            annotations.append(annotation_entry(image["id"], number, values, POSETRACK18, box))
        record = {"image": image, "annotations": annotations}
        write_form(again, lambda record=record: iter([record]), POSETRACK18)
        (same,) = read_frames(again, POSETRACK18).values()
        np.testing.assert_allclose(same.joints[same.shown], frame.joints[frame.shown], atol=1e-3)
        assert (same.shown == frame.shown).all() and same.identities.tolist() == frame.identities.tolist()
        assert (same.head_sizes == frame.head_sizes).all() and len(same.ignored) == len(frame.ignored)
    assert people == 14
