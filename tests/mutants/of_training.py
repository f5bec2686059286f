"""Mistakes between a batch and the weights of a run: loss, steps, schedule, ranks, what is kept."""

from mutant import Mutant

ENGINE = "tests/training/test_trainer.py"
RUN = "lib/training/build.py"
CHECKPOINT, LOSS = ("tests/training/test_checkpoint.py",), ("tests/core/test_loss.py",)
OPTIM, PRECISION = ("tests/training/test_optim.py",), ("tests/training/test_precision.py",)
# of files that take longer, those that are about it
EMA = tuple(
    f"tests/training/test_ema.py::test_{name}"
    for name in (
        "after_a_change_the_average_closes_in_by_its_decay",
        "the_first_steps_decay_by_2_11ths_3_12ths_and_so_on",
        "the_average_is_what_is_validated_and_saved_and_the_checkpoint_keeps_both",
    )
)
RANKS = tuple(
    f"tests/training/test_ranks.py::test_{name}"
    for name in (
        "rows_are_gathered_in_the_order_of_ranks_whatever_their_number",
        "batch_norm_over_the_ranks_is_paddles_own_over_the_joined_batch",
        "twenty_steps_of_two_ranks_are_those_of_one_with_the_joined_batch",
    )
)
BEST = (f"{ENGINE}::test_the_best_weights_are_replaced_by_a_higher_score_only_and_never_by_nan",)
GOING_ON = (
    f"{ENGINE}::test_an_epoch_that_was_begun_with_other_batches_begins_anew",
    f"{ENGINE}::test_going_on_with_the_same_measure_or_from_an_old_checkpoint_keeps_the_best",
)
SCHEDULE = (f"{ENGINE}::test_each_epoch_has_the_rate_that_its_schedule_says",)
SHARED_STEP = (f"{ENGINE}::test_batches_that_share_a_step_do_what_one_batch_of_all_of_them_does",)
NOT_FINITE = (
    f"{ENGINE}::test_a_loss_that_is_not_a_number_stops_and_names_epoch_step_rate_and_pictures",
    f"{ENGINE}::test_weights_that_broke_in_the_last_step_of_an_epoch_replace_nothing",
)

TRAINING = (
    # -- a step --------------------------------------------------------------------------------------------------------
    Mutant(
        "loss-weight-ignored", "lib/core/loss.py", "keypoints without annotation are learned as background",
        "difference = difference * target_weight.unsqueeze(-1)", "difference = difference * 1.0", LOSS,
    ),
    Mutant(
        "loss-not-halved", "lib/core/loss.py", "the loss, and each gradient, is twice the paper's",
        "return 0.5 * paddle.mean(", "return paddle.mean(", LOSS,
    ),
    Mutant(
        "gradients-never-cleared", "lib/training/precision.py", "gradients add up over the steps",
        "        optimizer.clear_grad()\n", "", PRECISION,
    ),
    Mutant(
        "loss-not-scaled", "lib/training/precision.py", "in float16, small gradients vanish and the others are divided",
        "self.scaler.scale(loss).backward()", "loss.backward()", PRECISION,
    ),
    Mutant(
        "accumulated-batches-add-up", "lib/training/trainer.py",
        "four accumulated batches make the step four times as large",
        'loss_weight(len(batch["index"]), joined)', 'loss_weight(len(batch["index"]), len(batch["index"]))',
        SHARED_STEP,
    ),
    Mutant(
        "evaluated-in-training-mode", "lib/models/paddle_network.py",
        "BatchNorm takes the statistics of the validation batch",
        "        network.eval()\n", "        network.train()\n", ("tests/models/test_paddle_network.py",),
    ),
    Mutant(
        "nan-not-noticed", "lib/training/trainer.py", "training continues after a NaN loss",
        "if not math.isfinite(figures.loss):", "if math.isinf(figures.loss):", NOT_FINITE,
    ),
    Mutant(
        "nan-validated", "lib/evaluation/validation.py", "NaN weights are validated and saved",
        "if not math.isfinite(loss):", "if math.isinf(loss):", NOT_FINITE,
    ),
    # -- the learning rate ---------------------------------------------------------------------------------------------
    Mutant(
        "rate-falls-late", "lib/training/optim.py", "the learning rate falls one epoch after TRAIN.LR_STEP",
        "MultiStepDecay(train.lr, milestones,", "MultiStepDecay(train.lr, [step + 1 for step in milestones],", OPTIM,
    ),
    Mutant(
        "schedule-steps-twice", "lib/training/trainer.py", "TRAIN.LR_STEP is reached in half of the epochs",
        '"MultiStepDecay":\n                self.scheduler.step()',
        '"MultiStepDecay":\n                self.scheduler.step()\n                self.scheduler.step()', SCHEDULE,
    ),
    Mutant(
        "schedule-never-steps", "lib/training/trainer.py", "the learning rate never falls",
        '"MultiStepDecay":\n                self.scheduler.step()', '"MultiStepDecay":\n                pass', SCHEDULE,
    ),
    # -- what is kept --------------------------------------------------------------------------------------------------
    Mutant(
        "worst-is-best", "lib/training/trainer.py", "the weights with the lowest score are saved as the best",
        "score > best)", "score < best)", BEST,
    ),
    Mutant(
        "nan-is-best", "lib/training/trainer.py", "weights with a NaN score replace the best",
        "math.isfinite(score) and (best is None or score > best)", "best is None or not score <= best", BEST,
    ),
    Mutant(
        "resume-forgets-optimizer", "lib/training/checkpoint.py", "a resumed run starts with Adam's moments at zero",
        'optimizer.set_state_dict(_rename(state["optimizer"], ours))', '_rename(state["optimizer"], ours)', CHECKPOINT,
    ),
    Mutant(
        "resume-forgets-schedule", RUN, "a resumed run has the learning rate of its first epoch",
        'go_to_epoch(scheduler, progress["epoch"], steps, -(-begun // train.accumulate))',
        "go_to_epoch(scheduler, 0, steps)", GOING_ON,
    ),
    Mutant(
        "resume-forgets-best", RUN, "the first epoch after resuming becomes the best",
        "    check_same_optimizer(progress, train)",
        '    check_same_optimizer(progress, train)\n    progress["best"] = None', GOING_ON,
    ),
    Mutant(
        "checksum-not-compared", "lib/weights/checksum.py", "a run resumes from a checkpoint with a changed bit",
        " or checksum != _checksum(file, length, run)", "", ("tests/training/test_safe_checkpoints.py",),
    ),
    Mutant(
        "average-the-other-way", "lib/training/ema.py", "TRAIN.EMA keeps the last weights, not their average",
        "decay * self.state[name] + (1 - decay) * weight", "(1 - decay) * self.state[name] + decay * weight", EMA,
    ),
    Mutant(
        "average-without-warm-up", "lib/training/ema.py", "the random initial weights stay in the average",
        "min(self.decay, (1 + self.step) / (10 + self.step))", "self.decay", EMA,
    ),
    Mutant(
        "average-not-saved", "lib/training/train_step.py", "TRAIN.EMA validates the average and saves other weights",
        "return self.average.state if self.average else self.network.state_dict()",
        "return self.network.state_dict()", EMA,
    ),
    # -- ranks ---------------------------------------------------------------------------------------------------------
    Mutant(
        "rows-of-other-ranks", "lib/training/ranks.py", "predictions are gathered in another order than the persons",
        "zip(parts, lengths, strict=True)", "zip(parts[::-1], lengths[::-1], strict=True)", RANKS,
    ),
    Mutant(
        "padding-gathered", "lib/training/ranks.py", "padding rows of a rank's batch count as persons",
        "part.numpy()[:length] for", "part.numpy() for", RANKS,
    ),
    Mutant(
        "ranks-weigh-the-same", "lib/training/ranks.py", "a rank with fewer persons counts as much as the others",
        "return rows * self.count / joined_rows", "return 1.0", RANKS,
    ),
    Mutant(
        "statistics-not-differentiated", "lib/models/sync_batch_norm.py", "TRAIN.SYNC_BN: gradients stay on their rank",
        "return _sum_over_ranks(gradient)", "return gradient", RANKS,
    ),
    Mutant(
        "silent-rank-unheard", "lib/training/rank_watch.py", "a stopped rank is waited for without end",
        "if quietest and quiet[quietest] > self.timeout:", "if False:", ("tests/training/test_rank_watch.py",),
    ),
    # -- the run folder ------------------------------------------------------------------------------------------------
    Mutant(
        "run-record-goes-first", "lib/utils/run_folder.py", "a move that is cut off is completed into another folder",
        "(entry.name == RUN_RECORD, entry.name in OF_A_RUN, entry.name)", "(entry.name != RUN_RECORD, entry.name)",
        ("tests/utils/test_run_folder.py",),
    ),
    Mutant(
        "two-writers", "lib/utils/run_folder.py", "a second training writes into the folder of the first",
        "    except Timeout:\n        return _words(_read(path))", "    except Timeout:\n        return ''",
        ("tests/utils/test_run_folder.py",),
    ),
)
