"""Files of boxes as other programs write them, and boxes that cannot be meant."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.inference.boxes.finders import FileBoxes, GivenBoxes
from lib.inference.boxes.reading import BoxReading
from lib.utils.errors import UserError
from lib.utils.media import Frame

IMAGE = np.zeros((100, 200, 3), np.uint8)


def frame(name="7.png", number=None):
    return Frame(IMAGE, Path("folder") / name, number)


def boxes_of(finder, *arguments):
    return finder(frame(*arguments)).boxes.tolist()


@pytest.fixture
def write(tmp_path):
    def write(text, name="boxes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    return write


@pytest.fixture
def pictures(tmp_path):
    """Makes pictures of 200x100 pixels and returns their paths."""

    def pictures(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / name), IMAGE)
        return [tmp_path / name for name in names]

    return pictures


def found(box, image_id=7, category=1):
    return {"image_id": image_id, "category_id": category, "bbox": list(box), "score": 0.9}


# -- the forms ---------------------------------------------------------------------------------------------------------


def test_yolos_files_are_shares_from_the_middle_of_people_named_as_their_picture(write):
    write("0 0.5 0.5 0.2 0.4\n1 0.1 0.1 0.1 0.1\n0 0.25 0.5 0.1 0.2 0.1\n", "labels/7.txt")
    write("", "labels/8.txt")
    write("0 0.5 0.5 0.1 0.2 0.75\n", "labels/clip_3.txt")
    folder = write("person\nbicycle\n", "labels/classes.txt").parent
    for path in (folder, folder.parent):  # the folder of a run has labels/ inside
        boxes = FileBoxes(path, 0.3)
        assert boxes_of(boxes) == [[80, 30, 40, 40]] and boxes_of(boxes, "8.png") == []
        assert boxes_of(boxes, "clip.mp4", 2) == [[90, 40, 20, 20]] and boxes_of(boxes, "clip.mp4", 3) == []
        assert boxes.line.endswith("(YOLO); left out: 1 of another category, 1 below the score 0.3")
    assert boxes_of(FileBoxes(folder / "7.txt", 0.3, person=1)) == [[10, 5, 20, 10]]


def test_motchallenges_frames_count_from_1_in_videos_and_are_the_numbers_of_pictures(write):
    det = "1,-1,10,20,30,40,0.9,-1,-1,-1\n1,-1,10,20,30,40,0.1,-1,-1,-1\n2,-1,5,6,7,8,12.5,3.5,2,1\n"
    boxes = FileBoxes(write(det, "det.txt"), 0.3)
    assert boxes_of(boxes, "clip.mp4", 0) == [[10, 20, 30, 40]] == boxes_of(boxes, "000001.jpg")
    assert boxes_of(boxes, "clip.mp4", 1) == [[5, 6, 7, 8]] and boxes.count == 2 and boxes.used == 3
    truth = "1,4,10,20,30,40,1,1,1\n1,5,1,2,3,4,1,7,1\n1,6,1,2,3,4,0,1,1\n"
    assert boxes_of(FileBoxes(write(truth, "gt.txt"), 0.3), "clip.mp4", 0) == [[10, 20, 30, 40]]
    tracker = "1,4,10,20,30,40,-1,-1,-1,-1\n"
    assert boxes_of(FileBoxes(write(tracker, "tracks.txt"), 0.3), "clip.mp4", 0) == [[10, 20, 30, 40]]


@pytest.mark.parametrize(
    "text",
    [
        "image_id,x,y,w,h,score\n7,10,20,30,40,0.9\n7,1,1,9,9,0.1\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\n7.png,200,100,person,10,20,40,60\n7.png,200,100,dog,1,1,9,9\n",
        "File Name;CX;CY;W;H;Confidence\n7.png;25;40;30;40;0.9\n",
        '\ufeffframe,file_name,left,top,width,height\r\n,a/7.png,10,20,30,40\r\n\r\n3,a/7.png,1,1,9,9\r\n',
        'image\tlabel\tbbox\n7\tPerson\t"[10, 20, 30, 40]"\n7\tcat\t"[1, 2, 3, 4]"\n',
        "image_id,category_id,x1,y1,x2,y2\n7,1,10,20,40,60\n7,3,1,1,9,9\n",
    ],
)
def test_the_header_of_a_csv_file_says_how_boxes_are_written(write, text):
    boxes = FileBoxes(write(text, "boxes.csv"), 0.3)
    picture = Path("data/a/7.png") if "a/7.png" in text else Path("7.png")
    assert boxes(Frame(IMAGE, picture)).boxes.tolist() == [[10, 20, 30, 40]]
    assert "(CSV)" in boxes.line and ("3,a/7" not in text or boxes_of(boxes, "a.mp4", 3) == [[1, 1, 9, 9]])


def test_cocos_annotations_are_boxes_too(write):
    content = {
        "images": [{"id": 5, "file_name": "sub/7.png"}],
        "categories": [{"id": 0, "name": "dog"}, {"id": 2, "name": "Person"}],
        "annotations": [
            {"image_id": 5, "category_id": 2, "bbox": [1, 2, 3, 4]}, {"image_id": 5, "category_id": 0, "bbox": [5] * 4},
            {"image_id": 5, "category_id": 2, "bbox": [9] * 4, "iscrowd": 1},
        ],
    }  # fmt: skip
    boxes = FileBoxes(write(content, "instances.json"), 0.3)
    assert boxes_of(boxes, "sub/7.png") == [[1, 2, 3, 4]] and boxes_of(boxes, "7.png") == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "0 0.5 0.5 0.1\n", "line 1 has 4 numbers; expected YOLO's class, centre x, y, width, height"),
        ("a.txt", "\n0 0.1 0.1 0.2 0.2 0.3 0.3\n", "line 2 has 7 numbers; expected YOLO's"),
        ("a.txt", "0 118 25 110 165\n", "expected shares of the picture's sides, 0 to 1, found 165: of boxes in"),
        ("a.txt", "here are boxes\n", "'here are boxes' are no numbers. Forms that are read: COCO's results"),
        ("a.txt", "1,2,3\n", "line 1 has 3 numbers; expected MOTChallenge's frame, id, left"),
        ("a.txt", "1,2,3,4,5,6,nan\n", "are no numbers"),
        ("a.csv", "", "is empty: expected boxes in one of these forms"),
        ("a.csv", "image_id,a,b\n7,1,2\n", "its columns are 'image_id, a, b'; expected boxes as x, y, width, height"),
        ("a.csv", "x,y,w,h\n1,2,3,4\n", "no column says whose boxes they are; expected image_id, file_name or frame"),
        ("a.csv", "image_id,x,y,w,h\n7,1,2,3,4\n7,1,two,3,4\n", "line 3: 'two' is no number"),
        ("a.csv", "image_id,x,y,w,h\n7,1,2\n", "line 2 has 3 cells; expected 5, as the header has"),
        ("a.csv", "image_id,bbox\n7,nobody\n", "detection 1 of 1: a box of 'nobody'"),
        ("a.csv", "image_id,x,y,w,h\n7,1,nan,3,4\n", "detection 1 of 1: a box of"),
        ("a.csv", "image_id,label,x,y,w,h\n7,cat,1,2,3,4\n", "of category 'cat' (1): give --person-label N"),
        ("a.json", "0 0.5 0.5 0.1 0.1\n", "is not valid JSON"),
        ("a.json", '{"images": 1, "annotations": []}', "images, annotations, categories: expected lists of objects"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_that_says_what_can(write, name, text, said):
    with pytest.raises(UserError) as caught:
        FileBoxes(write(text, name), 0.3)
    assert said in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


def test_a_binary_file_and_an_empty_folder_are_named(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\x00\xff\xfe" * 9)
    with pytest.raises(UserError, match=r"a\.bin is no text: expected boxes in one of these forms"):
        FileBoxes(tmp_path / "a.bin", 0.3)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no \.txt file is there: expected YOLO's"):
        FileBoxes(tmp_path / "empty", 0.3)


# -- boxes that cannot be meant ----------------------------------------------------------------------------------------


def test_shares_of_the_picture_are_refused_unless_they_are_said_to_be_shares(write):
    path = write([found([0.5, 0.2, 0.4, 0.7]), found([0, 0, 1, 1])], "boxes.json")
    with pytest.raises(UserError, match=r"all 2 boxes are between 0 and 1, .*: give --bbox-unit share"):
        FileBoxes(path, 0.3)
    assert boxes_of(FileBoxes(path, 0.3, unit="share")) == [[100, 20, 80, 70], [0, 0, 200, 100]]
    assert FileBoxes(path, 0.3, unit="pixel").count == 2
    with pytest.raises(UserError, match="--bbox: the box is between 0 and 1"):
        GivenBoxes([(0.5, 0.2, 0.4, 0.7)])
    shares = GivenBoxes([(0.5, 0.5, 0.2, 0.4)], BoxReading().given("cxcywh", "share"))
    assert np.allclose(boxes_of(shares), [[80, 30, 40, 40]])
    with pytest.raises(UserError, match="--bbox: expected shares of the picture's sides, 0 to 1, found 90: of"):
        GivenBoxes([(0.5, 0.2, 90, 0.7)], BoxReading().given(None, "share"))
    mixed = write([found([0.5, 0.2, 0.4, 0.7]), found([10, 20, 30, 40])], "mixed.json")
    assert FileBoxes(mixed, 0.3).count == 2  # a person of less than a pixel does no harm


CORNERS = [(20, 10, 60, 90), (110, 20, 150, 95), (150, 5, 190, 80), (90, 40, 120, 99), (60, 50, 99, 98), (5, 5, 20, 40)]


def test_corners_are_refused_before_anything_is_written_unless_they_are_said_to_be_corners(write, pictures):
    paths = pictures("7.png")
    path = write([found(box) for box in CORNERS], "boxes.json")
    said = r"boxes\.json: 4 of 6 boxes reach far beyond their picture: they look like x1 y1 x2 y2: give --bbox-format x"
    for arguments in ((paths,), ([], (200, 100))):
        with pytest.raises(UserError, match=said):
            FileBoxes(path, 0.3).prepare(*arguments)
        FileBoxes(path, 0.3, form="xywh").prepare(*arguments)
        FileBoxes(path, 0.3).prepare(pictures("8.png"))  # of other pictures
    corners = FileBoxes(path, 0.3, form="xyxy")
    corners.prepare(paths)
    assert boxes_of(corners)[:2] == [[20, 10, 40, 80], [110, 20, 40, 75]]
    with pytest.raises(UserError, match="--bbox: the box reaches far beyond"):
        GivenBoxes([(110, 20, 195, 95)]).prepare(paths)
    GivenBoxes([(110, 20, 195, 95)], BoxReading().given("xywh", None)).prepare(paths)


def test_a_few_boxes_that_may_be_corners_are_taken_with_a_line(pictures):
    for box, count in (((60, 20, 170, 80), 1), ((20, 20, 100, 60), 0), ((90, 20, 85, 90), 0)):
        boxes = GivenBoxes([box])
        boxes.prepare(pictures("7.png"))
        said = "=> WARNING: --bbox: boxes reach beyond their picture; if they are x1 y1 x2 y2, give --bbox-format xyxy"
        assert boxes.remarks() == [said] * count


def test_width_and_height_that_are_said_to_be_corners_are_refused(write):
    path = write([found(box) for box in ((100, 20, 40, 70), (50, 30, 20, 60), (10, 10, 30, 80))], "boxes.json")
    with pytest.raises(UserError, match="2 of 3 boxes have no area, read as x1 y1 x2 y2: give another --bbox-format"):
        FileBoxes(path, 0.3, form="xyxy")
    with pytest.raises(UserError, match="--bbox.*: expected X1 Y1 X2 Y2 in pixels, width and height above 0"):
        GivenBoxes([(100, 20, 40, 70)], BoxReading().given("xyxy", None))


@pytest.mark.parametrize("unit", [None, "share"])
def test_middles_are_told_by_many_boxes(write, pictures, unit):
    scale = np.array([1 / 200, 1 / 100] * 2) if unit else 1
    middles = [(x, y, 60, 70) for x in (40, 70, 100, 130, 160) for y in (45, 55)]
    middles += [(100, 50, 150, 90), (20, 20, 20, 20)]
    path = write([found((np.array(box) * scale).tolist()) for box in middles], "boxes.json")
    with pytest.raises(UserError, match="look like centre x y, width, height: give --bbox-format cxcywh"):
        FileBoxes(path, 0.3, unit=unit).prepare(pictures("7.png"))
    FileBoxes(path, 0.3, unit=unit, form="cxcywh").prepare(pictures("7.png"))


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        ((0, 0), "its categories are numbered from 0: it has boxes of category 0 (2): give --person-label N"),
        ((0, 1), "its categories are numbered from 0: it has boxes of category 0 (1), 1 (1): give"),
        (([1], {}), "none of its boxes is of the category that is wanted: it has boxes of category '[1]' (1), '{}'"),
        ((2, 3), "none of its boxes is of the category that is wanted: it has boxes of category 2 (1), 3 (1): give"),
    ],
)
def test_categories_that_are_not_cocos_are_refused_before_a_bicycle_is_a_person(write, categories, said):
    path = write([found((10, 20, 30, 40), category=category) for category in categories], "boxes.json")
    with pytest.raises(UserError) as caught:
        FileBoxes(path, 0.3)
    assert said in str(caught.value)
    if 0 in categories:
        assert FileBoxes(path, 0.3, person=0).count == categories.count(0)


# -- whose boxes they are ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image_id", "names"),
    [
        (1, ("a/1.png", "b/1.png")), ("1.png", ("a/1.png", "b/1.png")), (1, ("1.png", "01.png")),
        ("1", ("1.png", "1.jpg")),
    ],  # fmt: skip
)
def test_an_image_id_that_fits_several_pictures_is_refused(write, pictures, image_id, names):
    paths = pictures(*names)
    boxes = FileBoxes(write([found((10, 20, 30, 40), image_id)], "boxes.json"), 0.3)
    with pytest.raises(UserError, match=r"boxes\.json: the image_id 1.* fits several pictures: .*1.*, .*1.*; give the"):
        boxes.prepare(paths)
    boxes.prepare(paths[:1])


@pytest.mark.parametrize("image_id", ["b/1.png", "b/1", "./b/1.png", "b\\1.png", "c/../b/1.png"])
def test_a_path_as_image_id_tells_pictures_of_one_name_apart(write, pictures, image_id):
    first, second = pictures("a/1.png", "b/1.png")
    boxes = FileBoxes(write([found((10, 20, 30, 40), image_id)], "boxes.json"), 0.3)
    boxes.prepare([first, second])
    assert boxes(Frame(IMAGE, first)).boxes.tolist() == []
    assert boxes(Frame(IMAGE, second)).boxes.tolist() == [[10, 20, 30, 40]]


def test_a_relative_path_of_the_command_line_is_found_by_an_absolute_image_id(write, pictures, tmp_path, monkeypatch):
    (path,) = pictures("a/1.png")
    monkeypatch.chdir(tmp_path / "a")
    boxes = FileBoxes(write([found((10, 20, 30, 40), str(path))], "boxes.json"), 0.3)
    assert len(boxes(Frame(IMAGE, Path("1.png")))) == 1
