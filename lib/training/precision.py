"""Training in mixed precision (TRAIN.AMP), on CUDA GPUs."""

import numpy as np
import paddle

from ..utils.errors import UserError


class Precision:
    """How the network's forward and backward pass are computed; loss, metrics and decoding are float32 always.

    level: O0 float32; O1 what is safe in half precision; O2 all but BatchNorm, with float32 master weights in the
        optimizer. dtype: float16, whose gradients need loss scaling, or bfloat16, whose do not.
    Raises UserError where the device is no CUDA GPU: Paddle would go on in float32 without a word.
    """

    def __init__(self, level="O0", dtype="float16"):
        self.level, self.dtype = level, dtype
        if level != "O0" and paddle.get_device() == "cpu":
            raise UserError(f"TRAIN.AMP {level} needs a CUDA GPU; on a CPU leave it O0 (float32)")
        self.scaler = paddle.amp.GradScaler(enable=level != "O0" and dtype == "float16")

    def decorate(self, network, optimizer):
        """(network, optimizer) with the weights in half precision for O2; weights are saved in float32 all the same."""
        if self.level != "O2":
            return network, optimizer
        return paddle.amp.decorate(
            network, optimizer, level="O2", dtype=self.dtype, master_weight=True, save_dtype="float32"
        )

    def casting(self):
        """The context in which the network runs."""
        return paddle.amp.auto_cast(enable=self.level != "O0", level=self.level, dtype=self.dtype)

    def backward(self, loss):
        """Gradients of a loss, added to those that are there."""
        self.scaler.scale(loss).backward()

    def step(self, optimizer):
        """One step of the optimizer, left out where half precision overflowed; the gradients begin anew."""
        self.scaler.step(optimizer)
        self.scaler.update()
        optimizer.clear_grad()

    def state(self):
        """The loss scaling as plain values, for a checkpoint; empty where there is none."""
        return {name: np.asarray(value).tolist() for name, value in self.scaler.state_dict().items()}

    def restore(self, state):
        """Goes on with the loss scaling that `state` returned."""
        if state and self.scaler.is_enable():
            scale = np.asarray(state["scale"], dtype=np.float32)
            self.scaler.load_state_dict({**state, "scale": scale})
