"""Data sets of YOLO-pose, Label Studio and DeepLabCut, written here as the tools write them."""

import json

import cv2
import numpy as np
import pytest
import yaml

from lib.dataset.preparation.import_forms import read_source, recognise, source_file
from lib.utils.errors import UserError

WIDTH, HEIGHT = 80, 60
NAMES = ["nose", "earL", "earR", "tail"]
POINTS = np.array([[20.25, 10], [40, 12.5], [44, 15], [30, 50]])


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    image[:4] = 255 - value  # no two pictures are the same
    cv2.imwrite(str(path), image)


@pytest.fixture
def read(tmp_path):
    """(OwnSet, training images, validation images, folder, lines) of a source; form: recognised."""

    def read(path, images=None, share=0.5, by_video=None):
        path = source_file(path)
        own, parts, folder, lines = read_source(path, recognise(path), images, tmp_path / "out", share, by_video)
        return own, *parts, folder, lines

    return read


def complaint_of(read, *arguments):
    with pytest.raises(UserError) as caught:
        read(*arguments)
    return str(caught.value)


def keypoints_of(own, name):
    """(instances, K, 3) of the picture whose name ends so."""
    (number,) = [image["id"] for image in own.content["images"] if image["file_name"].endswith(name)]
    found = [record["keypoints"] for record in own.content["annotations"] if record["image_id"] == number]
    return np.array(found, float).reshape(len(found), -1, 3)


# -- YOLO-pose -----------------------------------------------------------------------------------------------------


@pytest.fixture
def yolo(tmp_path):
    """Writes a set of two training pictures and a validation picture; numbers: a keypoint's, lines: of each label."""

    def yolo(numbers=3, lines=None, **keys):
        root = tmp_path / "set"
        for number, part in enumerate(("train", "train", "val")):
            picture(root / part / "images" / f"p{number}.png", 10 * number)
            values = [POINTS / (WIDTH, HEIGHT), np.array([[2], [1], [0], [2]])]
            keypoints = np.hstack(values[: numbers - 1]).ravel()
            line = " ".join(f"{value:.6f}" for value in (0, 0.4, 0.5, 0.5, 0.8, *keypoints))
            (root / part / "labels").mkdir(exist_ok=True)
            (root / part / "labels" / f"p{number}.txt").write_text(f"{line}\n" if lines is None else lines)
        content = {"train": "train/images", "val": "val/images", "names": {0: "mouse"}, "kpt_shape": [4, numbers]}
        (root / "data.yaml").write_text(yaml.safe_dump({**content, **keys}))
        return root

    return yolo


def test_yolo_pose_has_its_split_its_pairs_and_keypoints_to_a_hundredth_of_a_pixel(read, yolo):
    own, train, valid, folder, lines = read(yolo(flip_idx=[0, 2, 1, 3], kpt_names={0: NAMES}))
    assert own.joints == tuple(NAMES) and own.pairs == (("earL", "earR"),) and own.categories == ("mouse",)
    assert [len(train), len(valid)] == [2, 1] and "=> 2 images to train on, 1 to validate, as split" in lines
    (found,) = keypoints_of(own, "p1.png")
    assert found[:, 2].tolist() == [2, 1, 0, 2]
    assert np.abs(found[[0, 1, 3], :2] - POINTS[[0, 1, 3]]).max() < 0.01
    assert own.content["annotations"][0]["bbox"] == pytest.approx([12, 6, 40, 48]) and (folder / "val/images").is_dir()


def test_yolo_pose_of_two_numbers_and_without_names(read, yolo):
    own, *_ = read(yolo(numbers=2, path="../somewhere/else"))
    assert own.joints == ("keypoint_0", "keypoint_1", "keypoint_2", "keypoint_3") and own.pairs == ()
    assert keypoints_of(own, "p0.png")[0, :, 2].tolist() == [2, 2, 2, 2]


def test_yolo_pose_takes_lists_of_pictures_and_roboflows_places(read, yolo):
    root = yolo(train="train.txt", val="../val/images")
    (root / "train.txt").write_text("train/images/p0.png\ntrain/images/p1.png\n")
    assert [len(part) for part in read(root)[1:3]] == [2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lines": "0 0.5 0.5\n"}, "p0.txt, line 1: 3 numbers, expected 17"),
        ({"lines": "0 a\n"}, "p0.txt, line 1: could not convert string to float: 'a'"),
        ({"kpt_shape": [4, 5]}, "expected kpt_shape: [number of keypoints, 2 or 3]"),
        ({"flip_idx": [0, 0, 1, 3]}, "flip_idx: expected each of 0 to 3 once"),
        ({"train": "nowhere"}, "there is no"),
    ],
)
def test_what_yolo_pose_cannot_be_is_one_line(read, yolo, change, message):
    assert message in complaint_of(read, yolo(**change))


# -- Label Studio --------------------------------------------------------------------------------------------------


def region(kind, number, parent="", **value):
    return {
        "id": number, "type": kind, "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0,
        "value": value, **({"parentID": parent} if parent else {}),
    }  # fmt: skip


def keypoints(parent="", shift=0.0, names=NAMES):
    shares = 100 * (POINTS + shift) / (WIDTH, HEIGHT)
    return [
        region("keypointlabels", f"{parent}{name}", parent, x=x, y=y, width=0.5, keypointlabels=[name])
        for name, (x, y) in zip(names, shares.tolist(), strict=False)
    ]


@pytest.fixture
def label_studio(tmp_path):
    """Writes two tasks, the first with `items`, and their pictures."""

    def label_studio(items, name="/data/upload/1/0123abcd-p0.png", **task):
        for number in range(2):
            picture(tmp_path / "ls" / f"p{number}.png", 10 * number)
        second = {"id": 2, "data": {"image": "p1.png"}, "annotations": [{"result": keypoints()}]}
        first = {"id": 1, "data": {"image": name}, "annotations": [{"result": items}], **task}
        path = tmp_path / "ls" / "export.json"
        path.write_text(json.dumps([first, second]))
        return path

    return label_studio


@pytest.mark.parametrize(
    "name",
    ["/data/upload/1/0123abcd-p0.png", "/data/local-files/?d=set/p0.png", "https://example.org/p0.png", "p0.png"],
)
def test_label_studios_percents_are_pixels_whatever_the_picture_is_called(read, label_studio, name):
    own, *_ = read(label_studio(keypoints(), name))
    (found,) = keypoints_of(own, "p0.png")
    assert own.joints == tuple(NAMES) and np.abs(found[:, :2] - POINTS).max() < 0.01
    assert own.pairs == (("earL", "earR"),)  # by their names


def test_label_studios_rectangles_tell_persons_apart(read, label_studio):
    boxes = [region("rectanglelabels", who, x=10, y=10, width=50, height=80) for who in "ab"]
    own, *_ = read(label_studio([*boxes, *keypoints("a"), *keypoints("b", 2, NAMES[:2])]))
    first, second = keypoints_of(own, "p0.png")
    assert first[:, 2].tolist() == [2, 2, 2, 2] and second[:, 2].tolist() == [2, 2, 0, 0]
    assert second[0, :2] == pytest.approx(POINTS[0] + 2)
    assert own.content["annotations"][0]["bbox"] == pytest.approx([8, 6, 40, 48])


def test_two_persons_without_rectangles_are_told_what_to_do(read, label_studio):
    message = complaint_of(read, label_studio([*keypoints(), *keypoints()]))
    assert "task 1: nose is there twice" in message and "draw a rectangle for each" in message


def test_cancelled_annotations_are_left_out_and_second_ones_counted(read, label_studio):
    done = [{"result": [], "was_cancelled": True}, {"result": keypoints()}, {"result": keypoints(shift=9)}]
    own, *_, lines = read(label_studio([], annotations=done))
    assert keypoints_of(own, "p0.png")[0, 0, :2] == pytest.approx(POINTS[0])
    assert lines[0] == "=> 1 second annotation of tasks left out"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([{**keypoints()[0], "image_rotation": 90}], "task 1: its picture was rotated in Label Studio"),
        ([region("keypointlabels", "a", x="b", y=1, keypointlabels=["nose"])], "task 1: "),
    ],
)
def test_what_label_studios_tasks_cannot_be_is_one_line(read, label_studio, items, message):
    assert message in complaint_of(read, label_studio(items))


# -- DeepLabCut ----------------------------------------------------------------------------------------------------


@pytest.fixture
def deeplabcut(tmp_path):
    """Writes a project of two videos with two labelled pictures each; returns the folder."""

    def deeplabcut(animals=(), parts=3, coords=("x", "y"), config=None):
        root = tmp_path / "project"
        columns = [(animal, name, coord) for animal in animals or ("",) for name in NAMES for coord in coords]
        commas = "," * (parts - 1)
        header = [f"scorer{commas}" + ",me" * len(columns)]
        header += [f"individuals{commas}," + ",".join(animal for animal, _, _ in columns)] if animals else []
        header += [f"bodyparts{commas}," + ",".join(name for _, name, _ in columns)]
        header += [f"coords{commas}," + ",".join(coord for _, _, coord in columns)]
        for video in range(2):
            folder = root / "labeled-data" / f"day{video}"
            lines = []
            for number in range(2):
                picture(folder / f"img{number}.png", 50 * video + 10 * number)
                index = ("labeled-data", f"day{video}", f"img{number}.png")
                values = [f"{value}" for _ in animals or ("",) for value in (POINTS + number).ravel()]
                values[4:6] = ["", ""]  # the right ear of the first animal is not labelled
                lines.append(",".join([*(index if parts == 3 else ("\\".join(index),)), *values]))
            (folder / "CollectedData_me.csv").write_text("\n".join([*header, *lines]) + "\n")
        content = {"Task": "mice", "bodyparts": NAMES, "skeleton": [["nose", "tail"], ["nose", "none"]]}
        (root / "config.yaml").write_text(yaml.safe_dump({**content, **(config or {})}))
        return root

    return deeplabcut


@pytest.mark.parametrize("parts", [1, 3])
def test_deeplabcuts_pictures_keep_the_order_of_the_body_parts(read, deeplabcut, parts):
    own, *_ = read(deeplabcut(parts=parts) / "labeled-data" / "day1" / "CollectedData_me.csv")
    (found,) = keypoints_of(own, "img1.png")
    assert own.joints == tuple(NAMES) and found[:, 2].tolist() == [2, 2, 0, 2]
    assert np.abs(found[[0, 1, 3], :2] - POINTS[[0, 1, 3]] - 1).max() < 0.01


def test_a_deeplabcut_project_has_its_videos_limbs_and_whole_videos_in_each_part(read, deeplabcut):
    own, train, valid, _, _ = read(deeplabcut())
    assert own.limbs == (("nose", "tail"),) and len(own.content["images"]) == 4
    assert {image["file_name"].split("/")[0] for image in train}.isdisjoint(
        image["file_name"].split("/")[0] for image in valid
    )


def test_several_animals_of_deeplabcut_are_persons_with_tracks(read, deeplabcut):
    config = {"multianimalproject": True, "bodyparts": "MULTI!", "multianimalbodyparts": NAMES}
    own, *_, lines = read(deeplabcut(("m1", "m2", "single"), config=config))
    records = own.content["annotations"]
    assert len(records) == 8 and [record["track_id"] for record in records[:2]] == [0, 1]
    assert "=> 16 unique body parts left out: they are of no animal" in lines


def test_a_missing_picture_of_deeplabcut_is_named_and_no_other_takes_its_place(read, deeplabcut):
    root = deeplabcut()
    (root / "labeled-data" / "day0" / "img0.png").unlink()
    message = complaint_of(read, root)
    assert "1 of 4 pictures are not there, such as" in message and "img0.png: give --images FOLDER" in message


def test_deeplabcuts_hdf_holds_the_same(read, deeplabcut):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("tables")
    folder = deeplabcut() / "labeled-data" / "day0"
    frame = pandas.read_csv(folder / "CollectedData_me.csv", header=[0, 1, 2], index_col=[0, 1, 2])
    frame.columns.names = ["scorer", "bodyparts", "coords"]
    frame.to_hdf(folder / "CollectedData_me.h5", key="df_with_missing")
    of_csv, of_hdf = (read(folder / f"CollectedData_me.{ending}")[0].content for ending in ("csv", "h5"))
    assert of_csv == of_hdf


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "its first lines are not scorer, bodyparts and coords"),
        ("scorer,me\nbodyparts,nose\ncoords,x\np.png,1\n", "its columns are not x and y in turn"),
        ("scorer,m,m\nbodyparts,n,n\ncoords,x,y\np.png,1,b\n", "line 4: could not convert string to float: 'b'"),
        ("scorer,m,m\nbodyparts,n,n\ncoords,x,y\np.png,1\n", "line 4: 1 values, expected 2"),
        ("scorer,m,m,m\nbodyparts,n,n,n\ncoords,x,y,likelihood\n0,1,2,0.9\n", "predictions of a video, not"),
        ("scorer,m,m\nbodyparts,n,n\ncoords,x,y\n", "no picture of it is labelled"),
        ("\0", "expected DeepLabCut's labelled data"),
    ],
)
def test_what_deeplabcuts_table_cannot_be_is_one_line(read, tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    assert message in complaint_of(read, tmp_path / "a.csv")


# -- which form ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.json", "[1]"), ("a.json", "{}"), ("a.yaml", "a: 1"), ("a.txt", ""), ("a", "")],
)
def test_a_file_of_no_form_is_told_those_that_are_known(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert "expected SLEAP (.slp), DeepLabCut (.csv, .h5, or" in complaint_of(recognise, tmp_path / name)


def test_a_folder_without_a_known_file_is_named(tmp_path):
    assert "no folder with a data.yaml or config.yaml" in complaint_of(source_file, tmp_path)
