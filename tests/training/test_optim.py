"""Schedules and optimizers against their formulas, and six recorded training steps of the original."""

import json

import numpy as np
import paddle
import pytest
from seeded import original_name, seeded_array

from lib.config.schema import TrainConfig
from lib.core.loss import JointsMSELoss
from lib.training.optim import get_optimizer, get_scheduler


def rates(scheduler, count):
    values = []
    for _ in range(count):
        values.append(scheduler.get_lr())
        scheduler.step()
    return values


def test_multi_step_multiplies_by_the_factor_after_each_of_the_epochs():
    train = TrainConfig(LR=0.01, LR_STEP=(3, 5), LR_FACTOR=0.1, END_EPOCH=8)
    assert rates(get_scheduler(train, 10), 8) == pytest.approx([0.01] * 3 + [0.001] * 2 + [0.0001] * 3)


def test_multi_step_takes_its_epochs_in_any_order():
    train = TrainConfig(LR=1.0, LR_STEP=(4, 2), LR_FACTOR=0.5)
    assert rates(get_scheduler(train, 10), 6) == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])


def test_multi_step_without_epochs_keeps_the_rate():
    assert rates(get_scheduler(TrainConfig(LR=0.3, LR_STEP=(), END_EPOCH=200), 10), 200) == [0.3] * 200


def test_polynomial_falls_with_power_nine_tenths_to_zero_over_all_iterations():
    train = TrainConfig(LR=0.02, LR_TYPE="PolynomialDecay", END_EPOCH=4)
    expected = [0.02 * (1 - step / 20) ** 0.9 for step in range(20)] + [0.0, 0.0]
    assert rates(get_scheduler(train, 5), 22) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rate", [{"LR_STEP": (3, 5)}, {"LR_TYPE": "PolynomialDecay"}])
def test_a_run_that_begins_later_begins_at_the_rate_of_its_epoch(rate):
    steps = 1 if "LR_STEP" in rate else 10  # scheduler steps an epoch
    whole, later = (TrainConfig(LR=0.1, END_EPOCH=8, BEGIN_EPOCH=begin, **rate) for begin in (0, 4))
    expected = rates(get_scheduler(whole, 10), 8 * steps)[4 * steps :]
    assert rates(get_scheduler(later, 10), 4 * steps) == pytest.approx(expected, abs=1e-12)


def steps_of(train, start, gradients):
    """The values of one parameter after each step of the optimizer with given gradients."""
    parameter = paddle.create_parameter([len(start)], "float32")
    parameter.set_value(np.float32(start))
    optimizer = get_optimizer(train, get_scheduler(train, 10), [parameter])
    values = []
    for gradient in gradients:
        (parameter * paddle.to_tensor(np.float32(gradient))).sum().backward()
        optimizer.step()
        optimizer.clear_grad()
        values.append(parameter.numpy().copy())
    return np.array(values)


START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("wd", [0.0, 0.05])
def test_sgd_is_momentum_nesterov_and_weight_decay_by_the_book(momentum, nesterov, wd):
    train = TrainConfig(OPTIMIZER="sgd", LR=0.1, MOMENTUM=momentum, NESTEROV=nesterov, WD=wd)
    value, velocity, expected = START.copy(), np.zeros(3), []
    for gradient in GRADIENTS:
        gradient = gradient + wd * value
        velocity = momentum * velocity + gradient
        value = value - 0.1 * (gradient + momentum * velocity if nesterov else velocity)
        expected.append(value)
    np.testing.assert_allclose(steps_of(train, START, GRADIENTS), expected, atol=1e-6)


@pytest.mark.parametrize("wd", [0.0, 0.5])
def test_adam_is_adam_by_the_book_and_knows_no_weight_decay(wd):
    train = TrainConfig(OPTIMIZER="adam", LR=0.1, WD=wd)
    value, first, second, expected = START.copy(), np.zeros(3), np.zeros(3), []
    for step, gradient in enumerate(GRADIENTS, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        value = value - 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        expected.append(value)
    np.testing.assert_allclose(steps_of(train, START, GRADIENTS), expected, atol=1e-5)


def test_the_optimizer_follows_the_schedule():
    train = TrainConfig(OPTIMIZER="sgd", LR=1.0, LR_STEP=(1,), LR_FACTOR=0.25, MOMENTUM=0.0, WD=0.0)
    parameter = paddle.create_parameter([1], "float32")
    scheduler = get_scheduler(train, 10)
    optimizer = get_optimizer(train, scheduler, [parameter])
    assert optimizer.get_lr() == 1
    scheduler.step()
    assert optimizer.get_lr() == 0.25


# -- the recorded steps ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded_training(reference, seeded_network):
    """The record, and what our network does on it: losses, gradient norms of step 0, statistics after one forward."""
    record = reference("train_steps.npz")
    network = seeded_network(18, 16, 5)
    train = TrainConfig(OPTIMIZER="adam", LR=0.001)
    optimizer = get_optimizer(train, get_scheduler(train, 10), network.parameters())
    criterion = JointsMSELoss()
    images, target, weight = (paddle.to_tensor(record[name]) for name in ("input", "target", "target_weight"))
    losses, norms, statistics = [], {}, {}
    network.train()
    for step in range(6):
        loss = criterion(network(images), target, weight)
        loss.backward()
        if step == 0:
            state = network.state_dict()
            statistics = {original_name(name): value.numpy().copy() for name, value in state.items()
                          if name.endswith(("._mean", "._variance"))}  # fmt: skip
            norms = {
                original_name(name): float(np.linalg.norm(parameter.grad.numpy()))
                for name, parameter in network.named_parameters()
                if not parameter.stop_gradient
            }
        optimizer.step()
        optimizer.clear_grad()
        losses.append(float(loss))
    return record, losses, norms, statistics


def test_six_losses_in_a_row_are_the_originals(recorded_training):
    record, losses, _, _ = recorded_training
    np.testing.assert_allclose(losses, record["losses"], atol=1e-4, rtol=0)
    assert losses[0] == pytest.approx(float(record["losses"][0]), rel=1e-4)  # before any step it is the same sum


def test_gradient_norms_of_every_parameter_are_the_originals(recorded_training):
    record, _, norms, _ = recorded_training
    expected = json.loads(str(record["grad_norm"]))
    assert set(norms) == set(expected)
    for name, norm in expected.items():
        assert norms[name] == pytest.approx(norm, rel=1e-2, abs=1e-7), name
        assert norms[name] == pytest.approx(norm, rel=0, abs=1e-4), name
    assert np.linalg.norm(list(norms.values())) == pytest.approx(np.linalg.norm(list(expected.values())), abs=1e-4)


@pytest.mark.parametrize(("layer", "count"), [("bn1", 6 * 32 * 48), ("layer4.1.bn2", 6 * 2 * 3)])
def test_batch_statistics_after_one_forward_are_the_originals(recorded_training, layer, count):
    record, _, _, statistics = recorded_training
    expected_mean, expected_variance = (
        record[f"after_one_forward.{layer}.running_{name}"] for name in ("mean", "var")
    )
    np.testing.assert_allclose(statistics[f"{layer}.running_mean"], expected_mean, atol=1e-4, rtol=0)
    # PyTorch moves its running variance by the unbiased batch variance, Paddle by the biased one
    name = f"{layer}.running_var"
    kept = 0.9 * seeded_array(name, expected_variance.shape, 5)
    unbiased = kept + (statistics[name] - kept) * count / (count - 1)
    np.testing.assert_allclose(unbiased, expected_variance, atol=1e-4, rtol=0)
