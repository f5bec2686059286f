"""Optimizers and learning-rate schedules."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import paddle

if TYPE_CHECKING:
    from ..config.schema import TrainConfig


def get_scheduler(train: TrainConfig, steps_per_epoch: int) -> paddle.optimizer.lr.LRScheduler:
    """The learning-rate schedule of a TrainConfig, at TRAIN.BEGIN_EPOCH.

    MultiStepDecay: lr times lr_factor after each of lr_step epochs; step it once an epoch.
    PolynomialDecay: lr * (1 - step / all steps) ** 0.9, to 0; step it every iteration.
    """
    scheduler: paddle.optimizer.lr.LRScheduler
    if train.lr_type == "PolynomialDecay":
        scheduler = paddle.optimizer.lr.PolynomialDecay(
            train.lr, decay_steps=train.end_epoch * steps_per_epoch, end_lr=0.0, power=0.9
        )
    else:
        milestones = sorted(set(train.lr_step)) or [train.end_epoch]  # Paddle wants at least one
        scheduler = paddle.optimizer.lr.MultiStepDecay(train.lr, milestones, gamma=train.lr_factor)
    go_to_epoch(scheduler, train.begin_epoch, steps_per_epoch)
    return scheduler


def go_to_epoch(scheduler: paddle.optimizer.lr.LRScheduler, epoch: int, steps_per_epoch: int, steps: int = 0) -> None:
    """Puts a schedule of `get_scheduler` at the beginning of an epoch, or where so many of its steps are done."""
    counts_steps = isinstance(scheduler, paddle.optimizer.lr.PolynomialDecay)
    scheduler.step(epoch * steps_per_epoch + steps if counts_steps else epoch)


def get_optimizer(
    train: TrainConfig, scheduler: paddle.optimizer.lr.LRScheduler, parameters: Sequence[paddle.Tensor]
) -> paddle.optimizer.Optimizer:
    """Adam without weight decay, or SGD with momentum, Nesterov and weight decay, as the original has them.

    train: a TrainConfig; parameters: the network's.
    """
    if train.optimizer == "adam":
        return paddle.optimizer.Adam(learning_rate=scheduler, parameters=parameters)
    return paddle.optimizer.Momentum(
        learning_rate=scheduler,
        momentum=train.momentum,
        use_nesterov=train.nesterov,
        weight_decay=train.wd or None,
        parameters=parameters,
    )
