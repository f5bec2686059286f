"""What the training loop costs besides the network: its samples/s against a bare loop on one fixed batch.

    python tests/bench/train_loop.py [--cfg YAML] [--rounds 3] [KEY VALUE ...]

Both run in one process and one run, in turns, so that a noisy machine slows both: bare steps (forward, backward,
optimizer on the same batch), then steps of Trainer.train_epoch with everything it does. Prints both and the ratio.
"""

import argparse
import logging
import platform
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "pose_estimation")]

from lib.core.config import parse_overrides, read_config
from lib.utils.runtime import choose_device, import_paddle, run_script


def bare_seconds(trainer, batch, steps):
    """Seconds of `steps` forward, backward and optimizer steps on one batch that is ready on the device."""
    import paddle

    from lib.core.inference import build_target, normalize_crops

    images = normalize_crops(batch["crop"], trainer.config.dataset.pixel_scale)
    weight = paddle.to_tensor(batch["target_weight"])
    target = build_target(batch["horizontal"], batch["vertical"])
    trainer.learner.network.train()
    start = time.perf_counter()
    for _ in range(steps):
        loss = trainer.learner.criterion(trainer.learner.network(images), target, weight)
        loss.backward()
        trainer.learner.optimizer.step()
        trainer.learner.optimizer.clear_grad()
    float(loss)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", default="experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml")
    parser.add_argument("--rounds", type=int, default=3, help="how often the two take turns")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    config = read_config(arguments.cfg, parse_overrides(arguments.overrides))
    paddle = import_paddle()
    device = choose_device(config.gpus)
    from train import make_trainer

    _, trainer = make_trainer(config, None)
    trainer.log.addHandler(logging.NullHandler())
    steps = len(trainer.train_loader)
    batch = next(iter(trainer.train_loader))
    bare_seconds(trainer, batch, 1)  # warm-up
    trainer.train_epoch(0)  # starts the workers, too
    bare = loop = 0.0
    for turn in range(arguments.rounds):
        bare += bare_seconds(trainer, batch, steps)
        start = time.perf_counter()
        trainer.train_epoch(turn + 1)
        loop += time.perf_counter() - start
    trainer.train_loader.close()
    persons, per_batch = len(trainer.train_loader.dataset), batch["crop"].shape[0]
    bare_speed = arguments.rounds * steps * per_batch / bare
    loop_speed = arguments.rounds * persons / loop
    print(f"{device}; {platform.processor() or platform.machine()}, Paddle {paddle.__version__}")
    print(f"{arguments.cfg}, batch {per_batch}, workers {config.workers}, {arguments.rounds} x {steps} steps")
    print("| bare loop | training loop | ratio |\n|---|---|---|")
    print(f"| {bare_speed:.2f} samples/s | {loop_speed:.2f} samples/s | {loop_speed / bare_speed:.3f} |")


if __name__ == "__main__":
    run_script(main)
