"""convert.py as a person runs it: the files it writes, their use in valid.py and train.py, and its complaints."""

import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import toy
from foreign import NAMINGS, imagenet_weights, original_weights, renamed
from seeded import our_name

from lib.utils.runtime import run_script

THIN = (16, 16, 16)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def weights(paddle):
    """The original's weights of the toy's network, seeded."""
    from lib.models.pose_resnet import PoseResNet

    return original_weights(PoseResNet(18, 16, THIN), seed=5)


@pytest.fixture(scope="module")
def save_file():
    return pytest.importorskip("safetensors.numpy").save_file


@pytest.fixture
def run(drawn, tmp_path, run_main):
    """Runs a script's main() with the toy experiment: (exit code, stdout, stderr)."""
    experiment = toy.write_experiment(tmp_path, drawn)

    def run(script, *words):
        return run_main(script, "--cfg", experiment, *words)

    return run


@pytest.fixture
def convert(run, tmp_path):
    """Converts a file to x.pdparams: (stdout, {name: array}, record)."""

    def convert(source, *words, output="x.pdparams"):
        from lib.weights.weights import read_weights

        code, said, error = run("convert", "--source", source, "--output", tmp_path / output, *words)
        assert (code, error) == (0, "")
        record = json.loads((tmp_path / output).with_suffix(".json").read_text())
        return said, read_weights(tmp_path / output), record

    return convert


@pytest.fixture
def complain(run, tmp_path):
    """Runs convert.py and returns its one line of complaint; it wrote nothing."""

    def complain(source, *words, output="x.pdparams"):
        before = sorted(tmp_path.rglob("*"))
        code, _, error = run("convert", "--source", source, "--output", tmp_path / output, *words)
        assert code == 2
        assert error.startswith("error: ") and error.count("\n") == 1 and "Traceback" not in error, error
        assert sorted(tmp_path.rglob("*")) == before
        return error

    return complain


def expected_of(weights):
    return {our_name(name): array for name, array in weights.items() if not name.endswith("num_batches_tracked")}


def backbone_of(weights):
    ours = expected_of(weights)
    return {name.removeprefix("backbone."): array for name, array in ours.items() if name.startswith("backbone.")}


def assert_same(first, second):
    assert first.keys() == second.keys() and first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


class TestResult:
    @pytest.mark.parametrize("naming", ["original", "mmpose 0.x with a sequence of one", "mmpose with a numbered head"])
    def test_a_whole_network_is_written_with_its_record(self, convert, save_file, weights, tmp_path, naming):
        save_file(renamed(weights, naming), tmp_path / "w.safetensors")
        said, result, record = convert(tmp_path / "w.safetensors")
        assert_same(result, expected_of(weights))
        for line in ("=> loaded: 117 of 117", "=> missing: 0", "=> of another shape: 0", "=> unused: 0"):
            assert line in said.splitlines()
        order = {"original": "BGR", "mmpose": "RGB"}[NAMINGS[naming].kind]
        assert record.pop("sha256")
        assert record == {
            "source": "w.safetensors", "kind": NAMINGS[naming].kind, "part": "pose network", "color_order": order,
            "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225], "pixel_scale": 255.0,
            "style": "pytorch", "depth": 18, "joint_count": 16, "image_size": [64, 64],
        }  # fmt: skip
        assert f"=> expects {order} pictures divided by 255" in said
        assert ("give DATASET.COLOR_RGB true" in said) == (order == "RGB")
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "toy.yaml", "w.safetensors", "x.json", "x.pdparams"
        ]  # fmt: skip

    @pytest.mark.parametrize("naming", ["original in DataParallel", "mmpose 1.x"])
    def test_a_pytorch_checkpoint_is_converted(self, convert, torch, weights, tmp_path, naming):
        state = {name: torch.from_numpy(np.array(array)) for name, array in renamed(weights, naming).items()}
        torch.save({"state_dict": state, "meta": {"epoch": 210}}, tmp_path / "w.pth")
        assert_same(convert(tmp_path / "w.pth")[1], expected_of(weights))

    def test_an_imagenet_backbone_is_written_bare_and_becomes_the_start_of_a_training(
        self, convert, run, save_file, weights, tmp_path
    ):
        save_file(imagenet_weights(weights), tmp_path / "resnet.safetensors")
        said, result, record = convert(tmp_path / "resnet.safetensors", "--backbone-only")
        assert_same(result, backbone_of(weights))
        assert "=> loaded: 100 of 100" in said and "=> unused: 2: fc." in said
        assert (record["kind"], record["part"], record["joint_count"]) == ("torchvision", "backbone", None)
        code, said, error = run("train", "MODEL.PRETRAINED", tmp_path / "x.pdparams", "TRAIN.END_EPOCH", "1")
        assert (code, error) == (0, "")
        assert "=> loaded 100 of 117 weights" in said
        assert "x.pdparams expects RGB pictures divided by 255: give DATASET.COLOR_RGB true" in said
        assert said.count("WARNING") == 1

    @pytest.mark.parametrize("naming", ["original", "mmpose 1.x"])
    def test_the_backbone_of_a_pose_network_is_taken_out(self, convert, save_file, weights, tmp_path, naming):
        save_file(renamed(weights, naming), tmp_path / "w.safetensors")
        said, result, record = convert(tmp_path / "w.safetensors", "--backbone-only", "--color-order", "bgr")
        assert_same(result, backbone_of(weights))
        unused = next(line for line in said.splitlines() if line.startswith("=> unused: 17: "))
        assert unused.count("deconv_layers.") + unused.count("final_layer.") == 5 and unused.endswith(" and 12 more")
        assert (record["part"], record["color_order"]) == ("backbone", "BGR")

    @pytest.mark.slow
    def test_a_backbone_of_caffes_style_asks_for_caffes_pictures(self, paddle, convert, save_file, tmp_path):
        from lib.models.pose_resnet import PoseResNet

        weights = imagenet_weights(original_weights(PoseResNet(50, 16, THIN, style="caffe")))
        save_file(weights, tmp_path / "caffe.safetensors")
        words = ("--backbone-only", "MODEL.DEPTH", "50", "MODEL.STYLE", "caffe")
        said, _, record = convert(tmp_path / "caffe.safetensors", *words)
        assert (record["kind"], record["color_order"], record["pixel_scale"]) == ("caffe", "BGR", 1.0)
        assert (record["mean"], record["deviation"]) == ([103.939, 116.779, 123.68], [1.0, 1.0, 1.0])
        assert record["style"] == "caffe"
        assert "=> expects BGR pictures divided by 1 " in said

    def test_options_say_otherwise_than_what_is_usual(self, convert, save_file, weights, tmp_path):
        save_file(weights, tmp_path / "w.safetensors")
        said, _, record = convert(tmp_path / "w.safetensors", "--color-order", "rgb", "--pixel-scale", "1")
        assert (record["color_order"], record["pixel_scale"]) == ("RGB", 1.0)
        assert "give DATASET.COLOR_RGB true DATASET.PIXEL_SCALE 1\n" in said

    def test_its_folder_is_made_when_there_is_something_to_write(self, convert, complain, save_file, weights, tmp_path):
        (tmp_path / "bad.safetensors").write_bytes(b"weights" * 30)
        complain(tmp_path / "bad.safetensors", output="new/models/x.pdparams")  # which writes nothing
        save_file(weights, tmp_path / "w.safetensors")
        convert(tmp_path / "w.safetensors", output="new/models/x.pdparams")
        assert sorted(path.name for path in (tmp_path / "new" / "models").iterdir()) == ["x.json", "x.pdparams"]

    def test_converting_again_replaces_the_result_and_its_record(self, convert, save_file, weights, tmp_path):
        save_file(weights, tmp_path / "w.safetensors")
        first = convert(tmp_path / "w.safetensors")[2]
        again = convert(tmp_path / "w.safetensors", "--pixel-scale", "1")[2]
        assert again == first | {"pixel_scale": 1.0}

    def test_the_checkpoint_of_the_original_on_photographs_is_converted(
        self, torch, shared, root, tmp_path, monkeypatch, capfd
    ):
        source, output = shared / "data" / "lspet_r18_original.pth.tar", tmp_path / "x.pdparams"
        experiment = root / "experiments/mpii/resnet18/128x128_d256x3_adam_lr1e-3_lspet.yaml"
        words = ["--source", source, "--cfg", experiment, "--output", output]
        monkeypatch.setattr("sys.argv", ["convert.py", *map(str, words)])
        run_script(toy.import_script("convert").main)
        said, error = capfd.readouterr()
        assert "=> loaded: 117 of 117" in said and "=> expects BGR pictures divided by 255" in said
        assert "give" not in said and error == ""
        from lib.weights.weights import read_weights

        state = torch.load(source, map_location="cpu", weights_only=True)
        assert_same(read_weights(output), expected_of({name: value.numpy() for name, value in state.items()}))


class TestPaddlesWeights:
    @pytest.fixture
    def port(self, paddle, weights, tmp_path):
        """A file as of the earlier port: our names, no record."""
        path = tmp_path / "port" / "port.pdparams"
        path.parent.mkdir()
        paddle.save({name: paddle.to_tensor(array) for name, array in expected_of(weights).items()}, str(path))
        return path

    def test_they_load_in_validation_as_they_are(self, run, port):
        code, said, error = run("valid", "--model-file", port, "DATASET.PIXEL_SCALE", "1")
        assert (code, error) == (0, "")
        assert f"=> loaded 117 of 117 weights from {port}; 0 unused" in said
        assert f"=> nothing beside {port} says what images it expects: the preprocessing is not verified" in said
        assert "| 64x64_pose_resnet_18_d16d16d16 |" in said

    def test_they_are_taken_for_the_earlier_ports(self, convert, port, weights):
        said, result, record = convert(port)
        assert_same(result, expected_of(weights))
        assert (record["kind"], record["color_order"], record["pixel_scale"]) == ("paddle", "BGR", 1.0)
        assert "give DATASET.PIXEL_SCALE 1\n" in said

    def test_a_record_of_their_own_counts(self, convert, save_file, weights, tmp_path):
        save_file(renamed(weights, "mmpose 1.x"), tmp_path / "w.safetensors")
        _, _, first = convert(tmp_path / "w.safetensors")
        said, _, again = convert(tmp_path / "x.pdparams", "--backbone-only", output="bare.pdparams")
        assert "=> expects RGB pictures divided by 255 (its record)" in said
        same = ("kind", "color_order", "pixel_scale", "mean", "deviation", "style")
        assert [again[key] for key in same] == [first[key] for key in same]
        assert (again["part"], again["source"]) == ("backbone", "x.pdparams")

    def test_the_run_folder_that_they_lie_in_counts(self, convert, port, tmp_path):
        shutil.copyfile(tmp_path / "toy.yaml", port.parent / "config.yaml")
        said, _, record = convert(port)
        assert "=> expects BGR pictures divided by 255 (config.yaml beside it)" in said
        assert record["kind"] == "ours"

    def test_validation_holds_them_against_the_run_folder_that_they_lie_in(self, run, port, tmp_path):
        shutil.copyfile(tmp_path / "toy.yaml", port.parent / "config.yaml")
        code, said, error = run("valid", "--model-file", port, "DATASET.COLOR_RGB", "true")
        assert code == 2 and error.count("\n") == 1 and said == ""
        assert f"error: {port} was trained with DATASET.COLOR_RGB false (says {port.parent / 'config.yaml'})" in error
        assert not (tmp_path / "output").exists()

    def test_somebody_elses_config_does_not(self, convert, port):
        (port.parent / "config.yaml").write_text("OPTIMIZER: {NAME: adam}")
        assert convert(port)[2]["pixel_scale"] == 1.0


class TestUse:
    def test_validation_refuses_other_pictures_and_takes_the_right_ones(
        self, run, convert, save_file, weights, tmp_path
    ):
        save_file(renamed(weights, "mmpose 0.x"), tmp_path / "w.safetensors")
        convert(tmp_path / "w.safetensors")
        words = ["valid", "--model-file", tmp_path / "x.pdparams"]
        code, _, error = run(*words)
        assert code == 2 and error.count("\n") == 1
        assert "x.pdparams expects RGB pictures divided by 255: give DATASET.COLOR_RGB true (says x.json" in error
        assert not (tmp_path / "output").exists()
        code, said, error = run(*words, "DATASET.COLOR_RGB", "true")
        assert (code, error) == (0, "") and "| 64x64_pose_resnet_18_d16d16d16 |" in said and "WARNING" not in said
        (tmp_path / "x.json").write_text((tmp_path / "x.json").read_text().replace('"sha256": "', '"sha256": "0'))
        code, said, error = run(*words)
        assert (code, error) == (0, "") and said.count("WARNING") == 1 and "the record of other weights" in said


class Code:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def write_zip(path, member="a.txt", content="no weights"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)


class TestBadFiles:
    @pytest.mark.parametrize(("write", "complaint"), [
        (lambda path: None, "there is no weight file"),
        (lambda path: path.mkdir(), "is a folder; expected a weight file"),
        (lambda path: path.write_bytes(b""), "is empty"),
    ], ids=["missing", "folder", "empty"])  # fmt: skip
    @pytest.mark.parametrize("ending", ["pth", "safetensors", "pdparams"])
    def test_what_is_no_file_of_any_kind_is_named(self, complain, tmp_path, write, complaint, ending):
        write(tmp_path / f"w.{ending}")
        error = complain(tmp_path / f"w.{ending}")
        assert str(tmp_path / f"w.{ending}") in error and complaint in error

    @pytest.mark.parametrize(("write", "complaint"), [
        (lambda path: path.write_bytes(pickle.dumps([1, 2, 3])), "is not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1}, protocol=2)), "is not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(Code())), "which could run code"),
        (lambda path: path.write_bytes(pickle.dumps(Code(), protocol=2)), "mkdir, which could run code"),
        (lambda path: write_zip(path, "a/data.pkl", pickle.dumps(Code())), "mkdir, not names and arrays"),
        (lambda path: path.write_text('{"conv1.weight": [1, 2, 3]}'), "is not a PyTorch checkpoint"),
        (lambda path: path.write_text("<html>404</html>\n" * 99), "is not a PyTorch checkpoint"),
        (write_zip, "is not a PyTorch checkpoint"),
    ], ids=["pickle", "old pickle", "code", "old code", "code in zip", "json", "html", "zip"])  # fmt: skip
    def test_what_is_no_pytorch_checkpoint_is_named(self, complain, tmp_path, monkeypatch, write, complaint):
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "w.pth")
        error = complain(tmp_path / "w.pth")
        assert str(tmp_path / "w.pth") in error and complaint in error
        assert not (tmp_path / "harm").exists()

    @pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before PyTorch 1.6"])
    def test_a_checkpoint_that_was_cut_off_is_called_damaged(self, complain, torch, tmp_path, zipped):
        path = tmp_path / "w.pth"
        torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path, _use_new_zipfile_serialization=zipped)
        path.write_bytes(path.read_bytes()[:20000])
        assert "or is damaged" in complain(path)

    @pytest.mark.parametrize("make", [
        lambda torch: [torch.zeros(3)], lambda torch: {"epoch": 3}, lambda torch: {"state_dict": {}},
        lambda torch: {"ids": torch.zeros(3, dtype=torch.int64)},
    ], ids=["list", "no arrays", "empty state_dict", "integers"])  # fmt: skip
    def test_a_checkpoint_without_weights_is_named(self, complain, torch, tmp_path, make):
        torch.save(make(torch), tmp_path / "w.pth")
        assert "expected names and arrays" in complain(tmp_path / "w.pth")

    def test_code_beside_the_weights_is_read_past_and_not_run(self, complain, torch, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        torch.save({"state_dict": {"a": torch.zeros(3)}, "hook": Code()}, tmp_path / "w.pth")
        assert "none of its 1 weights fits this network (it has names such as a)" in complain(tmp_path / "w.pth")
        assert not (tmp_path / "harm").exists()

    @pytest.mark.parametrize("content", [b"weights" * 30, b"\xff" * 30, (2).to_bytes(8, "little") + b"[]"])
    def test_what_is_no_safetensors_file_is_named(self, complain, save_file, tmp_path, content):
        (tmp_path / "w.safetensors").write_bytes(content)
        assert "is not a .safetensors file, or is damaged" in complain(tmp_path / "w.safetensors")

    def test_a_safetensors_file_that_was_cut_off_is_called_damaged(self, complain, save_file, tmp_path):
        path = tmp_path / "w.safetensors"
        save_file({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}, path)
        path.write_bytes(path.read_bytes()[:-1])
        assert "or is damaged" in complain(path)

    def test_what_is_no_paddle_file_is_named(self, complain, tmp_path):
        (tmp_path / "w.pdparams").write_text("weights")
        assert "is not a Paddle weight file" in complain(tmp_path / "w.pdparams")


class TestOtherNetworks:
    @pytest.fixture
    def source(self, save_file, weights, tmp_path):
        """The toy's weights as a file, with changes {name: array}; None leaves one out."""

        def source(**changes):
            values = {name: array for name, array in {**weights, **changes}.items() if array is not None}
            save_file(values, tmp_path / "w.safetensors")
            return tmp_path / "w.safetensors"

        return source

    @pytest.mark.parametrize("depth", [34, 50])
    def test_another_depth_is_said(self, complain, source, depth):
        assert f"it has MODEL.DEPTH 18, not {depth}" in complain(source(), "MODEL.DEPTH", depth)

    def test_a_depth_whose_weights_hold_all_of_the_experiments_is_refused(self, paddle, complain, save_file, tmp_path):
        from lib.models.pose_resnet import PoseResNet

        save_file(original_weights(PoseResNet(34, 16, THIN)), tmp_path / "w.safetensors")  # 18 is within 34
        assert "it has MODEL.DEPTH 34, not 18" in complain(tmp_path / "w.safetensors")
        assert "it has MODEL.DEPTH 34, not 18" in complain(tmp_path / "w.safetensors", "--backbone-only")

    def test_another_joint_count_says_what_to_do_for_fine_tuning(self, complain, source):
        head = {"weight": np.zeros((17, 16, 1, 1), np.float32), "bias": np.zeros(17, np.float32)}
        error = complain(source(**{f"final_layer.{name}": array for name, array in head.items()}))
        assert "its head is for MODEL.NUM_JOINTS 17, not 16" in error and "give the result as MODEL.PRETRAINED" in error

    def test_a_backbone_where_a_pose_network_is_asked_says_what_to_do(self, complain, save_file, weights, tmp_path):
        save_file(imagenet_weights(weights), tmp_path / "w.safetensors")
        error = complain(tmp_path / "w.safetensors")
        assert "convert it with --backbone-only and give the result as MODEL.PRETRAINED" in error

    def test_weights_of_another_kind_of_network_are_refused(self, complain, save_file, tmp_path):
        save_file({"encoder.weight": np.ones((3, 3), np.float32)}, tmp_path / "w.safetensors")
        assert "none of its 1 weights fits this network (it has names such as encoder.weight)" in complain(
            tmp_path / "w.safetensors"
        )

    @pytest.mark.parametrize(("changes", "name"), [
        ({"layer1.0.conv1.weight": None}, "backbone.layer1.0.conv1.weight"),
        ({"final_layer.bias": None}, "final_layer.bias"),
        ({"deconv_layers.0.bias": np.zeros(16, np.float32)}, "deconv_layers.0.bias"),
        ({"deconv_layers.3.weight": np.zeros((16, 16, 2, 2), np.float32)}, "deconv_layers.3.weight"),
        ({"conv1.bias": np.zeros(64, np.float32)}, "backbone.conv1.bias"),
    ])  # fmt: skip
    def test_any_weight_that_does_not_fit_is_named(self, complain, source, changes, name):
        assert f"weights that do not fit: 1 (such as {name})" in complain(source(**changes))


class TestOutput:
    @pytest.mark.parametrize(("output", "complaint"), [
        ("x.pth", "the name must end in .pdparams"), ("w.pdparams/x.pdparams", "cannot be written"),
        ("w.pdparams", "is the source itself"), ("folder.pdparams", "cannot be written"),
        ("results.pdparams", "results.json exists and is no record of weights"),
    ])  # fmt: skip
    def test_an_output_that_cannot_be_is_refused_before_anything_is_read(self, complain, tmp_path, output, complaint):
        (tmp_path / "w.pdparams").write_bytes(b"weights")
        (tmp_path / "folder.pdparams").mkdir()
        (tmp_path / "results.json").write_text('{"Mean": 88.5}')
        assert complaint in complain(tmp_path / "w.pdparams", output=output)

    @pytest.mark.parametrize(("words", "complaint"), [
        (["--pixel-scale", "0"], "argument --pixel-scale: expected a number above 0, got 0"),
        (["--pixel-scale", "much"], "argument --pixel-scale: invalid positive value: 'much'"),
        (["--color-order", "gbr"], "argument --color-order: invalid choice: 'gbr'"),
        (["MODEL.DEPHT", "50"], "the nearest valid key is MODEL.DEPTH"),
    ])  # fmt: skip
    def test_an_option_that_cannot_be_is_refused(self, complain, tmp_path, words, complaint):
        assert complaint in complain(tmp_path / "w.pth", *words)

    def test_a_record_that_cannot_be_written_leaves_no_weights_without_it(
        self, run, save_file, weights, tmp_path, monkeypatch
    ):
        save_file(weights, tmp_path / "w.safetensors")

        def full_disk(record, path):
            raise OSError(28, "No space left on device")

        toy.import_script("convert")
        monkeypatch.setattr("lib.weights.conversion.write_record", full_disk)
        output = tmp_path / "x.pdparams"
        code, _, error = run("convert", "--source", tmp_path / "w.safetensors", "--output", output)
        assert code == 1 and "No space left on device" in error
        assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.yaml", "w.safetensors"]
