"""The network once more, in PyTorch's functions and from PyTorch's names: what the converted weights are held against.

It shares no code with lib/ and is itself held against the original's recorded heatmaps (core/test_convert.py).
"""

import torch
import torch.nn.functional as F

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def heatmaps(weights, images, depth):
    """Heatmaps (N, K, h, w) of {PyTorch name: array} and images (N, 3, H, W), all NumPy."""
    state = {name: torch.from_numpy(array) for name, array in weights.items() if array.shape}

    def norm(values, name):
        statistics = (state[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(values, *statistics, training=False, eps=1e-5)

    def convolve(values, name, stride=1):
        weight = state[f"{name}.weight"]
        return F.conv2d(values, weight, stride=stride, padding=weight.shape[2] // 2)

    def block(values, name, stride):
        strides = (1, stride, 1) if depth >= 50 else (stride, 1)
        inside = values
        for place, step in enumerate(strides, start=1):
            inside = norm(convolve(inside, f"{name}.conv{place}", step), f"{name}.bn{place}")
            inside = F.relu(inside) if place < len(strides) else inside
        if f"{name}.downsample.0.weight" in state:
            values = norm(convolve(values, f"{name}.downsample.0", stride), f"{name}.downsample.1")
        return F.relu(inside + values)

    with torch.inference_mode():
        values = F.relu(norm(convolve(torch.from_numpy(images), "conv1", 2), "bn1"))
        values = F.max_pool2d(values, 3, stride=2, padding=1)
        for stage, count in enumerate(BLOCKS[depth], start=1):
            for place in range(count):
                values = block(values, f"layer{stage}.{place}", 2 if stage > 1 and place == 0 else 1)
        for place in (place for place in (0, 3, 6) if f"deconv_layers.{place}.weight" in state):
            values = F.conv_transpose2d(values, state[f"deconv_layers.{place}.weight"], stride=2, padding=1)
            values = F.relu(norm(values, f"deconv_layers.{place + 1}"))
        return F.conv2d(values, state["final_layer.weight"], state["final_layer.bias"]).numpy()
