"""export.py as a person runs it: the file it writes, what valid.py makes of it, and its complaints."""

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import scipy.io
import toy

from lib.config.config import read_config
from lib.deploy.model_metadata import METADATA_KEY, from_json
from lib.utils.files import file_digest
from lib.utils.image import MEAN, STD
from lib.weights.weight_record import WeightRecord, record_path, write_record

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

DEFAULT, DEFAULT_INT8 = "output/onnx/posenet.onnx", "output/onnx/posenet_int8.onnx"


@pytest.fixture(scope="module")
def place(paddle, tmp_path_factory):
    """A folder with the toy's data, its experiment and seeded weights, whose BatchNorms do something."""
    from seeded import seed_network

    from lib.models.pose_resnet import PoseResNet

    place = tmp_path_factory.mktemp("export")
    toy.write_experiment(place, toy.draw_data(place))
    paddle.save(seed_network(PoseResNet(18, 16, (16, 16, 16)), 3).state_dict(), str(place / "w.pdparams"))
    return place


@pytest.fixture
def script(place, tmp_path, monkeypatch, run_main):
    """Runs a script's main() in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def script(name, *words):
        return run_main(name, "--cfg", place / "toy.yaml", *words)

    return script


@pytest.fixture
def export(script, place):
    """Exports the toy's network and returns what was printed."""

    def export(*words, weights="w.pdparams"):
        code, out, error = script("export", "--model-file", place / weights, *words)
        assert (code, error) == (0, ""), error
        return out

    return export


@pytest.fixture
def complain(script, place, tmp_path):
    """Runs export.py and returns its one line of complaint; it wrote no file."""

    def complain(*words, code=2, weights="w.pdparams"):
        found, _, error = script("export", "--model-file", place / weights, *words)
        assert found == code and error.startswith("error: ") and error.count("\n") == 1, error
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
        return error

    return complain


def share_printed(out):
    return float(out.split("largest difference from Paddle: ")[1].split()[0])


def valid(script, place, *words):
    """Predictions, results and output of valid.py."""
    code, out, error = script("valid", *words)
    assert not code, error
    folder = place / toy.RUN_FOLDER
    report = json.loads((folder / "results.json").read_text())
    return scipy.io.loadmat(folder / "pred.mat")["preds"], report, out


# -- the file --------------------------------------------------------------------------------------------------------


def test_it_says_what_it_made_and_where(export, tmp_path):
    out = export()
    assert out.splitlines()[-2:] == ["=> Model saved as: ./output/onnx/posenet.onnx", "=> Done."]
    assert "=> opset 17, BatchNorm folded into the convolutions: 53 nodes" in out
    assert share_printed(out) < 1e-4 and "(pictures: 1 of 64x64, 3 of 64x64, 2 of 96x128)" in out
    assert [path.name for path in (tmp_path / "output" / "onnx").iterdir()] == ["posenet.onnx"]


def test_the_file_is_plain_open_in_its_sizes_and_describes_itself(export, tmp_path, place):
    export("--output", "here/x.onnx", "TEST.DECODE", "dark")
    model = onnx.load(str(tmp_path / "here" / "x.onnx"))
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [17]
    used = {node.op_type for node in model.graph.node}
    assert used == {"Conv", "Relu", "MaxPool", "Add", "ConvTranspose"}
    shape = [side.dim_param or side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert (model.graph.input[0].name, shape) == ("input", ["batch", 3, "height", "width"])
    assert [output.name for output in model.graph.output] == ["heatmaps"]

    metadata = from_json({item.key: item.value for item in model.metadata_props}[METADATA_KEY])
    assert metadata.decode == "dark" and metadata.sigma == 1.5 and metadata.image_size == (64, 64)
    assert not metadata.flip_merged and metadata.shift_heatmap
    from lib.config.config import dump_config

    overrides = {"TEST.DECODE": "dark", "TEST.MODEL_FILE": str(place / "w.pdparams")}
    text = dump_config(read_config(place / "toy.yaml", overrides))
    assert metadata.config_digest == hashlib.sha256(text.encode()).hexdigest()
    assert (model.producer_name, model.producer_version) == project_name_and_version()


def project_name_and_version():
    words = (toy.ROOT / "pyproject.toml").read_text().split('"')
    return words[1], words[3]


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_another_opset_is_the_files(export, tmp_path, opset):
    assert f"=> opset {opset}," in export("--opset", opset)
    model = onnx.load(str(tmp_path / DEFAULT))
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [opset]


@pytest.mark.parametrize("kernels", ["[3, 2, 4]", "[4, 3, 2]"])
def test_other_heads_are_exported_too(export, place, paddle, kernels):
    from seeded import seed_network

    from lib.models.pose_resnet import PoseResNet

    network = PoseResNet(18, 16, (16, 16, 16), json.loads(kernels), deconv_with_bias=True, final_kernel=3)
    paddle.save(seed_network(network, 4).state_dict(), str(place / "other.pdparams"))
    keys = ("MODEL.EXTRA.NUM_DECONV_KERNELS", kernels, "MODEL.EXTRA.DECONV_WITH_BIAS", "true",
            "MODEL.EXTRA.FINAL_CONV_KERNEL", "3")  # fmt: skip
    assert share_printed(export(*keys, weights="other.pdparams")) < 1e-4


def test_nothing_is_installed_or_fetched(export, monkeypatch):
    def refuse(*_words, **_named):
        raise AssertionError("a process was started, or a connection opened")

    for name in ("subprocess.Popen", "subprocess.run", "os.system", "socket.getaddrinfo", "socket.socket.connect"):
        monkeypatch.setattr(name, refuse)
    export()
    assert "polygraphy" not in sys.modules and "onnxoptimizer" not in sys.modules


# -- its use ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", ["--flip-test", "--no-flip-test"])
@pytest.mark.parametrize("fixed", [[], ["--fixed"]])
def test_valid_py_scores_the_file_as_the_weights(export, script, place, tmp_path, flip, fixed):
    expected, report, _ = valid(script, place, "--model-file", place / "w.pdparams", flip)
    export(*fixed)
    found, exported, out = valid(script, place, "--model-file", tmp_path / DEFAULT, flip)
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert exported["results"] == report["results"]
    assert "=> its metadata agrees with the experiment: 16 joints, BGR pictures divided by 255\n" in out


@pytest.mark.parametrize("shift", ["true", "false"])
def test_with_the_flip_test_merged_the_file_does_it(export, script, place, tmp_path, shift):
    keys = ("TEST.SHIFT_HEATMAP", shift)
    expected, report, _ = valid(script, place, "--model-file", place / "w.pdparams", "--flip-test", *keys)
    out = export("--merge-flip", *keys)
    assert share_printed(out) < 1e-4 and "the flip test is in the graph" in out
    found, exported, out = valid(script, place, "--model-file", tmp_path / DEFAULT, "--no-flip-test", *keys)
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert exported["results"] == report["results"]
    assert exported["conditions"]["flip_test"] is True and "with flip test" in out and "it holds the flip test" in out
    code, _, error = script("valid", "--model-file", tmp_path / DEFAULT, "--flip-test")
    assert code == 2 and "holds the flip test itself" in error and error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["--fixed", "--merge-flip"]])
def test_8_bits_are_scored_before_and_after(export, script, place, tmp_path, words):
    export("--output", "float.onnx")
    out = export("--int8", "--calib", place / "toy.yaml", "--calib-persons", 8, *words)
    assert out.splitlines()[-2:] == ["=> Model saved as: ./output/onnx/posenet_int8.onnx", "=> Done."]
    assert "=> calibration: 8 persons of the set train" in out
    assert "=> 3 deconvolutions as convolutions and depth-to-space" in out
    rows = [line for line in out.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows] == ["Arch", "---", "float", "int8"]
    assert rows[0].count("|") == rows[2].count("|") == rows[3].count("|") and "Mean" in rows[0]
    assert (tmp_path / DEFAULT_INT8).stat().st_size < 0.35 * (tmp_path / "float.onnx").stat().st_size
    _, report, _ = valid(script, place, "--model-file", tmp_path / DEFAULT_INT8, "--no-flip-test")
    if not words:
        _, report, _ = valid(script, place, "--model-file", tmp_path / DEFAULT_INT8, "--flip-test")
        assert f"{report['results']['Mean']:.3f}" == rows[3].split("|")[-3].strip()


@pytest.mark.slow
def test_the_same_persons_give_the_same_file(export, place, tmp_path):
    files = []
    for _ in range(2):
        export("--int8", "--calib", place / "toy.yaml", "--calib-persons", 8)
        files.append(file_digest(tmp_path / DEFAULT_INT8))
    assert files[0] == files[1]


# -- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "x.pdparams"], "--output x.pdparams: the name must end in .onnx"),
        (["--int8"], "--int8 needs --calib"),
        (["--calib", "nowhere.yaml"], "--calib is for --int8"),
        (["--int8", "--calib", "nowhere.yaml"], "cannot read the experiment file nowhere.yaml"),
        (["--opset", "5"], "invalid choice: 5"),
        (["--model-file", "nowhere.pdparams"], "there is no model file nowhere.pdparams"),
        (["--model-file", "x.onnx"], "x.onnx is exported already"),
        (["--model-file", ""], "argument --model-file"),
        (["MODEL.DEPTH", "34"], "is of another network"),
    ],
)
def test_bad_input_is_one_line(complain, words, said):
    assert said in complain(*words)


def test_too_few_persons_to_calibrate_with_are_refused(complain, place):
    said = complain("--int8", "--calib", place / "toy.yaml", "DATASET.TRAIN_SET", "valid")
    assert "calibration needs 8 persons at least: the set valid has 4" in said
    assert "--calib-persons is 3" in complain("--int8", "--calib", place / "toy.yaml", "--calib-persons", 3)


@pytest.mark.parametrize("name", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_what_to_do(complain, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    assert f"exporting needs {name}: pip install -r requirements/cpu.txt" in complain()


def test_a_folder_that_cannot_be_written_is_one_line(script, place, tmp_path):
    (tmp_path / "taken").write_text("a file")
    code, _, error = script("export", "--model-file", place / "w.pdparams", "--output", "taken/x.onnx")
    assert code == 2 and "cannot write to the folder taken" in error and error.count("\n") == 1


def test_weights_for_other_pictures_are_refused_as_by_valid_py(complain, place):
    shutil.copy(place / "w.pdparams", place / "rgb.pdparams")
    record = WeightRecord(
        source="x.pth", kind="mmpose", part="pose network", color_order="RGB", mean=MEAN, deviation=STD,
        pixel_scale=255.0, style="pytorch", depth=18, joint_count=16, image_size=(64, 64),
        sha256=file_digest(place / "rgb.pdparams"),
    )  # fmt: skip
    write_record(record, record_path(place / "rgb.pdparams"))
    assert "give DATASET.COLOR_RGB true" in complain(weights="rgb.pdparams")


def test_a_file_that_differs_from_paddle_is_not_written(complain, monkeypatch):
    from lib.deploy import onnx_export

    def spoiled(weights, *rest):
        weights["final_layer.weight"] *= np.float32(1.01)
        return network_graph(weights, *rest)

    network_graph = onnx_export.network_graph
    monkeypatch.setattr(onnx_export, "network_graph", spoiled)
    assert "differs from Paddle's by" in complain(code=1)
