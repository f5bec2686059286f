"""From the configuration to data sets, loaders and evaluators. No Paddle here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.skeletons import SKELETONS
from ..utils.errors import UserError
from .augment import Augmentation
from .checks.left_right import refuse_mirrored
from .coco import annotated_persons, detected_persons, picture_paths
from .coco_truth import annotation_path, read_truth
from .crop_cache.cache import open_cache
from .joints_dataset import JointsDataset, SampleSettings, select_data
from .loader import BatchLoader, TrainingShare, ValidationShare
from .mpii import read_mpii
from .posetrack import annotation_folder, posetrack_of_coco, read_posetrack

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..core.skeletons import Skeleton
    from .coco_truth import CocoTruth
    from .joints_dataset import Persons


def read_persons(config: Config, training: bool) -> Persons:
    """The Persons of DATASET.TRAIN_SET or TEST_SET. Raises UserError for bad or missing annotations."""
    data, skeleton = config.dataset, config.skeleton
    image_set = data.train_set if training else data.test_set
    if data.dataset == "mpii":
        count = len(skeleton.joints)
        persons = read_mpii(config.dataset_root, image_set, count, data.data_format, skeleton.indices)
    elif data.dataset == "posetrack18":
        if data.data_format == "zip":
            raise UserError("DATASET.DATA_FORMAT: zip is not for PoseTrack18, whose pictures are read from folders")
        persons = read_posetrack(config.dataset_root, image_set, skeleton, config.model.image_size)
    else:
        persons = _read_coco(config, image_set, skeleton, detected=not training and not config.test.use_gt_bbox)
    if training and data.select_data:
        persons = select_data(persons)
        if not len(persons):
            raise UserError("DATASET.SELECT_DATA: no person has its joints where its box is; look at center and scale")
    return persons


def _read_coco(config: Config, image_set: str, skeleton: Skeleton, detected: bool) -> Persons:
    truth, size = read_coco_truth(config, image_set), config.model.image_size
    pictures = picture_paths(config.dataset_root, image_set, truth, config.dataset.data_format)
    if not detected:
        return annotated_persons(truth, size, pictures)
    test = config.test
    return detected_persons(truth, test.coco_bbox_file, len(skeleton.joints), size, pictures, test.image_thre)


def annotation_file(config: Config, training: bool) -> Path:
    """Path of the annotations of DATASET.TRAIN_SET or TEST_SET, whether it is there or not; PoseTrack's is a folder."""
    data = config.dataset
    image_set = data.train_set if training else data.test_set
    if data.dataset == "coco":
        return annotation_path(config.dataset_root, image_set)
    if data.dataset == "posetrack18":
        return annotation_folder(config.dataset_root, image_set)
    return config.dataset_root / "annot" / f"{image_set}.json"


def read_coco_truth(config: Config, image_set: str) -> CocoTruth:
    path = annotation_path(config.dataset_root, image_set)
    if config.skeleton is not SKELETONS["posetrack18"]:
        return read_truth(path, config.skeleton)
    truth = read_truth(path, SKELETONS["coco"])  # to train on before PoseTrack itself, as the paper does
    for record in truth.annotations:
        record["keypoints"] = posetrack_of_coco(record["keypoints"].reshape(1, -1, 3)).ravel()
    return truth


def build_dataset(config: Config, training: bool) -> JointsDataset:
    """The training or validation JointsDataset of a configuration; DATASET.CACHE is for training alone.

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
    persons = read_persons(config, training)
    if data.check_sides:
        refuse_mirrored(persons.joints, persons.visible, config.skeleton, str(annotation_file(config, training)))
    dataset = JointsDataset(persons, config.skeleton, settings)
    if training and data.cache == "crops":
        dataset.cache = open_cache(dataset, config.dataset_root, data.train_set, config.workers, _say)
        notes = (persons.note, dataset.cache.line)
        persons.note = "\n".join(filter(None, notes))  # for the run's log
    return dataset


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








