"""Fetching from a local server: files of the same form as the published ones, and everything that goes wrong."""

import json
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import toy

from lib.utils.errors import RunError, UserError
from lib.utils.runtime import run_script
from lib.weights.fill import load_weights
from lib.zoo.fetch import download, fetch_data, fetch_detector, fetch_network, is_fetched, unpack
from lib.zoo.index import DataSet, Detector, networks

NAME = "own_resnet18_64x64"


@pytest.fixture
def said():
    return []


def test_a_network_is_fetched_and_becomes_weights_a_record_and_an_onnx_file(paddle, publish, server, said, tmp_path):
    pytest.importorskip("onnx")
    published = publish()
    paths = fetch_network(networks()[NAME], said.append)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [
        "downloads", f"{NAME}.json", f"{NAME}.onnx", f"{NAME}.pdparams"
    ]  # fmt: skip
    assert said[0] == f"=> downloading http://127.0.0.1:{server.server_port}/weights.pth"
    assert json.loads((tmp_path / "models" / f"{NAME}.json").read_text())["color_order"] == "RGB"

    from foreign import original_weights
    from onnxruntime import InferenceSession

    from lib.models.pose_resnet import PoseResNet
    from lib.weights.convert import rename

    expected = PoseResNet(18, 16, deconv_filters=(16, 16, 16))
    weights = {name: paddle.to_tensor(array) for name, array in rename(original_weights(published)).items()}
    expected.set_state_dict({name: value for name, value in weights.items() if name in expected.state_dict()})
    network = PoseResNet(18, 16, deconv_filters=(16, 16, 16))
    assert "0 unused" in load_weights(network, paths[".pdparams"])
    assert paddle.load(str(paths[".pdparams"])).keys() == network.state_dict().keys()  # it is Paddle's own form, too
    images = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    expected.eval()
    network.eval()
    heatmaps = expected(paddle.to_tensor(images)).numpy()
    np.testing.assert_array_equal(network(paddle.to_tensor(images)).numpy(), heatmaps)
    (exported,) = InferenceSession(paths[".onnx"]).run(None, {"input": images})
    np.testing.assert_allclose(exported, heatmaps, atol=2e-5 * np.abs(heatmaps).max(), rtol=0)

    server.faults["/weights.pth"] = "half"
    assert fetch_network(networks()[NAME], said.append) == paths and len(server.sent) == 1  # nothing is fetched again


def test_a_redirect_is_followed(publish, server, said):
    publish()
    server.faults["/weights.pth"] = "redirect"
    assert is_fetched(networks()[NAME]) is False
    fetch_network(networks()[NAME], said.append)
    assert is_fetched(networks()[NAME]) is True


def test_a_file_put_there_by_hand_is_taken(publish, server, said, tmp_path):
    publish()
    target = tmp_path / "models" / "downloads" / "weights.pth"
    target.parent.mkdir(parents=True)
    target.write_bytes((server.folder / "weights.pth").read_bytes())
    fetch_network(networks()[NAME], said.append)
    assert server.sent == []


def left_behind(tmp_path):
    return [path.name for path in (tmp_path / "models").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("missing", RunError, r"cannot download http://.*/weights\.pth \(404\): put the file by hand to .*\.pth"),
        ("half", RunError, r"cannot download http://.*: put the file by hand to .*, or set POSE_MIRROR"),
        ("huge", RunError, r"has 1000000\.0 GB, but the disk of .* has .* free: make room, or put the file by hand to"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing(publish, server, said, tmp_path, fault, error, message):
    publish()
    if fault == "missing":
        (server.folder / "weights.pth").unlink()
    server.faults["/weights.pth"] = fault
    with pytest.raises(error, match=message) as caught:
        fetch_network(networks()[NAME], said.append)
    assert "\n" not in str(caught.value) and left_behind(tmp_path) == []
    assert fault != "huge" or server.sent == []  # said before the first byte


def test_a_server_that_is_gone_is_one_line(publish, server, said, monkeypatch):
    publish()
    monkeypatch.setenv("POSE_MIRROR", "http://127.0.0.1:9")
    said_of_it = r"cannot download http://127\.0\.0\.1:9/weights\.pth \(ConnectionError\): put the file by hand"
    with pytest.raises(RunError, match=said_of_it):
        fetch_network(networks()[NAME], said.append)


def test_a_wrong_hash_is_bad_input_and_nothing_is_kept(publish, said, tmp_path):
    publish(sha256_begins="00000000")
    with pytest.raises(UserError, match=r"expected 00000000\.\.\.: nothing is kept of the download from"):
        fetch_network(networks()[NAME], said.append)
    assert left_behind(tmp_path) == []


def test_a_full_disk_is_one_line(publish, said, tmp_path, monkeypatch):
    publish()
    monkeypatch.setattr("lib.zoo.fetch.shutil.disk_usage", lambda folder: SimpleNamespace(free=10**6))
    with pytest.raises(RunError, match=r"weights\.pth has .* MB, but the disk of .* has 1\.0 MB free: make room"):
        fetch_network(networks()[NAME], said.append)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("mirror", ["localhost:8000", "ftp://host", "http://"])
def test_a_mirror_that_is_no_address_is_named(publish, said, monkeypatch, mirror):
    publish()
    monkeypatch.setenv("POSE_MIRROR", mirror)
    with pytest.raises(UserError, match="POSE_MIRROR=.*: expected http://host:port"):
        fetch_network(networks()[NAME], said.append)


def test_a_network_without_weights_says_so(server, said):
    with pytest.raises(UserError, match=r"coco_resnet101_384x288 has no weights: its publisher links the file"):
        fetch_network(networks()["coco_resnet101_384x288"], said.append)


def test_a_network_of_another_shape_than_its_entry_says_is_refused(publish, said, tmp_path):
    pytest.importorskip("onnx")
    publish(joints=5)
    with pytest.raises(UserError, match="the weights are of 5 joints, the skeleton has 16"):
        fetch_network(networks()[NAME], said.append)
    assert not list((tmp_path / "models").glob("*.onnx"))


def test_a_detector_in_an_archive_is_taken_out_of_it(server, said, tmp_path):
    with zipfile.ZipFile(server.folder / "d.zip", "w") as archive:
        archive.writestr("folder/end2end.onnx", b"a detector")
        archive.writestr("folder/detail.json", b"{}")
    about = ("mmdeploy", (64, 64), "MIT", (0, 0, 0), (1, 1, 1))
    detector = Detector("d", "https://x.org/d.zip", *about, member="end2end.onnx")
    assert fetch_detector(detector, said.append).read_bytes() == b"a detector"
    plain = Detector("e", "https://x.org/e.onnx", *about)
    (server.folder / "e.onnx").write_bytes(b"another")
    assert fetch_detector(plain, said.append) == tmp_path / "models" / "e.onnx"


def test_a_data_set_goes_to_its_place(server, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tarfile.open(server.folder / "annotations.tar", "w") as archive:
        (tmp_path / "train.json").write_text("[]")
        archive.add(tmp_path / "train.json", "deep/folder/train.json")
    (server.folder / "val.zip").write_bytes(b"PK pictures")
    files = (
        {"url": "https://x.org/annotations.tar", "to": "data/set/annot"},
        {"url": "https://x.org/val.zip", "to": "data/set/images/val.zip", "bytes_about": 815585330},
    )
    fetch_data(DataSet("set", files), said.append)
    assert (tmp_path / "data/set/annot/train.json").read_text() == "[]"
    assert (tmp_path / "data/set/images/val.zip").read_bytes() == b"PK pictures"
    assert "=> val.zip, about 815.6 MB" in said


def test_an_archive_cannot_write_outside_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../outside.txt", "x")
        archive.writestr("/absolute.txt", "y")
    (tmp_path / "in").mkdir()
    unpack(tmp_path / "a.zip", tmp_path / "in")
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["absolute.txt", "outside.txt"]
    assert not (tmp_path.parent / "outside.txt").exists()
    (tmp_path / "b.tar").write_bytes(b"no archive")
    with pytest.raises(UserError, match="is no archive, or is damaged"):
        unpack(tmp_path / "b.tar", tmp_path / "in")


def test_download_without_a_hash_takes_what_comes(server, said, tmp_path):
    (server.folder / "a.bin").write_bytes(b"content")
    assert download("https://x.org/a.bin", tmp_path / "b" / "a.bin", "", said.append).read_bytes() == b"content"


# -- the scripts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def call(monkeypatch, capfd):
    """Runs a script's main(); returns (exit code, what it said, its error)."""

    def call(script, *words):
        monkeypatch.setattr("sys.argv", [f"{script}.py", *map(str, words)])
        capfd.readouterr()
        try:
            run_script(toy.import_script(script).main)
            code = 0
        except SystemExit as ended:
            code = ended.code
        out, error = capfd.readouterr()
        return code or 0, out, error

    return call


def test_fetch_lists_and_fetches(call, publish):
    publish()
    code, out, _ = call("fetch", "--list")
    assert code == 0 and len(out.splitlines()) == 67 + 7 + 5
    code, out, _ = call("fetch", "--list", "own_")
    assert out.split() == [NAME, "16", "joints", "64x64", "Mean", "50", "on", "a", "toy"]
    assert call("fetch", NAME)[0] == 0
    assert call("fetch", "--list", "own_")[1].split()[-1] == "fetched"
    code, _, error = call("fetch", "own_resnet18_64x65")
    assert code == 2 and NAME in error and error.count("\n") == 1
    code, _, error = call("fetch")
    assert code == 2 and "--list" in error
    code, _, error = call("fetch", "--data", "nothing")
    assert code == 2 and "data set of the index" in error


def test_a_name_stands_wherever_a_file_does(call, publish, tmp_path, root, monkeypatch):
    pytest.importorskip("onnx")
    publish()
    picture = root / "images" / "demo_predictions.jpg"
    options = ("--bbox", 10, 10, 60, 60, "--gpus", "cpu")
    code, out, error = call("infer", "--img-file", picture, "--model-file", NAME, *options, "--output", tmp_path / "a")
    assert code == 0, error
    code, out, error = call("deploy", "--img", picture, "--model", NAME, *options[:5], "--output", tmp_path / "b")
    assert code == 0, error
    first, second = (json.loads((tmp_path / name / "demo_predictions_pose.json").read_text())[0] for name in "ab")
    np.testing.assert_allclose(first["keypoints"], second["keypoints"], atol=0.1)
    words = ("--img-file", picture, "--model-file", NAME, *options, "--provider", "cpu", "--output", tmp_path / "c")
    code, out, error = call("infer", *words)
    assert code == 0 and "CPUExecutionProvider" in out, error
    code, out, error = call("export", "--model-file", NAME, "--output", tmp_path / "x.onnx")
    assert code == 0 and "Model saved" in out, error
    code, _, error = call("infer", "--img-file", picture, "--model-file", "own_resnet18_64x66", *options)
    assert code == 2 and f"the nearest are {NAME}" in error
    code, _, error = call("export", "--output", tmp_path / "x.onnx")
    assert code == 2 and "give --cfg YAML" in error
    code, _, error = call("infer", "--img-file", picture, "--model-file", "a" * 300, *options)
    assert code == 2 and "is neither a file nor a network" in error


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("infer", ("--img-file", "x.jpg", "--model-file", NAME, "--cfg", "nowhere.yaml"), "no experiment file"),
        ("reproduce", (NAME, "DATASET.ROOT", "/nowhere"), "there is no data folder /nowhere"),
    ],
)
def test_nothing_is_fetched_before_experiment_and_data_are_there(call, publish, server, script, words, said):
    publish()
    code, _, error = call(script, *words)
    assert code == 2 and said in error and server.sent == []


def test_a_photograph_alone_takes_the_default_network_and_detector(call, publish, root, monkeypatch, tmp_path):
    publish()
    monkeypatch.setattr("lib.zoo.experiment.DEFAULT_NETWORK", NAME)
    code, out, error = call("infer", "--img-file", root / "images" / "demo_predictions.jpg", "--output", tmp_path)
    assert f"=> no --model-file: {NAME} (Mean 50 on a toy), fetched once from" in out
    assert "=> no --bbox: people are found by yolox_tiny, fetched once from https://github.com/" in out
    assert code == 1 and "cannot download" in error and "yolox_tiny.onnx" in error  # it is not on the local server
