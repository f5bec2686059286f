"""From the configuration to data sets and loaders."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..utils.errors import UserError
from ..utils.files import file_digest
from .annotations.forms import FORMS, AnnotationForm, COCOForm
from .augment import Augmentation
from .checks.depth import few_bits
from .checks.set_sides import refuse_or_warn
from .crop_cache.cache import open_cache
from .joints_dataset import JointsDataset, SampleSettings, join_persons, select_data
from .loader import BatchLoader, TrainingShare, ValidationShare

if TYPE_CHECKING:
    from ..config.schema import Config
    from .joints_dataset import Persons

LOOKED_AT = 8  # pictures whose number of bits is looked at before a run


def annotation_form(config: Config) -> AnnotationForm:
    """The AnnotationForm of DATASET.DATASET."""
    data = config.dataset
    return FORMS[data.dataset](
        config.dataset_root, config.skeleton, config.model.image_size, data.data_format, data.categories,
        data.orientation,
    )  # fmt: skip


def read_persons(config: Config, training: bool) -> Persons:
    """The Persons of DATASET.TRAIN_SET or TEST_SET. Raises UserError for bad or missing annotations."""
    data = config.dataset
    test = config.test
    form = annotation_form(config)
    if isinstance(form, COCOForm) and not training and not test.use_gt_bbox:
        return form.detected_persons(data.test_set, test.coco_bbox_file, test.image_thre, test.part)
    persons = join_persons([form.persons(name) for name in (data.train_sets if training else [data.test_set])])
    if training and data.select_data:
        persons = select_data(persons)
        if not len(persons):
            raise UserError("DATASET.SELECT_DATA: no person has its joints where its box is; look at center and scale")
    return persons


def annotation_file(config: Config, training: bool) -> Path:
    """Path of the annotations of DATASET.TRAIN_SET or TEST_SET, whether it is there or not; PoseTrack's is a folder.

    Of several training sets the first one's.
    """
    data = config.dataset
    return annotation_form(config).annotation_path(data.train_sets[0] if training else data.test_set)


def annotation_digest(config: Config) -> str:
    """What tells DATASET.TEST_SET's annotations from others: a digest of the file; for PoseTrack the folder."""
    path = annotation_file(config, training=False)
    return file_digest(path)[:16] if path.is_file() else str(path)


def build_dataset(config: Config, training: bool, persons: Persons | None = None) -> JointsDataset:
    """The training or validation JointsDataset of a configuration; DATASET.CACHE is for training alone.

    persons: some of read_persons', None for all.
    Raises UserError for bad or missing data, RunError where the cache cannot be written.
    """
    data, model = config.dataset, config.model
    augmentation = None
    if training:
        augmentation = Augmentation(
            data.scale_factor, data.rot_factor, data.flip, data.prob_half_body, data.num_joints_half_body
        )
    settings = SampleSettings(
        model.image_size, model.extra.heatmap_size, model.extra.sigma, data.color_rgb, augmentation, config.train.seed,
        config.test.udp, data.decode_reduced == "all" or (training and data.decode_reduced),
    )  # fmt: skip
    persons = read_persons(config, training) if persons is None else persons
    notes = [persons.note]
    if data.check_sides:
        where = str(annotation_file(config, training))
        notes.append(refuse_or_warn(persons.joints, persons.visible, config.skeleton, where))
    dataset = JointsDataset(persons, config.skeleton, settings)
    dark, *_ = few_bits(persons.pictures, LOOKED_AT)
    notes.append(dark and f"=> WARNING: {dark}")
    if training and data.cache == "crops":
        dataset.cache = open_cache(dataset, config.dataset_root, data.train_set, config.workers, _say)
        notes.append(dataset.cache.line)
    persons.note = "\n".join(filter(None, notes))  # for the run's log
    return dataset


def shared_pictures_note(training: Persons, validation: Persons) -> str:
    """A warning where persons of the validation set are in pictures that are trained on; '' if none are."""
    real = lru_cache(maxsize=None)(os.path.realpath)

    def places(persons: Persons) -> list[str]:
        return [f"{real(folder)}/{name}" for folder, _, name in (path.rpartition("/") for path in persons.pictures)]

    trained = set(places(training))
    count = sum(place in trained for place in places(validation))
    if not count:
        return ""
    return (
        f"=> WARNING: {count} of {len(validation)} validation persons are in pictures that are trained on: their "
        "scores say nothing about other pictures"
    )


def _say(line: str) -> None:
    """Before there is a log: what takes long is said before it begins."""
    print(line, file=sys.stderr, flush=True)


def build_loader(config: Config, dataset: JointsDataset, training: bool, rank: int = 0, count: int = 1) -> BatchLoader:
    """The BatchLoader of a data set: shuffled batches of TRAIN.BATCH_SIZE, or TEST.BATCH_SIZE in order.

    rank, count: of several processes that share the work (lib.training.ranks), each with batches of this size.
    Raises UserError where there are more ranks than persons to train on.
    """
    train = config.train
    sampler: TrainingShare | ValidationShare
    if training:
        sampler = TrainingShare(len(dataset), train.batch_size, train.shuffle, train.seed, rank, count)
    else:
        sampler = ValidationShare(len(dataset), config.test.batch_size, rank, count)
    return BatchLoader(dataset, sampler, config.workers)
