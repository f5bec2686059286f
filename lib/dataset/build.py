"""From the configuration to data sets and loaders. No Paddle here."""

from lib.core.evaluators import PCKhEvaluator
from lib.core.skeletons import SKELETONS
from lib.dataset.augment import Augmentation
from lib.dataset.joints_dataset import JointsDataset, SampleSettings, select_data
from lib.dataset.loader import BatchLoader, EpochSampler
from lib.dataset.mpii import LAYOUT, read_mpii
from lib.utils.errors import UserError


def build_dataset(config, training):
    """The training or validation JointsDataset of a configuration. Raises UserError for bad or missing data."""
    data, model = config.dataset, config.model
    skeleton = SKELETONS[data.dataset]
    image_set = data.train_set if training else data.test_set
    persons = read_mpii(config.dataset_root, image_set, len(skeleton.joints), data.data_format)
    if training and data.select_data:
        persons = select_data(persons)
        if not len(persons):
            raise UserError("DATASET.SELECT_DATA: no person has its joints where its box is; look at center and scale")
    augmentation = Augmentation(data.scale_factor, data.rot_factor, data.flip) if training else None
    settings = SampleSettings(
        model.image_size, model.extra.heatmap_size, model.extra.sigma, data.color_rgb, augmentation, config.train.seed
    )
    return JointsDataset(persons, skeleton, settings)


def build_loader(config, dataset, training):
    """The BatchLoader of a data set: shuffled batches of TRAIN.BATCH_SIZE, or TEST.BATCH_SIZE in order."""
    train = config.train
    if training:
        sampler = EpochSampler(len(dataset), train.batch_size, train.shuffle, train.seed)
    else:
        sampler = EpochSampler(len(dataset), config.test.batch_size)
    return BatchLoader(dataset, sampler, config.workers)


def build_evaluator(config, skeleton, persons=None):
    """The evaluator of DATASET.TEST_SET's ground truth.

    persons: how many it must hold, known before a network has run for hours.
    Raises UserError where the ground truth is missing, of another kind or of other persons.
    """
    path = config.dataset_root / "annot" / f"gt_{config.dataset.test_set}.mat"
    if not path.is_file():
        raise UserError(f"there is no ground truth {path}. {LAYOUT}")
    evaluator = PCKhEvaluator(path, skeleton)
    if persons is not None and persons != len(evaluator):
        raise UserError(
            f"{path} has {len(evaluator)} persons, but {config.dataset.test_set}.json beside it has {persons}: "
            "take both from the same source"
        )
    return evaluator
