"""Each finding of a data set's check on a drawn data set with that fault planted, in MPII's and in COCO's form."""

import json
import shutil
import zipfile

import cv2
import numpy as np
import postures
import pytest
import toy

from lib.config.config import read_config
from lib.core.skeletons import MPII, Skeleton
from lib.dataset.annotations.mpii import read_mpii
from lib.dataset.build import read_persons
from lib.dataset.checks.check import check_persons
from lib.dataset.checks.left_right import facing_share, swap_gains
from lib.dataset.checks.report import check_lines, draw_persons, evenly_spread, suspicious
from lib.dataset.checks.set_sides import refuse_or_warn
from lib.dataset.joints_dataset import Persons, missing_pictures
from lib.dataset.synthetic.pictures import write_dataset
from lib.utils.errors import UserError
from lib.utils.image import picture_size

COCO_FORM = {"DATASET.DATASET": "coco", "DATASET.SKELETON.NAME": "mpii"}


class PlantedSet:
    """The toy's training set, to spoil: `records` in MPII's form, `check()` in the form that the test is about."""

    def __init__(self, folder, drawn, form):
        self.data, self.form = shutil.copytree(drawn, folder / "data"), form
        self.experiment = toy.write_experiment(folder, self.data)
        self.records = json.loads((self.data / "annot" / "train.json").read_text())
        if form == "coco":
            (self.data / "images").rename(self.data / "train")
            (self.data / "images").mkdir()
            (self.data / "train").rename(self.data / "images" / "train")

    def picture(self, index):
        folder = self.data / "images" / ("train" if self.form == "coco" else "")
        return folder / self.records[index]["image"]

    def zip(self):
        archive = self.data / "images" / "train.zip" if self.form == "coco" else self.data / "images.zip"
        inside = "" if self.form == "coco" else "images/"
        with zipfile.ZipFile(archive, "w") as file:
            for path in self.picture(0).parent.glob("*.jpg"):
                file.write(path, inside + path.name)
        shutil.rmtree(self.picture(0).parent)

    def persons(self, overrides=None):
        if self.form == "mpii":
            (self.data / "annot" / "train.json").write_text(json.dumps(self.records))
        else:
            (self.data / "annotations").mkdir()
            path = self.data / "annotations" / "person_keypoints_train.json"
            path.write_text(json.dumps(coco_form(self.records)))
        form = COCO_FORM if self.form == "coco" else {}
        return read_persons(read_config(self.experiment, {**form, **(overrides or {})}), training=True)

    def check(self, overrides=None):
        return check_persons(self.persons(overrides), MPII)

    def findings(self, overrides=None):
        return {finding.name: finding for finding in self.check(overrides).findings}


def coco_form(records):
    """MPII's records as the content of a COCO file: a box from center and scale, joints 0-based."""
    names = list(dict.fromkeys(record["image"] for record in records))
    annotations = []
    for number, record in enumerate(records, 1):
        side, joints = 200 * record["scale"], np.array(record["joints"]) - 1
        seen = np.array(record["joints_vis"])[:, None]
        keypoints = np.hstack([joints * seen, 2 * seen])  # zeros where there is no joint, as in COCO
        annotations.append({
            "id": number, "image_id": names.index(record["image"]), "category_id": 1, "iscrowd": 0,
            "bbox": [record["center"][0] - 1 - side / 2, record["center"][1] - 1 - side / 2, side, side],
            "keypoints": keypoints.ravel().tolist(),
        })  # fmt: skip
    images = [{"id": at, "file_name": name, "width": 120, "height": 120} for at, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


@pytest.fixture(params=["mpii", "coco"])
def planted(request, tmp_path, drawn):
    return PlantedSet(tmp_path, drawn, request.param)


@pytest.fixture
def planted_mpii(tmp_path, drawn):
    return PlantedSet(tmp_path, drawn, "mpii")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """60 drawn persons of many poses."""
    folder = tmp_path_factory.mktemp("people") / "data"
    write_dataset(folder, 60, 1, seed=3, picture_size=(100, 100), persons_per_picture=(1, 1))
    return read_mpii(folder, "train")


def exchange(joints, name):
    """A copy of joints (N, K, 2) with left and right `name` exchanged."""
    pair = MPII.indices_of([f"left_{name}", f"right_{name}"])
    joints = joints.copy()
    joints[:, pair] = joints[:, pair[::-1]]
    return joints


# -- nothing wrong ---------------------------------------------------------------------------------------------------


def test_a_clean_set_has_no_findings_and_is_counted(planted):
    check = planted.check()
    assert check.findings == []
    assert (len(check.persons), check.pictures) == (8, 8)
    assert check.joint_counts.tolist() == np.sum([record["joints_vis"] for record in planted.records], axis=0).tolist()
    assert (check.sizes == 120).all() and check.drawable.all()


def test_pictures_in_an_archive_are_looked_at_too(planted):
    name = planted.records[3]["image"]
    planted.picture(3).write_bytes(planted.picture(3).read_bytes()[:-300])
    planted.picture(5).unlink()
    planted.zip()
    findings = planted.findings({"DATASET.DATA_FORMAT": "zip"})
    assert findings.keys() == {"missing", "unreadable"}
    assert f"{name} is truncated" in findings["unreadable"].examples[0]
    assert findings["missing"].examples == [planted.records[5]["image"]]


# -- pictures --------------------------------------------------------------------------------------------------------


def test_missing_pictures_are_counted_once_and_named(planted):
    planted.records.append({**planted.records[2], "center": [30, 30]})
    planted.picture(2).unlink()
    check = planted.check()
    (finding,) = check.findings
    assert finding.line() == f"1 of 8 (12.5%) pictures are missing: {planted.records[2]['image']}"
    assert check.drawable.tolist() == [index not in (2, 8) for index in range(9)]


def test_a_missing_folder_is_a_finding(planted):
    shutil.rmtree(planted.picture(0).parent)
    finding = planted.findings()["missing"]
    assert finding.count == 8
    assert f"(there is no {planted.picture(0).parent})" in finding.line()


@pytest.mark.parametrize("content", [None, b"not an archive"], ids=["missing", "broken"])
def test_an_archive_that_cannot_be_opened_is_a_finding(planted, content):
    archive = planted.data / ("images/train.zip" if planted.form == "coco" else "images.zip")
    if content:
        archive.write_bytes(content)
    finding = planted.findings({"DATASET.DATA_FORMAT": "zip"})["missing"]
    assert finding.count == 8
    assert ("there is no" in finding.line()) == (content is None)


@pytest.mark.parametrize(("spoil", "complaint"), [
    (lambda content: b"", "cannot be read"),
    (lambda content: b"<html>404</html>", "cannot be read"),
    (lambda content: content[:-300], "is truncated"),
], ids=["empty", "no picture", "truncated"])  # fmt: skip
def test_unreadable_pictures_are_named(planted, spoil, complaint):
    path = planted.picture(4)
    path.write_bytes(spoil(path.read_bytes()))
    (finding,) = planted.check().findings
    assert (finding.name, finding.count, finding.total) == ("unreadable", 1, 8)
    assert f"{path.name} {complaint}" in finding.examples[0]


def test_the_size_comes_width_first_from_a_file_or_an_archive(data_folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(data_folder / "picture.png", "in/picture.png")
    size = picture_size(data_folder / "picture.png")
    header = (data_folder / "picture.png").read_bytes()[16:24]
    assert size == (int.from_bytes(header[:4], "big"), int.from_bytes(header[4:], "big"))
    assert picture_size(f"{tmp_path}/a.zip@in/picture.png") == size
    with pytest.raises(UserError, match=r"cannot read the picture .*no\.png"):
        picture_size(f"{tmp_path}/a.zip@in/no.png")


def test_missing_pictures_come_in_their_order(tmp_path, data_folder):
    there = str(data_folder / "picture.png")
    names = [f"{tmp_path}/{name}" for name in ("b.jpg", "a.jpg", "b.jpg", "none.zip@c.jpg")]
    assert missing_pictures([there, *names, there]) == [names[0], names[1], names[3]]


# -- joints ----------------------------------------------------------------------------------------------------------


def test_joints_outside_their_picture_come_worst_first(planted):
    for index, place in ((2, [150.0, 60.0]), (5, [40.0, -99.0])):
        planted.records[index]["joints"][9], planted.records[index]["joints_vis"][9] = place, 1
    finding = planted.findings()["outside"]
    assert (finding.count, finding.rows) == (2, [5, 2])
    assert finding.total == sum(sum(record["joints_vis"]) for record in planted.records)
    assert finding.examples[0] == f"{planted.records[5]['image']} (person 6) head_top at 39 -100 in 120x120"


def test_a_joint_on_the_border_or_outside_without_being_annotated_is_fine(planted):
    planted.records[2]["joints"][9], planted.records[2]["joints_vis"][9] = [0.5, 121.0], 1
    planted.records[3]["joints"][9], planted.records[3]["joints_vis"][9] = [500.0, 500.0], 0
    assert "outside" not in planted.findings()


def test_joints_that_are_never_annotated_are_flagged(planted):
    for record in planted.records:
        record["joints_vis"][6] = 0
    check = planted.check()
    (finding,) = check.findings
    assert finding.line() == "1 of 16 (6.2%) joints are never annotated: pelvis"
    (row,) = [line for line in check_lines(check, MPII) if line.startswith("   pelvis")]
    assert row.split() == ["pelvis", "0", "0.0", "never", "annotated"]


def test_persons_without_a_joint_are_named_or_left_out(planted):
    planted.records[6]["joints_vis"] = [0] * 16
    check = planted.check()
    if planted.form == "mpii":
        (finding,) = check.findings
        assert (finding.name, finding.rows) == ("no joint", [6])
    else:  # as in COCO itself, where many persons have none
        assert check.findings == [] and "1 without a joint" in check_lines(check, MPII)[1]


# -- boxes -----------------------------------------------------------------------------------------------------------


def test_boxes_that_are_too_small_are_named_with_their_pixels(planted):
    planted.records[1] |= {"scale": 10 / 200, "center": [61, 61]}
    (finding,) = planted.check().findings
    assert (finding.name, finding.rows) == ("small box", [1])
    assert "below 16 px on their longer side" in finding.line()
    assert finding.examples[0].startswith(f"{planted.records[1]['image']} (person 2) 55 55 ")


def test_boxes_outside_their_picture_are_found(planted):
    planted.records[1]["center"] = [500, 60]
    (finding,) = planted.check().findings
    if planted.form == "mpii":
        assert (finding.name, finding.rows) == ("box outside", [1])
    else:  # the reader cuts boxes at the border, and leaves out what is empty then
        left_out = "annotations have no box in their picture, left out: annotation 2"
        assert finding.line() == f"1 of 8 (12.5%) {left_out}"


def test_boxes_of_no_area_are_found(planted_mpii):
    persons = planted_mpii.persons()
    persons.boxes[2, 2] = 0
    check = check_persons(persons, MPII)
    (finding,) = check.findings
    assert (finding.name, finding.rows) == ("no area", [2])
    assert not check.drawable[2]


def test_persons_annotated_twice_are_counted(planted):
    first = planted.records[0]
    moved = {**first, "center": [first["center"][0] + 1, first["center"][1]]}
    elsewhere = {**first, "image": planted.records[1]["image"]}
    planted.records += [moved, elsewhere, {**first, "center": [first["center"][0] + 15, first["center"][1]]}]
    finding = planted.findings()["twice"]
    assert (finding.count, finding.rows) == (1, [8])


# -- left and right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "least"), [("wrist", 0.95), ("elbow", 0.95), ("shoulder", 0.9), ("knee", 0.6)])
def test_exchanged_joints_of_drawn_people_are_found_and_no_others(people, name, least):
    assert not swap_gains(people.joints, people.visible, MPII).any()
    seen = (people.visible > 0).all(axis=1)
    chosen = seen & (np.arange(60) % 3 == 0)
    joints = np.where(chosen[:, None, None], exchange(people.joints, name), people.joints)
    gains = swap_gains(joints, people.visible, MPII)
    assert not gains[~chosen].any()
    found = gains[chosen].any(axis=1)
    assert found.mean() >= least and chosen.sum() > 10
    pairs = [MPII.joints[MPII.flip_pairs[row.argmax()][0]] for row in gains[chosen][found]]
    assert pairs.count(f"right_{name}") >= 0.9 * len(pairs)


def test_few_of_mpiis_own_persons_look_exchanged_and_most_exchanged_arms_are_found(shared):
    persons = read_mpii(shared / "data" / "mpii_val", "valid")
    gains = swap_gains(persons.joints, persons.visible, MPII)
    assert gains.any(axis=1).mean() == pytest.approx(0.0057, abs=0.0002)
    assert facing_share(persons.joints, persons.visible, MPII) == (pytest.approx(0.725, abs=0.001), 2954)
    whole = persons.visible.all(axis=1)
    extent = np.ptp(persons.joints, axis=1).max(axis=1)
    for name, least in (("wrist", 0.8), ("elbow", 0.85), ("knee", 0.5)):
        left, right = MPII.indices_of([f"left_{name}", f"right_{name}"])
        column = MPII.flip_pairs.index(tuple(sorted((left, right))))
        apart = whole & (np.linalg.norm(persons.joints[:, left] - persons.joints[:, right], axis=1) > 0.15 * extent)
        planted = swap_gains(exchange(persons.joints, name), persons.visible, MPII)
        assert (planted[apart, column] > 0).mean() > least, (planted[apart, column] > 0).mean()


def test_a_swap_is_one_finding_with_the_pair_that_gains_most(planted):
    wrists = MPII.indices_of(["left_wrist", "right_wrist"])
    whole = [index for index, record in enumerate(planted.records) if all(record["joints_vis"])]
    joints = planted.records[whole[0]]["joints"]
    joints[wrists[0]], joints[wrists[1]] = joints[wrists[1]], joints[wrists[0]]
    (finding,) = planted.check().findings
    assert (finding.name, finding.count, finding.rows) == ("swapped", 1, [whole[0]])
    assert finding.examples[0].endswith(f"(person {whole[0] + 1}) right_wrist/left_wrist")


def test_limbs_worked_out_on_paper():
    """Elbows at x 0 and 10, wrists 4 below them; exchanged, each forearm is as long as the diagonal of 10 by 4."""
    skeleton = Skeleton("arms", ("left_elbow", "right_elbow", "left_wrist", "right_wrist"),
                        (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")))  # fmt: skip
    crossed = np.array([[[0, 0], [10, 0], [10, 4], [0, 4]]], dtype=float)
    expected = (2 * 116**0.5 - 8) / 10
    np.testing.assert_allclose(swap_gains(crossed, np.ones((1, 4)), skeleton), [[expected, expected]])
    assert not swap_gains(crossed[:, [0, 1, 3, 2]], np.ones((1, 4)), skeleton).any()
    assert not swap_gains(crossed, np.array([[1, 1, 1, 0]]), skeleton).any()  # half of it cannot be seen
    assert not swap_gains(crossed, np.ones((1, 4)), Skeleton("no limbs", skeleton.joints)).any()


@pytest.mark.parametrize("check_sides", [True, False])
def test_a_set_that_training_refuses_is_a_finding_with_the_same_words_unless_sides_are_not_checked(check_sides):
    joints, visible = postures.people(MPII, 250)
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        joints = exchange(joints, name)
    boxes, ones = np.full((250, 4), 10.0), np.ones((250, 2))
    persons = Persons(["nowhere.jpg"] * 250, ones, ones, joints, visible, boxes)
    lines = [each.line() for each in check_persons(persons, MPII, check_sides).findings if each.name == "facing"]
    if check_sides:
        with pytest.raises(UserError) as refusal:
            refuse_or_warn(persons.joints, visible, MPII, "train.json")
        assert lines == [f"250 of 250 (100.0%) {str(refusal.value).partition(' of 250 ')[2]}"]
        assert lines[0].endswith("DATASET.CHECK_SIDES false")
    else:
        assert lines == []


@pytest.mark.parametrize(("peaks", "count"), [([3000, 4095], 2), ([3000, 40000], 0), ([200], 1)])
def test_pictures_that_use_few_of_their_16_bits_are_one_finding(tmp_path, peaks, count):
    """Twelve bits stored in sixteen; where one picture is bright, the others are nights. 8 bits are not looked at."""
    pictures = []
    for number, peak in enumerate(peaks):
        pictures.append(str(tmp_path / f"{number}.png"))
        cv2.imwrite(pictures[-1], np.full((20, 20), peak, np.uint16))
    pictures.append(str(tmp_path / "dark.png"))
    cv2.imwrite(pictures[-1], np.full((20, 20, 3), 5, np.uint8))
    size = len(pictures)
    joints, visible = np.full((size, 16, 2), 9.0), np.ones((size, 16))
    persons = Persons(pictures, np.zeros((size, 2)), np.ones((size, 2)), joints, visible, np.full((size, 4), 18.0))
    lines = [each.line() for each in check_persons(persons, MPII).findings if each.name == "16 bits"]
    assert len(lines) == bool(count)
    if count:
        assert lines[0].startswith(f"{count} of {size} ") and f"no value above {max(peaks)}: it is read as" in lines[0]


def test_the_side_of_a_joint_comes_from_its_name_where_it_has_one():
    joints, visible = np.array([[[9, 0], [1, 0]]], dtype=float), np.ones((1, 2))
    for names in (("left_eye", "right_eye"), ("eye_left", "eye_right"), ("LEye", "REye")):
        assert facing_share(joints, visible, Skeleton("own", names, mirror_pairs=(names,))) == (1.0, 1)
        swapped = Skeleton("own", names[::-1], mirror_pairs=(names,))
        assert facing_share(joints, visible, swapped) == (0.0, 1)
    assert facing_share(joints, visible, Skeleton("own", ("a", "b"), mirror_pairs=(("a", "b"),))) == (None, 0)


# -- drawing ---------------------------------------------------------------------------------------------------------


def test_drawn_persons_are_spread_evenly_and_skip_what_cannot_be_drawn(planted):
    planted.picture(0).unlink()
    check = planted.check()
    assert list(evenly_spread(check, 3)) == [1, 4, 7]
    assert list(evenly_spread(check, 99)) == list(range(1, 8))
    assert evenly_spread(check, 0) == {}


def test_suspicious_persons_come_of_each_finding_in_turn_with_their_reasons(planted_mpii):
    for index in (1, 2, 3):
        planted_mpii.records[index] |= {"scale": 10 / 200, "center": [61, 61]}
    planted_mpii.records[3]["joints_vis"] = [0] * 16
    planted_mpii.records[6]["joints_vis"] = [0] * 16
    captions = suspicious(planted_mpii.check(), 4)
    assert captions == {3: "4 no joint, small box", 1: "2 small box", 6: "7 no joint", 2: "3 small box"}


def test_a_picture_that_cannot_be_decoded_is_not_drawn_but_told(planted_mpii, tmp_path):
    content = bytearray(planted_mpii.picture(1).read_bytes())
    content[163:-2] = bytes(len(content) - 165)  # the header, then nothing that could be decoded
    check = planted_mpii.check()
    planted_mpii.picture(1).write_bytes(content)
    drawn, finding = draw_persons(tmp_path / "grid.jpg", check, {0: "1", 1: "2"}, MPII, (64, 64))
    assert drawn == {0: "1"} and finding.count == 1
    width, height = picture_size(tmp_path / "grid.jpg")
    assert width == 320 + 2 * 6 and height > 320 + 2 * 6  # one crop and its border; above it a caption, below a legend
