"""Weights of other projects: each one's names, its file, and the heatmaps that come of them."""

import json
import sys

import numpy as np
import pytest
from foreign import NAMINGS, imagenet_weights, original_weights, renamed
from seeded import our_name

from lib.utils.errors import UserError
from lib.weights.convert import PICTURES, depth_of, kind_of, read_source, rename

THIN = (16, 16, 16)


@pytest.fixture(scope="module")
def make_network(paddle):
    from lib.models.pose_resnet import PoseResNet

    return PoseResNet


@pytest.fixture(scope="module")
def weights(make_network):
    """The original's weights of depth 18, seeded, with a thin head."""
    return original_weights(make_network(18, 16, THIN), seed=3)


def expected_of(weights):
    return {our_name(name): array for name, array in weights.items() if not name.endswith("num_batches_tracked")}


def without_counts(weights):
    return {name: array for name, array in weights.items() if not name.endswith("num_batches_tracked")}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].dtype == second[name].dtype, name
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("naming", NAMINGS)
def test_each_projects_names_become_ours(make_network, weights, naming):
    ours = rename(renamed(without_counts(weights), naming))
    assert_same(ours, expected_of(weights))
    assert ours.keys() == make_network(18, 16, THIN).state_dict().keys()


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_last_number_of_a_numbered_head_is_the_final_layer(make_network, layers):
    weights = without_counts(original_weights(make_network(18, 5, (8,) * layers, (4,) * layers)))
    numbers = {f"head.{name.removeprefix('deconv_layers.')}".replace("head.final_layer.", f"head.{3 * layers}."): array
               for name, array in weights.items() if name.startswith(("deconv", "final"))}  # fmt: skip
    assert f"head.{3 * layers}.bias" in numbers
    head = {name: array for name, array in expected_of(weights).items() if not name.startswith("backbone.")}
    assert_same(rename(numbers), head)


def test_our_own_names_stay(weights):
    ours = expected_of(weights)
    assert_same(rename(ours), ours)


def test_what_has_no_place_in_a_pose_network_keeps_its_name():
    names = ["fc.weight", "head.fc.weight", "neck.0.conv.weight", "keypoint_head.loss.weight", "stem.0.weight"]
    assert list(rename(dict.fromkeys(names, np.zeros(1)))) == names


def test_two_weights_for_one_place_are_refused():
    double = {"conv1.weight": np.zeros(1), "module.conv1.weight": np.ones(1)}
    with pytest.raises(UserError, match=r"two of the weights are backbone\.conv1\.weight, one .* module\.conv1"):
        rename(double)


@pytest.mark.parametrize("naming", NAMINGS)
def test_the_names_say_whose_weights_they_are(weights, naming):
    for style in ("pytorch", "caffe"):  # which says more of a bare backbone only
        assert kind_of(renamed(weights, naming), style) == NAMINGS[naming].kind


def test_backbones_and_paddles_weights_are_told_apart(weights):
    imagenet, ours = imagenet_weights(weights), expected_of(weights)
    assert (kind_of(imagenet, "pytorch"), kind_of(imagenet, "caffe")) == ("torchvision", "caffe")
    assert kind_of([f"backbone.{name}" for name in imagenet], "pytorch") == "mmpose"
    assert kind_of(ours, "pytorch") == "paddle"
    bare = [name.removeprefix("backbone.") for name in ours if name.startswith("backbone.")]
    assert kind_of(bare, "pytorch") == "paddle.vision"


def test_what_each_kind_expects_of_its_pictures():
    order_and_scale = {kind: pictures[:2] for kind, pictures in PICTURES.items()}
    assert order_and_scale == {
        "original": ("BGR", 255.0), "mmpose": ("RGB", 255.0), "torchvision": ("RGB", 255.0),
        "caffe": ("BGR", 1.0), "paddle": ("BGR", 1.0), "paddle.vision": ("RGB", 255.0),
    }  # fmt: skip
    mmpose_mean, mmpose_deviation = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of its configurations, in RGB
    np.testing.assert_allclose(np.array(PICTURES["mmpose"][2]) * 255, mmpose_mean)
    np.testing.assert_allclose(np.array(PICTURES["mmpose"][3]) * 255, mmpose_deviation)


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_the_depth_is_in_the_names(make_network, depth):
    names = make_network(depth, 16, THIN).state_dict()
    assert depth_of(names) == depth
    assert depth_of([name for name in names if not name.startswith("backbone.layer4.")]) is None


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def save_file():
    return pytest.importorskip("safetensors.numpy").save_file


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def test_a_safetensors_file_gives_its_weights_as_they_are(save_file, weights, tmp_path):
    save_file(weights, tmp_path / "w.safetensors")
    assert_same(read_source(tmp_path / "w.safetensors"), without_counts(weights))


VALUES = np.array([[1.0, -2.5, 0.15625], [3e-3, 0.0, 1e4]])


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_every_precision_becomes_float32(save_file, tmp_path, kind):
    save_file({"conv1.weight": VALUES.astype(kind)}, tmp_path / "w.safetensors")
    assert_same(read_source(tmp_path / "w.safetensors"), {"conv1.weight": VALUES.astype(kind).astype(np.float32)})


def truncated(values):
    """float32 values with the 16 bits that bfloat16 keeps."""
    return (values.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)


def test_bfloat16_becomes_float32_without_pytorch(tmp_path):
    pytest.importorskip("safetensors")
    expected = truncated(VALUES)
    data = (expected.view(np.uint32) >> 16).astype("<u2").tobytes()
    # the format is a JSON header behind its length; the package itself writes bfloat16 from PyTorch's tensors only
    tensor = {"dtype": "BF16", "shape": list(expected.shape), "data_offsets": [0, len(data)]}
    header = json.dumps({"conv1.weight": tensor}).encode()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert_same(read_source(tmp_path / "w.safetensors"), {"conv1.weight": expected})


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_every_precision_of_paddle_becomes_float32(paddle, tmp_path, kind):
    values = truncated(VALUES) if kind == "bfloat16" else VALUES.astype(kind).astype(np.float32)
    tensor = paddle.to_tensor(values).astype(kind)
    paddle.save({"conv1.weight": tensor}, str(tmp_path / "w.pdparams"))
    assert_same(read_source(tmp_path / "w.pdparams"), {"conv1.weight": values})


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_every_precision_of_pytorch_becomes_float32(torch, tmp_path, kind):
    tensor = torch.from_numpy(VALUES).to(getattr(torch, kind))
    torch.save({"conv1.weight": tensor}, tmp_path / "w.pth")
    assert_same(read_source(tmp_path / "w.pth"), {"conv1.weight": tensor.to(torch.float32).numpy()})


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
@pytest.mark.parametrize("nested", [False, True], ids=["bare", "under state_dict"])
def test_a_pytorch_checkpoint_gives_its_weights_bare_or_nested(torch, weights, tmp_path, nested, zipped):
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    if nested:  # as the original saves it, with the epoch's score as NumPy's number
        optimizer = torch.optim.Adam([torch.zeros(3, requires_grad=True)]).state_dict()
        state = {"epoch": 3, "model": "pose_resnet", "state_dict": state, "perf": np.float64(61.5)}
        state["optimizer"] = optimizer
    torch.save(state, tmp_path / "w.pth.tar", _use_new_zipfile_serialization=zipped)
    assert_same(read_source(tmp_path / "w.pth.tar"), without_counts(weights))


class Huge:
    """Unpickled, an array that no machine has room for."""

    def __reduce__(self):
        return np.ndarray, ((2**60,), np.dtype("uint8"))


def test_numpys_numbers_and_arrays_beside_the_weights_are_read_past(torch, tmp_path):
    meta = {  # the first two are mmpose 1.x's
        "sigmas": np.full(17, 0.05, np.float32), "keypoint_colors": np.zeros((17, 3), np.uint8),
        "flip_indices": np.arange(17), "names": np.array(["nose"]), "half": np.float16(0.5), "seed": np.int64(3),
        "huge": Huge(),
    }  # fmt: skip
    state = {"conv1.weight": torch.from_numpy(VALUES)}
    torch.save({"meta": {"dataset_meta": meta, "epoch": 210}, "state_dict": state}, tmp_path / "w.pth")
    assert_same(read_source(tmp_path / "w.pth"), {"conv1.weight": VALUES.astype(np.float32)})


def test_a_safetensors_file_says_what_to_install_where_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    with pytest.raises(UserError, match=r"needs safetensors: pip install -r requirements/convert\.txt"):
        read_source(tmp_path / "w.safetensors")


# -- heatmaps --------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_converted(paddle, make_network):
    """Heatmaps of the network that the weights of a naming become: run_converted(weights, naming, images, depth)."""

    def run_converted(weights, naming, images, depth):
        network = make_network(depth, len(weights["final_layer.bias"]))
        network.set_state_dict(rename(renamed(without_counts(weights), naming)))
        network.eval()
        with paddle.no_grad():
            return network(paddle.to_tensor(images)).numpy()

    return run_converted


def assert_close(heatmaps, expected):
    np.testing.assert_allclose(heatmaps, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def check_recorded(record, make_network, run_converted, depth, naming):
    expected = record[f"r{depth}_heatmap"]
    weights = original_weights(make_network(depth, expected.shape[1]), seed=11)
    assert_close(run_converted(weights, naming, record[f"r{depth}_input"], depth), expected)


@pytest.mark.parametrize("naming", ["original", "mmpose 0.x", "mmpose with a numbered head"])
def test_converted_weights_give_the_originals_recorded_heatmaps(reference, make_network, run_converted, naming):
    check_recorded(reference("model_first.npz"), make_network, run_converted, 18, naming)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 101, 152])
def test_converted_weights_of_each_depth_give_the_originals_recorded_heatmaps(
    shared, make_network, run_converted, depth
):
    record = np.load(shared / "reference" / "model.npz")
    check_recorded(record, make_network, run_converted, depth, "mmpose 1.x")


@pytest.mark.slow
def test_converted_weights_give_the_recorded_heatmaps_of_real_pictures(shared, make_network, run_converted):
    from lib.utils.image import crops_to_input

    record = np.load(shared / "reference" / "mpii5_r50_256.npz")
    weights = original_weights(make_network(50, 16), seed=0)
    images = crops_to_input(np.moveaxis(record["input_bgr_uint8"], 1, -1))
    assert_close(run_converted(weights, "original in DataParallel", images, 50), record["heatmap"])


@pytest.mark.parametrize("depth", [18, 50])
def test_the_reference_in_pytorch_gives_the_originals_recorded_heatmaps(torch, reference, make_network, depth):
    from torch_reference import heatmaps

    record = reference("model_first.npz")
    weights = original_weights(make_network(depth, 16), seed=11)
    assert_close(heatmaps(weights, record[f"r{depth}_input"], depth), record[f"r{depth}_heatmap"])


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 192)])
@pytest.mark.parametrize("depth", [18] + [pytest.param(depth, marks=pytest.mark.slow) for depth in (50, 101, 152)])
def test_converted_weights_agree_with_pytorch_at_the_published_sizes(
    torch, make_network, run_converted, depth, height, width
):
    from torch_reference import heatmaps

    weights = original_weights(make_network(depth, 17), seed=depth)
    images = np.random.default_rng(0).standard_normal((1, 3, height, width)).astype(np.float32)
    expected = heatmaps(weights, images, depth)
    assert expected.shape == (1, 17, height // 4, width // 4)
    assert_close(run_converted(weights, "mmpose 1.x", images, depth), expected)
