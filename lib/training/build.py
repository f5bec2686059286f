"""From the configuration to a Trainer: network, optimizer, schedule, data and evaluator."""

from collections.abc import Mapping
from typing import Any

import paddle

from ..config.names import architecture_name
from ..config.schema import Config, TrainConfig
from ..core.loss import JointsMSELoss
from ..dataset.build import build_dataset, build_loader, shared_pictures_note
from ..dataset.loader import BatchLoader
from ..evaluation.build import build_evaluator, validation_settings
from ..models.build import get_pose_net, load_pretrained
from ..models.layouts import compile_network, set_cudnn, use_channels_last
from ..models.sync_batch_norm import synchronize_batch_norm
from ..utils.errors import UserError
from .checkpoint import load_checkpoint
from .ema import WeightAverage
from .optim import get_optimizer, get_scheduler, go_to_epoch
from .precision import Precision
from .ranks import Ranks
from .train_step import TrainStep
from .trainer import Trainer, TrainerSettings


def make_trainer(config: Config, resume_from: str | None, ranks: Ranks | None = None) -> tuple[str, Trainer]:
    """Builds everything that a training needs, and checks it before anything is written.

    Args:
        resume_from: run folder or checkpoint to resume; None starts from MODEL.PRETRAINED.
        ranks: the ranks that train together; None for this process alone.

    Returns:
        The lines that say which weights were loaded, and the Trainer.
    """
    train = config.train
    ranks = ranks or Ranks()
    train_set = build_dataset(config, training=True)
    valid_set = build_dataset(config, training=False)
    notes = [train_set.persons.note, shared_pictures_note(train_set.persons, valid_set.persons)]
    train_set.persons.note = "\n".join(filter(None, notes))
    evaluator = build_evaluator(config, valid_set.persons)
    if evaluator.skip_reason:
        raise UserError(f"DATASET.TEST_SET: {config.dataset.test_set} cannot be validated: {evaluator.skip_reason}")
    train_loader = build_loader(config, train_set, True, ranks.rank, ranks.count)
    valid_loader = build_loader(config, valid_set, False, ranks.rank, ranks.count)
    paddle.seed(train.seed)
    scheduler = get_scheduler(train, -(-len(train_loader) // train.accumulate))
    train_step = make_train_step(config, scheduler, ranks)
    boxes = "annotated" if config.test.use_gt_bbox else config.test.coco_bbox_file
    measure = {"figure": evaluator.primary_metric, "set": config.dataset.test_set, "boxes": boxes}
    if resume_from:
        progress, loaded = resume_training(resume_from, train_step, scheduler, train, train_loader, measure)
    else:
        progress = {"epoch": train.begin_epoch, "best": None, "history": [], "measure": measure}
        progress["train"] = train.model_dump(by_alias=True)
        loaded = load_pretrained(train_step.network, config.model)
        if train_step.average:
            train_step.average.begin(train_step.network)
    settings = trainer_settings(config)
    return loaded, Trainer(settings, train_step, scheduler, train_loader, valid_loader, evaluator, progress)


def resume_training(
    resume_from: str, train_step: TrainStep, scheduler: paddle.optimizer.lr.LRScheduler, train: TrainConfig,
    train_loader: BatchLoader, measure: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Restores a checkpoint into the train_step and the scheduler.

    The schedule follows this configuration, which may have another rate, or another number of steps in an epoch.

    Args:
        resume_from: run folder or checkpoint file.
        measure: what the best score is of (figure, set and boxes); with another one the best score starts anew.

    Returns:
        The progress of the checkpoint (see Trainer) and the lines that say what was loaded.
    """
    warnings: list[str] = []
    steps = -(-len(train_loader) // train.accumulate)
    progress = load_checkpoint(
        resume_from, train_step.network, train_step.optimizer, train_step.average, warnings.append
    )
    check_same_optimizer(progress, train)
    begun = take_begun(progress, train, train_loader)
    progress["train"] = train.model_dump(by_alias=True)
    train_step.precision.restore(progress.get("scaler"))
    go_to_epoch(scheduler, progress["epoch"], steps, -(-begun // train.accumulate))
    loaded = f"=> going on from {resume_from} with epoch {progress['epoch']}"
    loaded += f", of which {begun} steps are done" if begun else ""
    loaded = "\n".join([*warnings, loaded])
    if progress.setdefault("measure", measure) != measure:
        progress |= {"measure": measure, "best": None}
        loaded += "; its best score was of another set or figure, so the best begins anew"
    return progress, loaded


def make_train_step(config: Config, scheduler: paddle.optimizer.lr.LRScheduler, ranks: Ranks) -> TrainStep:
    """Builds the network as TRAIN wants it computed, with its loss and optimizer."""
    train = config.train
    set_cudnn(config.cudnn.benchmark, config.cudnn.deterministic)
    precision = Precision(train.amp, train.amp_dtype)
    network: paddle.nn.Layer = get_pose_net(config.model)
    if train.sync_bn and ranks.count > 1:
        if train.channels_last and ranks.device == "cpu":
            raise UserError("TRAIN.CHANNELS_LAST does not go with TRAIN.SYNC_BN on CPUs; leave it false there")
        synchronize_batch_norm(network, ranks.device)
    if train.channels_last:
        use_channels_last(network)
    optimizer = get_optimizer(train, scheduler, network.parameters())
    network, optimizer = precision.decorate(network, optimizer)
    if train.to_static:
        compile_network(network, config.model.image_size)
    criterion = JointsMSELoss(config.loss.use_target_weight)
    average = WeightAverage(network, train.ema) if train.ema else None
    return TrainStep(network, criterion, optimizer, config.dataset.pixel_scale, average, precision, ranks)


def check_same_optimizer(progress: Mapping[str, Any], train: TrainConfig) -> None:
    """Raises UserError if a checkpoint has another kind of optimizer or schedule, whose state would not fit."""
    for key in ("OPTIMIZER", "LR_TYPE"):
        old, new = progress.get("train", {}).get(key), getattr(train, key.lower())
        if old not in (None, new):
            raise UserError(
                f"--resume_model: this run has TRAIN.{key} {old}, not {new}; to change it, start from its weights with "
                "MODEL.PRETRAINED"
            )


def take_begun(progress: dict[str, Any], train: TrainConfig, loader: BatchLoader) -> int:
    """Number of finished steps of the next epoch; 0 if its other steps would see other persons now."""
    begun = progress.get("begun")
    before = progress.get("train", {})
    keys = ("SEED", "SHUFFLE", "BATCH_SIZE", "ACCUMULATE")
    same = all(before.get(key) == getattr(train, key.lower()) for key in keys)
    if begun and same and begun["of"] == len(loader):
        return begun["steps"]
    progress.pop("begun", None)
    return 0


def trainer_settings(config: Config) -> TrainerSettings:
    """The TrainerSettings of a configuration."""
    train = config.train
    return TrainerSettings(
        end_epoch=train.end_epoch,
        accumulate=train.accumulate,
        lr_type=train.lr_type,
        print_freq=config.print_freq,
        architecture=architecture_name(config.model),
        validation=validation_settings(config),
    )
