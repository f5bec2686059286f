"""One rank of a small training, and what else the ranks do together: tests/training/test_ranks.py starts two of these.

python tests/rank_toy.py together FOLDER     trains and gathers; writes what came of it to FOLDER/<rank>.npz
python tests/rank_toy.py MANNER FOLDER       trains without end, until rank 1 ends in one of MANNERS at step 5
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib.utils import runtime  # noqa: E402
from lib.utils.errors import UserError  # noqa: E402

PERSONS, JOINED, STEPS, JOINTS = 23, 8, 20, 4  # 23 = 8 + 8 + 7: one batch in three is not even
MANNERS = {
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "bad-input": lambda: _raise(UserError("picture 7.jpg is truncated")),
    "bug": lambda: _raise(KeyError("nobody thought of it")),
    "never": lambda: None,
}


def _raise(error):
    raise error


def toy_network():
    """Two convolutions with BatchNorm and a head, the same weights each time."""
    import paddle
    from paddle import nn

    paddle.seed(0)
    return nn.Sequential(
        nn.Conv2D(3, 8, 3, padding=1, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU(),
        nn.Sequential(nn.Conv2D(8, 8, 3, padding=1, bias_attr=False), nn.BatchNorm2D(8), nn.ReLU()),
        nn.Conv2D(8, JOINTS, 1),
    )  # fmt: skip


def toy_data():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(PERSONS, 3, 16, 16)).astype(np.float32)
    return images, np.repeat(images.mean(axis=1, keepdims=True), JOINTS, axis=1)


def train(ranks, steps=STEPS, parts=1, before_step=lambda step: None):
    """The joined loss of each step and the network; parts: backward passes of a step, whose gradients accumulate."""
    import paddle

    from lib.core.loss import JointsMSELoss
    from lib.dataset.loader import TrainingShare
    from lib.models.sync_batch_norm import synchronize_batch_norm
    from lib.training.ranks import between_steps

    (images, targets), network = toy_data(), toy_network()
    if ranks.count > 1:
        synchronize_batch_norm(network, ranks.device)
    model, criterion = ranks.data_parallel(network), JointsMSELoss()
    optimizer = paddle.optimizer.Adam(0.01, parameters=network.parameters())
    sampler = TrainingShare(PERSONS, JOINED // ranks.count, True, 3, ranks.rank, ranks.count)
    losses = []
    while len(losses) < steps:
        for step, keys in enumerate(sampler):
            before_step(len(losses))
            rows, joined = [index for _, index in keys], sampler.joined_rows(step)
            loss = 0.0
            for part in range(parts):
                ranks.wait()
                weight = paddle.ones([len(rows), JOINTS, 1])
                context = between_steps(model) if part < parts - 1 else paddle.enable_grad()
                with context:
                    inputs = paddle.to_tensor(images[rows]) * (1 + part)
                    value = criterion(model(inputs), paddle.to_tensor(targets[rows]), weight)
                    (value * (ranks.loss_weight(len(rows), joined) / parts)).backward()
                loss += value.item() * len(rows) / joined / parts
            optimizer.step()
            optimizer.clear_grad()
            losses.append(ranks.add_up(loss).item())
            if len(losses) == steps:
                break
        sampler.epoch += 1
    return losses, network


def normalize(ranks, momentum=0.8):
    """What BatchNorm makes of a joined batch of 7, by name; rank 0 has four of its rows, rank 1 three."""
    import paddle

    from lib.models.sync_batch_norm import synchronize_batch_norm

    rng = np.random.default_rng(1)
    x, gradient = (rng.normal(2, 3, size=(7, 5, 6, 4)).astype(np.float32) for _ in range(2))
    layer = paddle.nn.Sequential(paddle.nn.BatchNorm2D(5, momentum))
    layer[0].weight.set_value(rng.normal(size=5).astype(np.float32))
    layer[0].bias.set_value(rng.normal(size=5).astype(np.float32))
    names = list(layer.state_dict())
    if ranks.count > 1:
        synchronize_batch_norm(layer, ranks.device)
    assert list(layer.state_dict()) == names
    mine = np.array_split(np.arange(7), ranks.count)[ranks.rank]
    inputs = paddle.to_tensor(x[mine])
    inputs.stop_gradient = False
    outputs = layer(inputs)
    (outputs * paddle.to_tensor(gradient[mine])).sum().backward()
    layer.eval()
    result = {"eval": layer(inputs).numpy(), "output": outputs.numpy(), "input_gradient": inputs.grad.numpy()}
    result = {name: ranks.gather_rows(value) for name, value in result.items()}
    result |= {"weight_gradient": ranks.add_up(layer[0].weight.grad.numpy())}
    result |= {"bias_gradient": ranks.add_up(layer[0].bias.grad.numpy())}
    return result | {"mean": layer[0]._mean.numpy(), "variance": layer[0]._variance.numpy()}


def exchange(ranks):
    """What the ranks give each other, beside training."""
    import paddle

    rows = np.arange(3 * 2 * 3, dtype=np.float32).reshape(3, 2, 3) + 100 * ranks.rank
    state = {"a": paddle.full([2, 2], float(ranks.rank)), "b": paddle.create_parameter([3], "float32")}
    state["b"].set_value(np.full(3, 7.0 + ranks.rank, np.float32))
    ranks.share_state(state)
    return {
        "rows": ranks.gather_rows(rows[: 3 - ranks.rank]),
        "some_without": ranks.gather_rows(np.arange(4 * ranks.rank, dtype=np.int64)),
        "sums": ranks.add_up([[1.5, ranks.rank]]),
        "shared": np.concatenate([value.numpy().ravel() for value in state.values()]),
    }


def runs(process):
    """Whether a process, given by its number, is there and has not ended; an orphan may wait in vain to be reaped."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main():
    manner, folder = sys.argv[1], Path(sys.argv[2])
    runtime.import_paddle()
    from lib.training.ranks import start_ranks

    with start_ranks() as ranks:
        (folder / f"{ranks.rank}.pid").write_text(str(os.getpid()))
        if manner == "together":
            losses, network = train(ranks)
            results = {"losses": losses, "accumulated": train(ranks, parts=2)[0], **exchange(ranks)}
            results |= {f"bn_{name}": value for name, value in normalize(ranks).items()}
            results |= {f"net_{name}": value.numpy() for name, value in network.state_dict().items()}
            np.savez(folder / f"{ranks.rank}.npz", **results)
            return

        def before_step(step):
            if step == 5 and ranks.rank == 1:
                (folder / "began").write_text(str(time.time()))
                MANNERS[manner]()

        train(ranks, 10**9, before_step=before_step)


if __name__ == "__main__":
    runtime.run_script(main)
