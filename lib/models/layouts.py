"""Other layouts of the same network: channels last, compiled. Parameter names stay the same."""

from __future__ import annotations

from typing import Any

import paddle
from paddle.static import InputSpec

LAYOUT_FIELDS = ("_data_format", "data_format")  # what Paddle's layers call their layout


def use_channels_last(network: paddle.nn.Layer) -> paddle.nn.Layer:
    """Has a network of convolutions compute with (N, H, W, C) inside, which half precision on GPUs is faster with.

    Pictures go in and heatmaps come out as (N, C, H, W) as before. Returns the network.
    """
    for layer in network.sublayers():
        for field in LAYOUT_FIELDS:
            if getattr(layer, field, None) == "NCHW":
                setattr(layer, field, "NHWC")
        if hasattr(layer, "_channel_dim"):  # where a convolution adds its bias
            layer._channel_dim = 3
    to_channels_last: Any = lambda _, inputs: (inputs[0].transpose([0, 2, 3, 1]),)  # noqa: E731
    network.register_forward_pre_hook(to_channels_last)
    network.register_forward_post_hook(lambda _, inputs, output: output.transpose([0, 3, 1, 2]))
    return network


def compile_network(network: paddle.nn.Layer, image_size: tuple[int, int]) -> paddle.nn.Layer:
    """Has Paddle trace the network into a program (paddle.jit.to_static) for batches of any size.

    image_size: (width, height). Returns the network.
    """
    width, height = image_size
    return paddle.jit.to_static(network, full_graph=True, input_spec=[InputSpec([None, 3, height, width], "float32")])


def set_cudnn(benchmark: bool, deterministic: bool) -> None:
    """CUDNN.BENCHMARK: time cuDNN's algorithms and take the fastest; CUDNN.DETERMINISTIC: only those that repeat.

    Nothing where the device is no GPU: Paddle without CUDA does not know these flags.
    """
    if paddle.get_device() != "cpu":
        paddle.set_flags({"FLAGS_cudnn_exhaustive_search": benchmark, "FLAGS_cudnn_deterministic": deterministic})
