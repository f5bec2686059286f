"""The loss against the recorded figures and a plain loop over the joints."""

import numpy as np
import paddle
import pytest

from lib.core.loss import JointsMSELoss


def loss_and_gradient(record, use_target_weight):
    output = paddle.to_tensor(record["output"], stop_gradient=False)
    target, weight = (paddle.to_tensor(record[name]) for name in ("target", "target_weight"))
    loss = JointsMSELoss(use_target_weight)(output, target, weight)
    loss.backward()
    return float(loss), output.grad.numpy()


def test_the_weighted_loss_and_its_gradient_are_the_originals(reference):
    record = reference("loss_accuracy.npz")
    loss, gradient = loss_and_gradient(record, use_target_weight=True)
    assert loss == pytest.approx(float(record["loss_weighted"]), rel=1e-5)
    largest = np.abs(record["grad_weighted"]).max()
    np.testing.assert_allclose(gradient, record["grad_weighted"], atol=1e-4 * largest, rtol=0)


def test_the_unweighted_loss_is_the_originals(reference):
    record = reference("loss_accuracy.npz")
    loss, gradient = loss_and_gradient(record, use_target_weight=False)
    assert loss == pytest.approx(float(record["loss_unweighted"]), rel=1e-5)
    difference = record["output"] - record["target"]
    np.testing.assert_allclose(gradient, difference / difference.size, atol=1e-9)


@pytest.mark.parametrize("use_target_weight", [True, False])
def test_the_loss_is_the_mean_of_half_the_mean_squares_of_the_joints(use_target_weight):
    rng = np.random.default_rng(0)
    output, target = rng.normal(size=(2, 3, 5, 8, 6)).astype(np.float32)
    weight = rng.uniform(0, 2, (3, 5, 1)).astype(np.float32)
    total = 0.0
    for joint in range(5):
        scale = weight[:, joint, :, None] if use_target_weight else 1
        total += 0.5 * np.mean(((output[:, joint] - target[:, joint]) * scale) ** 2)
    loss = JointsMSELoss(use_target_weight)(*(paddle.to_tensor(values) for values in (output, target, weight)))
    assert loss.numel() == 1
    assert float(loss) == pytest.approx(total / 5, rel=1e-5)


def test_joints_of_weight_zero_get_no_gradient_but_count_in_the_mean():
    output = paddle.ones([1, 2, 2, 2])
    output.stop_gradient = False
    loss = JointsMSELoss()(output, paddle.zeros([1, 2, 2, 2]), paddle.to_tensor([[[1.0], [0.0]]]))
    loss.backward()
    assert float(loss) == pytest.approx(0.25)  # half of 1, over two joints
    assert not output.grad.numpy()[0, 1].any() and output.grad.numpy()[0, 0].all()
