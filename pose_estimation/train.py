"""Trains a pose network and validates it after each epoch."""

import shutil
from pathlib import Path

import _init_paths  # noqa: F401

from lib.utils.cli import config_from, make_parser, run_folder, run_parts
from lib.utils.errors import UserError
from lib.utils.files import write_json
from lib.utils.runtime import choose_device, import_paddle, make_folder, make_logger, replacing, run_script


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


def make_trainer(config, resume_from):
    """Everything that a training needs, checked before anything is written; returns it with what was loaded."""
    import paddle

    from lib.core.checkpoint import load_checkpoint
    from lib.core.ema import WeightAverage
    from lib.core.engine import Trainer
    from lib.core.loss import JointsMSELoss
    from lib.core.optim import get_optimizer, get_scheduler, go_to_epoch
    from lib.dataset.build import build_dataset, build_evaluator, build_loader
    from lib.models.build import get_pose_net, load_pretrained

    train = config.train
    train_set, valid_set = build_dataset(config, training=True), build_dataset(config, training=False)
    evaluator = build_evaluator(config, valid_set.persons)
    if evaluator.no_truth:
        raise UserError(f"DATASET.TEST_SET: {config.dataset.test_set} cannot be validated: {evaluator.no_truth}")
    train_loader = build_loader(config, train_set, training=True)
    valid_loader = build_loader(config, valid_set, training=False)
    paddle.seed(train.seed)
    network = get_pose_net(config.model)
    scheduler = get_scheduler(train, len(train_loader))
    optimizer = get_optimizer(train, scheduler, network.parameters())
    boxes = "annotated" if config.test.use_gt_bbox else config.test.coco_bbox_file
    measure = {"figure": evaluator.main_figure, "set": config.dataset.test_set, "boxes": boxes}
    progress = {"epoch": train.begin_epoch, "best": None, "history": [], "measure": measure}
    progress["train"] = train.model_dump(by_alias=True)
    if resume_from:
        average = WeightAverage(network, train.ema) if train.ema else None
        warnings = []
        progress = load_checkpoint(resume_from, network, optimizer, average, warnings.append)
        check_same_optimizer(progress, train)
        progress["train"] = train.model_dump(by_alias=True)
        # by this configuration, which may have another rate, or another number of steps in an epoch
        go_to_epoch(scheduler, progress["epoch"], len(train_loader))
        loaded = "\n".join([*warnings, f"=> going on from {resume_from} with epoch {progress['epoch']}"])
        if progress.setdefault("measure", measure) != measure:
            progress |= {"measure": measure, "best": None}
            loaded += "; its best score was of another set or figure, so the best begins anew"
    else:
        loaded = load_pretrained(network, config.model)
        average = WeightAverage(network, train.ema) if train.ema else None
    criterion = JointsMSELoss(config.loss.use_target_weight)
    return loaded, Trainer(
        config, network, criterion, optimizer, scheduler, train_loader, valid_loader, evaluator, progress, average
    )


def choose_resume(asked, config, experiment_file):
    """(what to go on from or None, a line that says so or None): of 'auto' it is the experiment's own run folder."""
    from lib.core.checkpoint import has_checkpoint

    if asked != "auto":
        return asked, None
    folder = Path(config.output_dir) / run_parts(config, experiment_file)
    if has_checkpoint(folder):
        return str(folder), None
    return None, f"=> --resume_model auto: there is no checkpoint in {folder}: STARTING FROM NOTHING"


def bring_best(resume_from, folder):
    """Copies the best weights of the run that goes on where `folder` is another: no later epoch may be better."""
    from lib.core.checkpoint import BEST_NAME

    source = Path(resume_from)
    best = (source if source.is_dir() else source.parent) / BEST_NAME
    if best.is_file() and best.resolve() != (folder / BEST_NAME).resolve():
        with replacing(folder / BEST_NAME) as temporary:
            shutil.copyfile(best, temporary)


def main():
    parser = make_parser(__doc__)
    parser.add_argument(
        "--resume_model", metavar="DIR", help="go on from the checkpoint of this run folder; auto: of the experiment's "
        "own, or from nothing where there is none",
    )  # fmt: skip
    arguments = parser.parse_intermixed_args()
    config = config_from(arguments, "TRAIN.BATCH_SIZE")

    import_paddle()
    from lib.core.checkpoint import CHECKPOINT_NAME
    from lib.core.config import dump_config
    from lib.core.report import describe_run
    from lib.core.weight_record import check_record
    from lib.models.pose_resnet import count_parameters

    device = choose_device(config.gpus, asked=arguments.gpus is not None)
    arguments.resume_model, auto_line = choose_resume(arguments.resume_model, config, arguments.cfg)
    record_line = None if arguments.resume_model else check_record(config.model.pretrained, config, start=True)
    loaded, trainer = make_trainer(config, arguments.resume_model)

    folder, log_file, scalar_folder = run_folder(config, arguments.cfg, "train")
    make_folder(scalar_folder)
    log = make_logger(log_file)
    if arguments.resume_model and trainer.progress["best"] is not None:
        bring_best(arguments.resume_model, folder)
    elif not arguments.resume_model and (folder / CHECKPOINT_NAME).exists():
        log.info(f"=> WARNING: {folder} holds an earlier run, which this one replaces; OUTPUT_DIR names another place")
    run = {
        **describe_run(device.removeprefix("=> device: ")),
        "initial_weights": loaded.removeprefix("=> "),
        "parameters": count_parameters(trainer.network),
        "total_batch_size": config.train.batch_size,
    }
    write_json(run, folder / ("run_resumed.json" if arguments.resume_model else "run.json"))
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")
    log.info(device)
    log.info(loaded)
    for line in filter(None, (auto_line, record_line)):
        log.info(line)
    for loader in (trainer.train_loader, trainer.valid_loader):
        log.info(f"=> load {len(loader.dataset)} samples")
        if loader.dataset.persons.note:
            log.info(loader.dataset.persons.note)
    scalars = open_scalars(scalar_folder, log)
    trainer.run(folder, log, scalars)
    if scalars:
        scalars.close()


if __name__ == "__main__":
    run_script(main)
