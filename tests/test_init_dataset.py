"""init_dataset.py as a person runs it: an export and a folder of pictures become a set that can be trained on."""

import json
import sys

import cv2
import numpy as np
import pytest
import toy

from lib.config.config import read_config
from lib.utils.runtime import run_script

JOINTS = ["Nose", "eyeL", "eyeR", "tail base"]
COUNT = 10


def export_of(names=None, **changes):
    """A COCO-form export of pictures of 80x60 with one lying animal each."""
    names = names or [f"clip{number // 5}_{number:03d}.png" for number in range(COUNT)]
    images = [{"id": 100 + row, "file_name": name, "width": 80, "height": 60} for row, name in enumerate(names)]
    annotations = [
        {"id": row, "image_id": 100 + row, "category_id": 3, "bbox": [10, 15, 60, 30], "area": 900, "iscrowd": 0,
         "keypoints": [12, 20, 2, 20, 18, 2, 22, 22, 2, 65, 40, 2]}
        for row in range(len(names))
    ]  # fmt: skip
    categories = [
        {"id": 0, "name": "animals"},
        {"id": 3, "name": "mouse", "keypoints": JOINTS, "skeleton": [[1, 2], [1, 3], [3, 4], [4, 9]]},
    ]
    return {"images": images, "annotations": annotations, "categories": categories, **changes}


@pytest.fixture
def initialise(tmp_path, monkeypatch, capfd):
    """Runs init_dataset.py on an export in a folder of its own; returns (exit code, stdout, stderr)."""

    def initialise(*words, content=None, copies=()):
        content = content or export_of()
        (tmp_path / "pictures").mkdir(exist_ok=True)
        for row, image in enumerate(content["images"]):
            value = 0 if row in copies else 20 * row
            cv2.imwrite(str(tmp_path / "pictures" / image["file_name"]), np.full((60, 80, 3), value, np.uint8))
        (tmp_path / "mice.json").write_text(json.dumps(content))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["init_dataset.py", "mice.json", "--images", "pictures", *map(str, words)])
        code = 0
        try:
            run_script(toy.import_script("init_dataset").main)
        except SystemExit as ended:
            code = ended.code
        return (code, *capfd.readouterr())

    return initialise


def names_of(path):
    return [image["file_name"] for image in json.loads(path.read_text())["images"]]


def test_the_experiment_is_of_the_exports_joints_pairs_and_boxes(initialise, tmp_path):
    code, out, error = initialise()
    assert (code, error) == (0, ""), error
    assert "=> pairs that change places in a mirrored image: eyeL - eyeR" in out and "=> nothing wrong found" in out
    config = read_config(tmp_path / "data" / "mice" / "mice.yaml")
    skeleton = config.skeleton
    assert skeleton.joints == tuple(JOINTS)
    assert skeleton.limbs == (("Nose", "eyeL"), ("Nose", "eyeR"), ("eyeR", "tail base"))
    assert tuple(map(tuple, skeleton.flip_pairs)) == ((1, 2),)
    assert config.model.image_size == (256, 192) and config.model.extra.heatmap_size == (64, 48)
    assert config.dataset.categories == ("mouse",) and config.model.num_joints == 4
    folder = tmp_path / "data" / "mice"
    train, valid = (names_of(folder / "annotations" / f"person_keypoints_{name}.json") for name in ("train", "val"))
    assert len(train) == 8 and len(valid) == 2 and not set(train) & set(valid)
    assert (folder / "check" / "train.jpg").is_file() and (folder / "images" / "val").is_symlink()


def test_the_split_is_the_same_each_time_and_may_be_by_video(initialise, tmp_path):
    path = tmp_path / "data" / "mice" / "annotations" / "person_keypoints_val.json"
    initialise()
    first = names_of(path)
    initialise()
    assert names_of(path) == first
    _, out, _ = initialise("--group", "video")
    assert "in 2 groups" in out
    assert len({name[:5] for name in names_of(path)}) == 1 and len(names_of(path)) == 5


def test_copies_of_a_picture_stay_on_one_side(initialise, tmp_path):
    _, out, _ = initialise("--validation", 0.5, copies=(0, 1, 2, 3))
    assert "=> WARNING: 3 pictures are copies of others; they stay on one side of the split" in out
    folder = tmp_path / "data" / "mice" / "annotations"
    copies = {f"clip0_00{number}.png" for number in range(4)}
    sides = [set(names_of(folder / f"person_keypoints_{name}.json")) & copies for name in ("train", "val")]
    assert sorted(map(len, sides)) == [0, 4]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"categories": [{"id": 3, "name": "mouse"}]}, "no category names its keypoints"),
        ({"categories": "none"}, "expected COCO's form"),
        (
            {"categories": [{"id": 3, "name": "mouse", "keypoints": ["a", "a"]}]},
            "the keypoints of mouse repeat a name: a, a",
        ),
    ],
)
def test_an_export_without_a_skeleton_is_one_line(initialise, change, said):
    code, _, error = initialise(content=export_of(**change))
    assert code == 2 and said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content["annotations"].clear(), "it has no annotations: nothing to train on"),
        (lambda content: content["annotations"].append("x"), "annotations: expected a list of objects"),
        (lambda content: content["annotations"][3].update(keypoints=5), "annotation 3: keypoints is not a list"),
        (lambda content: content["images"][3].update(id=100), "1 image ids stand for several images: 100"),
        (lambda content: content["images"].clear(), "it lists no images"),
    ],
)
def test_an_export_that_cannot_be_trained_on_is_one_line_and_nothing_is_written(initialise, tmp_path, change, said):
    content = export_of()
    change(content)
    code, _, error = initialise(content=content)
    assert code == 2 and said in error and error.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_folder_of_pictures_that_is_in_the_way_is_left_alone(initialise, tmp_path):
    (tmp_path / "data" / "mice" / "images" / "val").mkdir(parents=True)
    code, _, error = initialise()
    assert code == 2 and "images/val is there already: give another --output, or remove it" in error
    assert not (tmp_path / "data" / "mice" / "annotations").exists()


def test_limbs_that_cannot_be_are_left_out(initialise, tmp_path):
    content = export_of()
    content["categories"][1]["skeleton"] = [["a", 2], [1, 99], 3, [1, 2], [0, 1]]
    assert initialise(content=content)[0] == 0
    assert read_config(tmp_path / "data" / "mice" / "mice.yaml").skeleton.limbs == (("Nose", "eyeL"),)


def test_categories_with_different_keypoints_are_not_mixed(initialise):
    content = export_of()
    content["categories"].append({"id": 4, "name": "rat", "keypoints": ["nose"]})
    content["annotations"][0]["category_id"] = 4
    code, _, error = initialise(content=content)
    assert code == 2 and "mouse and rat have different keypoints: export one at a time" in error


def test_missing_pictures_and_impossible_splits_are_one_line(initialise, tmp_path):
    assert "--validation 1: expected a share between 0 and 1" in initialise("--validation", 1)[2]
    code, _, error = initialise("--group", "video", content=export_of([f"a{number}.png" for number in range(4)]))
    assert code == 2 and "there is 1 group of pictures: a split needs two at least" in error
    (tmp_path / "elsewhere").mkdir()
    code, _, error = initialise("--images", "elsewhere")
    assert code == 2 and "10 of 10 pictures are not in elsewhere, such as clip0_000.png: give --images FOLDER" in error


@pytest.mark.slow
def test_the_set_can_be_trained_on(initialise, run_main, tmp_path, paddle):
    initialise()
    words = ("MODEL.DEPTH", 18, "MODEL.PRETRAINED", "", "MODEL.IMAGE_SIZE", "[64, 64]", "MODEL.EXTRA.HEATMAP_SIZE",
             "[16, 16]", "MODEL.EXTRA.NUM_DECONV_FILTERS", "[16, 16, 16]", "TRAIN.END_EPOCH", 1, "TRAIN.LR_STEP", "[1]",
             "TRAIN.BATCH_SIZE", 4, "WORKERS", 0, "GPUS", "cpu")  # fmt: skip
    code, out, error = run_main("train", "--cfg", tmp_path / "data" / "mice" / "mice.yaml", *words)
    assert not code, error
    assert "AP" in out
