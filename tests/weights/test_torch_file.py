"""PyTorch's files, read without PyTorch: recorded ones of both forms (by tests/torch_files.py), and odd ones."""

import collections
import datetime
import functools
import pickle
import uuid
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lib.utils.errors import UserError
from lib.weights.convert import kind_of, read_source, rename
from lib.weights.torch_file import Opaque, Quantized, read_checkpoint, read_torch


@pytest.fixture(scope="module")
def torch_files(root):
    return root / "tests" / "data" / "torch"


def arrays(value, name=""):
    """{name: array} of all arrays in containers."""
    if isinstance(value, np.ndarray):
        return {name: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return {key: array for name_, item in items for key, array in arrays(item, f"{name}/{name_}").items()}


FORMS = ("zip", "legacy", "protocol4", "protocol5")
FILES = [*(f"tensors_{form}" for form in FORMS), "checkpoint_zip", "checkpoint_legacy"]


@pytest.mark.parametrize("name", FILES)
def test_both_forms_and_all_protocols_give_what_pytorch_saved_to_the_bit(torch_files, name):
    expected = {
        key.removeprefix(f"/{name.partition('_')[0]}"): array
        for key, array in np.load(torch_files / "expected.npz").items()
        if key.startswith(f"/{name.partition('_')[0]}/")
    }
    found = arrays(read_torch(torch_files / f"{name}.pth"))
    assert len(expected) >= 15 and expected.keys() <= found.keys()
    for key, array in expected.items():
        assert found[key].dtype == array.dtype and found[key].shape == array.shape, key
        np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_what_a_training_puts_beside_the_weights_is_read_past(torch_files, form):
    content = read_torch(torch_files / f"checkpoint_{form}.pth")
    assert (content["epoch"], content["model"], content["perf"]) == (3, "pose_resnet", 61.5)
    meta = content["meta"]
    assert meta["size"] == (2, 3) and meta["seed"] == 3 and meta["sigmas"].shape == (17,)
    for name in ("when", "set", "frozen", "history", "device", "path", "complex", "names"):
        assert isinstance(meta[name], Opaque), name
    assert meta["history"].about == "__main__.History"
    weights = read_source(torch_files / f"checkpoint_{form}.pth")
    assert set(weights) == {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.pth", "holds torch.nn.modules.container.Sequential, not names and arrays"),
        ("program.pt", "it is a TorchScript program"),
        ("quantized.pth", "conv1.weight is quantised: convert the checkpoint in floating point"),
    ],
)
def test_what_holds_no_weights_that_can_be_used_is_named(torch_files, name, said):
    with pytest.raises(UserError, match=said):
        read_source(torch_files / name)
    if name == "quantized.pth":
        assert isinstance(read_torch(torch_files / name)["conv1.weight"], Quantized)


class Code:
    """Unpickled, it runs something."""

    def __reduce__(self):
        return eval, ("print('code was run')",)


def write_zip(path, content, members=(), compression=zipfile.ZIP_STORED):
    """An archive as torch.save writes it, with a pickle of its own."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in members:
            archive.writestr(f"archive/data/{name}", data)
    return path


def test_no_code_is_run(tmp_path, capsys):
    path = write_zip(tmp_path / "w.pth", pickle.dumps({"conv1.weight": Code(), "epoch": 3}, protocol=2))
    content = read_torch(path)
    assert isinstance(content["conv1.weight"], Opaque) and content["epoch"] == 3
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match="holds no weights"):
        read_source(path)


class HistoryBuffer:
    """As mmengine has them in its message_hub, and what else people put beside their weights."""

    def __init__(self, value):
        self.values = value


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_whatever_lies_beside_the_weights_is_read_past(tmp_path, protocol):
    values = [
        np.arange(3.0), np.array(["a", "b"]), np.array([{}, None], dtype=object), np.datetime64("2024-01-01"),
        np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), collections.deque([1], maxlen=2), np.random.get_state(),
        np.random.default_rng(0), datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), 10**40,
        functools.partial(int, "3"), slice(1, 2), collections.defaultdict(list, {1: [2]}), Path("a"), uuid.UUID(int=3),
    ]  # fmt: skip
    beside = [HistoryBuffer(value) for value in values] + values
    content = pickle.dumps({"message_hub": beside, "epoch": 3}, protocol=protocol)
    assert read_torch(write_zip(tmp_path / "w.pth", content))["epoch"] == 3


def tensor_pickle(offset, sizes, strides, count=6):
    """The pickle of {"a": a tensor} by hand, since PyTorch makes none that is wrong."""

    def number(value):
        return b"K" + bytes([value]) if value < 256 else b"J" + value.to_bytes(4, "little", signed=True)

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + number(count) + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + numbers(sizes) + numbers(strides)
    return b"\x80\x02}X\x01\0\0\0a" + tensor + b"\x89NtRs."


STORAGE = [("0", np.arange(6, dtype="<f4").tobytes())]


def test_a_tensor_by_hand_is_read(tmp_path):
    path = write_zip(tmp_path / "w.pth", tensor_pickle(1, (2, 2), (1, 2)), STORAGE)
    np.testing.assert_array_equal(read_torch(path)["a"], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("offset", "sizes", "strides"), [(0, (7,), (1,)), (3, (2, 2), (2, 1)), (200, (1,), (1,)), (0, (250, 250), (0, 0))]
)
def test_a_tensor_beyond_its_storage_is_damage(tmp_path, offset, sizes, strides):
    path = write_zip(tmp_path / "w.pth", tensor_pickle(offset, sizes, strides), STORAGE)
    with pytest.raises(pickle.UnpicklingError, match="beyond its storage|far larger"):
        read_torch(path)


@pytest.mark.parametrize("suffix", ["zip", "legacy"])
def test_a_file_that_is_cut_off_anywhere_is_one_line(torch_files, tmp_path, suffix):
    whole = (torch_files / f"tensors_{suffix}.pth").read_bytes()
    path = tmp_path / "w.pth"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"w\.pth") as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_compressed_members_are_refused_they_could_hold_anything(tmp_path):
    path = write_zip(tmp_path / "w.pth", tensor_pickle(0, (6,), (1,)), STORAGE, zipfile.ZIP_DEFLATED)
    with pytest.raises(pickle.UnpicklingError, match="is compressed"):
        read_torch(path)


@pytest.mark.parametrize("content", [b"text", b"\x80\x02K\x05.", pickle.dumps({"a": 1}, protocol=2), b""])
def test_other_files_are_named(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"w\.pth"):
        read_checkpoint(tmp_path / "w.pth")


# -- which weights, and under which names ----------------------------------------------------------------------------


@pytest.fixture
def source(monkeypatch):
    """Makes read_source meet a content, and returns (weights, what was said)."""

    def source(content, tmp_path, **options):
        (tmp_path / "w.pth").write_bytes(b"x")
        monkeypatch.setattr("lib.weights.convert.read_checkpoint", lambda path: content)
        said = []
        return read_source(tmp_path / "w.pth", say=said.append, **options), said

    return source


ONE, TWO = np.ones(2, np.float32), np.full(2, 2, np.float32)


@pytest.mark.parametrize(
    "key", ["state_dict", "model", "model_state_dict", "net", "network", "weights", "state_dict_ema"]
)
def test_weights_under_the_keys_that_people_use_are_found(source, tmp_path, key):
    weights, said = source({"epoch": 1, key: {"conv1.weight": ONE}}, tmp_path)
    assert weights.keys() == {"conv1.weight"} and said == []
    weights, _ = source({key: {"state_dict": {"conv1.weight": ONE}}}, tmp_path)
    assert weights.keys() == {"conv1.weight"}


def test_the_only_weights_are_found_under_any_key(source, tmp_path):
    weights, (line,) = source({"epoch": 1, "generator": {"conv1.weight": ONE}}, tmp_path)
    assert weights.keys() == {"conv1.weight"} and "the weights under generator are taken, the only ones" in line
    with pytest.raises(UserError, match="holds no weights"):
        source({"a": {"conv1.weight": ONE}, "b": {"conv1.weight": ONE}}, tmp_path)


def test_which_of_two_is_taken_is_said_and_chosen(source, tmp_path):
    content = {"state_dict": {"conv1.weight": ONE}, "state_dict_ema": {"conv1.weight": TWO}}
    weights, (line,) = source(content, tmp_path)
    assert weights["conv1.weight"][0] == 1 and "state_dict is taken, not state_dict_ema (--ema takes" in line
    weights, (line,) = source(content, tmp_path, ema=True)
    assert weights["conv1.weight"][0] == 2 and "state_dict_ema is taken, not state_dict" in line
    with pytest.raises(UserError, match="--ema: .* has no averaged weights"):
        source({"state_dict": {"conv1.weight": ONE}}, tmp_path, ema=True)


def test_of_a_student_and_its_teacher_one_is_taken(source, tmp_path):
    content = {"student.conv1.weight": ONE, "teacher.conv1.weight": TWO}
    weights, (line,) = source(content, tmp_path)
    assert rename(weights)["backbone.conv1.weight"][0] == 1 and "student. are taken" in line
    weights, _ = source(content, tmp_path, ema=True)
    assert rename(weights)["backbone.conv1.weight"][0] == 2


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "net.", "student.", "model._orig_mod.", "architecture."]
)
def test_the_wrappers_of_frameworks_are_taken_off(prefix):
    assert list(rename({f"{prefix}conv1.weight": ONE})) == ["backbone.conv1.weight"]
    assert list(rename({f"{prefix}backbone.conv1.weight": ONE})) == ["backbone.conv1.weight"]


@pytest.mark.parametrize("wrapper", ["pose_estimator.", "module.system.body.", "a.backbone.", "odd.model."])
def test_whatever_stands_before_the_only_resnet_is_taken_off(wrapper):
    names = ("conv1.weight", "layer1.0.conv1.weight", "layer1.0.bn1.bias")
    assert list(rename({f"{wrapper}{name}": ONE for name in names})) == [f"backbone.{name}" for name in names]
    assert kind_of([f"{wrapper}{name}" for name in (*names, "deconv_layers.0.weight")], "") in ("original", "mmpose")
    two = {f"{prefix}{name}": ONE for prefix in ("first.", "second.") for name in names}
    assert list(rename(two)) == list(two)


def test_weights_that_are_not_finite_are_named(source, tmp_path):
    said = r"layer1\.weight is not finite \(NaN or infinite\): the run that saved it diverged"
    with pytest.raises(UserError, match=said):
        source({"conv1.weight": ONE, "layer1.weight": ONE * np.nan}, tmp_path)
