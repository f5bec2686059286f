"""The parts of train.py around the training loop: resuming, run folder, first lines of the log."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..config.cli import run_folder, run_place
from ..config.config import dump_config
from ..config.schema import Config, TrainConfig
from ..config.skeleton_pairs import pair_lines
from ..device.device import choose_device
from ..evaluation.report import describe_run
from ..models.pose_resnet import count_parameters
from ..utils.errors import UserError
from ..utils.files import write_json
from ..utils.run_folder import one_writer, set_aside
from ..utils.runtime import make_folder, make_logger, quiet_logger, replacing
from ..weights.weight_record import check_record
from .build import make_trainer
from .checkpoint import BEST_NAME, has_checkpoint
from .ranks import Ranks
from .scalars import open_scalars
from .trainer import Trainer


@contextlib.contextmanager
def hold_folder(
    config: Config, experiment_file: str, ranks: Ranks, wait: bool = False, unlock: bool = False
) -> Iterator[None]:
    """A block in which this training alone writes to its run folder, see `one_writer`; every rank calls it.

    The first rank takes the folder, and where it waits for it, the others wait too.
    """
    if not ranks.is_first:
        ranks.wait()
        yield
        return
    with one_writer(run_place(config, experiment_file), wait, unlock):
        ranks.wait()
        yield


def train_network(
    config: Config, experiment_file: str, resume_model: str | None, ranks: Ranks, gpu_asked: bool = False,
    overwrite: bool = False,
) -> None:
    """Trains as one of the ranks, within `hold_folder`; only the first one logs and writes.

    Args:
        experiment_file: the YAML file, whose name names the run folder.
        resume_model: run folder or checkpoint to resume; "auto": the experiment's own, if there is one; None: none.
        gpu_asked: the user named a GPU, so a missing one is an error.
        overwrite: delete another run that the folder holds, instead of moving it to earlier/.
    """
    if ranks.count > 1 and gpu_asked:
        raise UserError("--gpus is not allowed under the launcher: give it --devices 0,1 before the script")
    device = ranks.line or choose_device(config.gpus, asked=gpu_asked)
    resume_from, auto_line = choose_resume(resume_model, config, experiment_file)
    record_line = None if resume_from else check_record(config.model.pretrained, config, start=True)
    loaded, trainer = make_trainer(config, resume_from, ranks)
    if not ranks.is_first:
        trainer.run(config.output_dir, quiet_logger())
        return

    place = run_place(config, experiment_file)
    earlier_line = "" if _is_in(resume_from, place) else set_aside(place, overwrite)
    folder, log_file, scalar_folder = run_folder(config, experiment_file, "train")
    make_folder(scalar_folder)
    log = make_logger(log_file)
    describe_start(config, trainer, folder, resume_from, device, loaded)
    batch_line = describe_batch(config.train, ranks, trainer.train_loader.sampler.left_out)
    lines = [earlier_line, device, loaded, auto_line, record_line, batch_line, *pair_lines(config)]
    for loader in (trainer.train_loader, trainer.valid_loader):
        lines += [f"=> load {len(loader.dataset)} samples", loader.dataset.persons.note]
    for line in filter(None, lines):
        log.info(line)
    scalars = open_scalars(scalar_folder, config, trainer.evaluator.primary_metric, log)
    trainer.run(folder, log, scalars)
    if scalars:
        scalars.close()


def _is_in(resume_from: str | None, folder: Path) -> bool:
    """Whether a run is resumed in its own folder."""
    if resume_from is None:
        return False
    path = Path(resume_from).resolve()
    return folder.resolve() in (path, path.parent)


def choose_resume(asked: str | None, config: Config, experiment_file: str) -> tuple[str | None, str | None]:
    """The checkpoint to resume (None: none), and a line for the log (None: none); auto: the experiment's run folder."""
    if asked != "auto":
        return asked, None
    folder = run_place(config, experiment_file)
    if has_checkpoint(folder):
        return str(folder), None
    return None, f"=> --resume_model auto: there is no checkpoint in {folder}: training from scratch"


def describe_start(
    config: Config, trainer: Trainer, folder: Path, resume_from: str | None, device: str, loaded: str
) -> None:
    """Writes run.json and config.yaml into the run folder, before the first step."""
    ranks = trainer.train_step.ranks
    if resume_from and trainer.progress["best"] is not None:
        bring_best(resume_from, folder)
    run = {
        **describe_run(device.removeprefix("=> device: ")),
        "initial_weights": loaded.removeprefix("=> "),
        "parameters": count_parameters(trainer.train_step.network),
        "ranks": ranks.count,
        "total_batch_size": total_batch(config.train, ranks),
    }
    write_json(run, folder / ("run_resumed.json" if resume_from else "run.json"))
    with replacing(folder / "config.yaml") as temporary:
        temporary.write_text(dump_config(config), encoding="utf-8")


def bring_best(resume_from: str, folder: Path) -> None:
    """Copies the best weights of the resumed run into `folder`, unless it is the same: no later epoch may be better."""
    source = Path(resume_from)
    best = (source if source.is_dir() else source.parent) / BEST_NAME
    if best.is_file() and best.resolve() != (folder / BEST_NAME).resolve():
        with replacing(folder / BEST_NAME) as temporary:
            shutil.copyfile(best, temporary)


def describe_batch(train: TrainConfig, ranks: Ranks, left_out: int = 0) -> str:
    """The log's line about the total batch of an optimizer step and the learning rate."""
    parts = f"TRAIN.BATCH_SIZE {train.batch_size}"
    parts += f" x {ranks.count} ranks" if ranks.count > 1 else ""
    parts += f" x TRAIN.ACCUMULATE {train.accumulate}" if train.accumulate > 1 else ""
    line = f"=> total batch {total_batch(train, ranks)} ({parts}); TRAIN.LR {train.lr:g} is taken as it stands"
    return f"{line}; an epoch leaves out its last {left_out} persons, fewer than ranks" if left_out else line


def total_batch(train: TrainConfig, ranks: Ranks) -> int:
    """Number of persons in one step of the optimizer."""
    return train.batch_size * ranks.count * train.accumulate
