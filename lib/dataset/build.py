"""From the configuration to data sets and loaders."""

import cv2
import numpy as np
import paddle

from lib.core.skeletons import SKELETONS
from lib.dataset.augment import Augmentation
from lib.dataset.joints_dataset import JointsDataset, SampleSettings, select_data
from lib.dataset.mpii import read_mpii


def build_dataset(config, training):
    """The training or validation JointsDataset of a configuration. Raises UserError for bad or missing data."""
    data, model = config.dataset, config.model
    skeleton = SKELETONS[data.dataset]
    image_set = data.train_set if training else data.test_set
    persons = read_mpii(config.dataset_root, image_set, len(skeleton.joints), data.data_format)
    if training and data.select_data:
        persons = select_data(persons)
    augmentation = Augmentation(data.scale_factor, data.rot_factor, data.flip) if training else None
    settings = SampleSettings(
        model.image_size, model.extra.heatmap_size, model.extra.sigma, data.color_rgb, augmentation, config.train.seed
    )
    return JointsDataset(persons, skeleton, settings)


class EpochSampler:
    """Batches of (epoch, index): the index says which person, the epoch which augmentation.

    The order of an epoch depends on the seed and the epoch alone, so a resumed run sees what it would have seen.
    """

    def __init__(self, length, batch_size, shuffle=False, seed=0):
        self.length, self.batch_size, self.shuffle, self.seed = length, batch_size, shuffle, seed
        self.epoch = 0

    def __len__(self):
        return -(-self.length // self.batch_size)

    def __iter__(self):
        order = np.arange(self.length)
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        for start in range(0, self.length, self.batch_size):
            yield [(self.epoch, int(index)) for index in order[start : start + self.batch_size]]


def _start_worker(_worker):
    cv2.setNumThreads(0)  # the workers are the parallelism


def build_loader(dataset, sampler, workers):
    """A paddle DataLoader over `sampler`'s batches; its batches are dicts of tensors (see JointsDataset.collate)."""
    return paddle.io.DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=dataset.collate,
        num_workers=workers,
        worker_init_fn=_start_worker,
        persistent_workers=workers > 0,
    )
