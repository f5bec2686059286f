"""DATASET.CACHE crops: the same samples, written once, whole or not at all, by one run, for what it depends on."""

import errno
import fcntl
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.config.config import read_config
from lib.core.skeletons import MPII
from lib.dataset.augment import Augmentation
from lib.dataset.build import build_dataset, build_loader
from lib.dataset.crop_cache import writer as cache_writer
from lib.dataset.crop_cache.cache import CropCache, open_cache
from lib.dataset.crop_cache.plan import cache_key, make_plan
from lib.dataset.crop_cache.writer import Journal, PictureWriter
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings
from lib.utils.errors import RunError, UserError

PICTURES, PERSONS = 9, 14
SMALL = {"image_size": (32, 32), "heatmap_size": (8, 8)}


@pytest.fixture
def root(tmp_path):
    """A data folder of drawn pictures in MPII's form, some with several persons."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (root / "annot").mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        image = cv2.resize(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8), (161, 121))
        (root / "images" / f"{number}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
    records = []
    for row in range(PERSONS):
        center, scale = rng.uniform((20, 20), (140, 100)), rng.uniform(0.1, 0.8)
        person = {"image": f"{row % PICTURES}.jpg", "center": center.tolist(), "scale": scale, "joints_vis": [1] * 16}
        records.append({**person, "joints": (center + rng.uniform(-30, 30, (16, 2))).tolist()})
    for name in ("train", "valid"):
        (root / "annot" / f"{name}.json").write_text(json.dumps(records))
    return root


def dataset_of(root, **settings):
    """A JointsDataset of the drawn persons, without a cache."""
    path = root.parent / "x.yaml"
    path.write_text(f"DATASET: {{ROOT: '{root}'}}\nMODEL: {{IMAGE_SIZE: [32, 32], EXTRA: {{HEATMAP_SIZE: [8, 8]}}}}")
    dataset = build_dataset(read_config(path), training=True)
    return JointsDataset(dataset.persons, MPII, replace(dataset.settings, **settings))


def cached(dataset, root, workers=0, said=None):
    said = [] if said is None else said
    cache = open_cache(dataset, root, "train", workers, said.append)
    return JointsDataset(dataset.persons, dataset.skeleton, dataset.settings, cache)


def assert_same_samples(first, second, epochs=4):
    assert len(first) == len(second) > 0
    for key in [(epoch, index) for epoch in range(epochs) for index in range(len(first))]:
        for name, value in first[key].items():
            np.testing.assert_array_equal(second[key][name], value)


def count_pictures(monkeypatch):
    """The list of picture numbers that are written from now on."""
    written, original = [], PictureWriter.__getitem__
    monkeypatch.setattr(PictureWriter, "__getitem__", lambda self, number: (
        written.append(number), original(self, number))[1])  # fmt: skip
    return written


def names_in(root):
    return sorted(path.suffix for path in (root / "cache").iterdir())


# -- what is in it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("reduced", [False, True])
def test_samples_are_those_without_a_cache(root, reduced, workers):
    dataset = dataset_of(root, decode_reduced=reduced)
    with_cache = cached(dataset, root, workers)
    reductions = {with_cache.cache[index].reduction for index in range(PERSONS)}
    assert reductions == ({1, 2} if reduced else {1})
    assert_same_samples(dataset, with_cache)
    assert names_in(root) == [".bin", ".npz"]


def test_samples_of_half_bodies_and_of_an_archive_are_those_without_a_cache(root):
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        for path in (root / "images").iterdir():
            archive.write(path, f"images/{path.name}")
    dataset = dataset_of(root, augmentation=Augmentation(0.3, 40, half_body=0.6), decode_reduced=True)
    pictures = [f"{root}/images.zip@images/{path.rpartition('/')[2]}" for path in dataset.persons.pictures]
    dataset = JointsDataset(replace(dataset.persons, pictures=pictures), MPII, dataset.settings)
    shutil.rmtree(root / "images")
    assert_same_samples(dataset, cached(dataset, root))


def test_it_is_written_once_and_read_by_later_runs(root, monkeypatch):
    written, said = count_pictures(monkeypatch), []
    first = cached(dataset_of(root), root, said=said)
    assert sorted(written) == list(range(PICTURES))
    assert len(said) == 1 and "MB for 14 persons in 9 pictures" in said[0]
    assert_same_samples(first, cached(dataset_of(root), root, said=said))
    assert len(written) == PICTURES and len(said) == 1


def test_persons_whose_parts_overlap_share_a_block_and_distant_ones_do_not(root):
    def plan_of(*centers):
        count = len(centers)
        persons = Persons([str(root / "images" / "0.jpg")] * count, np.array(centers, float), np.full((count, 2), 0.1),
                          np.zeros((count, 16, 2)), np.ones((count, 16)))  # fmt: skip
        return make_plan(JointsDataset(persons, MPII, SampleSettings(**SMALL)))

    together = plan_of((50, 50), (55, 52))
    assert len(together.box) == 1 and together.block_of.tolist() == [0, 0]
    # 20 px and two pixels of margin on each side; pixel 70 is the last one within
    assert together.box[0].tolist() == [40 - 2, 40 - 2, 65 + 3, 62 + 3]
    assert together.total == 30 * 27 * 3
    assert plan_of((20, 20), (140, 100)).block_of.tolist() == [0, 1]


def test_a_copy_for_another_process_is_its_name_alone(root):
    with_cache = cached(dataset_of(root), root)
    assert len(pickle.dumps(with_cache.cache)) < 500
    assert_same_samples(with_cache, pickle.loads(pickle.dumps(with_cache)), epochs=1)


# -- what it depends on ----------------------------------------------------------------------------------------------


def touch(root):
    os.utime(root / "images" / "3.jpg", ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda dataset, root: touch(root),
        lambda dataset, root: (root / "images" / "3.jpg").write_bytes((root / "images" / "4.jpg").read_bytes()),
        lambda dataset, root: dataset.persons.center.__setitem__((2, 0), 33),
        lambda dataset, root: dataset.persons.scale.__setitem__((2, 0), 0.33),
        lambda dataset, root: dataset.persons.pictures.reverse(),
        lambda dataset, root: replace(dataset.settings, image_size=(48, 32)),
        lambda dataset, root: replace(dataset.settings, augmentation=Augmentation(0.3, 30)),
        lambda dataset, root: replace(dataset.settings, augmentation=Augmentation(0.25, 40)),
        lambda dataset, root: replace(dataset.settings, augmentation=Augmentation(half_body=0.3)),
        lambda dataset, root: replace(dataset.settings, decode_reduced=True),
    ],
    ids=["time", "picture", "center", "scale", "order", "size", "scaling", "rotation", "half body", "reduced"],
)
def test_another_key_for_whatever_it_depends_on(root, change):
    dataset = dataset_of(root)
    before = cache_key(dataset, root)
    assert cache_key(dataset_of(root), root) == before
    changed = change(dataset, root)
    settings = changed if isinstance(changed, SampleSettings) else dataset.settings
    assert cache_key(JointsDataset(dataset.persons, MPII, settings), root) != before


def test_the_joints_count_where_half_a_body_may_be_drawn(root):
    def keys(half_body):
        dataset = dataset_of(root, augmentation=Augmentation(half_body=half_body))
        before = cache_key(dataset, root)
        dataset.persons.joints[0, 0, 0] += 1
        return before, cache_key(dataset, root)

    assert len(set(keys(0.0))) == 1 and len(set(keys(0.3))) == 2


def test_the_same_key_for_the_rest_and_for_the_folder_at_another_place(root):
    key = cache_key(dataset_of(root), root)
    other = dataset_of(root, seed=4, color_rgb=True, sigma=3.0, augmentation=Augmentation(flip=False))
    assert cache_key(other, root) == key
    moved = root.with_name("moved")
    root.rename(moved)
    assert cache_key(dataset_of(moved), moved) == key


def test_caches_of_other_settings_are_named_and_kept(root):
    cached(dataset_of(root), root)
    first, said = next((root / "cache").glob("*.bin")), []
    cached(dataset_of(root, decode_reduced=True), root, said=said)
    assert f"delete {first} (" in said[0] and first.exists()


# -- interrupted, crowded, cramped -----------------------------------------------------------------------------------

BUILD = """
import os, signal, sys
sys.path[:0] = [{lib!r}, {tests!r}]
from pathlib import Path
from lib.dataset.crop_cache import writer as cache_writer
from lib.dataset.crop_cache.writer import PictureWriter
from dataset.test_crop_cache import cached, dataset_of
cache_writer.PICTURES_AT_ONCE, cache_writer.SECONDS_BETWEEN_RECORDS = 1, 0
written, original = [], PictureWriter.__getitem__
def write(self, number):
    if len(written) == {until}:
        os.kill(os.getpid(), signal.SIGKILL)
    written.append(number)
    return original(self, number)
PictureWriter.__getitem__ = write
root = Path({root!r})
cached(dataset_of(root), root)
print(len(written))
"""


@pytest.fixture
def root_of_project(pytestconfig):
    return pytestconfig.rootpath


def start_run(root, project, until=None):
    """A process that writes the cache, and is killed before its picture number `until`."""
    code = BUILD.format(lib=str(project), tests=str(project / "tests"), root=str(root), until=until)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_a_killed_run_is_gone_on_with_where_it_stopped(root, root_of_project, monkeypatch):
    killed = start_run(root, root_of_project, until=5)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert names_in(root) == [".bin", ".journal", ".lock"]  # nothing that is taken for whole
    written, said = count_pictures(monkeypatch), []
    resumed = cached(dataset_of(root), root, said=said)
    assert written == [5, 6, 7, 8] and "% are there" in said[0]
    assert names_in(root) == [".bin", ".npz"]
    assert_same_samples(dataset_of(root), resumed)
    data = next((root / "cache").glob("*.bin")).read_bytes()
    shutil.rmtree(root / "cache")
    cached(dataset_of(root), root)
    assert next((root / "cache").glob("*.bin")).read_bytes() == data


def test_of_two_runs_at_once_one_writes(root, root_of_project):
    runs = [start_run(root, root_of_project) for _ in range(2)]
    counts = [int(run.communicate(timeout=60)[0]) for run in runs]
    assert sorted(counts) == [0, PICTURES]
    assert_same_samples(dataset_of(root), cached(dataset_of(root), root))


def test_a_run_waits_for_the_one_that_writes_and_takes_over_when_that_ends(root):
    dataset, said = dataset_of(root), []
    (root / "cache").mkdir()
    lock = root / "cache" / f"train_{cache_key(dataset, root)}.lock"
    with open(lock, "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=cached, args=(dataset, root, 0, said))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and "another run is writing" in said[0]
        assert not list((root / "cache").glob("*.bin"))
    waiting.join(60)
    assert names_in(root) == [".bin", ".npz"]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(root, monkeypatch):
    usage, said = namedtuple("usage", "total used free"), []
    monkeypatch.setattr(cache_writer.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 150 * 10**6))
    with pytest.raises(RunError, match=r"it has 150\.0 MB free, and 26\d\.\d MB are needed"):
        cached(dataset_of(root), root, said=said)
    assert "150.0 MB are free" in said[0]
    assert sum(path.stat().st_size for path in (root / "cache").iterdir()) == 0


def test_a_disk_that_fills_up_is_one_clear_error_and_what_is_done_is_kept(root, monkeypatch):
    original = PictureWriter._write

    def write(self, offset, pixels):
        if offset > 100_000:
            self.path = "/dev/full"
        original(self, offset, pixels)

    monkeypatch.setattr(PictureWriter, "_write", write)
    monkeypatch.setattr(cache_writer, "PICTURES_AT_ONCE", 1)
    with pytest.raises(RunError, match=f"cannot write /dev/full: {os.strerror(errno.ENOSPC)}"):
        cached(dataset_of(root), root)
    monkeypatch.undo()
    written = count_pictures(monkeypatch)
    resumed = cached(dataset_of(root), root)
    assert 0 < len(written) < PICTURES
    assert_same_samples(dataset_of(root), resumed)


def test_a_picture_that_cannot_be_read_is_named(root):
    path = root / "images" / "4.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(UserError, match=r"4\.jpg is truncated"):
        cached(dataset_of(root), root, workers=2)
    assert ".npz" not in names_in(root)


def test_a_journal_with_a_damaged_end_counts_up_to_there(tmp_path):
    (tmp_path / "x").write_bytes(np.array([1, 3, 0, 4], "<u4").tobytes())
    assert Journal(tmp_path / "x", None).read(9) == {0, 2}
    (tmp_path / "x").write_bytes(np.array([1, 3], "<u4").tobytes() + b"\2\0")
    assert Journal(tmp_path / "x", None).read(9) == {0, 2}
    assert Journal(tmp_path / "nothing", None).read(9) == set()


def test_a_journal_whose_data_somebody_deleted_counts_for_nothing(root, root_of_project, monkeypatch):
    start_run(root, root_of_project, until=5).communicate(timeout=60)
    next((root / "cache").glob("*.bin")).unlink()
    written = count_pictures(monkeypatch)
    assert_same_samples(dataset_of(root), cached(dataset_of(root), root))
    assert sorted(written) == list(range(PICTURES))


@pytest.mark.parametrize("suffix", [".bin", ".npz"])
def test_a_damaged_cache_is_an_error_that_says_what_to_do(root, suffix):
    cached(dataset_of(root), root)
    path = next((root / "cache").glob(f"*{suffix}"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"the cache .*\.npz cannot be read .*delete it"):
        cached(dataset_of(root), root)


def test_a_data_folder_that_cannot_be_written_to_is_a_user_error(root):
    (root / "cache").write_text("a file where the folder would be")
    with pytest.raises(UserError, match="cannot write to the folder"):
        cached(dataset_of(root), root)


# -- from the configuration ------------------------------------------------------------------------------------------


def test_the_configuration_asks_for_it_and_only_training_has_it(root, capsys):
    dataset_of(root)
    overrides = {"DATASET.CACHE": "crops", "DATASET.DECODE_REDUCED": True, "WORKERS": 2, "TRAIN.BATCH_SIZE": 5}
    config = read_config(root.parent / "x.yaml", overrides)
    training, validation = (build_dataset(config, flag) for flag in (True, False))
    assert isinstance(training.cache, CropCache) and training.settings.decode_reduced
    assert validation.cache is None and not validation.settings.decode_reduced
    assert "=> cache: writing" in capsys.readouterr().err
    assert training.persons.note == training.cache.line and "train_" in training.cache.line
    plain = build_dataset(read_config(root.parent / "x.yaml", {"DATASET.DECODE_REDUCED": True}), training=True)
    loader, alone = build_loader(config, training, training=True), build_loader(config, plain, training=True)
    alone.workers = 0
    for one, other in zip(loader, alone, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    loader.close()


def test_validation_decodes_reduced_only_where_asked(root):
    dataset_of(root)
    for value, expected in ((False, (False, False)), (True, (True, False)), ("all", (True, True))):
        config = read_config(root.parent / "x.yaml", {"DATASET.DECODE_REDUCED": value})
        assert tuple(bool(build_dataset(config, flag).settings.decode_reduced) for flag in (True, False)) == expected
