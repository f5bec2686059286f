"""BatchNorm over the joined batch of all ranks (TRAIN.SYNC_BN)."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.distributed as dist


def synchronize_batch_norm(network: paddle.nn.Layer, device: str) -> None:
    """Puts layers that share their statistics over the ranks in the place of the network's BatchNorm2D.

    They have the same parameters and the same names in the state dict. device: of Ranks. On GPUs the layers are
    Paddle's own, which has none for CPUs.
    """
    if device.startswith("gpu"):
        paddle.nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for layer in network.sublayers(include_self=True):
        for name, child in list(layer.named_children()):
            if type(child) is paddle.nn.BatchNorm2D:
                layer.add_sublayer(name, RankBatchNorm2D(child))


class RankBatchNorm2D(paddle.nn.BatchNorm2D):
    """paddle.nn.BatchNorm2D over the joined batch of all ranks, on CPUs, with the parameters of an existing layer."""

    def __init__(self, layer: paddle.nn.BatchNorm2D) -> None:
        super().__init__(layer._num_features, layer._momentum, layer._epsilon)
        self.weight: Any = layer.weight
        self.bias: Any = layer.bias
        self._mean, self._variance = layer._mean, layer._variance

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        """x (N, C, H, W); N may differ between the ranks."""
        if not self.training:
            return super().forward(x)
        values = paddle.full([1], x.shape[0] * x.shape[2] * x.shape[3], dtype=x.dtype)
        total = _SumOverRanks.apply(paddle.concat([x.sum([0, 2, 3]), values]))
        count = total[-1].detach()
        mean = total[:-1] / count
        centered = x - mean.reshape([1, -1, 1, 1])
        # by a second pass: the difference of the mean square and the squared mean would lose digits
        variance = _SumOverRanks.apply(centered.square().sum([0, 2, 3])) / count
        self._remember(mean.detach(), variance.detach())
        weight: paddle.Tensor = self.weight
        bias: paddle.Tensor = self.bias
        factor = weight / paddle.sqrt(variance + self._epsilon)
        return centered * factor.reshape([1, -1, 1, 1]) + bias.reshape([1, -1, 1, 1])

    @paddle.no_grad()
    def _remember(self, mean: paddle.Tensor, variance: paddle.Tensor) -> None:
        """Paddle's momentum is the part that stays, and its running variance is over n, not n - 1."""
        for running, new in ((self._mean, mean), (self._variance, variance)):
            running.set_value(self._momentum * running + (1 - self._momentum) * new)


class _SumOverRanks(paddle.autograd.PyLayer):
    """The sum of every rank's tensor, on every rank; each rank's loss depends on it, so the gradients add up too."""

    @staticmethod
    def forward(ctx: Any, x: paddle.Tensor) -> paddle.Tensor:
        return _sum_over_ranks(x)

    @staticmethod
    def backward(ctx: Any, gradient: paddle.Tensor) -> paddle.Tensor:
        return _sum_over_ranks(gradient)


def _sum_over_ranks(x: paddle.Tensor) -> paddle.Tensor:
    total = x.clone()
    dist.all_reduce(total)
    return total
