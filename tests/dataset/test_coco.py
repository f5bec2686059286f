"""COCO's annotations and detections: which persons are taken, their crops by hand, and files that are not right."""

import json
import zipfile

import numpy as np
import pytest

from lib.config.names import annotation_path
from lib.core.skeletons import COCO, Skeleton
from lib.dataset.annotations.coco import annotated_persons, detected_persons, picture_paths
from lib.dataset.annotations.coco_records import AREA_FROM_BOX, BOX_FROM_JOINTS
from lib.dataset.annotations.coco_truth import read_truth
from lib.dataset.joints_dataset import check_pictures
from lib.utils.errors import UserError

THREE = Skeleton("three", ("nose", "left_hand", "right_hand"))
SIZE = (192, 256)  # aspect 0.75
PICTURES = {7: "seven.jpg", 3: "three.jpg"}


def picture(number, **changes):
    return {"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 80, **changes}


def person(**changes):
    """One annotation as in COCO's JSON; a key given as None is left out."""
    annotation = {
        "id": 41, "image_id": 7, "category_id": 1, "bbox": [10, 20, 31, 41], "area": 900.5, "iscrowd": 0,
        "num_keypoints": 2, "keypoints": [12, 22, 2, 30, 40, 1, 0, 0, 0], "segmentation": [[10, 20, 40, 20, 40, 60]],
    }  # fmt: skip
    return {key: value for key, value in {**annotation, **changes}.items() if value is not None}


def file_of(*annotations, **changes):
    content = {
        "info": {}, "images": [picture(7), picture(3)], "annotations": list(annotations),
        "categories": [{"id": 1, "name": "person", "keypoints": ["nose"], "skeleton": [[1, 2]]}],
    }  # fmt: skip
    return {key: value for key, value in {**content, **changes}.items() if value is not None}


def box(**changes):
    """One detection as in COCO's result form; a key given as None is left out."""
    detection = {"image_id": 7, "category_id": 1, "bbox": [10, 20, 30, 40], "score": 0.5}
    return {key: value for key, value in {**detection, **changes}.items() if value is not None}


@pytest.fixture
def read(tmp_path):
    """Reads a content, or text as it stands, as an annotation file of the three-jointed skeleton."""

    def read(content, skeleton=THREE, wanted=()):
        path = tmp_path / "annotations" / "person_keypoints_some.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_truth(path, skeleton, wanted)

    return read


@pytest.fixture
def persons_of(read):
    """The persons of annotations."""
    return lambda *annotations: annotated_persons(read(file_of(*annotations)), SIZE, PICTURES)


@pytest.fixture
def detect(read, tmp_path):
    """The persons of a detection file with a content, or text as it stands."""

    def detect(content, threshold=0.0):
        path = tmp_path / "boxes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return detected_persons(read(file_of(person())), path, 3, SIZE, PICTURES, threshold)

    return detect


# -- annotated persons -----------------------------------------------------------------------------------------------


def test_a_person_has_its_joints_and_every_visibility_above_0_is_1(persons_of):
    persons = persons_of(person())
    assert persons.joints.tolist() == [[[12, 22], [30, 40], [0, 0]]]
    assert persons.visible.tolist() == [[1, 1, 0]]
    assert persons.pictures == ["seven.jpg"] and persons.image_ids.tolist() == [7]
    assert persons.box_scores.tolist() == [1] and persons.note == ""


@pytest.mark.parametrize(
    ("annotated", "clean", "center", "sides"),
    [
        # a box's last pixel is x + width - 1, so its sides are one less; the picture's last are 99 and 79
        ([10, 20, 31, 41], [10, 20, 30, 40], [25, 40], [30, 40]),
        ([10, 20, 61, 41], [10, 20, 60, 40], [40, 40], [60, 80]),  # too wide for 3:4
        ([10, 20, 16, 41], [10, 20, 15, 40], [17.5, 40], [30, 40]),  # too high
        ([-5, 0, 31, 41], [0, 0, 30, 40], [15, 20], [30, 40]),  # the original moves it in, and does not cut it
        ([90, 60, 31, 41], [90, 60, 9, 19], [94.5, 69.5], [14.25, 19]),
        ([-5, -3, 200, 100], [0, 0, 99, 79], [49.5, 39.5], [99, 132]),
        ([10, 20, 1, 41], [10, 20, 0, 40], [10, 40], [30, 40]),  # a line, which the aspect makes a box
    ],
)
def test_a_box_is_cut_at_the_border_fitted_to_the_aspect_and_grown_by_a_quarter(
    persons_of, annotated, clean, center, sides
):
    persons = persons_of(person(bbox=annotated))
    assert persons.boxes.tolist() == [clean]
    assert persons.center.tolist() == [center]
    np.testing.assert_allclose(persons.scale, [np.array(sides) * 1.25 / 200], rtol=1e-6)


def test_who_cannot_be_used_is_left_out_and_counted(persons_of):
    persons = persons_of(
        person(iscrowd=1), person(keypoints=[0] * 9), person(keypoints=None), person(), person(area=0),
        person(bbox=[10, 20, 0, 0]), person(bbox=[100.5, 20, 30, 30]), person(image_id=3), person(bbox=[5, 5, -8, -8]),
    )  # fmt: skip
    assert persons.pictures == ["seven.jpg", "seven.jpg", "three.jpg", "seven.jpg"]  # two boxes are made of joints
    assert persons.note.splitlines() == [
        "=> 5 of 9 annotations left out: 1 crowds, 2 without a joint, 1 with boxes outside their picture, "
        "1 with an area of 0",
        f"=> 2 of 9: {BOX_FROM_JOINTS}",
    ]


@pytest.mark.parametrize("bbox", [None, [], [0, 0, 0, 0], [10, 20, 0, 30], [None] * 4, [float("nan")] * 4])
def test_a_box_that_nobody_drew_is_made_of_the_visible_joints(persons_of, read, bbox):
    content = file_of(person() | {"bbox": bbox, "area": None})
    (annotation,) = read(content).annotations
    # joints at 12 22 and 30 40: 18 px and 15% more, on either side half of it
    assert annotation["bbox"] == pytest.approx([12 - 1.35, 22 - 1.35, 20.7, 20.7])
    assert annotation["area"] == pytest.approx(20.7**2)
    truth = read(content)
    assert truth.filled == {BOX_FROM_JOINTS: [41], AREA_FROM_BOX: [41]}
    assert truth.notes()[1].startswith("=> 1 of 1: areas are their boxes'")


def test_a_single_joint_makes_no_box_and_the_reason_is_said(persons_of):
    one = person(bbox=[12, 22, 0, 0], keypoints=[12, 22, 2] + [0] * 6)
    message = complaint_of(persons_of, one, one)
    assert "has a box and a joint that can be used (2 of 2 annotations left out: 2 boxes of no area)" in message
    assert message.endswith("give boxes around the joints, or an area above 0")


@pytest.mark.parametrize(
    "keypoints",
    [
        [[12, 22, 2], [30, 40, 1], [0, 0, 0]], [12.0, 22.0, True, 30, 40, 1.0, 0, 0, False],
        [12, 22, 2, 30, 40, 1, None, None, 0], [12, 22, 2, 30, 40, 1, float("nan"), float("nan"), 0],
        [[12, 22, 2], [30, 40, 1], [None, None, 0]],
    ],
)  # fmt: skip
def test_keypoints_of_other_tools_are_understood(read, keypoints):
    (annotation,) = read(file_of(person(keypoints=keypoints))).annotations
    found = annotation["keypoints"].reshape(3, 3)
    assert found[:, :2].tolist() == [[12, 22], [30, 40], [0, 0]] and (found[:, 2] > 0).tolist() == [True, True, False]


def test_frames_between_those_that_were_labelled_are_left_out(persons_of):
    between = person(id=5, keypoints=[], bbox=[0, 0, 0, 0], num_keypoints=0)
    persons = persons_of(person(), between)
    assert len(persons) == 1 and persons.note.startswith("=> 1 of 2 annotations left out: 1 without a joint")


def test_iscrowd_may_be_null(read):
    (annotation,) = read(file_of(person() | {"iscrowd": None})).annotations
    assert annotation["iscrowd"] == 0


def test_a_data_set_without_areas_gets_those_of_its_boxes(read):
    (annotation,) = read(file_of(person(area=None))).annotations
    assert annotation["area"] == 31 * 41


def test_other_categories_are_not_read(read):
    content = file_of(person(), person(id=2, category_id=18, bbox=None, keypoints=None))
    content["categories"].append({"id": 18, "name": "dog"})
    truth = read(content)
    assert [annotation["id"] for annotation in truth.annotations] == [41]
    assert truth.category == {"id": 1, "name": "person"}


def of_category(number, name, *joints):
    return {"id": number, "name": name, **({"keypoints": list(joints)} if joints else {})}


OURS = ("nose", "left_hand", "right_hand")  # of THREE


def test_the_category_with_the_skeleton_is_taken_and_not_the_exports_root(read):
    truth = read(file_of(person(), categories=[of_category(0, "people"), of_category(1, "worker", *OURS)]))
    assert truth.category == {"id": 1, "name": "worker"} and len(truth.annotations) == 1


def test_all_categories_of_one_skeleton_are_taken_where_they_are_annotated(read):
    species = [of_category(number, name, *OURS) for number, name in ((1, "ape"), (2, "gibbon"), (3, "man"))]
    content = file_of(person(), person(id=42, category_id=2), categories=species)
    truth = read(content)
    assert [category["name"] for category in truth.categories] == ["ape", "gibbon"] and len(truth.annotations) == 2
    assert truth.notes() == ["=> 2 categories: ape, gibbon"]
    chosen = read(content, wanted=("gibbon",))
    assert [annotation["id"] for annotation in chosen.annotations] == [42]
    assert chosen.notes() == ["=> 1 annotations of other categories left out: 1 of ape"]
    assert len(read(content, wanted=("all",)).categories) == 3
    assert "DATASET.CATEGORIES: no lion; its categories are ape, gibbon, man" in complaint_of(
        read, content, THREE, ("lion",)
    )


def test_annotations_of_no_category_of_the_file_are_counted(read):
    truth = read(file_of(person(), person(id=2, category_id=8), person(id=3, category_id=[1])))
    assert truth.notes() == ["=> 2 annotations of other categories left out: 2 of no category that it lists"]


def test_joints_in_another_order_than_the_files_are_refused(read):
    swapped = [of_category(1, "person", "nose", "right hand", "Left-Hand")]
    message = complaint_of(read, file_of(person(), categories=swapped))
    assert "joint 1 of person is right hand in the file and left_hand in DATASET.SKELETON" in message
    assert "2 of 3 differ so. The file's order: nose, right hand, Left-Hand" in message
    same = [of_category(1, "person", "Nose", "left hand", "rightHand")]
    assert len(read(file_of(person(), categories=same)).annotations) == 1
    assert read(file_of(person(), categories=same)).notes() == []


def test_joints_of_other_names_are_said_and_none_of_the_skeletons_is_a_warning(read):
    one = [of_category(1, "person", "snout", "left_hand", "right_hand")]
    line = "=> 1 of 3 joints have other names in DATASET.SKELETON than in the file: snout is nose"
    assert read(file_of(person(), categories=one)).notes() == [line]
    other = [of_category(1, "person", "a", "b", "c")]  # in another language, or of another animal
    (line,) = read(file_of(person(), categories=other)).notes()
    assert line == (
        "=> WARNING: the file names its joints a, b, c, DATASET.SKELETON nose, left_hand, right_hand: are they the "
        "same? Without DATASET.SKELETON, joints are the file's"
    )


def test_a_single_category_need_not_be_a_person(read):
    truth = read(file_of(person(category_id=5), categories=[{"id": 5, "name": "horse"}]))
    assert truth.category == {"id": 5, "name": "horse"} and len(truth.annotations) == 1


def test_indices_pick_the_skeletons_joints_in_their_order(read):
    truth = read(file_of(person()), Skeleton("two", ("right_hand", "nose"), indices=(2, 0)))
    assert annotated_persons(truth, SIZE, PICTURES).joints.tolist() == [[[0, 0], [12, 22]]]


def test_a_record_without_keypoints_has_none_of_the_joints_that_indices_pick(read):
    content = file_of(person(), person(id=42, keypoints=None), person(id=43) | {"keypoints": None})
    truth = read(content, Skeleton("two", ("right_hand", "nose"), indices=(2, 0)))
    assert [annotation["keypoints"].tolist() for annotation in truth.annotations[1:]] == [[0] * 6] * 2


def test_indices_beyond_the_records_joints_are_named(read):
    skeleton = Skeleton("two", ("right_hand", "nose"), indices=(3, 0))
    message = complaint_of(read, file_of(person()), skeleton)
    assert "annotation 41: 3 joints, but DATASET.SKELETON.INDICES asks for 3, counted from 0" in message
    two = file_of(person(keypoints=[12, 22, 2, 30, 40, 1]))  # as many as the skeleton has, but which ones?
    assert "annotation 41: 2 joints, but DATASET.SKELETON.INDICES asks for 3" in complaint_of(read, two, skeleton)


def test_what_is_read_does_not_hold_the_polygons(read):
    (annotation,) = read(file_of(person())).annotations
    assert annotation.keys() == {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "keypoints"}


# -- detected boxes --------------------------------------------------------------------------------------------------


def test_detected_boxes_keep_the_files_order_and_are_not_cut_at_the_border(detect):
    persons = detect([box(image_id=3, score=0.1), box(score=0.9), box(image_id=3, bbox=[-30, -40, 60, 40])])
    assert persons.pictures == ["three.jpg", "seven.jpg", "three.jpg"]
    assert persons.box_scores.tolist() == [0.1, 0.9, 0.5]
    assert persons.center.tolist() == [[25, 40], [25, 40], [0, -20]]
    np.testing.assert_allclose(persons.scale[1:], [[0.1875, 0.25], [0.375, 0.5]], rtol=1e-6)
    assert persons.joints.shape == (3, 3, 2) and not persons.visible.any() and persons.note == ""


def test_low_scores_other_categories_and_boxes_of_no_area_are_left_out_and_counted(detect):
    content = [
        box(score=0.3), box(score=0.29), box(category_id=2, bbox="any"), box(bbox=[1, 2, 0, 9]), box(bbox=[1, 2, 3, -1])
    ]  # fmt: skip
    persons = detect(content, threshold=0.3)
    assert persons.box_scores.tolist() == [0.3]
    assert persons.note == (
        "=> 4 of 5 detections left out: 1 of another category, 2 boxes of no area, 1 below the score 0.3"
    )


# -- files and pictures ----------------------------------------------------------------------------------------------


def test_a_set_without_truth_has_a_file_of_images_and_can_be_detected_in(read, tmp_path):
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    (annotations / "image_info_test-dev2017.json").write_text(json.dumps(file_of(annotations=None)))
    path = annotation_path(tmp_path, "test-dev2017")
    assert path == annotations / "image_info_test-dev2017.json"
    truth = read_truth(path, THREE)
    assert truth.annotations == [] and truth.images == {7: ("7.jpg", 100, 80), 3: ("3.jpg", 100, 80)}
    (tmp_path / "boxes.json").write_text(json.dumps([box()]))
    assert len(detected_persons(truth, tmp_path / "boxes.json", 3, SIZE, PICTURES)) == 1


def test_a_set_with_both_files_has_its_truth_read(tmp_path):
    (tmp_path / "annotations").mkdir()
    for name in ("person_keypoints", "image_info"):
        (tmp_path / "annotations" / f"{name}_val2017.json").write_text("{}")
    assert annotation_path(tmp_path, "val2017").name == "person_keypoints_val2017.json"
    assert annotation_path(tmp_path, "train2017").name == "person_keypoints_train2017.json"


@pytest.mark.parametrize(
    ("image_set", "folder"),
    [("val2017", "val2017"), ("test-dev2017", "test2017"), ("test2017", "test2017"), ("test", "test")],
)
def test_pictures_come_from_the_sets_folder_and_all_test_sets_share_one(read, image_set, folder):
    paths = picture_paths("coco", image_set, read(file_of(person())), "jpg")
    assert paths == {7: f"coco/images/{folder}/7.jpg", 3: f"coco/images/{folder}/3.jpg"}


@pytest.mark.parametrize("inside", ["val2017/", ""])
def test_pictures_come_from_an_archive_with_or_without_the_folder_in_it(read, tmp_path, inside):
    (tmp_path / "images").mkdir()
    with zipfile.ZipFile(tmp_path / "images" / "val2017.zip", "w") as archive:
        archive.writestr(f"{inside}7.jpg", b"a picture")
    paths = picture_paths(tmp_path, "val2017", read(file_of(person())), "zip")
    assert paths[7] == f"{tmp_path}/images/val2017.zip@{inside}7.jpg"


def test_an_archive_that_is_missing_is_named_where_its_pictures_are_wanted(read, tmp_path):
    paths = picture_paths(tmp_path, "val2017", read(file_of(person())), "zip")
    with pytest.raises(UserError, match=r"there is no picture archive .*/images/val2017\.zip"):
        check_pictures(list(paths.values()))


# -- bad input -------------------------------------------------------------------------------------------------------


def complaint_of(action, *words):
    """The one line with which `action` refuses."""
    with pytest.raises(UserError) as error:
        action(*words)
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"keypoints": [1, 2, 2] * 2}, "keypoints has 6 numbers, expected 9 (x, y, visibility of 3 joints)"),
        ({"keypoints": [1, 2, 2] * 4}, "keypoints has 12 numbers, expected 9"),
        ({"keypoints": ["1", "2", "2"] * 3}, "keypoints is not a list of numbers"),
        ({"keypoints": [[1, 2]] * 3}, "keypoints is not a list of numbers"),
        ({"keypoints": [1, None, 2] * 3}, "keypoints holds numbers that are not finite"),
        ({"keypoints": "many"}, "keypoints is not a list of numbers"),
        ({"keypoints": 5}, "keypoints is not a list of numbers"),
        ({"keypoints": [10**400] * 9}, "keypoints is not a list of numbers"),
        ({"keypoints": [float("nan")] * 9}, "keypoints holds numbers that are not finite"),
        ({"keypoints": [1, 2, -1] * 3}, "visibilities from 0"),
        ({"keypoints": [1e9, 2, 2] * 3}, "pixels below a million"),
        ({"bbox": [1, 2, 3]}, "a box of [1, 2, 3]; expected x, y, width, height"),
        ({"bbox": [1, 2, 3, float("inf")]}, "a box of [1, 2, 3, inf]; expected x, y, width, height"),
        ({"bbox": [1, 2, 3, "4"]}, "a box of [1, 2, 3, '4']; expected x, y, width, height"),
        ({"bbox": "1234"}, "a box of '1234'; expected x, y, width, height"),
        ({"image_id": None}, "no 'image_id'"),
        ({"image_id": 8}, "its image_id 8 is not among the file's images"),
        ({"image_id": [7]}, "list"),
        ({"area": "large"}, "an area of 'large'; expected a finite number"),
        ({"area": float("nan")}, "an area of nan; expected a finite number"),
        ({"area": 10**400}, "expected a finite number"),
        ({"iscrowd": "no"}, "an iscrowd of 'no'; expected a finite number"),
    ],
)
def test_a_bad_annotation_is_named_by_file_and_number(read, changes, said):
    message = complaint_of(read, file_of(person(), person(id=77, **changes), person()))
    assert "person_keypoints_some.json: annotation 77: " in message and said in message


def test_all_annotations_with_the_same_fault_are_counted_and_some_are_named(read):
    short = [person(id=number, keypoints=[1, 2, 2] * joints) for number, joints in ((5, 2), (6, 1), (7, 2), (8, 4))]
    message = complaint_of(read, file_of(person(), *short, person(id=9, bbox="x")))
    assert "annotation 5: keypoints has 6 numbers, expected 9" in message
    assert message.endswith("; so are 4 of 6: 5, 6, 7, ...; 1 more have other faults")


@pytest.mark.parametrize("key", ["keypoints", "area"])
def test_a_null_in_an_annotation_is_a_value_that_is_not_there(read, key):
    content = file_of(person() | {"id": 77, key: None})
    (annotation,) = read(content).annotations
    assert annotation["area"] == (31 * 41 if key == "area" else 900.5)
    assert annotation["keypoints"].any() == (key == "area")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"width": -5}, "image 3: a width or height of -5"),
        ({"id": 3.5}, "image 3.5: its id is 3.5; expected a whole number or a text"),
        ({"id": True}, "its id is True; expected a whole number or a text"),
        ({"id": 7}, "1 image ids stand for several images: 7. Annotations would go to the wrong pictures"),
        ({"height": float("nan")}, "image 3: a width or height of nan"),
        ({"height": "80"}, "image 3: a width or height of '80'; expected pixels"),
        ({"file_name": None}, "image 3: no 'file_name'"),
        ({"id": None}, "image None: no 'id'"),
    ],
)
def test_a_bad_image_is_named_by_file_and_number(read, changes, said):
    image = {key: value for key, value in picture(3, **changes).items() if value is not None}
    message = complaint_of(read, file_of(person(), images=[picture(7), image]))
    assert "person_keypoints_some.json: " in message and said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([person()], "expected an object with images and annotations, got a list"),
        ("null", "expected an object with images and annotations, got a NoneType"),
        (file_of(person(), images=None), "it lists no images"),
        (file_of(person(), images={"7": "7.jpg"}), "images: expected a list of objects"),
        (file_of(annotations=[1, 2]), "annotations: expected a list of objects"),
        (file_of(person(), categories=None), "its categories are none; none has the 3 joints"),
        (
            file_of(person(), categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]),
            "its categories are cat, dog; none has the 3 joints of three, and none is person or the only one",
        ),
        (file_of(person(category_id=2), person(category_id=2)), "none of its 2 annotations is of a person"),
        ("", "is not valid JSON"),
        ('{"images": [{"id": 7', "is not valid JSON"),
        ("[" * 100_000, "is nested deeper than 100 lists"),
        ('{"images":' * 100_000, "is nested deeper than 100 lists"),
    ],
)
def test_a_file_that_is_no_annotation_is_refused_by_name(read, content, said):
    message = complaint_of(read, content)
    assert "person_keypoints_some.json" in message and said in message


def test_a_file_of_which_nobody_can_be_used_is_refused_by_name(persons_of):
    message = complaint_of(persons_of, person(iscrowd=1), person(area=0))
    assert "person_keypoints_some.json: no person of it has a box and a joint that can be used" in message


def test_a_missing_annotation_says_where_cocos_come_from(tmp_path):
    message = complaint_of(read_truth, annotation_path(tmp_path, "val2017"), COCO)
    assert str(tmp_path / "annotations" / "person_keypoints_val2017.json") in message
    assert "cocodataset.org" in message and "data/coco/images" in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_id": 8}, "its image_id 8 is not among the images of"),
        ({"image_id": None}, "no 'image_id'"),
        ({"category_id": None}, "no 'category_id'"),
        ({"score": None}, "no 'score'"),
        ({"score": "high"}, "a score of 'high'; expected a finite number"),
        ({"score": float("nan")}, "a score of nan; expected a finite number"),
        ({"score": 10**400}, "expected a finite number"),
        ({"bbox": None}, "no 'bbox'"),
        ({"bbox": [1, 2, 3]}, "a box of [1, 2, 3]; expected x, y, width, height"),
        ({"bbox": [1, 2, 3, float("inf")]}, "a box of [1, 2, 3, inf]; expected x, y, width, height"),
    ],
)
def test_a_bad_detection_is_named_by_file_and_place(detect, changes, said):
    message = complaint_of(detect, [box(), box(**changes), box()])
    assert "boxes.json: detection 2 of 3: " in message and said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no box to look at; the list is empty"),
        ([box(category_id=18)] * 2, "none of its boxes is of the category that is wanted: it has boxes of category 18"),
        ([box(category_id=0), box()], "its categories are numbered from 0: it has boxes of category 0 (1), 1 (1)"),
        ([box(bbox=[0.1, 0.2, 0.3, 0.4])], "the box is between 0 and 1, like shares of the picture's sides"),
        (
            [box(bbox=corners) for corners in ((30, 20, 50, 70), (60, 30, 90, 79), (5, 5, 40, 75), (70, 5, 99, 60))],
            "3 of 4 boxes reach far beyond their picture: they look like x1 y1 x2 y2; expected x y width height, in p",
        ),
        ([box(bbox=[1, 2, 0, 0])], "no box to look at; 1 of 1 detections left out: 1 boxes of no area"),
        ({"detections": []}, "expected a list of detections (image_id, category_id, bbox, score)"),
        ([[1, 2, 3, 4]], "expected a list of detections"),
        ("[{", "is not valid JSON"),
        ("[" * 100_000, "is nested deeper than 100 lists"),
    ],
)
def test_a_file_that_is_no_detections_is_refused_by_name(detect, content, said):
    message = complaint_of(detect, content)
    assert "boxes.json" in message and said in message


def test_a_missing_detection_file_is_named(read, tmp_path):
    truth = read(file_of(person()))
    message = complaint_of(detected_persons, truth, tmp_path / "nowhere.json", 3, SIZE, PICTURES)
    assert f"cannot read {tmp_path / 'nowhere.json'}" in message


# -- real records ----------------------------------------------------------------------------------------------------


@pytest.fixture
def coco4(shared):
    """(truth, pictures, folder) of four real pictures."""
    folder = shared / "data" / "coco4"
    truth = read_truth(annotation_path(folder, "val2017"), COCO)
    return truth, picture_paths(folder, "val2017", truth, "jpg"), folder


def test_four_real_pictures_hold_twelve_persons(coco4):
    truth, pictures, _ = coco4
    persons = annotated_persons(truth, SIZE, pictures)
    assert len(persons) == 12
    assert persons.note == "=> 2 of 14 annotations left out: 2 without a joint"
    assert persons.visible.sum() == 17 + 14 + 15 + 15 + 15 + 12 + 17 + 16 + 16 + 15 + 16 + 13  # the file's own counts


def test_detected_boxes_of_real_pictures_are_the_originals(coco4, shared):
    truth, pictures, folder = coco4
    persons = detected_persons(truth, folder / "person_detections_val2017.json", 17, SIZE, pictures)
    with np.load(shared / "reference" / "coco4_r50_256x192.npz") as recorded:
        boxes, names = recorded["boxes"], recorded["images"].tolist()
    assert [path.rpartition("/")[2] for path in persons.pictures] == names
    np.testing.assert_array_equal(persons.center, boxes[:, :2])
    np.testing.assert_array_equal(persons.scale, boxes[:, 2:4])
    np.testing.assert_array_equal(persons.box_scores, boxes[:, 5])
