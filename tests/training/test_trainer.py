"""The trainer trained: a toy set is learnt, an interrupted run ends as an uninterrupted one, NaN spoils nothing."""

import json
import math
import re
import shutil
import signal
from importlib import import_module

import numpy as np
import pytest
import toy

from lib.config.config import read_config
from lib.utils.errors import RunError
from lib.utils.stop import StopSignals


class Lines(list):
    """A log that keeps its lines; `stop_at`: a line that starts so ends the run like Ctrl-C."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.stop_at = stop_at

    def info(self, line):
        self.append(line)
        if self.stop_at and self.stop_at in line:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy.draw_data(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def config_of(tmp_path, data):
    """Makes the toy's Config with overrides {dotted key: value}."""
    return lambda overrides=None: read_config(toy.write_experiment(tmp_path, data), overrides)


@pytest.fixture
def make_trainer(paddle):
    """Makes a Trainer as train.py does."""
    with paddle.utils.unique_name.guard():  # Paddle names parameters and moments as in a process of its own
        yield lambda config, resume_from=None: import_module("lib.training.build").make_trainer(config, resume_from)[1]


def weights(path):
    from lib.weights.weights import read_weights

    return read_weights(path)


def assert_same(first, second):
    assert first.keys() == second.keys() and first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def still(overrides):
    """Overrides of a training without augmentation."""
    return {"DATASET.FLIP": False, "DATASET.SCALE_FACTOR": 0, "DATASET.ROT_FACTOR": 0, **overrides}


class Evaluator:
    """Gives the scores of a list in turn, and keeps the trainer's final bias at each of them."""

    primary_metric = "Mean"

    def __init__(self, scores):
        self.scores, self.trainer, self.biases = iter(scores), None, []

    def evaluate(self, predictions, scores):
        self.biases.append(self.trainer.train_step.network.final_layer.bias.numpy().copy())
        return {"Mean": next(self.scores), "Mean@0.1": 0.0}


def train_with_scores(make_trainer, config, folder, scores):
    trainer = make_trainer(config)
    trainer.evaluator = Evaluator(scores)
    trainer.evaluator.trainer = trainer
    trainer.run(folder, Lines())
    return trainer


@pytest.mark.slow
def test_the_loss_falls_on_a_toy_set_within_a_few_epochs(config_of, make_trainer, tmp_path):
    config = config_of(still({"TRAIN.END_EPOCH": 6, "TRAIN.LR": 0.003}))
    trainer = make_trainer(config)
    trainer.run(tmp_path, Lines())
    losses = [row["train_loss"] for row in trainer.progress["history"]]
    assert losses[-1] < 0.8 * losses[0]  # at the start the network gives about nothing


def keep_batches(trainer):
    """A list that grows by the persons, and the sum of the pixels, of each batch that the trainer learns from."""
    learn, batches = trainer.train_step.run, []

    def keeping(batch, *words, **named):
        batches.append((batch["index"].tolist(), int(batch["crop"].sum(dtype=np.int64))))
        return learn(batch, *words, **named)

    trainer.train_step.run = keeping
    return batches


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [("adam", "PolynomialDecay"), ("sgd", "MultiStepDecay")],
)
def test_an_interrupted_training_that_goes_on_ends_bit_equal_to_an_uninterrupted_one(
    paddle, config_of, make_trainer, tmp_path, optimizer, schedule, workers
):
    overrides = {"TRAIN.OPTIMIZER": optimizer, "TRAIN.LR_TYPE": schedule, "TRAIN.LR_STEP": [1, 3], "WORKERS": workers}
    config = config_of({**overrides, "TRAIN.END_EPOCH": 4, "TRAIN.NESTEROV": optimizer == "sgd"})
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    whole.mkdir()
    halved.mkdir()
    with paddle.utils.unique_name.guard():
        trainer = make_trainer(config)
        batches = keep_batches(trainer)
        trainer.run(whole, Lines())
    with paddle.utils.unique_name.guard(), pytest.raises(KeyboardInterrupt):
        make_trainer(config).run(halved, Lines(stop_at="Epoch: [2][1/2]"))  # in the middle of the third epoch
    assert not (halved / "final_state.pdparams").exists()
    with paddle.utils.unique_name.guard():
        resumed = make_trainer(config, halved)
        assert resumed.progress["epoch"] == 2
        lines, batches_again = Lines(), keep_batches(resumed)
        resumed.run(halved, lines)
    assert [line for line in lines if "Epoch: [1]" in line] == []
    assert batches_again == batches[4:] and len({str(batch) for batch in batches}) == 8

    assert_same(weights(whole / "final_state.pdparams"), weights(halved / "final_state.pdparams"))
    assert_same(weights(whole / "model_best.pdparams"), weights(halved / "model_best.pdparams"))
    first, second = (each.train_step.optimizer.state_dict() for each in (trainer, resumed))
    assert first.pop("LR_Scheduler") == second.pop("LR_Scheduler")
    assert_same({name: np.array(value) for name, value in first.items()},
                {name: np.array(value) for name, value in second.items()})  # fmt: skip
    assert trainer.progress == resumed.progress and trainer.progress["best"] is not None
    assert trainer.scheduler.get_lr() == resumed.scheduler.get_lr()
    for name in ("history.json", "curves.png"):
        assert (whole / name).read_bytes() == (halved / name).read_bytes()
    assert [row["epoch"] for row in json.loads((halved / "history.json").read_text())] == [0, 1, 2, 3]


class Signals(Lines):
    """A log that sends this process a signal at a line that starts so."""

    def __init__(self, number, at):
        super().__init__()
        self.number, self.at = number, at

    def info(self, line):
        self.append(line)
        if self.at in line:
            signal.raise_signal(self.number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "at", "done", "overrides"),
    [
        (signal.SIGINT, "Epoch: [1][0/4]", "epoch 1 after 2 of 4 steps", {"WORKERS": 2}),
        (signal.SIGTERM, "Epoch: [1][0/4]", "epoch 1 after 2 of 4 steps", {"TRAIN.ACCUMULATE": 2, "TRAIN.EMA": 0.9}),
        (signal.SIGINT, "Test: [0/1]", "epoch 0 after 4 of 4 steps", {"TRAIN.LR_TYPE": "MultiStepDecay"}),
    ],
)
def test_a_run_that_is_stopped_by_a_signal_goes_on_with_the_next_step(
    paddle, config_of, make_trainer, tmp_path, number, at, done, overrides
):
    before, config = signal.getsignal(number), config_of({"TRAIN.BATCH_SIZE": 2, "TRAIN.LR_STEP": [0], **overrides})
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    whole.mkdir()
    halved.mkdir()
    with paddle.utils.unique_name.guard():
        trainer = make_trainer(config)
        trainer.run(whole, Lines())
    with paddle.utils.unique_name.guard(), pytest.raises(KeyboardInterrupt) as caught:
        make_trainer(config).run(halved, Signals(number, at))
    message, sent = caught.value.args
    assert message == f"stopped in {done}, which are saved; go on with --resume_model {halved}" and sent == number
    assert signal.getsignal(number) == before
    with paddle.utils.unique_name.guard():
        resumed = make_trainer(config, halved)
        lines = Lines()
        resumed.run(halved, lines)
    assert not [line for line in lines if "Epoch: [1][0/4]" in line] or "[1]" not in at
    assert_same(weights(whole / "final_state.pdparams"), weights(halved / "final_state.pdparams"))
    assert trainer.progress == resumed.progress and "begun" not in resumed.progress
    assert trainer.scheduler.get_lr() == resumed.scheduler.get_lr()


def test_a_second_signal_ends_the_work_at_once():
    with StopSignals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_an_epoch_that_was_begun_with_other_batches_begins_anew(paddle, config_of, make_trainer, tmp_path):
    config = config_of({"TRAIN.BATCH_SIZE": 2})
    with paddle.utils.unique_name.guard(), pytest.raises(KeyboardInterrupt):
        make_trainer(config).run(tmp_path, Signals(signal.SIGINT, "Epoch: [0][0/4]"))
    make = import_module("lib.training.build").make_trainer
    line, trainer = make(config, tmp_path)
    assert line.endswith("with epoch 0, of which 2 steps are done") and trainer.scheduler.last_epoch == 2
    line, trainer = make(config_of({"TRAIN.BATCH_SIZE": 4}), tmp_path)
    assert line.endswith("with epoch 0") and trainer.scheduler.last_epoch == 0 and "begun" not in trainer.progress


@pytest.fixture
def resume(paddle, config_of, tmp_path):
    """Goes on from a run of one epoch and a best score of 50: resume(overrides, with_measure) -> (line, Trainer)."""
    from lib.training.checkpoint import save_checkpoint

    make = import_module("lib.training.build").make_trainer

    def resume(overrides=None, with_measure=True):
        trainer = make(config_of(), None)[1]
        trainer.progress |= {"epoch": 1, "best": 50.0}
        if not with_measure:  # which earlier versions did not keep
            del trainer.progress["measure"]
        save_checkpoint(tmp_path, trainer.train_step.network, trainer.train_step.optimizer, trainer.progress)
        return make(config_of(overrides), tmp_path)

    return resume


@pytest.mark.parametrize("overrides", [{"TEST.METRIC": "pck"}, {"DATASET.TEST_SET": "other"}])
def test_going_on_with_another_measure_begins_the_best_anew_and_says_so(data, resume, overrides):
    for name in ("valid.json", "gt_valid.mat"):
        shutil.copy(data / "annot" / name, data / "annot" / name.replace("valid", "other"))
    line, trainer = resume(overrides)
    assert "with epoch 1; its best score was of another set or figure, so the best begins anew" in line
    assert (trainer.progress["best"], trainer.progress["epoch"]) == (None, 1)
    assert trainer.progress["measure"]["figure"] == trainer.evaluator.primary_metric


@pytest.mark.parametrize("with_measure", [True, False])
def test_going_on_with_the_same_measure_or_from_an_old_checkpoint_keeps_the_best(resume, with_measure):
    line, trainer = resume({"TRAIN.END_EPOCH": 3}, with_measure)
    assert line.endswith("with epoch 1") and trainer.progress["best"] == 50
    assert trainer.progress["measure"] == {"figure": "Mean", "set": "valid", "boxes": "annotated"}


def test_where_all_epochs_are_done_that_is_said_and_only_the_final_weights_are_written(
    config_of, make_trainer, tmp_path
):
    trainer, lines = make_trainer(config_of()), Lines()
    trainer.progress["epoch"] = 2
    trainer.run(tmp_path, lines)
    assert lines[0] == "=> nothing left to train: 2 epochs are done and TRAIN.END_EPOCH is 2"
    assert [path.name for path in tmp_path.glob("*.pd*")] == ["final_state.pdparams"]


@pytest.mark.slow
def test_a_run_that_was_killed_before_its_last_history_writes_it_when_it_goes_on(config_of, make_trainer, tmp_path):
    config = config_of({"TEST.FLIP_TEST": False})
    make_trainer(config).run(tmp_path, Lines())
    whole = (tmp_path / "history.json").read_bytes()
    (tmp_path / "history.json").write_text("[]")
    make_trainer(config, tmp_path).run(tmp_path, Lines())
    assert (tmp_path / "history.json").read_bytes() == whole


def test_a_loss_that_is_not_a_number_stops_and_names_epoch_step_rate_and_pictures(
    paddle, config_of, make_trainer, tmp_path
):
    config = config_of({"TRAIN.LR_TYPE": "MultiStepDecay"})
    trainer = make_trainer(config)
    criterion, losses = trainer.train_step.criterion, []

    class Poisoned(paddle.nn.Layer):
        def forward(self, *arguments):
            losses.append(criterion(*arguments))
            return losses[-1] * (math.nan if len(losses) == 4 else 1)  # an epoch of two steps, one step, this one

    trainer.train_step.criterion = Poisoned()
    trainer.evaluator = Evaluator([30.0, 40.0])
    trainer.evaluator.trainer = trainer
    with pytest.raises(RunError) as caught:
        trainer.run(tmp_path, Lines())
    message = str(caught.value)
    assert "the loss is nan at epoch 1, step 1, learning rate 0.001" in message
    trainer.train_loader.sampler.epoch = 1
    batch = list(trainer.train_loader.sampler)[1]
    for _, index in batch:
        assert toy.Path(trainer.train_loader.dataset.persons.pictures[index]).name in message
    assert message.count(".jpg") == len(batch) == 4

    np.testing.assert_array_equal(weights(tmp_path / "model_best.pdparams")["final_layer.bias"],
                                  trainer.evaluator.biases[0])  # fmt: skip
    assert_same(weights(tmp_path / "model_best.pdparams"), weights(tmp_path / "checkpoint.pdckpt"))
    assert make_trainer(config, tmp_path).progress["epoch"] == 1
    assert not (tmp_path / "final_state.pdparams").exists()


def test_weights_that_broke_in_the_last_step_of_an_epoch_replace_nothing(config_of, make_trainer, tmp_path):
    trainer = make_trainer(config_of({"TRAIN.BATCH_SIZE": 8}))
    learn = trainer.train_step.run

    def breaking_step(*arguments, **named):
        value = learn(*arguments, **named)
        trainer.train_step.network.final_layer.bias.set_value(np.full(16, np.nan, "float32"))
        return value

    trainer.train_step.run = breaking_step
    with pytest.raises(RunError, match="the validation loss is nan at step 0: weights not finite"):
        trainer.run(tmp_path, Lines())
    assert not list(tmp_path.glob("*.pd*"))


def test_the_log_is_read_from_the_device_every_print_freq_steps_and_at_the_end(config_of, make_trainer, tmp_path):
    every, seldom = (
        make_trainer(config_of(still({"TRAIN.BATCH_SIZE": 3, "PRINT_FREQ": freq}))) for freq in (1, 2)
    )
    lines, fewer = Lines(), Lines()
    rows = []
    for trainer, log in ((every, lines), (seldom, fewer)):
        trainer.log = log
        rows.append(trainer.train_epoch(0))
    assert rows[0] == rows[1]  # all three steps count, said or not
    assert [re.search(r"Epoch: \[0\]\[(\d)/3\]", line)[1] for line in fewer] == ["0", "2"]
    losses = [re.search(r"Loss (\S+ \S+)", line)[1] for line in lines]
    assert [re.search(r"Loss (\S+ \S+)", line)[1] for line in fewer] == [losses[0], losses[2]]


def test_a_loss_that_is_not_a_number_is_found_among_the_steps_since_the_last_line(paddle, config_of, make_trainer):
    trainer = make_trainer(config_of({"TRAIN.BATCH_SIZE": 1, "PRINT_FREQ": 5}))
    criterion, losses = trainer.train_step.criterion, []

    def poisoned(*arguments):
        losses.append(criterion(*arguments))
        return losses[-1] * (math.inf if len(losses) == 3 else 1)

    trainer.train_step.criterion, trainer.log = poisoned, Lines()
    with pytest.raises(RunError, match=r"epoch 0, step 2, learning rate 0\.0008\d+; pictures \S+\.jpg, \.\.\. Lower"):
        trainer.train_epoch(0)
    assert len(losses) == 6  # those of steps 3 to 5 were on their way


@pytest.mark.parametrize("persons", [8, 7])  # the last step of the optimizer is of a whole batch and a smaller one
def test_batches_that_share_a_step_do_what_one_batch_of_all_of_them_does(paddle, config_of, make_trainer, persons):
    learnt = []
    for overrides in ({"TRAIN.BATCH_SIZE": 4}, {"TRAIN.BATCH_SIZE": 2, "TRAIN.ACCUMULATE": 2}):
        trainer = make_trainer(config_of(still(overrides | {"TRAIN.OPTIMIZER": "sgd", "TRAIN.LR": 100.0})))
        trainer.log, network = Lines(), trainer.train_step.network
        trainer.train_loader.sampler.length = persons
        network.train = network.eval  # BatchNorm's own statistics are of each batch
        before = network.final_layer.weight.numpy()
        row = trainer.train_epoch(0)
        learnt.append((row, {name: weight.numpy() for name, weight in network.state_dict().items()}))
        assert trainer.scheduler.last_epoch == 2 and np.abs(network.final_layer.weight.numpy() - before).max() > 1e-5
    (first, weights_of_one), (second, weights_of_two) = learnt
    assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-5)
    for name, weight in weights_of_one.items():
        tolerance = 1e-4 * max(1, np.abs(weight).max())  # rounding: 1e-5 measured; 4 + 3 taken alike would be 1e-1
        np.testing.assert_allclose(weights_of_two[name], weight, atol=tolerance, rtol=0, err_msg=name)


def test_the_first_batch_without_a_visible_joint_is_named_and_later_ones_are_not(config_of, make_trainer):
    trainer, lines = make_trainer(config_of({"TRAIN.BATCH_SIZE": 2, "TRAIN.SHUFFLE": False})), Lines()
    trainer.log, persons = lines, trainer.train_loader.dataset.persons
    trainer.train_epoch(0)
    assert not [line for line in lines if "WARNING" in line]
    persons.visible[[1, 2, 3, 6, 7]] = 0  # of the second and fourth batch nobody has a joint, of the first one has
    del trainer.progress["begun"]
    trainer.train_epoch(1)
    (warning,) = [line for line in lines if "WARNING" in line]
    names = ", ".join(toy.Path(persons.pictures[row]).name for row in (2, 3))
    where = f"epoch 1, step 1; pictures {names}, ...: look at them"
    assert warning.startswith(f"=> WARNING: no joint is visible in the batch of {where}")
    del trainer.progress["begun"]
    trainer.train_epoch(2)
    assert [line for line in lines if "WARNING" in line] == [warning]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"TRAIN.LR_TYPE": "MultiStepDecay", "TRAIN.LR_STEP": [2], "TRAIN.LR_FACTOR": 0.5}, [8e-4, 8e-4, 4e-4]),
        ({"TRAIN.LR_TYPE": "PolynomialDecay"}, [8e-4 * (1 - epoch / 3) ** 0.9 for epoch in range(3)]),
    ],
)
def test_each_epoch_has_the_rate_that_its_schedule_says(config_of, make_trainer, tmp_path, schedule, expected):
    overrides = {"TRAIN.END_EPOCH": 3, "TRAIN.BATCH_SIZE": 8, "TRAIN.LR": 8e-4, "TEST.FLIP_TEST": False}
    trainer = train_with_scores(make_trainer, config_of(overrides | schedule), tmp_path, [1.0] * 3)
    assert [row["lr"] for row in trainer.progress["history"]] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_the_best_weights_are_replaced_by_a_higher_score_only_and_never_by_nan(config_of, make_trainer, tmp_path):
    config = config_of({"TRAIN.END_EPOCH": 6, "TRAIN.BATCH_SIZE": 8, "TEST.FLIP_TEST": False})
    # one that is no number would be replaced by the next score, but not the last
    trainer = train_with_scores(make_trainer, config, tmp_path, [10.0, math.nan, 12.0, 12.0, 3.0, math.nan])
    assert trainer.progress["best"] == 12.0
    best = weights(tmp_path / "model_best.pdparams")["final_layer.bias"]
    assert [np.array_equal(best, bias) for bias in trainer.evaluator.biases] == [
        False, False, True, False, False, False
    ]  # fmt: skip
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["results"]["Mean"] for row in history] == [10.0, None, 12.0, 12.0, 3.0, None]


def test_no_score_at_all_leaves_a_checkpoint_but_no_best_weights(config_of, make_trainer, tmp_path):
    config = config_of({"TRAIN.END_EPOCH": 1, "TRAIN.BATCH_SIZE": 8})
    trainer = train_with_scores(make_trainer, config, tmp_path, [math.nan])
    assert trainer.progress["best"] is None
    assert (tmp_path / "checkpoint.pdckpt").is_file()
    assert (tmp_path / "curves.png").is_file()
    assert not (tmp_path / "model_best.pdparams").exists()


def test_log_lines_have_the_agreed_fields(config_of, make_trainer, tmp_path):
    lines = Lines()
    make_trainer(config_of({"TRAIN.END_EPOCH": 1})).run(tmp_path, lines)
    number = r"\d+\.\d"
    timed = rf"{number}{{3}}s \({number}{{3}}s\)"
    train = (
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\tEpoch: \[0\]\[STEP/2\]\t"
        rf"Time {timed}\tSpeed {number} samples/s\tData {timed}\tLr {number}{{4}} \({number}{{4}}\)\t"
        rf"Loss {number}{{5}} \({number}{{5}}\)\tAccuracy {number}{{3}} \({number}{{3}}\)\teta: \d\d:\d\d:\d\d"
    )
    for step in range(2):
        assert re.fullmatch(train.replace("STEP", str(step)), lines[step]), lines[step]
    assert re.fullmatch(
        rf"Test: \[0/1\]\tTime {number}{{3}} \({number}{{3}}\)\tLoss {number}{{4}} \({number}{{4}}\)\t"
        rf"Accuracy {number}{{3}} \({number}{{3}}\)",
        lines[2],
    ), lines[2]
    assert lines[3:5] == [
        "| Arch | Head | Shoulder | Elbow | Wrist | Hip | Knee | Ankle | Mean | Mean@0.1 |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    assert re.fullmatch(rf"\| 64x64_pose_resnet_18_d16d16d16 \|( {number}{{3}} \|){{9}}", lines[5]), lines[5]
    assert lines[6] == f"=> saving checkpoint to {tmp_path}"
    assert lines[7] == f"=> saving final model state to {tmp_path / 'final_state.pdparams'}"
    assert len(lines) == 9


class TestValidation:
    @pytest.fixture
    def run(self, paddle, config_of):
        """Validates with a network over the toy's training persons; returns the predictions."""
        from lib.dataset.build import build_dataset
        from lib.dataset.loader import BatchLoader, EpochSampler
        from lib.evaluation.build import validation_settings
        from lib.evaluation.validation import validate
        from lib.models.paddle_network import PaddleRun

        def run(network, workers=0, shuffle=False, batch_size=4):
            config = config_of({"DATASET.TEST_SET": "train", "TEST.FLIP_TEST": False})
            dataset = build_dataset(config, training=False)
            loader = BatchLoader(dataset, EpochSampler(len(dataset), batch_size, shuffle, seed=3), workers)
            try:
                return dataset, validate(validation_settings(config), loader, PaddleRun(network), Lines())
            finally:
                loader.close()

        return run

    @pytest.fixture
    def network(self, paddle, config_of):
        from lib.models.build import get_pose_net

        paddle.seed(0)
        return get_pose_net(config_of({"MODEL.INIT_WEIGHTS": False}).model)

    def test_predictions_are_bit_equal_with_and_without_workers(self, run, network):
        (_, first), (_, second) = run(network), run(network, workers=2)
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_array_equal(first[1], second[1])
        assert first[2:] == second[2:]
        assert len(np.unique(first[0][:, 0], axis=0)) > 1  # not the same for everybody

    def test_each_persons_prediction_stands_in_its_row_whatever_the_order_of_batches(self, run, network):
        (_, first), (_, second) = run(network), run(network, shuffle=True)
        np.testing.assert_allclose(first[0], second[0], rtol=0, atol=1e-3)
        np.testing.assert_allclose(first[1], second[1], rtol=0, atol=1e-5)

    def test_where_no_joint_is_annotated_loss_and_accuracy_are_not_known(self, config_of):
        from lib.dataset.build import build_dataset, build_loader
        from lib.evaluation.build import validation_settings
        from lib.evaluation.validation import validate

        config = config_of({"TEST.FLIP_TEST": False})
        dataset = build_dataset(config, training=False)
        loader = build_loader(config, dataset, training=False)
        heatmaps = np.random.default_rng(0).random((4, 16, 16, 16), dtype=np.float32)
        known = validate(validation_settings(config), loader, lambda crops: heatmaps, Lines())
        dataset.persons.visible[:] = 0  # as of detected persons
        unknown = validate(validation_settings(config), loader, lambda crops: heatmaps, Lines())
        assert all(map(math.isfinite, known[2:])) and all(map(math.isnan, unknown[2:]))
        np.testing.assert_array_equal(unknown[0], known[0])
        np.testing.assert_array_equal(unknown[1], known[1])

    def test_a_network_that_gives_the_targets_finds_each_person_within_a_heatmap_pixel(self, paddle, run):
        from lib.models.paddle_network import build_target

        class Perfect(paddle.nn.Layer):
            def __init__(self):
                super().__init__()
                self.place = 0

            def forward(self, images):
                rows = range(self.place, self.place + images.shape[0])
                self.place = rows.stop
                batch = self.dataset.collate([self.dataset[row] for row in rows])
                return build_target(batch["horizontal"], batch["vertical"])

        network = Perfect()
        network.dataset, _ = run(network_of_zeros(paddle))
        dataset, (predictions, maxvals, loss, score) = run(network, batch_size=3)
        persons = dataset.persons
        pixel = persons.scale[:, :1] * 200 / 16  # a heatmap pixel in picture pixels
        error = np.linalg.norm(predictions - persons.joints, axis=2) / pixel
        inside = (maxvals == 1) & (persons.visible > 0)
        assert inside.sum() > 0.8 * persons.visible.sum() > 0
        assert error[inside].max() < 1
        assert loss == 0
        assert score == 1


def network_of_zeros(paddle):
    return lambda_network(paddle, lambda images: paddle.zeros([images.shape[0], 16, 16, 16]))


def lambda_network(paddle, function):
    class Network(paddle.nn.Layer):
        def forward(self, images):
            return function(images)

    return Network()
