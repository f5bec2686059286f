"""A toy experiment that trains in seconds: a few drawn persons, small pictures, a thin network."""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import yaml

from lib.dataset.synthetic.pictures import write_dataset

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "pose_estimation"
EXPERIMENT = """
GPUS: '0'
WORKERS: 0
PRINT_FREQ: 1
OUTPUT_DIR: {folder}/output
LOG_DIR: {folder}/log
DATASET: {{ROOT: {data}}}
MODEL:
  DEPTH: 18
  IMAGE_SIZE: [64, 64]
  EXTRA: {{HEATMAP_SIZE: [16, 16], SIGMA: 1.5, NUM_DECONV_FILTERS: [16, 16, 16]}}
TRAIN: {{BATCH_SIZE: 4, END_EPOCH: 2, LR_TYPE: PolynomialDecay}}
TEST: {{BATCH_SIZE: 4, FLIP_TEST: true}}
"""
TRAINING_PERSONS, VALIDATION_PERSONS = 8, 4
RUN_FOLDER = Path("output", "mpii", "pose_resnet_18", "toy")


def draw_data(folder):
    """Draws the toy's data set, one person a picture, and returns its folder."""
    data = Path(folder) / "data"
    write_dataset(data, TRAINING_PERSONS, VALIDATION_PERSONS, picture_size=(120, 120), persons_per_picture=(1, 1))
    return data


def write_experiment(folder, data, **sections):
    """Writes toy.yaml, whose output goes below `folder`, and returns its path.

    sections: what to add, such as DATASET={"TEST_SET": "val2017"}.
    """
    path = Path(folder) / "toy.yaml"
    content = yaml.safe_load(EXPERIMENT.format(folder=folder, data=data))
    for section, values in sections.items():
        content[section] |= values
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


# -- the same people in COCO's form ----------------------------------------------------------------------------------

COCO_SETS = {"train2017": "train", "val2017": "valid"}
COCO_RUN_FOLDER = Path("output", "coco", "pose_resnet_18", "toy")
NO_TRUTH = "test-dev2017"  # the validation pictures again
# COCO's 17 joints by where they stand among MPII's 16: those of the face are put where the head's ends are
OF_MPIIS = (9, 9, 9, 8, 8, 13, 12, 14, 11, 15, 10, 3, 2, 4, 1, 5, 0)


def draw_coco_data(folder):
    """Draws the toy's data set and writes it in COCO's form, train2017 and val2017; returns its folder.

    Annotations count from 0, as those of many a set do, and the last of each set is a crowd. Beside them is
    test-dev2017, whose truth nobody has, and detections_<set>.json: everybody's box, found without fail.
    """
    drawn, data = draw_data(folder), Path(folder) / "coco"
    (data / "annotations").mkdir(parents=True)
    for coco_set, split in COCO_SETS.items():
        records = json.loads((drawn / "annot" / f"{split}.json").read_text(encoding="utf-8"))
        content = _as_coco(records)
        pictures = data / "images" / coco_set
        pictures.mkdir(parents=True)
        for record in records:
            shutil.copy(drawn / "images" / record["image"], pictures)
        _write(data / "annotations" / f"person_keypoints_{coco_set}.json", content)
        persons = [person for person in content["annotations"] if not person["iscrowd"]]
        _write(data / f"detections_{coco_set}.json", [_found(person) for person in persons])
    shutil.copytree(data / "images" / "val2017", data / "images" / "test2017")
    del content["annotations"]
    _write(data / "annotations" / f"image_info_{NO_TRUTH}.json", content)
    return data


def zip_pictures(data, coco_set):
    """Moves the pictures of a set into the archive that DATASET.DATA_FORMAT zip looks for."""
    folder = data / "images" / coco_set
    with zipfile.ZipFile(data / "images" / f"{coco_set}.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"{coco_set}/{path.name}")
    shutil.rmtree(folder)


def _write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")


def _as_coco(records):
    """An annotation file of MPII's records, one person a picture."""
    images, annotations = [], []
    for number, record in enumerate(records):
        images.append({"id": 100 + number, "file_name": record["image"], "width": 120, "height": 120})
        joints = [(x - 1, y - 1) for x, y in record["joints"]]  # MPII counts from 1
        seen = [joints[joint] for joint in range(16) if record["joints_vis"][joint]]
        (left, right), (top, bottom) = ((min(values), max(values)) for values in zip(*seen, strict=True))
        keypoints = []
        for joint in OF_MPIIS:
            keypoints += [*joints[joint], 2] if record["joints_vis"][joint] else [0, 0, 0]
        annotations.append({
            "id": number, "image_id": 100 + number, "category_id": 1, "iscrowd": 0, "keypoints": keypoints,
            "bbox": [left, top, right - left, bottom - top], "area": (right - left) * (bottom - top) / 2,
        })  # fmt: skip
    crowd = {"id": len(records), "iscrowd": 1, "keypoints": [0] * 51, "segmentation": {"counts": [5], "size": [9, 9]}}
    annotations.append({**annotations[-1], **crowd})
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def _found(person):
    """A detection whose crop is that of the annotation: a box ends on its last pixel there, so it is one less wide."""
    left, top, width, height = person["bbox"]
    return {"image_id": person["image_id"], "category_id": 1, "bbox": [left, top, width - 1, height - 1], "score": 1.0}


# -- scripts ---------------------------------------------------------------------------------------------------------


def import_script(name):
    """The module of a script in pose_estimation/."""
    if str(SCRIPTS) not in sys.path:
        sys.path.insert(0, str(SCRIPTS))
    return __import__(name)


def quiet_environment():
    """The environment for a script in a process of its own: no device but the CPU."""
    return {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
