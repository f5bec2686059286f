"""Seeded weights as PyTorch writes them under mmpose's names, fetched by the names of published networks."""

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import toy
import yaml
from foreign import original_weights, renamed

from lib.utils.runtime import run_script
from lib.zoo.fetch import fetch_network
from lib.zoo.index import networks

torch = pytest.importorskip("torch")

NAMES = [
    "coco_resnet50_256x192", "wholebody_resnet50_256x192", "ap10k_resnet50_256x256",
    "jhmdb_sub1_resnet50_2deconv_256x256", "rhd2d_resnet50_256x256",
]  # fmt: skip


@pytest.fixture(params=NAMES)
def published(request, paddle, server, tmp_path, monkeypatch):
    """(name, {PyTorch name: array}): an entry of the index, but for its hash, and what the server has for it."""
    from lib.models.build import get_pose_net

    network = replace(networks()[request.param], sha256_begins="")
    weights = original_weights(get_pose_net(network.config().model), seed=7)
    state = {name: torch.from_numpy(array) for name, array in renamed(weights, "mmpose 1.x").items()}
    path = server.folder / network.url.split("/", 3)[3]
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": state, "meta": {"epoch": 210}}, path)
    entry = {key: value for key, value in asdict(network).items() if key != "name"}
    text = yaml.safe_dump({network.name: {**entry, "published": [dict(row) for row in network.published]}})
    (tmp_path / "own.yaml").write_text(text.replace("!!python/tuple", ""))
    monkeypatch.setenv("POSE_ZOO", str(tmp_path / "own.yaml"))
    return network.name, weights


def test_a_published_network_gives_pytorchs_heatmaps(published, paddle, tmp_path, monkeypatch, capfd):
    from onnxruntime import InferenceSession
    from torch_reference import heatmaps

    name, weights = published
    network = networks()[name]
    paths = fetch_network(network, print)
    (width, height), (columns, rows) = network.input_size, network.heatmap_size
    images = np.random.default_rng(0).standard_normal((2, 3, height, width)).astype(np.float32)
    expected = heatmaps(weights, images, 50)
    assert expected.shape == (2, len(weights["final_layer.bias"]), rows, columns)
    (found,) = InferenceSession(paths[".onnx"]).run(None, {"input": images})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    from lib.inference.build import open_network
    from lib.zoo.experiment import with_weights

    run, _ = open_network(with_weights(network.config({"GPUS": "cpu"}), paths[".pdparams"]))
    run.network.eval()
    found = run.network(paddle.to_tensor(images)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())

    monkeypatch.chdir(tmp_path)
    cv2.imwrite("picture.jpg", np.full((200, 160, 3), 90, np.uint8))
    words = ["--model-file", name, "--img-file", "picture.jpg", "--bbox", "20", "20", "120", "160", "--gpus", "cpu"]
    monkeypatch.setattr("sys.argv", ["infer.py", *words])
    run_script(toy.import_script("infer").main)
    assert (tmp_path / "output" / "infer" / "picture_pose.jpg").is_file(), capfd.readouterr().out
