"""SLEAP's and NWB's files, written by sleap-io and read into this project's form."""

import sys

import cv2
import numpy as np
import pytest

from lib.dataset.preparation.import_forms import read_source
from lib.utils.errors import UserError

NAMES = ("nose", "earL", "earR", "tail")


@pytest.fixture
def sio():
    return pytest.importorskip("sleap_io")


def pictures(folder, count=4):
    folder.mkdir()
    paths = [str(folder / f"p{number}.png") for number in range(count)]
    for number, path in enumerate(paths):
        cv2.imwrite(path, np.full((60, 80, 3), 20 * number, np.uint8))
    return paths


def film(path, first):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (80, 64))
    for number in range(6):
        writer.write(np.full((64, 80, 3), first + 20 * number, np.uint8))
    writer.release()


@pytest.fixture
def labels_of(sio):
    """(Labels, points (F, 4, 2)) of videos with labelled frames {video: frame numbers}."""

    def labels_of(frames, predicted=False):
        skeleton = sio.Skeleton(list(NAMES), edges=[("nose", "tail")], symmetries=[("earR", "earL")], name="mouse")
        draw, found, track = np.random.default_rng(0), [], sio.Track("m1")
        for video, numbers in frames.items():
            for number in numbers:
                points = draw.uniform(5, 55, (4, 2))
                points[3] = np.nan
                kind = sio.PredictedInstance if predicted else sio.Instance
                instance = kind.from_numpy(points, skeleton=skeleton, track=track)
                instance["earL"]["visible"] = False  # hidden, and where it must be
                found.append(sio.LabeledFrame(video=video, frame_idx=number, instances=[instance]))
        return sio.Labels(found)

    return labels_of


def read(path, form="sleap", images=None):
    own, *_, folder, lines = read_source(path, form, images, path.parent / "out", 0.5, None)
    return own, folder, lines


def keypoints(own):
    return np.array([record["keypoints"] for record in own.content["annotations"]]).reshape(-1, 4, 3)


def test_labelled_pictures_keep_points_hidden_ones_limbs_and_pairs(sio, labels_of, tmp_path):
    labels = labels_of({sio.Video.from_filename(pictures(tmp_path / "p")): (0, 2)})
    labels.save(str(tmp_path / "a.slp"))
    own, folder, _ = read(tmp_path / "a.slp")
    expected = np.array([frame.instances[0].points["xy"] for frame in labels])
    assert np.abs(keypoints(own)[:, :3, :2] - expected[:, :3]).max() < 0.01
    assert keypoints(own)[:, :, 2].tolist() == [[2, 1, 2, 0]] * 2
    assert own.joints == NAMES and own.limbs == (("nose", "tail"),) and own.pairs == (("earL", "earR"),)
    assert own.categories == ("mouse",) and own.content["annotations"][0]["track_id"] == 0
    assert [image["file_name"] for image in own.content["images"]] == ["p0.png", "p2.png"] and folder == tmp_path / "p"


@pytest.mark.parametrize("ending", ["slp", "nwb"])
def test_frames_of_films_are_written_as_pictures(sio, labels_of, tmp_path, ending):
    for day in range(2):
        film(tmp_path / f"day{day}.mp4", 50 * day)
    videos = [sio.Video.from_filename(str(tmp_path / f"day{day}.mp4")) for day in range(2)]
    sio.save_file(labels_of({videos[0]: (1, 3), videos[1]: (5,)}), str(tmp_path / f"a.{ending}"))
    own, folder, lines = read(tmp_path / f"a.{ending}", {"slp": "sleap"}.get(ending, ending))
    means = {path.relative_to(folder).as_posix(): cv2.imread(str(path)).mean() for path in folder.rglob("*.png")}
    expected = {"day0/000001.png": 20, "day0/000003.png": 60, "day1/000005.png": 150}
    assert means == pytest.approx(expected, abs=6)
    assert {image["file_name"] for image in own.content["images"]} == set(expected)
    assert any(line.startswith("=> 3 frames of videos written to") for line in lines)


def test_pictures_inside_the_file_are_written_out(sio, labels_of, tmp_path):
    labels = labels_of({sio.Video.from_filename(pictures(tmp_path / "clip")): (1, 3)})
    labels.save(str(tmp_path / "a.pkg.slp"), embed="all", verbose=False)
    for path in (tmp_path / "clip").iterdir():
        path.unlink()
    _, folder, _ = read(tmp_path / "a.pkg.slp")
    assert sorted(int(cv2.imread(str(path)).mean()) for path in folder.rglob("*.png")) == [20, 60]


def test_predictions_alone_are_taken_with_a_warning(sio, labels_of, tmp_path):
    labels = labels_of({sio.Video.from_filename(pictures(tmp_path / "p")): (0, 2)}, predicted=True)
    labels.save(str(tmp_path / "a.slp"))
    assert read(tmp_path / "a.slp")[2][0] == "=> WARNING: no frame is labelled by hand: predicted instances are taken"


def test_a_film_that_is_gone_is_named_and_nothing_is_written(sio, labels_of, tmp_path):
    film(tmp_path / "day.mp4", 0)
    labels_of({sio.Video.from_filename(str(tmp_path / "day.mp4")): (1, 3)}).save(str(tmp_path / "a.slp"))
    (tmp_path / "day.mp4").unlink()
    with pytest.raises(UserError, match="its video .*day.mp4 is not there"):
        read(tmp_path / "a.slp")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["sleap", "nwb"])
def test_a_damaged_file_is_one_line(sio, tmp_path, form):
    (tmp_path / "a.slp").write_bytes(b"no file of theirs")
    with pytest.raises(UserError, match=f"a.slp cannot be read as {form}: "):
        read(tmp_path / "a.slp", form)


def test_without_the_package_the_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sleap_io", None)
    with pytest.raises(UserError, match="pip install -r requirements/import.txt"):
        read(tmp_path / "a.slp")
