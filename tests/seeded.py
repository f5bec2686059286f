"""Weights drawn from a parameter's name and shape, so that two frameworks hold the same network without a shared file.

`seeded_array` is the weight rule that the recorded answers in tests/data were made with, copied from the record
(shared/reference/seeded.py), where it stands under PyTorch's names and layout. Do not change it.

    python tests/seeded.py --cfg YAML --seed 0 --output W.pdparams    # such weights as a file, for valid.py
"""

import argparse
import re
import sys
import zlib
from pathlib import Path

import numpy as np


def seeded_array(name, shape, seed=0):
    """The array of the parameter `name` (names and layout of the original PyTorch network)."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    n = rng.standard_normal(shape, dtype=np.float32) if shape else np.float32(0)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_mean":
        return (0.1 * n).astype(np.float32)
    if leaf == "running_var":
        return (0.8 + 0.2 * np.abs(n)).astype(np.float32)
    if leaf == "bias":
        return (0.1 * n).astype(np.float32)
    if len(shape) == 4:  # convolution [out, in, kh, kw]; transposed [in, out, kh, kw]
        if name.startswith("deconv_layers"):
            fan = shape[0] * shape[2] * shape[3] / 4.0
        else:
            fan = shape[1] * shape[2] * shape[3]
        gain = 0.25 if name.startswith("final_layer") else 2.0
        return (n * np.sqrt(gain / fan)).astype(np.float32)
    # batch-norm scale; the last one of each residual branch is damped so that deep nets stay in range
    last = re.search(r"layer\d\.\d+\.bn3\.weight$", name) or re.search(r"layer\d\.\d+\.bn2\.weight$", name)
    damp = 0.2 if last else 1.0
    return (damp * (1.0 + 0.1 * n)).astype(np.float32)


def original_name(name):
    """Our parameter's name -> the original's."""
    return name.removeprefix("backbone.").replace("._mean", ".running_mean").replace("._variance", ".running_var")


def our_name(name):
    """The original's parameter name -> ours."""
    name = name.replace(".running_mean", "._mean").replace(".running_var", "._variance")
    return name if name.startswith(("deconv_layers.", "final_layer.")) else f"backbone.{name}"


def seed_network(network, seed):
    """Fills a PoseResNet with the seeded weights and returns it."""
    network.set_state_dict(
        {
            name: seeded_array(original_name(name), tuple(tensor.shape), seed)
            for name, tensor in network.state_dict().items()
        }
    )
    return network


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from lib.config.config import read_config
    from lib.utils.runtime import import_paddle

    paddle = import_paddle()
    from lib.models.build import get_pose_net

    network = seed_network(get_pose_net(read_config(arguments.cfg).model), arguments.seed)
    paddle.save(network.state_dict(), arguments.output)


if __name__ == "__main__":
    main()
