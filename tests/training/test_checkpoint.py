"""Saving whole or not at all, and what the loader says about files that do not fit."""

import errno
import pickle
import warnings

import numpy as np
import pytest

from lib.utils.errors import RunError, UserError
from lib.weights import weights
from lib.weights.fill import load_weights


@pytest.fixture(scope="module")
def checkpoint(paddle):
    from lib.training import checkpoint

    return checkpoint


@pytest.fixture
def make_network(paddle):
    """Makes a two-layer stand-in for a pose network, with the names of its parts; None leaves a part out."""

    class Network(paddle.nn.Layer):
        def __init__(self, channels=3, joints=2):
            super().__init__()
            if channels:
                self.backbone = paddle.nn.Sequential(paddle.nn.Linear(4, channels), paddle.nn.BatchNorm1D(channels))
            if joints:
                self.final_layer = paddle.nn.Linear(3, joints)

        def forward(self, values):
            return self.final_layer(self.backbone(values))

    return Network


def arrays(state):
    return {name: np.array(value) for name, value in state.items() if not isinstance(value, dict)}


def assert_same(first, second):
    assert first.keys() == second.keys() and first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def train_a_little(paddle, network, optimizer, scheduler, steps=3):
    values = paddle.to_tensor(np.random.default_rng(0).standard_normal((5, 4)).astype("float32"))
    for _ in range(steps):
        network(values).square().mean().backward()
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()


def make_optimizer(paddle, network):
    scheduler = paddle.optimizer.lr.PolynomialDecay(0.1, decay_steps=10, end_lr=0.0, power=0.9)
    return paddle.optimizer.Adam(learning_rate=scheduler, parameters=network.parameters()), scheduler


def test_a_write_that_fails_half_way_leaves_the_old_file_whole_and_nothing_beside_it(
    paddle, checkpoint, make_network, tmp_path, monkeypatch
):
    path = tmp_path / "model_best.pdparams"
    checkpoint.save_atomically(make_network().state_dict(), path)
    before = path.read_bytes()

    def full_disk(state, name):
        with open(name, "wb") as file:
            file.write(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paddle, "save", full_disk)
    with pytest.raises(RunError, match=r"cannot write .*model_best\.pdparams: No space left on device"):
        checkpoint.save_atomically(make_network().state_dict(), path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["model_best.pdparams"]


def test_what_cannot_be_saved_leaves_the_old_file_whole_and_nothing_beside_it(checkpoint, make_network, tmp_path):
    path = tmp_path / "model_best.pdparams"
    checkpoint.save_atomically(make_network().state_dict(), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="(?i)pickle|lambda|local object"):
        checkpoint.save_atomically({"network": lambda: None}, path)
    assert path.read_bytes() == before
    assert names_in(tmp_path) == ["model_best.pdparams"]


def test_a_checkpoint_gives_back_network_optimizer_schedule_and_progress_bit_for_bit(
    paddle, checkpoint, make_network, tmp_path
):
    progress = {"epoch": 3, "best": 41.5, "history": [{"epoch": 2, "results": {"Mean": 41.5}}]}
    with paddle.utils.unique_name.guard():  # Paddle names parameters and moments as in a process of its own
        network = make_network()
        optimizer, scheduler = make_optimizer(paddle, network)
        train_a_little(paddle, network, optimizer, scheduler)
        checkpoint.save_checkpoint(tmp_path, network, optimizer, progress)
        saved = arrays(network.state_dict())
        train_a_little(paddle, network, optimizer, scheduler)
    assert names_in(tmp_path) == ["checkpoint.pdckpt"]

    with paddle.utils.unique_name.guard():
        other = make_network()
        other_optimizer, other_scheduler = make_optimizer(paddle, other)
        assert checkpoint.load_checkpoint(tmp_path, other, other_optimizer) == progress
        assert_same(arrays(other.state_dict()), saved)
        assert other_scheduler.last_epoch == 3
        assert other_optimizer.get_lr() < 0.1
        train_a_little(paddle, other, other_optimizer, other_scheduler)
    assert_same(arrays(network.state_dict()), arrays(other.state_dict()))
    assert_same(arrays(optimizer.state_dict()), arrays(other_optimizer.state_dict()))
    assert other_scheduler.state_dict() == scheduler.state_dict()


def averaged_checkpoint(paddle, checkpoint, make_network, folder):
    """Saves a checkpoint whose average lags behind: (network, optimizer, {name: array} of the average)."""
    from lib.training.ema import WeightAverage

    network = make_network()
    optimizer, scheduler = make_optimizer(paddle, network)
    average = WeightAverage(network, 0.999)
    train_a_little(paddle, network, optimizer, scheduler)
    checkpoint.save_checkpoint(folder, network, optimizer, {"epoch": 1}, average)
    return network, optimizer, arrays(average.state)


def test_a_checkpoint_of_averaged_weights_gives_the_average(paddle, checkpoint, make_network, tmp_path):
    network, _, average = averaged_checkpoint(paddle, checkpoint, make_network, tmp_path)
    assert_same(weights.read_weights(tmp_path / "checkpoint.pdckpt"), average)
    assert not np.array_equal(network.final_layer.weight.numpy(), average["final_layer.weight"])


def test_going_on_without_the_average_is_refused_and_changes_nothing(paddle, checkpoint, make_network, tmp_path):
    _, optimizer, _ = averaged_checkpoint(paddle, checkpoint, make_network, tmp_path)
    other = make_network()
    before = arrays(other.state_dict())
    with pytest.raises(UserError, match=r"averages its weights; give TRAIN\.EMA too, or start .* MODEL\.PRETRAINED"):
        checkpoint.load_checkpoint(tmp_path, other, optimizer)
    assert_same(arrays(other.state_dict()), before)


@pytest.mark.parametrize("kind", ["weights", "checkpoint"])
def test_weights_come_back_bit_for_bit_from_a_weight_file_and_from_a_checkpoint(
    paddle, checkpoint, make_network, tmp_path, kind
):
    network, other = make_network(), make_network()
    if kind == "weights":
        path = tmp_path / "final_state.pdparams"
        checkpoint.save_atomically(network.state_dict(), path)
    else:
        path = tmp_path / "checkpoint.pdckpt"
        checkpoint.save_checkpoint(tmp_path, network, make_optimizer(paddle, network)[0], {"epoch": 1})
    line = load_weights(other, path)
    assert line == f"=> loaded 8 of 8 weights from {path}; 0 unused"
    assert_same(arrays(network.state_dict()), arrays(other.state_dict()))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no model file"),
        (b"", "is not a Paddle weight file, or is damaged"),
        (b"these are no weights\n" * 30, "is not a Paddle weight file, or is damaged"),
        (b"PK\x03\x04" + bytes(200), "is not a Paddle weight file, or is damaged"),
        (pickle.dumps([1, 2, 3]), "holds no weights: expected names and arrays, got list"),
        (pickle.dumps({"epoch": 3, "name": "x"}), "holds no weights: expected names and arrays"),
    ],
    ids=["missing", "empty", "text", "zip", "list", "other dict"],
)
def test_a_file_that_holds_no_weights_is_named_with_what_is_wrong(
    checkpoint, make_network, tmp_path, content, complaint
):
    path = tmp_path / "w.pdparams"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as caught:
        load_weights(make_network(), path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04" + bytes(200), pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)],
    ids=["zip", "before PyTorch 1.6"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["w.pth", "w.pth.tar", "w.safetensors"])
def test_a_file_of_another_projects_ending_is_to_be_converted_first(checkpoint, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=r"converted first: pose_estimation/convert\.py"):
        weights.read_weights(tmp_path / name)
    (tmp_path / "w.pdparams").write_bytes(content)
    with pytest.raises(UserError, match=r"w\.pdparams (?!.*convert)"):
        weights.read_weights(tmp_path / "w.pdparams")


def test_a_weight_file_that_was_cut_off_is_called_damaged(checkpoint, make_network, tmp_path):
    path = tmp_path / "w.pdparams"
    checkpoint.save_atomically(make_network().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="or is damaged"):
        load_weights(make_network(), path)


def test_weights_of_which_none_fits_are_refused_even_where_some_may_be_missing(checkpoint, make_network, tmp_path):
    path = tmp_path / "w.pdparams"
    checkpoint.save_atomically({"conv.weight": np.zeros((2, 2), "float32")}, path)
    with pytest.raises(UserError, match=r"none of its 1 weights fits .*conv\.weight.* of another network"):
        load_weights(make_network(), path, strict=False)


def test_a_head_for_another_joint_count_is_refused_and_the_network_stays_as_it_was(
    checkpoint, make_network, tmp_path
):
    path = tmp_path / "w.pdparams"
    checkpoint.save_atomically(make_network(joints=5).state_dict(), path)
    network = make_network(joints=2)
    before = arrays(network.state_dict())
    with pytest.raises(UserError, match=r"2 of another shape \(such as final_layer\.weight\).*NUM_JOINTS"):
        load_weights(network, path)
    assert_same(arrays(network.state_dict()), before)


def test_a_head_for_another_joint_count_keeps_its_start_and_is_named_where_weights_are_only_a_start(
    checkpoint, make_network, tmp_path
):
    path = tmp_path / "w.pdparams"
    source, network = make_network(joints=5), make_network(joints=2)
    head = network.final_layer.weight.numpy().copy()
    checkpoint.save_atomically(source.state_dict(), path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = load_weights(network, path, strict=False)
    assert line == (
        f"=> loaded 6 of 8 weights from {path}; 2 of another shape (such as final_layer.weight), 0 unused"
    )
    np.testing.assert_array_equal(network.final_layer.weight.numpy(), head)
    np.testing.assert_array_equal(network.backbone[0].weight.numpy(), source.backbone[0].weight.numpy())


def test_missing_and_unused_weights_are_counted_and_named(checkpoint, make_network, tmp_path):
    path = tmp_path / "w.pdparams"
    state = make_network(joints=None).state_dict()
    checkpoint.save_atomically({**state, "fc.weight": np.zeros(3, "float32")}, path)
    line = load_weights(make_network(), path, strict=False)
    assert "loaded 6 of 8 weights" in line
    assert line.endswith("2 missing (such as final_layer.weight), 1 unused")
    with pytest.raises(UserError, match="2 missing"):
        load_weights(make_network(), path)


def test_a_file_is_read_once_to_go_on_from(paddle, checkpoint, make_network, tmp_path, monkeypatch):
    network = make_network()
    optimizer, _ = make_optimizer(paddle, network)
    checkpoint.save_checkpoint(tmp_path, network, optimizer, {"epoch": 1})
    load, read = weights.read_paddle, []
    monkeypatch.setattr(weights, "read_paddle", lambda path: read.append(path) or load(path))
    assert checkpoint.load_checkpoint(tmp_path, network, optimizer) == {"epoch": 1}
    assert len(read) == 1  # a checkpoint of depth 152 is 800 MB


def test_a_checkpoint_of_another_network_changes_neither_network_nor_optimizer(
    paddle, checkpoint, make_network, tmp_path
):
    other, network = make_network(joints=5), make_network(joints=2)
    checkpoint.save_checkpoint(tmp_path, other, make_optimizer(paddle, other)[0], {"epoch": 1})
    optimizer, _ = make_optimizer(paddle, network)
    before, rate = arrays(network.state_dict()), optimizer.state_dict()["LR_Scheduler"]
    with pytest.raises(UserError, match=r"is of another network: 2 of another shape"):
        checkpoint.load_checkpoint(tmp_path, network, optimizer)
    assert_same(arrays(network.state_dict()), before)
    assert optimizer.state_dict()["LR_Scheduler"] == rate


def test_weights_that_match_miss_and_are_left_over_are_told_apart(checkpoint):
    fits, other = np.zeros((2, 3)), np.zeros((3, 2))
    match = weights.match_weights({"a": fits, "b": other, "d": fits}, {"a": fits, "b": fits, "c": fits})
    assert (list(match.matched), match.mismatched, match.missing, match.unused) == (["a"], ["b"], ["c"], ["d"])


def test_going_on_from_weights_alone_or_from_an_empty_folder_says_what_to_do(
    paddle, checkpoint, make_network, tmp_path
):
    network = make_network()
    optimizer, _ = make_optimizer(paddle, network)
    with pytest.raises(UserError, match=r"--resume_model: there is no checkpoint .*checkpoint\.pdckpt"):
        checkpoint.load_checkpoint(tmp_path, network, optimizer)
    path = tmp_path / "model_best.pdparams"
    checkpoint.save_atomically(network.state_dict(), path)
    with pytest.raises(UserError, match=r"weights only; give it as MODEL\.PRETRAINED"):
        checkpoint.load_checkpoint(path, network, optimizer)
