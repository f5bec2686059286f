"""Mixed precision: refused where Paddle would ignore it; float32 is a plain step."""

import numpy as np
import pytest

from lib.training.precision import Precision
from lib.utils.errors import UserError


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_without_a_gpu_mixed_precision_is_refused(paddle, monkeypatch, level):
    monkeypatch.setattr(paddle, "get_device", lambda: "cpu")
    with pytest.raises(UserError, match=f"TRAIN.AMP {level} needs a CUDA GPU; on a CPU leave it O0"):
        Precision(level)


def test_float32_steps_as_an_optimizer_alone(paddle):
    weights = []
    for precision in (Precision(), None):
        paddle.seed(0)
        layer = paddle.nn.Linear(3, 2)
        optimizer = paddle.optimizer.SGD(0.1, parameters=layer.parameters())
        for row in np.eye(3, dtype=np.float32):
            if precision:
                with precision.casting():
                    loss = layer(paddle.to_tensor(row)).sum()
                precision.backward(loss)
                precision.step(optimizer)
            else:
                layer(paddle.to_tensor(row)).sum().backward()
                optimizer.step()
                optimizer.clear_grad()
        weights.append(layer.weight.numpy())
    np.testing.assert_array_equal(*weights)
    assert Precision().state() == {}


class LikeFloat16:
    """What Paddle's GradScaler does on a GPU, whose scaling is off on CPUs: the loss grows, its gradients shrink."""

    def __init__(self, paddle):
        self.paddle, self.factor = paddle, 1024.0  # a power of two: the weights are the same to the last bit

    def scale(self, loss):
        return loss * self.factor

    def step(self, optimizer):
        with self.paddle.no_grad():
            for parameter in optimizer._parameter_list:
                parameter.grad.scale_(1 / self.factor)
        optimizer.step()

    def update(self):
        self.factor *= 2


def test_a_scaled_loss_steps_as_one_that_is_not_and_the_scale_goes_on(paddle):
    weights, scaled = [], LikeFloat16(paddle)
    for scaler in (scaled, Precision().scaler):
        paddle.seed(0)
        layer, precision = paddle.nn.Linear(3, 2), Precision()
        precision.scaler = scaler
        optimizer = paddle.optimizer.SGD(0.1, parameters=layer.parameters())
        for row in np.eye(3, dtype=np.float32):
            precision.backward(layer(paddle.to_tensor(row)).sum())
            precision.step(optimizer)
        weights.append(layer.weight.numpy())
    np.testing.assert_array_equal(*weights)
    assert scaled.factor == 1024 * 2**3
