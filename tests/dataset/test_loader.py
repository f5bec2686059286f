"""Data sets and loaders from the configuration: workers, epochs, order, and errors that cross processes."""

import json
import multiprocessing
import time

import cv2
import numpy as np
import pytest

from lib.config.config import read_config
from lib.dataset.build import build_dataset, build_loader
from lib.dataset.loader import BatchLoader, EpochSampler, TrainingShare, ValidationShare
from lib.utils.errors import RunError, UserError

COUNT = 7


@pytest.fixture
def config_of(tmp_path):
    """Makes a Config over a small MPII folder of seven persons, one picture each."""
    (tmp_path / "images").mkdir()
    (tmp_path / "annot").mkdir()
    rng = np.random.default_rng(0)
    records = []
    for number in range(COUNT):
        image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        (tmp_path / "images" / f"{number}.jpg").write_bytes(cv2.imencode(".jpg", image)[1].tobytes())
        joints = (rng.uniform(-12, 12, (16, 2)) + [40, 35]).tolist()
        person = {"image": f"{number}.jpg", "center": [40, 30], "scale": 0.3, "joints": joints, "joints_vis": [1] * 16}
        records.append(person)
    records[0]["joints"] = [[800.0, 800.0]] * 16  # far from the box: SELECT_DATA leaves this one out
    for name in ("train", "valid"):
        (tmp_path / "annot" / f"{name}.json").write_text(json.dumps(records))

    def config_of(**overrides):
        path = tmp_path / "x.yaml"
        path.write_text(f"DATASET: {{ROOT: '{tmp_path}'}}\nMODEL: {{IMAGE_SIZE: [64, 64]}}\n")
        return read_config(path, {"MODEL.EXTRA.HEATMAP_SIZE": [16, 16], **overrides})

    return config_of


def epoch_of(loader, epoch=0):
    loader.sampler.epoch = epoch
    try:
        return list(loader)
    finally:
        loader.close()


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def training_loader(config, workers, shuffle=True):
    dataset = build_dataset(config, training=True)
    return BatchLoader(dataset, EpochSampler(len(dataset), 3, shuffle, config.train.seed), workers)


def test_workers_give_the_same_batches_as_the_main_process_in_every_epoch(config_of):
    alone, helped = (training_loader(config_of(), workers) for workers in (0, 2))
    for epoch in (0, 1, 5):
        assert_same(epoch_of(alone, epoch), epoch_of(helped, epoch))


def test_an_epoch_can_be_had_again_and_the_next_one_differs(config_of):
    loader = training_loader(config_of(), 0, shuffle=False)
    first = epoch_of(loader, 0)
    second = epoch_of(loader, 1)
    assert_same(first, epoch_of(training_loader(config_of(), 0, shuffle=False), 0))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["index"], other["index"])
        assert not np.array_equal(one["crop"], other["crop"])  # the same persons, augmented otherwise


def test_another_seed_gives_another_order_and_other_crops(config_of):
    first, second = (epoch_of(training_loader(config_of(**{"TRAIN.SEED": seed}), 0)) for seed in (0, 1))
    assert [batch["index"].tolist() for batch in first] != [batch["index"].tolist() for batch in second]


def test_a_loader_counts_its_batches_and_the_last_one_may_be_smaller(config_of):
    loader = training_loader(config_of(), 0)
    assert len(loader) == 3
    assert [len(batch["index"]) for batch in epoch_of(loader)] == [3, 3, 1]


@pytest.mark.parametrize(("length", "batch_size"), [(7, 3), (6, 3), (2, 5), (1, 1)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_sampler_gives_every_index_once_an_epoch(length, batch_size, shuffle):
    sampler = EpochSampler(length, batch_size, shuffle)
    for epoch in (0, 4):
        sampler.epoch = epoch
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert sorted(index for batch in batches for _, index in batch) == list(range(length))
        assert {said for batch in batches for said, _ in batch} == {epoch}


def order(**options):
    sampler = EpochSampler(50, 8, **{"shuffle": True, **options})
    return [[index for batch in sampler for _, index in batch] for sampler.epoch in (0, 1)]


def test_the_order_depends_on_seed_and_epoch_and_nothing_else():
    assert order() == order()
    assert order()[0] != order()[1]
    assert order(seed=1)[0] != order()[0]
    assert order(shuffle=False) == [list(range(50))] * 2


SHARES = [(24, 4, 2), (23, 4, 2), (17, 4, 2), (17, 2, 4), (18, 2, 4), (5, 8, 3), (7, 3, 1)]  # persons, batch, ranks


@pytest.mark.parametrize(("length", "batch_size", "count"), SHARES)
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_ranks_parts_are_the_batches_of_one_rank_with_the_joined_batch(length, batch_size, count, shuffle):
    alone = EpochSampler(length, batch_size * count, shuffle, seed=2)
    shares = [TrainingShare(length, batch_size, shuffle, 2, rank, count) for rank in range(count)]
    for epoch in (0, 3):
        for sampler in (alone, *shares):
            sampler.epoch = epoch
        expected = [batch for batch in alone if len(batch) >= count]
        assert length - sum(map(len, expected)) == shares[0].left_out < count
        batches = [list(share) for share in shares]
        for step, joined in enumerate(expected):
            parts = [batches[rank][step] for rank in range(count)]
            assert sum(parts, []) == joined  # in order: no overlap, nobody missing
            sizes = [len(part) for part in parts]
            assert min(sizes) >= 1 and max(sizes) <= min(batch_size, min(sizes) + 1)
            assert shares[0].joined_rows(step) == len(joined)
        assert {len(share) for share in shares} == {len(list(share)) for share in shares} == {len(expected)}


def test_a_last_batch_with_fewer_persons_than_ranks_is_left_out():
    assert [TrainingShare(length, 2, False, 0, 0, 4).left_out for length in (16, 17, 19, 20)] == [0, 1, 3, 0]
    assert [len(TrainingShare(length, 2, False, 0, 0, 4)) for length in (16, 17, 19, 20)] == [2, 2, 2, 3]


def test_more_ranks_than_persons_are_refused():
    with pytest.raises(UserError, match="3 persons to train on are too few for 4 ranks"):
        TrainingShare(3, 2, True, 0, 0, 4)


@pytest.mark.parametrize(("length", "batch_size", "count"), [*SHARES, (3, 4, 2)])
def test_the_ranks_validate_the_batches_of_one_rank_in_turn(length, batch_size, count):
    alone = list(EpochSampler(length, batch_size))
    for rank in range(count):
        share = ValidationShare(length, batch_size, rank, count)
        assert list(share) == alone[rank::count] and len(share) == len(alone[rank::count])


def test_validation_does_not_augment(config_of):
    dataset = build_dataset(config_of(), training=False)
    loader = BatchLoader(dataset, EpochSampler(len(dataset), 3), 0)
    assert_same(epoch_of(loader, 0), epoch_of(loader, 1))


def test_only_training_selects_and_only_when_asked(config_of):
    chosen = config_of(**{"DATASET.SELECT_DATA": True})
    assert len(build_dataset(chosen, training=True)) == COUNT - 1
    assert len(build_dataset(chosen, training=False)) == COUNT
    assert len(build_dataset(config_of(), training=True)) == COUNT


def test_the_configurations_sizes_and_factors_reach_the_samples(config_of):
    config = config_of(**{
        "MODEL.IMAGE_SIZE": [96, 64], "MODEL.EXTRA.HEATMAP_SIZE": [24, 16], "MODEL.EXTRA.SIGMA": 1,
        "DATASET.SCALE_FACTOR": 0.1, "DATASET.ROT_FACTOR": 7, "DATASET.FLIP": False, "TRAIN.SEED": 9,
    })  # fmt: skip
    dataset = build_dataset(config, training=True)
    batch = dataset.collate([dataset[0, 1]])
    assert batch["crop"].shape == (1, 64, 96, 3)
    assert batch["horizontal"].shape == (1, 16, 24) and batch["vertical"].shape == (1, 16, 16)
    assert dataset.settings.sigma == 1 and dataset.settings.seed == 9
    augmentation = dataset.settings.augmentation
    assert (augmentation.scale_factor, augmentation.rotation_factor, augmentation.flip) == (0.1, 7, False)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_user_error_arrives_as_one_from_a_worker_too(config_of, tmp_path, workers):
    loader = training_loader(config_of(), workers)
    picture = tmp_path / "images" / "4.jpg"
    picture.write_bytes(picture.read_bytes()[:500])
    with pytest.raises(UserError, match=r"4\.jpg is truncated"):
        epoch_of(loader)


def test_workers_are_kept_between_epochs_and_end_when_the_loader_is_closed(config_of):
    loader = training_loader(config_of(), 2)
    list(loader)
    workers = {process.pid for process in multiprocessing.active_children()}
    list(loader)
    assert {process.pid for process in multiprocessing.active_children()} == workers and len(workers) >= 2
    loader.close()
    assert not workers & {process.pid for process in multiprocessing.active_children()}
    assert len(list(loader)) == 3  # and it starts new ones
    loader.close()


@pytest.mark.parametrize("noticed", [False, True])
def test_a_killed_worker_is_one_clear_error(config_of, noticed):
    loader = training_loader(config_of(), 1)
    list(loader)
    for process in multiprocessing.active_children():
        process.kill()
    while noticed and not loader._pool._broken:  # its own thread finds out before the next epoch begins
        time.sleep(0.01)
    with pytest.raises(RunError, match="a loader process was killed"):
        list(loader)
    loader.close()


def test_the_configuration_decides_batch_size_order_and_workers(config_of):
    config = config_of(**{"TRAIN.BATCH_SIZE": 2, "TEST.BATCH_SIZE": 5, "WORKERS": 3})
    dataset = build_dataset(config, training=False)
    training, validation = (build_loader(config, dataset, training) for training in (True, False))
    assert (training.sampler.batch_size, training.sampler.shuffle, training.workers) == (2, True, 3)
    assert (validation.sampler.batch_size, validation.sampler.shuffle, validation.workers) == (5, False, 3)
    training, validation = (build_loader(config, dataset, training, 1, 2) for training in (True, False))
    assert [len(batch) for batch in training.sampler] == [2, 2]  # 2 of 4 persons, then 2 of the other 3
    assert list(validation.sampler) == [[(0, 5), (0, 6)]]
