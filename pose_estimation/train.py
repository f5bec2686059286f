"""Trains a pose network and validates it after each epoch."""

import contextlib
from functools import partial

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser, run_place
from lib.config.schema import Config
from lib.utils.runtime import import_paddle, outlast_screen, run_script


def main() -> None:
    parser = make_parser(__doc__)
    about = "resume from the checkpoint of this run folder; auto: of the experiment's own run folder, if it has one"
    parser.add_argument("--resume_model", "--resume", metavar="DIR", help=about)
    about = "then validate the best weights and write report/index.html into the run folder (see report.py)"
    parser.add_argument("--report", action="store_true", help=about)
    about = "delete the run that the folder holds, which otherwise moves to earlier/ below it"
    parser.add_argument("--overwrite", action="store_true", help=about)
    about = "wait while another train.py writes to the run folder, and then go on"
    parser.add_argument("--wait", action="store_true", help=about)
    about = "take over the run folder from another machine, which must be gone"
    parser.add_argument("--unlock", action="store_true", help=about)
    arguments = parser.parse_intermixed_args()
    outlast_screen()
    config = config_from(arguments, "TRAIN.BATCH_SIZE")
    from lib.zoo.experiment import start_weights

    config = start_weights(config)
    import_paddle()
    from lib.training.ranks import start_ranks
    from lib.training.start import hold_folder, train_network

    with contextlib.ExitStack() as until_the_report:
        with start_ranks(config.train.rank_timeout) as ranks:
            until_the_report.enter_context(
                hold_folder(config, arguments.cfg, ranks, arguments.wait, arguments.unlock)
            )
            asked = arguments.gpus is not None
            train_network(config, arguments.cfg, arguments.resume_model, ranks, asked, arguments.overwrite)
            is_first = ranks.is_first
        if arguments.report and is_first:
            report_best(config, arguments.cfg)


def report_best(config: Config, experiment_file: str) -> None:
    """Validates the best weights of a run folder and writes its report."""
    from lib.analysis.report import report_run
    from lib.evaluation.scoring import validate_network
    from lib.inference.build import open_network
    from lib.training.checkpoint import BEST_NAME
    from lib.zoo.experiment import with_weights

    folder = run_place(config, experiment_file)
    config = with_weights(config, folder / BEST_NAME)
    validate_network(config, experiment_file, partial(open_network, config))
    report_run(config, folder)


if __name__ == "__main__":
    run_script(main)
