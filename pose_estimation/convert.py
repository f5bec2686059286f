"""Converts weights of other projects to .pdparams, with a record of the pictures that they expect beside them."""

import argparse
import os
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.config import parse_overrides, read_config
from lib.utils.errors import UserError
from lib.utils.image import DEVIATION, MEAN
from lib.utils.parser import OneLineParser, positive
from lib.utils.runtime import choose_device, import_paddle, make_folder, replacing, run_script
from lib.weights.convert import KIND_WORDS, PICTURES, depth_of, kind_of, read_source, rename
from lib.weights.weight_record import WeightRecord, file_digest, parse_record, read_record, record_path, write_record

NAMES_SHOWN = 5
PICTURE_KEYS = ("color_order", "pixel_scale", "mean", "deviation")  # in the order of PICTURES
EPILOG = """
reads  checkpoints of the original PyTorch code and of mmpose, ImageNet ResNets of torchvision's or Caffe's kind (as
       .pth, .pth.tar ... with PyTorch, or as .safetensors without it), and .pdparams or .pdckpt of Paddle
writes X.pdparams for valid.py --model-file or MODEL.PRETRAINED, and X.json: what pictures the weights expect
needs  pip install -r requirements/convert.txt
"""


def parse_arguments():
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
        "--color-order", choices=("bgr", "rgb"), help="of the pictures the weights expect (default: by their kind)"
    )
    parser.add_argument(
        "--pixel-scale", type=positive, metavar="N", help="what the pixels are divided by: 255, or 1 for nothing"
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="override the experiment: MODEL.DEPTH 101")
    return parser.parse_intermixed_args()


def check_output(source, output):
    """Raises UserError where the result could not be written, or would replace what is not a result."""
    if output.suffix != ".pdparams":
        raise UserError(f"--output {output}: the name must end in .pdparams")
    folder = next(parent for parent in output.parents if parent.exists())  # the others are made in the end
    if not folder.is_dir() or not os.access(folder, os.W_OK) or output.is_dir():
        raise UserError(f"--output {output}: cannot be written")
    if source.exists() and output.exists() and source.samefile(output):
        raise UserError(f"--output {output} is the source itself: choose another name")
    record = record_path(output)
    if record.exists() and parse_record(record) is None:
        raise UserError(f"--output {output}: {record} exists and is no record of weights: choose another name")


def say_names(what, names):
    """One line: how many, and the first few."""
    shown = f": {', '.join(names[:NAMES_SHOWN])}" if names else ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    print(f"=> {what}: {len(names)}{shown}{more}")


def select_weights(arguments, model, weights, expected):
    """The {name: array} of renamed weights that are the whole of `expected`; prints what came of them.

    Raises UserError where any is missing, of another shape, or one of the network's that this network lacks.
    """
    from lib.weights.weights import match_weights

    match = match_weights(weights, expected)
    print(f"=> loaded: {len(match.matched)} of {len(expected)}")
    for what, names in (("missing", match.missing), ("of another shape", match.mismatched), ("unused", match.unused)):
        say_names(what, names)
    if not match.matched:
        raise UserError(
            f"{arguments.source}: none of its {len(weights)} weights fits this network (it has names such as "
            f"{next(iter(weights))}): is it a ResNet, and of MODEL.DEPTH {model.depth}?"
        )
    if not arguments.backbone_only and not any(name.startswith(("deconv_layers.", "final_layer.")) for name in weights):
        raise UserError(
            f"{arguments.source} has a backbone, but no head for a pose network: convert it with --backbone-only and "
            "give the result as MODEL.PRETRAINED"
        )
    parts = ("backbone.",) if arguments.backbone_only else ("backbone.", "deconv_layers.", "final_layer.")
    strange = [name for name in match.unused if name.startswith(parts) and not name.startswith("backbone.fc.")]
    wrong = match.missing + match.mismatched + strange
    if wrong:
        reason = explain(model, weights, wrong)
        raise UserError(f"{arguments.source} is of another network than {arguments.cfg}: {reason}")
    return match.matched


def explain(model, weights, wrong):
    """Why renamed weights do not fit, and what to do. wrong: the names that do not."""
    depth, final = depth_of(weights), "final_layer.weight"
    if depth not in (None, model.depth):
        return f"it has MODEL.DEPTH {depth}, not {model.depth}"
    if final in wrong and final in weights and len(weights[final]) != model.num_joints:
        return (
            f"its head is for MODEL.NUM_JOINTS {len(weights[final])}, not {model.num_joints}; convert it with the "
            "experiment it is of and give the result as MODEL.PRETRAINED: training then starts another head"
        )
    return f"weights that do not fit: {len(wrong)} (such as {wrong[0]}); check MODEL.DEPTH and MODEL.EXTRA"


def describe_source(source, kind):
    """What the weights expect: (a WeightRecord's fields as far as the source has them, whose word that is).

    Its own record counts before the run folder it lies in, and that before what is usual for its kind.
    """
    record, line = read_record(source)
    if line:
        print(line)
    if record:
        return record.model_dump(include={"kind", "style", *PICTURE_KEYS}), "its record"
    run_config = source.parent / "config.yaml"
    if kind == "paddle" and run_config.is_file():
        try:
            run = read_config(run_config, warn=lambda line: None)
        except UserError:
            pass  # of somebody else's program
        else:
            order = "RGB" if run.dataset.color_rgb else "BGR"
            pictures = dict(zip(PICTURE_KEYS, (order, run.dataset.pixel_scale, MEAN, DEVIATION), strict=True))
            return {"kind": "ours", "style": run.model.style, **pictures}, "config.yaml beside it"
    return {"kind": kind, **dict(zip(PICTURE_KEYS, PICTURES[kind], strict=True))}, f"usual for {KIND_WORDS[kind]}"


def make_record(arguments, config, kind):
    """The WeightRecord of the result, but for its digest; prints what pictures the weights expect."""
    account, whose_word = describe_source(Path(arguments.source), kind)
    if account.setdefault("style", config.model.style) != config.model.style:
        raise UserError(
            f"{arguments.source} is of MODEL.STYLE {account['style']} (says {whose_word}), not {config.model.style}"
        )
    if arguments.color_order:
        account["color_order"] = arguments.color_order.upper()
    if arguments.pixel_scale not in (None, account["pixel_scale"]):
        account |= {"pixel_scale": arguments.pixel_scale, "mean": MEAN, "deviation": DEVIATION}
    record = WeightRecord(
        **account,
        source=Path(arguments.source).name,
        part="backbone" if arguments.backbone_only else "pose network",
        depth=config.model.depth,
        joint_count=None if arguments.backbone_only else config.model.num_joints,
        image_size=config.model.image_size,
        sha256="",
    )
    options = {"--color-order": arguments.color_order, "--pixel-scale": arguments.pixel_scale}
    given = [option for option, value in options.items() if value is not None]
    print(f"=> expects {record.describe_pictures()} ({', '.join([whose_word, *given])})")
    return record


def write_result(state, record, output):
    """Writes weights and record. The record first: weights without theirs would be used unchecked."""
    import paddle

    make_folder(output.parent)
    with replacing(output) as temporary:
        paddle.save(state, str(temporary))
        write_record(record.model_copy(update={"sha256": file_digest(temporary)}), record_path(output))
    print(f"=> wrote {output} and {record_path(output).name} beside it")


def main():
    arguments = parse_arguments()
    source, output = Path(arguments.source), Path(arguments.output)
    config = read_config(arguments.cfg, parse_overrides(arguments.overrides))
    check_output(source, output)
    foreign = read_source(source)
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
    matched = select_weights(arguments, config.model, weights, expected)
    record = make_record(arguments, config, kind)
    network.set_state_dict({**network.state_dict(), **matched})
    write_result((network.backbone if arguments.backbone_only else network).state_dict(), record, output)
    overrides = record.overrides_for(config.dataset)
    if overrides:
        print(f"=> {arguments.cfg} has other pictures: with these weights give {overrides}")


if __name__ == "__main__":
    run_script(main)
