"""Training speed and memory on a CUDA GPU, in float32 and in mixed precision, with what else may make it faster.

    python tests/bench/gpu.py --root data/bench [--amp O0 O1 O2] [--dtype float16 bfloat16] [--epochs 3] [KEY VALUE ...]

All combinations of TRAIN.AMP, TRAIN.AMP_DTYPE, TRAIN.CHANNELS_LAST, TRAIN.TO_STATIC and CUDNN.BENCHMARK, each in a
process of its own, by the project's own Trainer; a first epoch does not count. `--root` is a data set in MPII's form
with some hundred persons or more (make bench-gpu draws one). Ends with exit code 2 where there is no CUDA GPU.
"""

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "pose_estimation")]

from measuring import TimedLoader, in_fresh_process, machine_line, table

from lib.config.config import parse_overrides, read_config
from lib.device.device import choose_device
from lib.utils.errors import UserError
from lib.utils.parser import OneLineParser
from lib.utils.runtime import import_paddle, quiet_logger, run_script

EXPERIMENT = "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
SWITCHES = ("TRAIN.CHANNELS_LAST", "TRAIN.TO_STATIC", "CUDNN.BENCHMARK")


def combinations(levels, dtypes):
    """The settings to measure, {key: value} each; float32 knows no data type."""
    for level, dtype, *switches in itertools.product(levels, dtypes, *[(False, True)] * len(SWITCHES)):
        if level != "O0" or dtype == dtypes[0]:
            half = {} if level == "O0" else {"TRAIN.AMP_DTYPE": dtype}
            yield {"TRAIN.AMP": level, **half, **dict(zip(SWITCHES, switches, strict=True))}


def require_gpu():
    """The name of the first GPU; raises UserError where there is none."""
    paddle = import_paddle()
    if not paddle.is_compiled_with_cuda() or not paddle.device.cuda.device_count():
        raise UserError("this measures a CUDA GPU, and none can be used; make bench measures the CPU")
    return paddle.device.cuda.get_device_name(0)


def measure(cfg, settings, epochs):
    """Samples a second, the share of data time and the peak of GPU memory in bytes, of one setting."""
    config = read_config(cfg, settings)
    paddle = import_paddle()
    choose_device(config.gpus, asked=True)
    from lib.training.build import make_trainer

    _, trainer = make_trainer(config, None)
    trainer.log = quiet_logger()
    trainer.train_step.begin()
    loader = trainer.train_loader = TimedLoader(trainer.train_loader)
    for epoch in range(epochs + 1):
        trainer.progress.pop("begun", None)  # the epoch before is finished
        trainer.train_epoch(epoch)
    loader.close()
    speed = epochs * len(loader.dataset) / loader.seconds
    return {"speed": speed, "share": loader.data_share(), "memory": paddle.device.cuda.max_memory_allocated()}


def row_of(settings, arguments, baseline):
    """The row of a setting, and its samples a second; baseline: those of float32, None where this is it."""
    half = settings.get("TRAIN.AMP_DTYPE", "float32")
    words = ("--one", json.dumps({**settings, **arguments.overrides}), "--cfg", arguments.cfg)
    names = (settings["TRAIN.AMP"], half, *("yes" if settings[key] else "" for key in SWITCHES))
    try:
        got = in_fresh_process(__file__, *words, "--epochs", arguments.epochs)
    except subprocess.CalledProcessError:  # it has said why
        return (*names, "failed", "", "", ""), None
    speed = got["speed"]
    ratio = f"{speed / (baseline or speed):.2f}"
    return (*names, f"{speed:.1f}", ratio, f"{got['share']:.1%}", f"{got['memory'] / 1e9:.2f} GB"), speed


def main():
    parser = OneLineParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", default=EXPERIMENT)
    parser.add_argument("--root", default="data/bench", help="a data set in MPII's form")
    parser.add_argument("--amp", nargs="+", choices=("O0", "O1", "O2"), default=["O0", "O1", "O2"])
    parser.add_argument("--dtype", nargs="+", choices=("float16", "bfloat16"), default=["float16", "bfloat16"])
    parser.add_argument("--epochs", type=int, default=3, help="that count")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE")
    arguments = parser.parse_intermixed_args()
    if arguments.one:
        print(json.dumps(measure(arguments.cfg, arguments.one, arguments.epochs)))
        return
    name = require_gpu()
    fixed = {"DATASET.ROOT": arguments.root, "MODEL.PRETRAINED": ""}
    arguments.overrides = {**fixed, **parse_overrides(arguments.overrides)}
    config = read_config(arguments.cfg, arguments.overrides)
    print(f"{machine_line('paddle')}; {name}")
    print(f"\n{arguments.cfg}, batch {config.train.batch_size}, {config.workers} workers, {arguments.epochs} epochs; "
          "the ratio is to the first row.")  # fmt: skip
    rows, baseline = [], None
    for settings in combinations(arguments.amp, arguments.dtype):
        row, speed = row_of(settings, arguments, baseline)
        rows.append(row)
        baseline = baseline or speed
    titles = ("AMP", "data type", *SWITCHES, "samples/s", "ratio", "data time", "peak GPU memory")
    print(table(titles, rows))


if __name__ == "__main__":
    run_script(main)
