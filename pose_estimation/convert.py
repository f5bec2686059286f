"""Converts weights of other projects to .pdparams, with a record of the pictures that they expect beside them."""

import argparse
from pathlib import Path
from typing import Any

import _init_paths  # noqa: F401

from lib.config.config import parse_overrides, read_config
from lib.device.device import choose_device
from lib.utils.parser import OneLineParser, positive
from lib.utils.runtime import import_paddle, run_script
from lib.weights.conversion import check_output, make_record, select_weights, write_result
from lib.weights.convert import kind_of, read_source, rename

EPILOG = """
reads  checkpoints of the original PyTorch code and of mmpose, ImageNet ResNets of torchvision's or Caffe's kind (as
       .pth, .pth.tar ..., which needs no PyTorch, or as .safetensors), and .pdparams or .pdckpt of Paddle
writes X.pdparams for valid.py --model-file or MODEL.PRETRAINED, and X.json: what pictures the weights expect
needs  pip install safetensors for .safetensors files, nothing for the others
"""


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(
        description=__doc__, epilog=EPILOG, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", required=True, metavar="FILE", help="the weights to convert; the ending says how")
    parser.add_argument("--cfg", required=True, metavar="YAML", help="the experiment that the weights are of")
    parser.add_argument("--output", required=True, metavar="X.pdparams", help="the file to write, and X.json beside it")
    parser.add_argument(
        "--backbone-only", action="store_true", help="write a bare ResNet to give as MODEL.PRETRAINED, without any head"
    )
    parser.add_argument(
        "--color-order", choices=("bgr", "rgb"), help="channel order that the weights expect (default: by their kind)"
    )
    parser.add_argument(
        "--pixel-scale", type=positive, metavar="N", help="pixels are divided by this: 255, or 1 for none"
    )
    parser.add_argument("--ema", action="store_true", help="take the averaged weights of a checkpoint that has both")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="override the experiment: MODEL.DEPTH 101")
    return parser.parse_intermixed_args()


def main() -> None:
    arguments = parse_arguments()
    source = Path(arguments.source)
    output = Path(arguments.output)
    config = read_config(arguments.cfg, parse_overrides(arguments.overrides))
    check_output(source, output)
    foreign = read_source(source, arguments.ema)
    kind = kind_of(foreign, config.model.style)
    weights = rename(foreign)
    print(f"=> {source}: {len(foreign)} weights")

    paddle = import_paddle()
    from lib.models.build import get_pose_net

    choose_device("cpu")
    with paddle.utils.unique_name.guard():  # Paddle's own names are saved too: the same file from the same weights
        network = get_pose_net(config.model)
    expected = network.state_dict()
    if arguments.backbone_only:
        expected = {name: tensor for name, tensor in expected.items() if name.startswith("backbone.")}
    matched = select_weights(source, arguments.cfg, arguments.backbone_only, config.model, weights, expected)
    record = make_record(arguments, config, kind)
    filled: dict[str, Any] = {**network.state_dict(), **matched}
    network.set_state_dict(filled)
    part = network.backbone if arguments.backbone_only else network
    write_result(part.state_dict(), record, output, paddle.save)
    overrides = record.overrides_for(config.dataset)
    if overrides:
        print(f"=> {arguments.cfg} has other pictures: with these weights give {overrides}")


if __name__ == "__main__":
    run_script(main)
