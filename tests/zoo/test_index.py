"""The index: what is in it fits together, and an index of one's own is checked like an experiment."""

import pytest
import yaml

from lib.core.heatmap import heatmap_size_of
from lib.utils.errors import UserError
from lib.zoo.index import DEFAULT_DETECTOR, DEFAULT_NETWORK, data_sets, detectors, find, find_skeleton, networks

NETWORKS = networks()


def test_all_published_networks_detectors_and_data_sets_are_there():
    assert len(NETWORKS) == 66 and sum(network.url is not None for network in NETWORKS.values()) == 65
    assert len(detectors()) == 7 and len(data_sets()) == 5
    assert DEFAULT_NETWORK in NETWORKS and DEFAULT_DETECTOR in detectors()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_each_network_is_an_experiment_that_fits_together(network):
    config = network.config()
    skeleton = find_skeleton(network.skeleton)
    assert config.model.num_joints == len(skeleton.joints)
    assert config.skeleton.joints == skeleton.joints and config.skeleton.flip_pairs == skeleton.flip_pairs
    assert heatmap_size_of(config.model.image_size, config.model.extra.num_deconv_layers) == network.heatmap_size
    assert config.dataset.color_rgb and config.dataset.pixel_scale == 255
    metadata = network.metadata()
    assert (metadata.image_size, metadata.decode, metadata.sigma) == (network.input_size, network.decode, network.sigma)
    width, height = network.input_size
    assert network.name.endswith(f"_{height}x{width}") and f"resnet{network.depth}" in network.name
    assert network.figure()


@pytest.mark.parametrize("name", sorted({network.skeleton for network in NETWORKS.values()}))
def test_each_skeleton_mirrors_onto_itself(name):
    skeleton = find_skeleton(name)
    pairs = skeleton.flip_pairs
    assert len({joint for pair in pairs for joint in pair}) == 2 * len(pairs)
    assert len(skeleton.sigmas) in (0, len(skeleton.joints)) and skeleton.limb_indices is not None


def test_a_name_that_is_none_gets_the_nearest():
    said = r"coco_resnet5_256x192 is neither a file nor a network .*coco_resnet50_256x192"
    with pytest.raises(UserError, match=said):
        find(NETWORKS, "coco_resnet5_256x192", "network")


GOOD = {
    "url": "https://example.org/a.pth", "depth": 50, "input_size": [192, 256], "heatmap_size": [48, 64],
    "skeleton": "coco",
}  # fmt: skip


@pytest.fixture
def own(tmp_path, monkeypatch):
    def own(content):
        path = tmp_path / "own.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        monkeypatch.setenv("POSE_ZOO", str(path))
        return networks()

    return own


def test_a_network_of_ones_own_is_added(own):
    assert own({"lab_resnet50": GOOD})["lab_resnet50"].config().model.depth == 50


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"lab": {**GOOD, "dept": 50}}, "unknown key dept; the nearest is depth"),
        ({"lab": {**GOOD, "depth": 51}}, "depth: expected one of 18, 34, 50, 101, 152, got 51"),
        ({"lab": {**GOOD, "heatmap_size": [64, 48]}}, "is not that of input_size"),
        ({"lab": {**GOOD, "url": "ftp://x"}}, "url: expected an address that begins with http"),
        ({"lab": {**GOOD, "decode": "best"}}, "decode: expected one of"),
        ({"lab": {**GOOD, "skeleton": "octopus"}}, "there is no skeleton octopus"),
        ({"lab": {**GOOD, "input_size": [192]}}, "own.yaml: 'lab'"),
        ({"lab": {"depth": 50}}, "own.yaml: 'lab'"),
        ({"Lab 1": GOOD}, "lower-case letters"),
        ({"lab": {**GOOD, "sigma": float("nan")}}, "sigma: expected a number above 0"),
        ({"lab": {**GOOD, "sha256_begins": 12345678}}, "sha256_begins: expected hexadecimal digits"),
        ("[1, 2]", "expected names of networks"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_what_is_wrong_with_ones_own_index_is_one_line(own, content, said):
    with pytest.raises(UserError) as caught:
        own(content)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_index_is_named(monkeypatch):
    monkeypatch.setenv("POSE_ZOO", "/nowhere/own.yaml")
    with pytest.raises(UserError, match=r"cannot read the index /nowhere/own\.yaml"):
        networks()
