"""What the training loop costs besides the network: its samples/s against a bare loop on one fixed batch.

    python tests/bench/train_loop.py [--cfg YAML] [--rounds 3] [KEY VALUE ...]

Both run in one process and one run, in turns, so that a noisy machine slows both: bare steps (forward, backward,
optimizer on the same batch), then steps of Trainer.train_epoch with everything it does. Prints both and the ratio; how
much of a step's time the loop waits for data, first steps left out; and how long the first batch of an epoch takes,
of the first epoch, which starts the workers, and of the later ones, which were not prepared while others computed.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "pose_estimation")]

from measuring import TimedLoader, machine_line, table

from lib.config.config import parse_overrides, read_config
from lib.device.device import choose_device
from lib.utils.runtime import import_paddle, run_script

WANTED_SHARE, WANTED_START = 0.03, 1.0


def bare_seconds(trainer, batch, steps):
    """Seconds of `steps` forward, backward and optimizer steps on one batch that is ready on the device."""
    import paddle

    from lib.models.paddle_network import build_target, normalize_crops

    images = normalize_crops(batch["crop"], trainer.train_step.pixel_scale)
    weight = paddle.to_tensor(batch["target_weight"])
    target = build_target(batch["horizontal"], batch["vertical"])
    trainer.train_step.network.train()
    start = time.perf_counter()
    for _ in range(steps):
        loss = trainer.train_step.criterion(trainer.train_step.network(images), target, weight)
        loss.backward()
        trainer.train_step.optimizer.step()
        trainer.train_step.optimizer.clear_grad()
    float(loss)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", default="experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml")
    parser.add_argument("--rounds", type=int, default=3, help="how often the two take turns")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    config = read_config(arguments.cfg, parse_overrides(arguments.overrides))
    import_paddle()
    device = choose_device(config.gpus)
    from lib.training.build import make_trainer

    _, trainer = make_trainer(config, None)
    trainer.log.addHandler(logging.NullHandler())
    print(f"{machine_line('paddle')}; {device.removeprefix('=> ')}")
    loader = trainer.train_loader = TimedLoader(trainer.train_loader)
    trainer.train_epoch(0)  # starts the workers and warms up
    steps, batch = len(loader), next(iter(loader))
    bare = loop = 0.0
    bare_seconds(trainer, batch, 1)
    for turn in range(arguments.rounds):
        bare += bare_seconds(trainer, batch, steps)
        del trainer.progress["begun"]  # the epoch before is finished
        start = time.perf_counter()
        trainer.train_epoch(turn + 1)
        loop += time.perf_counter() - start
    loader.close()
    report(config, arguments, loader, len(batch["index"]), bare, loop)


def report(config, arguments, loader, per_batch, bare, loop):
    """Prints the tables; bare, loop: seconds of all rounds."""
    steps = len(loader)
    bare_speed = arguments.rounds * steps * per_batch / bare
    loop_speed = arguments.rounds * len(loader.dataset) / loop
    print(f"\n{arguments.cfg}, batch {per_batch}, {config.workers} workers, {arguments.rounds} x {steps} steps.")
    row = (f"{bare_speed:.2f} samples/s", f"{loop_speed:.2f} samples/s", f"{loop_speed / bare_speed:.3f}")
    print(table(("bare loop", "training loop", "ratio"), [row]))
    first, *later = (waits[0] for waits, _ in loader.epochs)
    print(f"\nWanted: below {WANTED_SHARE:.0%}, and below {WANTED_START:g} s from the second epoch on.")
    titles = "data time after the first step", "first batch of the first epoch", "of a later epoch, median and worst"
    later = f"{np.median(later):.2f} s, {max(later):.2f} s"
    print(table(titles, [(f"{loader.data_share():.2%}", f"{first:.2f} s", later)]))


if __name__ == "__main__":
    run_script(main)
