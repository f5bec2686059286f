"""The graph that is written from weights alone gives what Paddle gives, and what paddle2onnx's file of it gives."""

import contextlib
import os

import numpy as np
import pytest

from lib.utils.errors import UserError

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from lib.deploy.onnx_export import exported_graph  # noqa: E402
from lib.deploy.onnx_writer import network_graph  # noqa: E402

# depth, style, kernels, bias of the deconvolutions, kernel of the last convolution
NETWORKS = {
    "18": (18, "pytorch", (4, 4, 4), False, 1),
    "34, two deconvolutions of 2 and 3": (34, "pytorch", (2, 3), True, 3),
    "50": (50, "pytorch", (4, 4, 4), False, 1),
    "50, caffe": (50, "caffe", (3, 4, 2), False, 3),
}
NAMES = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture
def seeded(paddle):
    """Makes a PoseResNet of NETWORKS with seeded weights, whose BatchNorms do something."""
    from seeded import seed_network

    from lib.models.pose_resnet import PoseResNet

    def seeded(name):
        depth, style, kernels, bias, last = NETWORKS[name]
        network = PoseResNet(depth, 16, (16,) * len(kernels), kernels, bias, last, style)
        seed_network(network, 5).eval()
        return network, style

    return seeded


def heatmaps_of(content, images):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})[0]


def written(network, style, opset=17):
    shapes = ["n", 3, "h", "w"], ["n", 16, "y", "x"]
    return exported_graph(network, style, opset).to_model(*shapes).SerializeToString()


def assert_close(found, expected, share):
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


IMAGES = np.random.default_rng(2).normal(size=(2, 3, 64, 96)).astype(np.float32)


@pytest.mark.parametrize(("name", "opset"), [*((name, 17) for name in NETWORKS), ("18", 13), ("18", 21)])
def test_it_gives_what_paddle_gives(seeded, paddle, name, opset):
    network, style = seeded(name)
    expected = network(paddle.to_tensor(IMAGES)).numpy()
    assert_close(heatmaps_of(written(network, style, opset), IMAGES), expected, 1e-5)


@contextlib.contextmanager
def silence():
    """Nothing is said, by Python or by C++."""
    saved = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


@NAMES
def test_it_gives_what_paddle2onnx_gives(seeded, paddle, name, tmp_path):
    """paddle2onnx goes from the program that Paddle runs, by another way."""
    paddle2onnx = pytest.importorskip("paddle2onnx")  # has no wheel for Python 3.13
    if int(paddle2onnx.__version__[0]) + 1 != int(paddle.__version__[0]):  # 1.x is of Paddle 2, 2.x of Paddle 3
        pytest.skip("the paddle2onnx that is installed reads programs of another Paddle")
    network, style = seeded(name)
    with silence():
        spec = paddle.static.InputSpec([None, *IMAGES.shape[1:]], "float32", "pictures")
        paddle.jit.save(network, str(tmp_path / "network"), input_spec=[spec])
        (program,) = [path for path in tmp_path.iterdir() if path.suffix in (".json", ".pdmodel")]
        weights = str(program.with_suffix(".pdiparams"))
        # asked for a file it would go on to an optimizer, whose package installs others while it runs
        content = paddle2onnx.export(str(program), weights, opset_version=17, auto_upgrade_opset=False, verbose=False)
    assert_close(heatmaps_of(written(network, style), IMAGES), heatmaps_of(content, IMAGES), 1e-6)


def test_a_weight_that_is_missing_is_named(seeded):
    network, style = seeded("18")
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    del weights["backbone.layer3.1.bn2._mean"]
    with pytest.raises(UserError, match=r"the weights lack backbone\.layer3\.1\.bn2\._mean"):
        network_graph(weights, style)
    with pytest.raises(UserError, match="lack backbone.conv1.weight: they are of another network"):
        network_graph({}, style)
