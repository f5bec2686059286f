"""The training loss."""

from __future__ import annotations

import paddle


class JointsMSELoss(paddle.nn.Layer):
    """Half the mean squared error over all joints' heatmaps (section 2 of the paper).

    use_target_weight: multiply prediction and target of each joint by its weight, so that joints that are not
    annotated do not count; the mean is over all joints all the same, as in the original.
    """

    def __init__(self, use_target_weight: bool = True) -> None:
        super().__init__()
        self.use_target_weight = use_target_weight

    def forward(self, output: paddle.Tensor, target: paddle.Tensor, target_weight: paddle.Tensor) -> paddle.Tensor:
        """output, target (N, K, H, W), target_weight (N, K, 1); returns a scalar."""
        difference = output - target
        if self.use_target_weight:
            difference = difference * target_weight.unsqueeze(-1)  # (N, K, 1, 1)
        return 0.5 * paddle.mean(paddle.square(difference))
