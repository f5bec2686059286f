"""The network: the original's heatmaps from the same weights, its parameters, sizes and initialisations."""

import json

import numpy as np
import paddle
import pytest
from paddle import nn
from seeded import our_name, seed_network

from lib.core.heatmap import heatmap_size_of
from lib.models.pose_resnet import PoseResNet, count_parameters


def run(network, images):
    network.eval()
    with paddle.no_grad():
        return network(paddle.to_tensor(images)).numpy()


def check_network(record, network, name):
    """Heatmaps to 1e-4 of their largest value, and as many parameters as the original."""
    expected = record[f"{name}_heatmap"]
    heatmaps = run(network, record[f"{name}_input"])
    np.testing.assert_allclose(heatmaps, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)
    assert count_parameters(network) == int(record[f"{name}_parameters"])


@pytest.mark.parametrize("depth", [18, 50])
def test_heatmaps_of_one_recorded_picture_are_the_originals(reference, seeded_network, depth):
    check_network(reference("model_first.npz"), seeded_network(depth, 16, 11), f"r{depth}")


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_heatmaps_of_all_recorded_pictures_are_the_originals(shared, seeded_network, depth):
    record = np.load(shared / "reference" / "model.npz")
    check_network(record, seeded_network(depth, record[f"r{depth}_heatmap"].shape[1], 11), f"r{depth}")


@pytest.fixture(scope="module")
def caffe_network():
    return seed_network(PoseResNet(50, 17, style="caffe"), 11)


def test_heatmaps_of_the_caffe_style_are_the_originals_and_not_those_of_the_other_style(
    reference, caffe_network, seeded_network
):
    record = reference("model_first.npz")
    check_network(record, caffe_network, "r50caffe")
    expected = record["r50caffe_heatmap"]
    others = run(seeded_network(50, 17, 11), record["r50caffe_input"])
    assert np.abs(others - expected).max() > 0.01 * np.abs(expected).max()  # else the test above would prove nothing


def test_heatmaps_of_all_recorded_pictures_are_the_originals_in_the_caffe_style(shared, caffe_network):
    check_network(np.load(shared / "reference" / "model.npz"), caffe_network, "r50caffe")


def test_both_styles_have_the_same_parameter_names_in_the_same_order_and_shapes(caffe_network):
    shapes = [[(name, tensor.shape) for name, tensor in network.state_dict().items()]
              for network in (caffe_network, PoseResNet(50, 17))]  # fmt: skip
    assert shapes[0] == shapes[1]


def test_the_caffe_style_has_its_stride_in_the_first_convolution_of_a_stages_first_bottleneck(caffe_network):
    strides = {}
    for stage in (1, 2, 3, 4):
        for place, block in enumerate(getattr(caffe_network.backbone, f"layer{stage}")):
            values = paddle.zeros([1, block.conv1.weight.shape[1], 8, 8])
            before = block.conv1(values)
            after = block.conv2(before)
            strides[stage, place] = (8 // before.shape[2], before.shape[2] // after.shape[2])
    assert {place for place, stride in strides.items() if stride == (2, 1)} == {(2, 0), (3, 0), (4, 0)}
    assert set(strides.values()) == {(2, 1), (1, 1)}


@pytest.mark.parametrize("depth", [18, 34])
def test_basic_blocks_have_no_caffe_style(depth):
    with pytest.raises(ValueError, match="style caffe needs bottleneck blocks"):
        PoseResNet(depth, style="caffe")


def test_parameters_are_the_originals_under_our_names(data_folder):
    original = json.loads((data_folder / "parameter_names.json").read_text())
    expected = {our_name(name): shape for name, shape in original.items() if not name.endswith("num_batches_tracked")}
    state = PoseResNet(50, 16).state_dict()
    assert {name: list(tensor.shape) for name, tensor in state.items()} == expected


def small(**options):
    """The smallest network there is: depth 18 and thin deconvolutions."""
    return PoseResNet(**{"depth": 18, "deconv_filters": (8, 8, 8), **options})


def output_shape(network):
    network.eval()
    with paddle.no_grad():
        return network(paddle.zeros([2, 3, 96, 64])).shape


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("with_bias", [False, True])
def test_every_deconvolution_kernel_doubles_the_size(kernel, with_bias):
    network = small(deconv_kernels=(kernel,) * 3, deconv_with_bias=with_bias)
    assert output_shape(network) == [2, 16, 24, 16]
    names = network.state_dict()
    assert all((f"deconv_layers.{place}.bias" in names) == with_bias for place in (0, 3, 6))


@pytest.mark.parametrize("final_kernel", [1, 3])
def test_the_final_convolution_keeps_the_size(final_kernel):
    network = small(final_kernel=final_kernel, joint_count=5)
    assert output_shape(network) == [2, 5, 24, 16]
    assert network.final_layer.weight.shape == [5, 8, final_kernel, final_kernel]


@pytest.mark.parametrize("filters", [(8,), (8, 4), (8, 4, 4, 2)])
def test_the_number_of_deconvolutions_sets_the_heatmaps_size(filters):
    network = small(deconv_filters=filters, deconv_kernels=(4,) * len(filters))
    width, height = heatmap_size_of((64, 96), len(filters))
    assert output_shape(network) == [2, 16, height, width]
    assert height == 3 * 2 ** len(filters)


@pytest.mark.parametrize(
    ("image_size", "expected"), [((256, 256), (64, 64)), ((192, 256), (48, 64)), ((33, 64), (16, 16))]
)
def test_the_heatmaps_size_is_width_then_height(image_size, expected):
    assert heatmap_size_of(image_size) == expected


def test_kernels_and_filters_must_be_as_many():
    with pytest.raises(ValueError, match="zip"):
        small(deconv_kernels=(4, 4))


@pytest.fixture
def disturbed():
    """A network whose every weight and statistic is some other number than it was made with."""
    network = small(deconv_with_bias=True)
    rng = np.random.default_rng(0)
    network.set_state_dict(
        {name: rng.uniform(2, 3, tensor.shape).astype(np.float32) for name, tensor in network.state_dict().items()}
    )
    return network, values_of(network)


def values_of(network):
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


def test_initialising_the_head_leaves_the_backbones_weights_and_statistics_bit_equal(disturbed):
    network, before = disturbed
    network.initialize_head()
    after = values_of(network)
    backbone = [name for name in before if name.startswith("backbone.")]
    assert len(backbone) == 100  # 20 convolutions and 20 BatchNorms of weight, bias, mean and variance
    for name in backbone:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_the_head_is_initialised_as_the_original_does(disturbed):
    network, _ = disturbed
    paddle.seed(0)
    network.initialize_head()
    values = values_of(network)
    for place in (0, 3, 6):
        weight = values[f"deconv_layers.{place}.weight"]
        assert 0.0009 < weight.std() < 0.0011 and abs(weight.mean()) < 0.0002 and np.abs(weight).max() < 0.006
        assert (values[f"deconv_layers.{place}.bias"] == 0).all()
        assert (values[f"deconv_layers.{place + 1}.weight"] == 1).all()
        assert (values[f"deconv_layers.{place + 1}.bias"] == 0).all()
    assert 0.0005 < values["final_layer.weight"].std() < 0.0015
    assert (values["final_layer.bias"] == 0).all()


def test_initialising_like_the_original_is_uniform_within_the_root_of_the_fan_in(disturbed):
    network, before = disturbed
    paddle.seed(0)
    network.initialize_like_original()
    checked = 0
    for name, layer in network.named_sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv2DTranspose)):
            checked += 1
            weight = layer.weight.numpy()
            bound = weight[0].size ** -0.5
            assert np.abs(weight).max() <= bound * (1 + 1e-6), name
            assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.2), name
            if layer.bias is not None:
                assert 0 < np.abs(layer.bias.numpy()).max() <= bound * (1 + 1e-6), name
        elif isinstance(layer, nn.BatchNorm2D):
            np.testing.assert_array_equal(layer.weight.numpy(), before[f"{name}.weight"])
            np.testing.assert_array_equal(layer._mean.numpy(), before[f"{name}._mean"])
    assert checked == 24


def test_running_statistics_are_not_counted_as_parameters():
    network = nn.BatchNorm2D(10)
    assert count_parameters(network) == 20
