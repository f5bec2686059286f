"""A running average of the weights while they are trained (TRAIN.EMA)."""
from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np
import paddle


class WeightAverage:
    """average = decay * average + (1 - decay) * weights after each step, BatchNorm's statistics included.

    The decay is min(decay, (1 + step) / (10 + step)), so that the first weights, which are random, are soon forgotten
    (as TensorFlow's ExponentialMovingAverage has it). `state` is {name: tensor}, as the network's state_dict.
    """

    def __init__(self, network: paddle.nn.Layer, decay: float) -> None:
        self.decay = decay
        self.begin(network)

    def begin(self, network: paddle.nn.Layer) -> None:
        """Starts from the network's weights."""
        self.step, self.state = 0, _copy(network.state_dict())

    @paddle.no_grad()
    def update(self, network: paddle.nn.Layer) -> None:
        """Takes in the network's weights after a step."""
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for name, weight in network.state_dict().items():
            self.state[name] = decay * self.state[name] + (1 - decay) * weight

    @contextlib.contextmanager
    def applied(self, network: paddle.nn.Layer) -> Iterator[paddle.nn.Layer]:
        """The network with the average as its weights, and with its own again afterwards."""
        own = _copy(network.state_dict())
        network.set_state_dict(self.state)
        try:
            yield network
        finally:
            network.set_state_dict(own)

    def restore(self, state: dict[str, np.ndarray], step: int) -> None:
        """Goes on with an average that was saved: {name: array or tensor} and the number of steps in it."""
        self.state, self.step = {name: paddle.to_tensor(value) for name, value in state.items()}, step


def _copy(state: Mapping[str, paddle.Tensor]) -> dict[str, paddle.Tensor]:
    return {name: weight.clone().detach() for name, weight in state.items()}
