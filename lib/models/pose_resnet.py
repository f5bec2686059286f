"""The network of the paper: a ResNet, three deconvolutions, one heatmap per joint (section 2, figure 1)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import paddle
from paddle import nn
from paddle.vision.models.resnet import BasicBlock, BottleneckBlock, ResNet

# kernel size -> (padding, output_padding) that make a stride-2 deconvolution double its input exactly
DECONV_KERNELS = {4: (1, 0), 3: (1, 1), 2: (0, 0)}


class CaffeBottleneckBlock(BottleneckBlock):
    """The bottleneck of Caffe's ResNets: the stride is in the first 1x1 convolution, not in the 3x3 behind it."""

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, *others: Any, **named: Any
    ) -> None:  # whatever paddle.vision's ResNet gives its block
        super().__init__(inplanes, planes, 1, *others, **named)
        if stride != 1:
            self.conv1 = nn.Conv2D(inplanes, planes, 1, stride=stride, bias_attr=False)
        self.stride = stride


def _block_of(depth: int, style: str) -> Any:
    if depth < 50:
        if style == "caffe":
            raise ValueError(f"style caffe needs bottleneck blocks: depth 50, 101 or 152, got {depth}")
        return BasicBlock
    return CaffeBottleneckBlock if style == "caffe" else BottleneckBlock


class PoseResNet(nn.Layer):
    """ResNet of `depth` + deconvolutions + a final convolution to `joint_count` heatmaps.

    style: which convolution of a stage's first bottleneck has the stride, the 3x3 (pytorch) or the first 1x1 (caffe).
    deconv_filters, deconv_kernels: one entry per deconvolution layer, kernels 2, 3 or 4; final_kernel: 1 or 3.
    Parameter names: `backbone.*` as in paddle.vision.models.ResNet, `deconv_layers.*`, `final_layer.*`.
    """

    def __init__(  # seven parameters: each is a value of the published experiments
        self,
        depth: int = 50,
        joint_count: int = 16,
        deconv_filters: Sequence[int] = (256, 256, 256),
        deconv_kernels: Sequence[int] = (4, 4, 4),
        deconv_with_bias: bool = False,
        final_kernel: int = 1,
        style: str = "pytorch",
    ) -> None:
        super().__init__()
        block = _block_of(depth, style)
        self.backbone = ResNet(block, depth, num_classes=0, with_pool=False)
        channels = 512 * block.expansion
        layers = []
        for filters, kernel in zip(deconv_filters, deconv_kernels, strict=True):
            padding, output_padding = DECONV_KERNELS[kernel]
            layers += [
                nn.Conv2DTranspose(
                    channels, filters, kernel, stride=2, padding=padding, output_padding=output_padding,
                    bias_attr=None if deconv_with_bias else False,
                ),
                nn.BatchNorm2D(filters),
                nn.ReLU(),
            ]  # fmt: skip
            channels = filters
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2D(channels, joint_count, final_kernel, padding=final_kernel // 2)

    def forward(self, images: paddle.Tensor) -> paddle.Tensor:
        """images (N, 3, H, W) -> heatmaps (N, K, H / 4, W / 4) for three deconvolution layers."""
        return self.final_layer(self.deconv_layers(self.backbone(images)))

    def initialize_head(self, deviation: float = 0.001) -> None:
        """The original's initialisation of the head alone: normal(0, 0.001), BatchNorm 1 and 0, biases 0.

        The backbone keeps its weights and statistics.
        """
        normal = nn.initializer.Normal(0.0, deviation)
        zero: Any = nn.initializer.Constant(0.0)
        one: Any = nn.initializer.Constant(1.0)
        for layer in [*self.deconv_layers.sublayers(), self.final_layer]:
            if isinstance(layer, nn.BatchNorm2D):
                one(layer.weight)
                zero(layer.bias)
            elif isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
                normal(layer.weight)
                if layer.bias is not None:
                    zero(layer.bias)

    def initialize_like_original(self) -> None:
        """Every layer as the original's framework makes it when nothing else is said (its INIT_WEIGHTS false).

        Weights and biases uniform within 1 / sqrt(fan in). Paddle's own default is 2.4 times wider; from scratch that
        starts at 6 times the loss and learns at a smaller step relative to the weights. BatchNorm is alike in both.
        """
        for layer in self.sublayers():
            if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
                # (out, in, h, w) for a convolution, (in, out, h, w) for a transposed one: the original takes
                # everything behind the first axis as fan in for both
                bound = math.prod(layer.weight.shape[1:]) ** -0.5
                uniform = nn.initializer.Uniform(-bound, bound)
                uniform(layer.weight)
                if layer.bias is not None:
                    uniform(layer.bias)


def count_parameters(network: paddle.nn.Layer) -> int:
    """How many numbers the network learns (BatchNorm's running statistics are not learnt)."""
    return sum(int(paddle.numel(parameter)) for parameter in network.parameters() if not parameter.stop_gradient)
