"""The network computed in other ways: the same heatmaps and gradients, to rounding."""

import numpy as np
import pytest

from lib.models.layouts import compile_network, set_cudnn, use_channels_last
from lib.models.pose_resnet import PoseResNet

SIZE = (96, 64)  # (width, height): the heatmaps are 24 x 16, of 16 joints, so a bias along the wrong axis would fit
WAYS = {
    "channels last": use_channels_last,
    "compiled": lambda network: compile_network(network, SIZE),
    "both": lambda network: compile_network(use_channels_last(network), SIZE),
}


@pytest.fixture(scope="module")
def learn(paddle):
    """One forward and backward pass of a seeded network: learn(way) -> network, heatmaps, loss, gradients."""
    images = np.random.default_rng(0).normal(size=(4, 3, SIZE[1], SIZE[0])).astype(np.float32)

    def learn(way=None, bias=False):
        paddle.seed(0)
        network = PoseResNet(18, 16, (16, 16, 16), deconv_with_bias=bias)
        for name, weight in network.named_parameters():
            if name.endswith("bias"):
                weight.set_value(np.random.default_rng(1).normal(size=weight.shape).astype(np.float32))
        network = way(network) if way else network
        heatmaps = network(paddle.to_tensor(images))
        loss = heatmaps.square().mean()
        loss.backward()
        learning = ((name, weight) for name, weight in network.named_parameters() if weight.grad is not None)
        gradients = {name: weight.grad.numpy() for name, weight in learning}
        return network, heatmaps.numpy(), float(loss), gradients

    return learn


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", WAYS)
def test_heatmaps_loss_and_gradients_are_those_of_the_usual_way(learn, name, bias):
    _, heatmaps, loss, gradients = learn(bias=bias)
    network, found, found_loss, found_gradients = learn(WAYS[name], bias)
    np.testing.assert_allclose(found, heatmaps, atol=1e-4 * np.abs(heatmaps).max(), rtol=0)
    assert found_loss == pytest.approx(loss, rel=1e-5)
    assert found_gradients.keys() == gradients.keys()
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    for parameter, gradient in gradients.items():
        tolerance = 1e-4 * np.abs(gradient).max() + 1e-5 * largest  # that of a bias before a BatchNorm is 0
        np.testing.assert_allclose(found_gradients[parameter], gradient, atol=tolerance, rtol=0, err_msg=parameter)


@pytest.mark.parametrize("name", WAYS)
def test_parameters_keep_their_names_and_any_number_of_persons_goes_in(paddle, learn, name):
    network, *_ = learn(WAYS[name])
    assert network.state_dict().keys() == PoseResNet(18, 16, (16, 16, 16)).state_dict().keys()
    network.eval()
    assert list(network(paddle.zeros([1, 3, SIZE[1], SIZE[0]])).shape) == [1, 16, 16, 24]


def test_cudnn_is_told_on_gpus_alone(paddle, monkeypatch):
    said = []
    monkeypatch.setattr(paddle, "set_flags", said.append)
    set_cudnn(benchmark=True, deterministic=False)
    assert said == []
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    set_cudnn(benchmark=True, deterministic=False)
    assert said == [{"FLAGS_cudnn_exhaustive_search": True, "FLAGS_cudnn_deterministic": False}]
