"""Whole sets in COCO's form as people bring them: pictures and annotations together, through the reader."""

import json

import numpy as np
import pytest
from PIL import Image

from lib.config.schema import Config
from lib.core.skeletons import Skeleton
from lib.dataset.annotations.forms import COCOForm
from lib.dataset.build import read_persons, shared_pictures_note
from lib.dataset.checks.sets import sets_to_check
from lib.dataset.joints_dataset import JointsDataset, SampleSettings
from lib.utils.errors import UserError

APE = Skeleton("ape", ("nose", "left_hand", "right_hand", "tail"), sigmas=(0.05,) * 4)
WIDTH, HEIGHT, COUNT = 64, 96, 4


def pixels(number):
    """A picture that differs everywhere: a smooth ramp."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([2 * rows, 3 * columns, np.full_like(rows, 20 * number)], axis=-1).astype(np.uint8)


def content():
    images = [
        {"id": number, "file_name": f"p{number}.jpg", "width": WIDTH, "height": HEIGHT} for number in range(COUNT)
    ]
    keypoints = [20, 30, 2, 40, 35, 2, 25, 60, 2, 44, 70, 1]
    annotations = [
        {"id": number, "image_id": number, "category_id": 1, "bbox": [15, 25, 32, 50], "area": 900, "iscrowd": 0,
         "keypoints": keypoints, "num_keypoints": 4}
        for number in range(COUNT)
    ]  # fmt: skip
    categories = [{"id": 1, "name": "ape", "keypoints": list(APE.joints)}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def own_set(tmp_path):
    """Writes the set after `change` (of its content); orientation: of the EXIF data of its pictures, None for none."""

    def own_set(change=lambda content: None, orientation=None, folder="", **settings):
        pictures = tmp_path / "images" / "train" / folder
        pictures.mkdir(parents=True)
        (tmp_path / "annotations").mkdir()
        for number in range(COUNT):
            exif, image = Image.Exif(), pixels(number)
            if orientation:
                exif[0x0112] = orientation
                image = np.ascontiguousarray({6: np.rot90(image, 1), 3: image[::-1, ::-1]}[orientation])
            Image.fromarray(image).save(pictures / f"p{number}.jpg", quality=98, subsampling=0, exif=exif)
        annotation = content()
        change(annotation)
        (tmp_path / "annotations" / "person_keypoints_train.json").write_text(json.dumps(annotation))
        return COCOForm(tmp_path, APE, (64, 64), "jpg", **settings)

    return own_set


def crops_of(form):
    dataset = JointsDataset(form.persons("train"), APE, SampleSettings((64, 64), (16, 16)))
    return np.stack([dataset[number]["crop"] for number in range(COUNT)]).astype(int), dataset


def test_pictures_of_a_phone_give_the_crops_of_the_turned_ones(own_set, tmp_path_factory, monkeypatch):
    turned, dataset = crops_of(own_set(orientation=6))
    assert dataset.persons.note == "=> 4 pictures are turned as the EXIF data say"
    expected = []
    for number in range(COUNT):
        region = Image.fromarray(pixels(number))
        place = tmp_path_factory.getbasetemp() / f"plain_{number}.png"
        region.save(place)
        dataset.persons.pictures[number] = str(place)
        expected.append(dataset[number]["crop"])
    assert np.abs(turned - np.stack(expected)).max() <= 2


def test_a_half_turn_is_asked_about_and_done(own_set):
    with pytest.raises(UserError, match="4 of 4 pictures are to be turned by their EXIF data"):
        own_set(orientation=3).persons("train")


def without_sizes(annotation):
    for image in annotation["images"]:
        del image["width"], image["height"]


def with_windows_paths(annotation):
    for image in annotation["images"]:
        image["file_name"] = f"apes\\{image['file_name']}"


def with_sides_exchanged(annotation):
    for image in annotation["images"]:
        image["width"], image["height"] = image["height"], image["width"]


@pytest.mark.parametrize(
    ("change", "folder", "note"),
    [
        (without_sizes, "", ""),
        (with_windows_paths, "apes", ""),
        (with_sides_exchanged, "",
         "=> 4 pictures have width and height exchanged in the annotation: the picture's own are taken "
         "(p0.jpg is 64x96, the annotation says 96x64)"),
    ],
)  # fmt: skip
def test_what_tools_leave_out_or_write_otherwise_changes_nothing(own_set, change, folder, note):
    persons = own_set(change, folder=folder).persons("train")
    assert persons.note == note and persons.boxes.tolist() == [[15, 25, 31, 49]] * COUNT
    assert persons.pictures[2].endswith(f"images/train/{folder}/p2.jpg".replace("//", "/"))


def test_areas_that_cannot_be_are_a_warning(own_set):
    def change(annotation):
        for record in annotation["annotations"]:
            record["area"] = 1

    assert own_set(change).persons("train").note.startswith("=> WARNING: 4 of 4 areas are not 1 to 150% of their box")


def test_areas_are_not_compared_with_boxes_that_were_made_of_joints(own_set):
    def change(annotation):
        for record in annotation["annotations"]:
            record.update(area=3000, bbox=None)

    note = "=> 4 of 4: boxes are made of the visible joints, 15% longer (they are missing or of no area)"
    assert own_set(change).persons("train").note == note


def test_boxes_of_another_form_are_refused(own_set):
    def change(annotation):
        for record in annotation["annotations"]:
            x, y, width, height = record["bbox"]
            record["bbox"] = [x, y, x + width, y + height]

    with pytest.raises(UserError, match="the boxes look like x1 y1 x2 y2"):
        own_set(change).persons("train")


def test_pictures_without_a_size_anywhere_are_named(own_set, tmp_path):
    form = own_set(without_sizes)
    (tmp_path / "images" / "train" / "p1.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"1 images have no width and height, .* such as p1\.jpg"):
        form.persons("train")


def test_detections_beyond_a_part_are_left_out_where_that_is_asked_for(own_set, tmp_path):
    form = own_set()
    found = {"category_id": 1, "bbox": [15, 25, 32, 50], "score": 0.5}
    (tmp_path / "boxes.json").write_text(json.dumps([{**found, "image_id": number} for number in (0, 99, 2)]))
    with pytest.raises(UserError, match="its image_id 99 is not among the images"):
        form.detected_persons("train", tmp_path / "boxes.json", 0)
    persons = form.detected_persons("train", tmp_path / "boxes.json", 0, part=True)
    assert persons.image_ids.tolist() == [0, 2]
    assert persons.note == "=> 1 of 3 detections left out: 1 of pictures that are not in this part"


def test_several_training_sets_are_joined_and_shared_pictures_are_said(own_set, tmp_path):
    form = own_set(lambda annotation: annotation["annotations"].pop())
    folder = tmp_path / "annotations"
    (folder / "person_keypoints_more.json").write_text(json.dumps(content()))
    (tmp_path / "images" / "more").symlink_to(tmp_path / "images" / "train")
    skeleton = {"NAME": "ape", "JOINTS": APE.joints}
    data = {"DATASET": "coco", "ROOT": str(tmp_path), "TRAIN_SET": ["train", "more"], "SKELETON": skeleton}
    config = Config.model_validate({"DATASET": data, "MODEL": {"NUM_JOINTS": 4}})
    persons = read_persons(config, training=True)
    assert len(persons) == 7 and persons.image_ids.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert persons.joints.shape == (7, 4, 2) and persons.pictures[3].endswith("images/more/p0.jpg")
    validation = form.persons("train")
    line = shared_pictures_note(persons, validation)
    assert line.startswith("=> WARNING: 3 of 3 validation persons are in pictures that are trained on")
    validation.pictures = [f"elsewhere/{number}.jpg" for number in range(3)]
    assert shared_pictures_note(persons, validation) == ""
    assert [name for name, _ in sets_to_check(config, "train")[0]] == ["train", "more"]
