"""Trains a pose network and validates it after each epoch."""

import _init_paths  # noqa: F401

from lib.utils.cli import config_from, make_parser, run_folder
from lib.utils.runtime import choose_device, import_paddle, make_folder, make_logger, replacing, run_script


def open_scalars(folder, log):
    """VisualDL's writer, or None where it is not installed: the curves are in history.json all the same."""
    try:
        from visualdl import LogWriter
    except ImportError as error:
        log.info(f"=> VisualDL cannot be imported ({error}): no scalars under {folder}")
        return None
    return LogWriter(logdir=str(make_folder(folder)))


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--resume_model", metavar="DIR", help="go on from the checkpoint of this run folder")
    arguments = parser.parse_args()
    config = config_from(arguments, "TRAIN.BATCH_SIZE")

    paddle = import_paddle()
    from lib.core.checkpoint import load_checkpoint
    from lib.core.config import dump_config
    from lib.core.engine import Trainer
    from lib.core.evaluators import PCKhEvaluator
    from lib.core.loss import JointsMSELoss
    from lib.core.optim import get_optimizer, get_scheduler
    from lib.core.report import describe_run, write_json
    from lib.dataset.build import EpochSampler, build_dataset, build_loader
    from lib.models.build import get_pose_net, load_pretrained

    device = choose_device(config.gpus, asked=arguments.gpus is not None)
    train, seed = config.train, config.train.seed
    train_set, valid_set = build_dataset(config, training=True), build_dataset(config, training=False)
    evaluator = PCKhEvaluator(config.dataset_root / "annot" / f"gt_{config.dataset.test_set}.mat", valid_set.skeleton)
    paddle.seed(seed)
    network = get_pose_net(config.model)
    sampler = EpochSampler(len(train_set), train.batch_size, train.shuffle, seed)
    scheduler = get_scheduler(train, len(sampler))
    optimizer = get_optimizer(train, scheduler, network.parameters())
    progress = {"epoch": train.begin_epoch, "best": None, "history": []}
    if arguments.resume_model:
        progress = load_checkpoint(arguments.resume_model, network, optimizer)
        pretrained = f"=> going on from {arguments.resume_model} with epoch {progress['epoch']}"
    else:
        pretrained = load_pretrained(network, config.model)

    folder, log_file, scalar_folder = run_folder(config, arguments.cfg, "train")
    log = make_logger(log_file)
    run = {**describe_run(device), "pretrained": pretrained, "total_batch_size": train.batch_size}
    write_json(run, folder / "run.json")
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")
    for line in (device, pretrained, f"=> load {len(train_set)} samples", f"=> load {len(valid_set)} samples"):
        log.info(line)

    valid_sampler = EpochSampler(len(valid_set), config.test.batch_size)
    Trainer(
        config, folder, network, JointsMSELoss(config.loss.use_target_weight), optimizer, scheduler,
        build_loader(train_set, sampler, config.workers), build_loader(valid_set, valid_sampler, config.workers),
        evaluator, log, open_scalars(scalar_folder, log), progress,
    ).run()  # fmt: skip


if __name__ == "__main__":
    run_script(main)
