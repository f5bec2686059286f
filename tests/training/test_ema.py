"""The running average of the weights: its closed form, what it covers, and the training with it."""

from importlib import import_module

import numpy as np
import pytest
import toy

from lib.config.config import read_config


@pytest.fixture
def network(paddle):
    """A layer and a BatchNorm, all of whose weights and statistics are 0."""
    network = paddle.nn.Sequential(paddle.nn.Linear(2, 3), paddle.nn.BatchNorm1D(3))
    fill(network, 0.0)
    return network


@pytest.fixture
def average_of(paddle):
    from lib.training.ema import WeightAverage

    return WeightAverage


def fill(network, value):
    state = network.state_dict()
    network.set_state_dict({name: np.full(weight.shape, value, "float32") for name, weight in state.items()})


def values(state):
    """The one value that all weights of a state have."""
    numbers = np.concatenate([weight.numpy().ravel() for weight in state.values()])
    assert np.ptp(numbers) == 0
    return numbers[0]


def test_after_a_change_the_average_closes_in_by_its_decay(network, average_of):
    average = average_of(network, 0.1)  # below 2/11, the decay of the first step
    fill(network, 1.0)
    for step in range(1, 5):
        average.update(network)
        assert values(average.state) == pytest.approx(1 - 0.1**step, abs=1e-6)


def test_the_first_steps_decay_by_2_11ths_3_12ths_and_so_on(network, average_of):
    average = average_of(network, 0.9999)
    fill(network, 1.0)
    average.update(network)
    assert values(average.state) == pytest.approx(1 - 2 / 11, abs=1e-6)
    average.update(network)
    assert values(average.state) == pytest.approx(1 - 2 / 11 * 3 / 12, abs=1e-6)
    for _ in range(18):
        average.update(network)
    fill(network, 0.0)  # by now it is 1; the 21st step keeps 22/31 of that
    average.update(network)
    assert values(average.state) == pytest.approx(22 / 31, abs=1e-5)


def test_the_warm_up_ends_at_the_decay(network, average_of):
    average = average_of(network, 0.25)  # from the second step on
    fill(network, 1.0)
    for _ in range(4):
        average.update(network)
    assert values(average.state) == pytest.approx(1 - 2 / 11 * 0.25**3, abs=1e-6)


def test_batch_normalisations_statistics_are_averaged_too(network, average_of):
    average = average_of(network, 0.1)
    assert {"1._mean", "1._variance"} < average.state.keys() == network.state_dict().keys()
    network[1]._mean.set_value(np.float32([1, 2, 3]))
    average.update(network)
    np.testing.assert_allclose(average.state["1._mean"].numpy(), [0.9, 1.8, 2.7], rtol=1e-6)


def test_the_network_has_the_average_for_a_while_and_its_own_weights_after_an_error_too(network, average_of):
    average = average_of(network, 0.1)
    fill(network, 1.0)
    average.update(network)
    with average.applied(network) as applied:
        assert applied is network
        assert values(network.state_dict()) == pytest.approx(0.9)
    assert values(network.state_dict()) == 1
    with pytest.raises(ValueError, match="inside"), average.applied(network):
        raise ValueError("inside")
    assert values(network.state_dict()) == 1
    assert values(average.state) == pytest.approx(0.9)


def test_training_on_does_not_change_the_average_and_the_average_not_the_training(network, average_of):
    average = average_of(network, 0.1)
    fill(network, 1.0)
    assert values(average.state) == 0
    with average.applied(network):
        fill(network, 5.0)
    assert (values(average.state), values(network.state_dict())) == (0, 1)


def test_a_restored_average_goes_on_where_it_was(network, average_of):
    average, restored = average_of(network, 0.9999), average_of(network, 0.9999)
    fill(network, 1.0)
    average.update(network)
    restored.restore({name: weight.numpy() for name, weight in average.state.items()}, average.step)
    restored.update(network)
    assert values(restored.state) == pytest.approx(1 - 2 / 11 * 3 / 12, abs=1e-6)


# -- training --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


class Log(list):
    """A log that keeps its lines; `stop_at`: a line with that in it ends the run like Ctrl-C."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at

    def info(self, line):
        self.append(line)
        if self.stop_at and self.stop_at in line:
            raise KeyboardInterrupt


@pytest.fixture
def train(paddle, tmp_path, data):
    """Trains the toy with TRAIN.EMA in a folder of `tmp_path` and returns the Trainer."""

    def train(name, log=None, resume=False, **overrides):
        overrides = {"TRAIN.EMA": 0.6, "TEST.FLIP_TEST": False, **overrides}
        config, folder = read_config(toy.write_experiment(tmp_path, data), overrides), tmp_path / name
        folder.mkdir(exist_ok=True)
        with paddle.utils.unique_name.guard():  # Paddle names parameters and moments as in a process of its own
            trainer = import_module("lib.training.build").make_trainer(config, folder if resume else None)[1]
            trainer.run(folder, Log() if log is None else log)
        return trainer

    return train


def weights(path):
    from lib.weights.weights import read_weights

    return read_weights(path)


def network_in(path):
    """The network of a checkpoint, not its average."""
    import paddle

    return paddle.load(str(path), return_numpy=True)["network"]


def assert_same(first, second):
    assert first.keys() == second.keys() and first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.slow
def test_the_average_is_what_is_validated_and_saved_and_the_checkpoint_keeps_both(train, tmp_path, monkeypatch):
    from lib.training import trainer as engine

    validated, original = [], engine.validate
    monkeypatch.setattr(engine, "validate", lambda config, loader, run, *rest: (
        validated.append({name: weight.numpy().copy() for name, weight in run.network.state_dict().items()}),
        original(config, loader, run, *rest),
    )[1])  # fmt: skip
    trainer = train("run", **{"TRAIN.END_EPOCH": 1})
    best, checkpoint = (weights(tmp_path / "run" / name) for name in ("model_best.pdparams", "checkpoint.pdckpt"))
    average = {name: weight.numpy() for name, weight in trainer.train_step.average.state.items()}
    assert trainer.train_step.average.step == 2
    for state in (best, checkpoint, validated[0], weights(tmp_path / "run" / "final_state.pdparams")):
        assert_same(state, average)
    kept = network_in(tmp_path / "run" / "checkpoint.pdckpt")
    assert_same(kept, {name: weight.numpy() for name, weight in trainer.train_step.network.state_dict().items()})
    apart = [np.abs(kept[name] - average[name]).max() for name in kept]
    assert np.mean(np.array(apart) > 0) > 0.9


@pytest.mark.slow
def test_an_interrupted_training_with_averages_goes_on_bit_equal_to_an_uninterrupted_one(train, tmp_path):
    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("halved", Log(stop_at="Epoch: [1][1/2]"))
    halved = train("halved", resume=True)
    assert halved.train_step.average.step == whole.train_step.average.step == 4
    for name in ("final_state.pdparams", "model_best.pdparams", "checkpoint.pdckpt"):
        assert_same(weights(tmp_path / "whole" / name), weights(tmp_path / "halved" / name))
    assert_same(*(network_in(tmp_path / name / "checkpoint.pdckpt") for name in ("whole", "halved")))
    assert whole.progress == halved.progress


def test_validation_of_a_checkpoint_takes_its_average(paddle, tmp_path):
    from seeded import seed_network

    from lib.inference.build import open_network
    from lib.models.build import get_pose_net
    from lib.training.checkpoint import save_checkpoint
    from lib.training.ema import WeightAverage

    experiment = toy.write_experiment(tmp_path, tmp_path / "no data")
    network = get_pose_net(read_config(experiment).model)
    average = WeightAverage(seed_network(network, 1), 0.9)
    seed_network(network, 2)
    optimizer = paddle.optimizer.SGD(parameters=network.parameters())
    save_checkpoint(tmp_path, network, optimizer, {"epoch": 1}, average)
    run, _ = open_network(read_config(experiment, {"TEST.MODEL_FILE": str(tmp_path / "checkpoint.pdckpt")}))
    expected = {name: weight.numpy() for name, weight in average.state.items()}
    assert_same({name: weight.numpy() for name, weight in run.network.state_dict().items()}, expected)
