"""Trains a pose network and validates it after each epoch."""

import shutil
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser, run_folder, run_parts
from lib.utils.errors import UserError
from lib.utils.files import write_json
from lib.utils.runtime import (
    choose_device,
    import_paddle,
    make_folder,
    make_logger,
    quiet_logger,
    replacing,
    run_script,
)


def open_scalars(folder, log):
    """VisualDL's writer, or None where it is not installed: the curves are in history.json all the same."""
    try:
        from visualdl import LogWriter
    except ImportError as error:
        log.info(f"=> VisualDL cannot be imported ({error}): no scalars under {folder}")
        return None
    return LogWriter(logdir=str(folder))


def check_same_optimizer(progress, train):
    """Raises UserError where a checkpoint's optimizer or schedule is of another kind: its state would not fit."""
    for key in ("OPTIMIZER", "LR_TYPE"):
        old, new = progress.get("train", {}).get(key), getattr(train, key.lower())
        if old not in (None, new):
            raise UserError(
                f"--resume_model: this run has TRAIN.{key} {old}, not {new}; to change it, start from its weights with "
                "MODEL.PRETRAINED"
            )


def take_begun(progress, train, loader):
    """How many steps of the next epoch are done; none where its other steps would be of other persons now."""
    begun, before = progress.get("begun"), progress.get("train", {})
    keys = ("SEED", "SHUFFLE", "BATCH_SIZE", "ACCUMULATE")
    same = all(before.get(key) == getattr(train, key.lower()) for key in keys)
    if begun and same and begun["of"] == len(loader):
        return begun["steps"]
    progress.pop("begun", None)
    return 0


def make_trainer(config, resume_from, ranks=None):
    """Everything that a training needs, checked before anything is written; returns it with what was loaded.

    ranks: lib.training.ranks.Ranks, those that train together; None for this process alone.
    """
    import paddle

    from lib.dataset.build import build_dataset, build_loader
    from lib.evaluation.build import build_evaluator
    from lib.models.build import load_pretrained
    from lib.training.checkpoint import load_checkpoint
    from lib.training.optim import get_scheduler, go_to_epoch
    from lib.training.ranks import Ranks
    from lib.training.trainer import Trainer

    train, ranks = config.train, ranks or Ranks()
    train_set, valid_set = build_dataset(config, training=True), build_dataset(config, training=False)
    evaluator = build_evaluator(config, valid_set.persons)
    if evaluator.no_truth:
        raise UserError(f"DATASET.TEST_SET: {config.dataset.test_set} cannot be validated: {evaluator.no_truth}")
    train_loader = build_loader(config, train_set, True, ranks.rank, ranks.count)
    valid_loader = build_loader(config, valid_set, False, ranks.rank, ranks.count)
    steps = -(-len(train_loader) // train.accumulate)
    paddle.seed(train.seed)
    scheduler = get_scheduler(train, steps)
    learner = make_learner(config, scheduler, ranks)
    boxes = "annotated" if config.test.use_gt_bbox else config.test.coco_bbox_file
    measure = {"figure": evaluator.main_figure, "set": config.dataset.test_set, "boxes": boxes}
    progress = {"epoch": train.begin_epoch, "best": None, "history": [], "measure": measure}
    progress["train"] = train.model_dump(by_alias=True)
    if resume_from:
        warnings = []
        state = learner.network, learner.optimizer, learner.average
        progress = load_checkpoint(resume_from, *state, warnings.append)
        check_same_optimizer(progress, train)
        begun, loaded = take_begun(progress, train, train_loader), f"=> going on from {resume_from} with epoch "
        progress["train"] = train.model_dump(by_alias=True)
        learner.precision.restore(progress.get("scaler"))
        # by this configuration, which may have another rate, or another number of steps in an epoch
        go_to_epoch(scheduler, progress["epoch"], steps, -(-begun // train.accumulate))
        loaded += f"{progress['epoch']}, of which {begun} steps are done" if begun else f"{progress['epoch']}"
        loaded = "\n".join([*warnings, loaded])
        if progress.setdefault("measure", measure) != measure:
            progress |= {"measure": measure, "best": None}
            loaded += "; its best score was of another set or figure, so the best begins anew"
    else:
        loaded = load_pretrained(learner.network, config.model)
        if learner.average:
            learner.average.begin(learner.network)
    return loaded, Trainer(config, learner, scheduler, train_loader, valid_loader, evaluator, progress)


def make_learner(config, scheduler, ranks):
    """The network, as TRAIN says it is to be computed, with its loss and optimizer."""
    from lib.core.loss import JointsMSELoss
    from lib.models.build import get_pose_net
    from lib.models.layouts import compile_network, set_cudnn, use_channels_last
    from lib.models.sync_batch_norm import synchronize_batch_norm
    from lib.training.ema import WeightAverage
    from lib.training.optim import get_optimizer
    from lib.training.precision import Precision
    from lib.training.train_step import Learner

    train = config.train
    set_cudnn(config.cudnn.benchmark, config.cudnn.deterministic)
    precision = Precision(train.amp, train.amp_dtype)
    network = get_pose_net(config.model)
    if train.sync_bn and ranks.count > 1:
        if train.channels_last and ranks.device == "cpu":
            raise UserError("TRAIN.CHANNELS_LAST does not go with TRAIN.SYNC_BN on CPUs; leave it false there")
        synchronize_batch_norm(network, ranks.device)
    if train.channels_last:
        use_channels_last(network)
    optimizer = get_optimizer(train, scheduler, network.parameters())
    network, optimizer = precision.decorate(network, optimizer)
    if train.to_static:
        compile_network(network, config.model.image_size)
    criterion = JointsMSELoss(config.loss.use_target_weight)
    average = WeightAverage(network, train.ema) if train.ema else None
    return Learner(network, criterion, optimizer, config.dataset.pixel_scale, average, precision, ranks)


def choose_resume(asked, config, experiment_file):
    """(what to go on from or None, a line that says so or None): of 'auto' it is the experiment's own run folder."""
    from lib.training.checkpoint import has_checkpoint

    if asked != "auto":
        return asked, None
    folder = Path(config.output_dir) / run_parts(config, experiment_file)
    if has_checkpoint(folder):
        return str(folder), None
    return None, f"=> --resume_model auto: there is no checkpoint in {folder}: STARTING FROM NOTHING"


def bring_best(resume_from, folder):
    """Copies the best weights of the run that goes on where `folder` is another: no later epoch may be better."""
    from lib.training.checkpoint import BEST_NAME

    source = Path(resume_from)
    best = (source if source.is_dir() else source.parent) / BEST_NAME
    if best.is_file() and best.resolve() != (folder / BEST_NAME).resolve():
        with replacing(folder / BEST_NAME) as temporary:
            shutil.copyfile(best, temporary)


def describe_batch(config, ranks, left_out=0):
    """A line that says the batch that a step of the optimizer sees, and what becomes of TRAIN.LR for it."""
    train = config.train
    parts = f"TRAIN.BATCH_SIZE {train.batch_size}"
    parts += f" x {ranks.count} ranks" if ranks.count > 1 else ""
    parts += f" x TRAIN.ACCUMULATE {train.accumulate}" if train.accumulate > 1 else ""
    line = f"=> total batch {total_batch(train, ranks)} ({parts}); TRAIN.LR {train.lr:g} is taken as it stands"
    return f"{line}; an epoch leaves out its last {left_out} persons, fewer than ranks" if left_out else line


def total_batch(train, ranks):
    """How many persons a step of the optimizer sees."""
    return train.batch_size * ranks.count * train.accumulate


def train_network(arguments, config, ranks):
    """Trains as one of the ranks; the first alone speaks and writes."""
    from lib.weights.weight_record import check_record

    if ranks.count > 1 and arguments.gpus is not None:
        raise UserError("--gpus is the launcher's to say with several ranks: --devices 0,1 before the script")
    device = ranks.line or choose_device(config.gpus, asked=arguments.gpus is not None)
    arguments.resume_model, auto_line = choose_resume(arguments.resume_model, config, arguments.cfg)
    record_line = None if arguments.resume_model else check_record(config.model.pretrained, config, start=True)
    loaded, trainer = make_trainer(config, arguments.resume_model, ranks)
    if not ranks.is_first:
        trainer.run(config.output_dir, quiet_logger())
        return

    folder, log_file, scalar_folder = run_folder(config, arguments.cfg, "train")
    make_folder(scalar_folder)
    log = make_logger(log_file)
    describe_start(arguments, trainer, folder, device, loaded)
    batch_line = describe_batch(config, ranks, trainer.train_loader.sampler.left_out)
    lines = [device, loaded, auto_line, record_line, batch_line]
    for loader in (trainer.train_loader, trainer.valid_loader):
        lines += [f"=> load {len(loader.dataset)} samples", loader.dataset.persons.note]
    for line in filter(None, lines):
        log.info(line)
    scalars = open_scalars(scalar_folder, log)
    trainer.run(folder, log, scalars)
    if scalars:
        scalars.close()


def describe_start(arguments, trainer, folder, device, loaded):
    """What the run folder says of itself before the first step."""
    from lib.config.config import dump_config
    from lib.evaluation.report import describe_run
    from lib.models.pose_resnet import count_parameters
    from lib.training.checkpoint import CHECKPOINT_NAME

    config, ranks = trainer.config, trainer.learner.ranks
    if arguments.resume_model and trainer.progress["best"] is not None:
        bring_best(arguments.resume_model, folder)
    elif not arguments.resume_model and (folder / CHECKPOINT_NAME).exists():
        trainer.log.info(
            f"=> WARNING: {folder} holds an earlier run, which this one replaces; OUTPUT_DIR names another place"
        )
    run = {
        **describe_run(device.removeprefix("=> device: ")),
        "initial_weights": loaded.removeprefix("=> "),
        "parameters": count_parameters(trainer.learner.network),
        "ranks": ranks.count,
        "total_batch_size": total_batch(config.train, ranks),
    }
    write_json(run, folder / ("run_resumed.json" if arguments.resume_model else "run.json"))
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")


def main():
    parser = make_parser(__doc__)
    parser.add_argument(
        "--resume_model", metavar="DIR", help="go on from the checkpoint of this run folder; auto: of the experiment's "
        "own, or from nothing where there is none",
    )  # fmt: skip
    arguments = parser.parse_intermixed_args()
    config = config_from(arguments, "TRAIN.BATCH_SIZE")
    import_paddle()
    from lib.training.ranks import start_ranks

    with start_ranks() as ranks:
        train_network(arguments, config, ranks)


if __name__ == "__main__":
    run_script(main)
