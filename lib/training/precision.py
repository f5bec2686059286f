"""Training in mixed precision (TRAIN.AMP), on CUDA GPUs."""
from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import paddle

from ..utils.errors import UserError


class Precision:
    """How the network's forward and backward pass are computed; loss, metrics and decoding are float32 always.

    level: O0 float32; O1 what is safe in half precision; O2 all but BatchNorm, with float32 master weights in the
        optimizer. dtype: float16, whose gradients need loss scaling, or bfloat16, whose do not.
    Raises UserError where the device is no CUDA GPU: Paddle would go on in float32 without a word.
    """

    def __init__(self, level: str = "O0", dtype: str = "float16") -> None:
        self.level: Any = level  # Paddle's stubs want literals
        self.dtype: Any = dtype
        if level != "O0" and paddle.get_device() == "cpu":
            raise UserError(f"TRAIN.AMP {level} needs a CUDA GPU; on a CPU leave it O0 (float32)")
        self.scaler = paddle.amp.GradScaler(enable=level != "O0" and dtype == "float16")

    def decorate(
        self, network: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer
    ) -> tuple[paddle.nn.Layer, paddle.optimizer.Optimizer]:
        """(network, optimizer) with the weights in half precision for O2; weights are saved in float32 all the same."""
        if self.level != "O2":
            return network, optimizer
        decorated: Any = paddle.amp.decorate(
            network, optimizer, level="O2", dtype=self.dtype, master_weight=True, save_dtype="float32"
        )
        return decorated

    def casting(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which the network runs."""
        return paddle.amp.auto_cast(enable=self.level != "O0", level=self.level, dtype=self.dtype)

    def backward(self, loss: paddle.Tensor) -> None:
        """Gradients of a loss, added to those that are there."""
        self.scaler.scale(loss).backward()

    def step(self, optimizer: paddle.optimizer.Optimizer) -> None:
        """One step of the optimizer, left out where half precision overflowed; the gradients begin anew."""
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.clear_grad()

    def state(self) -> dict[Any, Any]:
        """The loss scaling as plain values, for a checkpoint; empty where there is none."""
        return {name: np.asarray(value).tolist() for name, value in self.scaler.state_dict().items()}

    def restore(self, state: dict[str, Any] | None) -> None:
        """Goes on with the loss scaling that `state` returned."""
        if state and self.scaler.is_enable():
            scale = np.asarray(state["scale"], dtype=np.float32)
            restored: Any = {**state, "scale": scale}
            self.scaler.load_state_dict(restored)
