"""What becomes of a checkpoint on a full disk, with a changed bit, cut off, or in a folder with another run's."""

import os

import numpy as np
import pytest
from disk import full_disk

from lib.utils.errors import RunError, UserError
from lib.weights.checksum import SEAL, is_changed, run_of, seal

CURRENT, PREVIOUS = "checkpoint.pdckpt", "checkpoint_previous.pdckpt"


@pytest.fixture(scope="module")
def checkpoint(paddle):
    from lib.training import checkpoint

    return checkpoint


class Run:
    """A small network that is trained by hand; `save` is the end of an epoch."""

    def __init__(self, paddle, checkpoint, folder, first=1.0):
        self.paddle, self.checkpoint, self.folder = paddle, checkpoint, folder
        self.network = paddle.nn.Linear(40, 30)
        self.optimizer = paddle.optimizer.Adam(0.1, parameters=self.network.parameters())
        self.progress = {"epoch": 0, "best": None, "history": []}
        self.first = first

    def save(self, epochs=1):
        for _ in range(epochs):
            self.network(self.paddle.ones([2, 40])).square().mean().backward()
            self.optimizer.step()
            self.progress["epoch"] += 1
            self.progress["history"].append({"epoch": self.progress["epoch"], "loss": self.first})
            self.checkpoint.save_checkpoint(self.folder, self.network, self.optimizer, self.progress)
        return self

    def load(self):
        """(progress, warnings) of going on."""
        lines = []
        progress = self.checkpoint.load_checkpoint(self.folder, self.network, self.optimizer, warn=lines.append)
        return progress, lines


@pytest.fixture
def make_run(paddle, checkpoint, tmp_path):
    return lambda **options: Run(paddle, checkpoint, tmp_path, **options)


def change(path, place=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 0x10
    path.write_bytes(content)


def cut(path, count):
    path.write_bytes(path.read_bytes()[:-count])


@pytest.mark.parametrize("missing", [4000, 20], ids=["within the weights", "within the checksum"])
def test_a_disk_that_fills_up_leaves_both_checkpoints_whole_and_is_named(make_run, tmp_path, missing):
    run = make_run().save(2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {CURRENT, PREVIOUS}
    refused = pytest.raises(RunError, match=r"cannot write .*checkpoint\.pdckpt: .*; the file that was there is whole")
    with refused, full_disk(len(before[CURRENT]) - missing):
        run.save()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", [change, lambda path: cut(path, 4000), lambda path: cut(path, 50), os.unlink],
                         ids=["a bit", "cut off", "cut off a little", "gone"])  # fmt: skip
def test_a_damaged_checkpoint_is_known_and_the_one_before_it_is_taken_with_a_warning(make_run, tmp_path, damage):
    run = make_run().save()
    weights = run.network.weight.numpy().copy()
    run.save()
    damage(tmp_path / CURRENT)
    progress, (line,) = make_run().load()
    assert progress["epoch"] == 1
    assert line.startswith(f"=> WARNING: {tmp_path / CURRENT} ") or "there is no checkpoint" in line
    assert line.endswith(f"resuming from the checkpoint before it, {tmp_path / PREVIOUS}")
    other = make_run()
    other.load()
    np.testing.assert_array_equal(other.network.weight.numpy(), weights)


def test_every_bit_counts(make_run, checkpoint, tmp_path):
    make_run().save()
    path = tmp_path / CURRENT
    whole = path.read_bytes()
    for place in range(0, len(whole) - SEAL.size, 97):
        change(path, place)
        assert is_changed(path)
        path.write_bytes(whole)
    assert is_changed(path) is False


def test_two_damaged_checkpoints_are_an_error(make_run, tmp_path):
    run = make_run().save(2)
    change(tmp_path / CURRENT)
    change(tmp_path / PREVIOUS)
    with pytest.raises(UserError, match=r"checkpoint_previous\.pdckpt is damaged: its checksum"):
        run.load()


def test_a_damaged_checkpoint_never_takes_the_place_of_the_good_one_before(make_run, tmp_path):
    run = make_run().save(3)
    change(tmp_path / CURRENT)
    going_on = make_run()
    going_on.progress, _ = going_on.load()
    assert going_on.progress["epoch"] == 2
    good = (tmp_path / PREVIOUS).read_bytes()
    going_on.save()
    assert (tmp_path / PREVIOUS).read_bytes() == good
    going_on.save()
    change(tmp_path / CURRENT)
    assert run.load()[0]["epoch"] == 3


def test_another_runs_checkpoint_is_not_taken_for_the_one_before(make_run, tmp_path):
    make_run(first=1.0).save(3)
    run = make_run(first=2.0).save()
    assert [path.name for path in tmp_path.iterdir()] == [CURRENT]
    run.save()
    change(tmp_path / CURRENT)
    assert run.load()[0]["history"] == [{"epoch": 1, "loss": 2.0}]


def test_where_links_cannot_be_made_the_one_before_is_kept_all_the_same(make_run, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    run = make_run().save(2)
    change(tmp_path / CURRENT)
    assert run.load()[0]["epoch"] == 1


def test_what_a_process_with_the_same_number_left_is_not_in_the_way(make_run, tmp_path, monkeypatch):
    run = make_run().save()
    (tmp_path / f".{PREVIOUS}.{os.getpid()}.part").write_text("half")
    monkeypatch.setattr(os, "replace", keep_current(os.replace, tmp_path / CURRENT))
    run.save()
    assert make_run().load()[0]["epoch"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [CURRENT, PREVIOUS]


def keep_current(replace, current):
    """os.replace that asserts the checkpoint to be there throughout."""

    def checked(source, target):
        replace(source, target)
        assert current.is_file()

    return checked


def test_paddle_reads_our_files_all_the_same(make_run, paddle, tmp_path):
    run = make_run().save()
    state = paddle.load(str(tmp_path / CURRENT), return_numpy=True)
    np.testing.assert_array_equal(state["network"]["weight"], run.network.weight.numpy())
    assert state["progress"] == run.progress


def test_files_without_a_checksum_are_read_unchecked(make_run, paddle, tmp_path):
    run = make_run().save()
    path = tmp_path / CURRENT
    cut(path, SEAL.size)
    assert (is_changed(path), run_of(path)) == (None, None)
    assert run.load() == (run.progress, [])


def test_whoever_wrote_a_file_stands_in_its_seal(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    seal(path, bytes(range(16)))
    assert (is_changed(path), run_of(path)) == (False, bytes(range(16)))
    change(path, -10)
    assert is_changed(path)
    assert (run_of(tmp_path / "nowhere"), run_of(__file__)) == (None, None)


PLAIN = {"epoch": 1, "best": None, "history": []}


@pytest.mark.parametrize(
    "change_state",
    [
        {"progress": {**PLAIN, "epoch": "one"}}, {"progress": {**PLAIN, "epoch": -1}},
        {"progress": {**PLAIN, "best": "high"}}, {"progress": {**PLAIN, "history": [3]}},
        {"progress": {**PLAIN, "train": 3}},
        {"progress": {**PLAIN, "array": np.ones(3)}}, {"progress": {}},
        {"optimizer": {"weight_moment1_0": np.ones((2, 2), "float32")}}, {"optimizer": {"LR_Scheduler": 3}},
        {"average": {"state": {}, "step": 1}}, {"average": {"state": 3, "step": 1}}, {"average": {}}, {"average": 3},
    ],
    ids=str,
)  # fmt: skip
def test_a_file_like_a_checkpoint_with_values_that_cannot_be_is_refused(
    make_run, paddle, checkpoint, tmp_path, change_state
):
    from lib.training.ema import WeightAverage

    run = make_run()
    schedule = paddle.optimizer.lr.StepDecay(0.1, 3)
    run.optimizer = paddle.optimizer.Adam(schedule, parameters=run.network.parameters())
    state = {"network": run.network.state_dict(), "optimizer": run.optimizer.state_dict(), "progress": PLAIN}
    checkpoint.save_atomically({**state, **change_state}, tmp_path / CURRENT)
    average = WeightAverage(run.network, 0.9)
    with pytest.raises(UserError, match="--resume_model: .* (is no checkpoint of ours|its optimizer's state)"):
        checkpoint.load_checkpoint(tmp_path, run.network, run.optimizer, average)


def test_a_history_nested_without_end_is_refused(make_run, checkpoint, monkeypatch):
    run = make_run().save()
    path, state = checkpoint._load_newest(run.folder, print)
    deep = []
    deep.append(deep)
    state["progress"] = {**PLAIN, "history": [{"a": deep}]}
    monkeypatch.setattr(checkpoint, "read_content", lambda _: state)
    with pytest.raises(UserError, match="is no checkpoint of ours: it holds .*Circular"):
        run.load()
