"""From the configuration to a network, and what MODEL.PRETRAINED does."""

import numpy as np
import paddle
import pytest
from seeded import seeded_array

from lib.config.schema import Config, ExtraConfig, ModelConfig
from lib.models.build import get_pose_net, load_pretrained
from lib.utils.errors import UserError


def model_of(pretrained="", depth=18, joint_count=16, **options):
    extra = ExtraConfig(NUM_DECONV_FILTERS=(8, 8, 8), **options.pop("extra", {}))
    return ModelConfig(DEPTH=depth, NUM_JOINTS=joint_count, PRETRAINED=pretrained, EXTRA=extra, **options)


def values_of(layer):
    return {name: tensor.numpy().copy() for name, tensor in layer.state_dict().items()}


def seeded_values(layer, seed=7):
    return {name: seeded_array(name, tuple(tensor.shape), seed) for name, tensor in layer.state_dict().items()}


def changed(before, after):
    """The names whose values differ."""
    return {name for name in before if not np.array_equal(before[name], after[name])}


@pytest.fixture
def network():
    return get_pose_net(model_of())


def test_the_network_is_the_one_that_the_configuration_describes():
    extra = {"NUM_DECONV_KERNELS": (2, 3, 4), "DECONV_WITH_BIAS": True, "FINAL_CONV_KERNEL": 3}
    state = get_pose_net(model_of(depth=34, joint_count=5, extra=extra)).state_dict()
    assert "backbone.layer3.5.conv1.weight" in state  # six blocks: depth 34
    assert [state[f"deconv_layers.{place}.weight"].shape[2] for place in (0, 3, 6)] == [2, 3, 4]
    assert "deconv_layers.0.bias" in state
    assert state["final_layer.weight"].shape == [5, 8, 3, 3]


def test_the_style_goes_to_the_network():
    blocks = get_pose_net(model_of(depth=50, STYLE="caffe")).backbone.layer2
    assert type(blocks[0]).__name__ == "CaffeBottleneckBlock"


@pytest.mark.parametrize("depth", [18, 34])
def test_the_caffe_style_is_for_bottlenecks(depth):
    with pytest.raises(ValueError, match=rf"MODEL\.STYLE: caffe needs a MODEL\.DEPTH of 50, 101 or 152 .* got {depth}"):
        Config(MODEL=model_of(depth=depth, STYLE="caffe"))


def test_paddles_imagenet_weights_are_refused_for_the_caffe_style(network):
    with pytest.raises(UserError, match=r"imagenet is of MODEL\.STYLE pytorch; for caffe .*convert\.py"):
        load_pretrained(network, model_of("imagenet", depth=50, STYLE="caffe"))


@pytest.mark.parametrize(("init_weights", "deviation"), [(True, 0.001), (False, (8 * 16) ** -0.5 / 3**0.5)])
def test_init_weights_says_how_the_head_starts(init_weights, deviation):
    weight = get_pose_net(model_of(INIT_WEIGHTS=init_weights)).deconv_layers[3].weight.numpy()  # (8, 8, 4, 4)
    assert weight.std() == pytest.approx(deviation, rel=0.15)


def test_an_empty_pretrained_loads_nothing_and_says_so(network):
    before = values_of(network)
    assert "from scratch" in load_pretrained(network, model_of(""))
    assert changed(before, values_of(network)) == set()


def test_a_missing_file_is_an_error_that_names_it(network, tmp_path):
    with pytest.raises(UserError, match=r"there is no model file .*nowhere\.pdparams"):
        load_pretrained(network, model_of(str(tmp_path / "nowhere.pdparams")))


def saved(state, path):
    paddle.save({name: paddle.to_tensor(value) for name, value in state.items()}, str(path))
    return str(path)


def test_a_file_of_another_kind_of_network_is_an_error_and_changes_nothing(network, tmp_path):
    before = values_of(network)
    path = saved({"encoder.weight": np.ones((3, 3), np.float32)}, tmp_path / "other.pdparams")
    with pytest.raises(UserError, match=r"other\.pdparams: none of its 1 weights fits") as error:
        load_pretrained(network, model_of(path))
    assert "as encoder.weight)" in str(error.value)  # the name that is in the file
    assert changed(before, values_of(network)) == set()


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_file_that_holds_no_weights_is_an_error(network, tmp_path, content):
    (tmp_path / "page.pdparams").write_bytes(content)
    with pytest.raises(UserError, match=r"page\.pdparams"):
        load_pretrained(network, model_of(str(tmp_path / "page.pdparams")))


def test_a_whole_pose_network_is_loaded_whole(network, tmp_path):
    values = seeded_values(network)
    line = load_pretrained(network, model_of(saved(values, tmp_path / "pose.pdparams")))
    assert changed(values, values_of(network)) == set()
    assert f"loaded {len(values)} of {len(values)} weights" in line and "pose.pdparams" in line


def test_a_head_for_another_number_of_joints_keeps_its_initialisation_and_is_named(network, tmp_path):
    values, before = seeded_values(network), values_of(network)
    values["final_layer.weight"] = np.ones((17, 8, 1, 1), np.float32)
    values["final_layer.bias"] = np.ones(17, np.float32)
    line = load_pretrained(network, model_of(saved(values, tmp_path / "coco.pdparams")))
    after = values_of(network)
    assert "2 of another shape (such as final_layer." in line
    assert changed(values, after) == {"final_layer.weight", "final_layer.bias"}
    assert "final_layer.weight" not in changed(before, after)


def resnet_file(network, path):
    """A bare ResNet as paddle.vision saves it, with its classifier; returns its path and its values."""
    values = seeded_values(network.backbone)
    classifier = {"fc.weight": np.ones((512, 1000), np.float32), "fc.bias": np.ones(1000, np.float32)}
    return saved({**values, **classifier}, path), values


def check_only_the_backbone_is_loaded(network, before, values):
    after = values_of(network)
    head = {name for name in before if not name.startswith("backbone.")}
    assert len(head) == 17 and not head & changed(before, after)
    assert changed(values, values_of(network.backbone)) == set()


@pytest.mark.filterwarnings("error:Skip loading")  # the line says it; not a warning for each weight of the head
def test_a_bare_resnet_becomes_the_backbone_and_leaves_the_head(network, tmp_path):
    before = values_of(network)
    path, values = resnet_file(network, tmp_path / "resnet18.pdparams")
    line = load_pretrained(network, model_of(path))
    check_only_the_backbone_is_loaded(network, before, values)
    assert f"loaded {len(values)} of {len(before)}" in line and "2 unused" in line


def resnet_names(counts, bottleneck):
    """A pose network's names as far as they tell its depth: a weight of each of the four stages' blocks."""
    last = "conv3" if bottleneck else "conv2"
    return [f"backbone.layer{stage}.{block}.{last}.weight" for stage in (1, 2, 3, 4)
            for block in range(counts[stage - 1])]  # fmt: skip


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(
    ("depth", "counts", "wanted"),
    [(34, (3, 4, 6, 3), 18), (18, (2, 2, 2, 2), 34), (101, (3, 4, 23, 3), 50), (50, (3, 4, 6, 3), 34)],
)
def test_a_resnet_of_another_depth_is_refused_and_changes_nothing(tmp_path, depth, counts, wanted, bare):
    names = ["backbone.conv1.weight", *resnet_names(counts, depth >= 50)]
    names = [name.removeprefix("backbone.") for name in names] if bare else names
    path = saved(dict.fromkeys(names, np.zeros(1, np.float32)), tmp_path / "resnet.pdparams")
    with pytest.raises(UserError) as error:
        load_pretrained(None, model_of(path, depth=wanted))  # before the network is touched
    assert str(error.value) == f"MODEL.PRETRAINED: {path} is of depth {depth}, not of MODEL.DEPTH {wanted}"


def test_imagenet_loads_the_backbone_alone(network, tmp_path, monkeypatch):
    before = values_of(network)
    path, values = resnet_file(network, tmp_path / "downloaded.pdparams")
    asked = []
    monkeypatch.setattr("paddle.utils.download.get_weights_path_from_url", lambda *words: asked.append(words) or path)
    line = load_pretrained(network, model_of("imagenet"))
    check_only_the_backbone_is_loaded(network, before, values)
    assert "WARNING" not in line and "2 unused" in line
    assert len(asked) == 1 and "resnet18" in asked[0][0].lower()  # of the configured depth


def test_a_failing_download_warns_and_goes_on_from_scratch(network, monkeypatch):
    def refuse(*words):
        raise RuntimeError("Downloading failed:\n  no route to host")

    monkeypatch.setattr("paddle.utils.download.get_weights_path_from_url", refuse)
    before = values_of(network)
    line = load_pretrained(network, model_of("imagenet"))
    assert changed(before, values_of(network)) == set()
    assert "WARNING" in line and "from scratch" in line and "no route to host" in line and "\n" not in line
