"""An experiment without DATASET.SKELETON takes its joints from its own annotation file in COCO's form."""

import json

import pytest
import yaml

from lib.config.config import dump_config, read_config
from lib.config.file_joints import with_joints_of_file
from lib.core.skeletons import COCO
from lib.utils.errors import UserError

APE = {"id": 1, "name": "ape", "keypoints": ["nose", "hand_l", "hand_r", "tail"], "skeleton": [[1, 4], [2, 99]]}
ROOT = {"id": 0, "name": "apes", "supercategory": "none"}


@pytest.fixture
def read(tmp_path):
    """(Config, lines printed) of an experiment whose training file has these categories."""

    def read(categories, image_set="train", model=None, **dataset):
        folder = tmp_path / "apes" / "annotations"
        folder.mkdir(parents=True, exist_ok=True)
        content = {"images": [], "annotations": [{"keypoints": "\"categories\": [1]"}], "categories": categories}
        (folder / f"person_keypoints_{image_set}.json").write_text(json.dumps(content))
        keys = {"DATASET": "coco", "ROOT": str(tmp_path / "apes"), "TRAIN_SET": "train", "TEST_SET": "val", **dataset}
        (tmp_path / "e.yaml").write_text(yaml.safe_dump({"DATASET": keys, "MODEL": model or {}}))
        lines = []
        return read_config(tmp_path / "e.yaml", warn=lines.append), lines

    return read


def test_joints_limbs_and_pairs_are_the_files(read, tmp_path):
    config, (line,) = read([ROOT, APE])
    assert config.skeleton.joints == ("nose", "hand_l", "hand_r", "tail") and config.model.num_joints == 4
    assert config.skeleton.limbs == (("nose", "tail"),) and config.skeleton.flip_pairs == ((1, 2),)
    assert line.startswith("=> no DATASET.SKELETON: 4 joints as ") and line.endswith("nose, hand_l, hand_r, tail")
    (tmp_path / "run.yaml").write_text(dump_config(config))
    (tmp_path / "apes" / "annotations" / "person_keypoints_train.json").unlink()
    assert read_config(tmp_path / "run.yaml").skeleton == config.skeleton  # a run folder needs no annotations


def test_the_validation_file_will_do(read):
    assert read([APE], "val")[0].skeleton.joints[3] == "tail"


def test_the_categories_asked_for_count(read):
    mouse = {"id": 2, "name": "mouse", "keypoints": ["nose", "tail"]}
    assert read([APE, mouse], CATEGORIES=["mouse"])[0].skeleton.joints == ("nose", "tail")
    with pytest.raises(UserError, match="ape and mouse have different keypoints: export one at a time, or name it in"):
        read([APE, mouse])


def test_cocos_own_joints_stay_cocos(read):
    dog = {"id": 2, "name": "dog", "keypoints": ["nose", "tail"]}
    person = {"id": 1, "name": "person", "keypoints": [name.replace("_", " ").title() for name in COCO.joints]}
    config, lines = read([person, dog], model={"NUM_JOINTS": 17})
    assert config.skeleton is COCO and not lines


def test_another_number_of_joints_than_the_files_is_an_error(read):
    with pytest.raises(UserError, match="MODEL.NUM_JOINTS: 5, but apes has 4 joints$"):
        read([APE], model={"NUM_JOINTS": 5})
    with pytest.raises(UserError, match="but coco has 17 joints; for other joints give DATASET.SKELETON, or the annot"):
        read([ROOT], model={"NUM_JOINTS": 5})


@pytest.mark.parametrize("text", ["", "{", '{"categories": 3}', '{"categories": [{"keypoints": ["a"]}', "[" * 10_000])
def test_a_damaged_file_is_left_to_who_reads_it(text, tmp_path):
    path = tmp_path / "annotations" / "person_keypoints_train.json"
    path.parent.mkdir()
    path.write_text(text)
    values = {"DATASET.DATASET": "coco", "DATASET.ROOT": str(tmp_path)}
    assert with_joints_of_file(values) == (values, "")
