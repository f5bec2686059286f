"""Trains a pose network and validates it after each epoch."""

import _init_paths  # noqa: F401

from lib.config.cli import config_from, make_parser
from lib.utils.runtime import import_paddle, run_script


def main() -> None:
    parser = make_parser(__doc__)
    about = "resume from the checkpoint of this run folder; auto: of the experiment's own run folder, if it has one"
    parser.add_argument("--resume_model", "--resume", metavar="DIR", help=about)
    arguments = parser.parse_intermixed_args()
    config = config_from(arguments, "TRAIN.BATCH_SIZE")
    import_paddle()
    from lib.training.ranks import start_ranks
    from lib.training.start import train_network

    with start_ranks() as ranks:
        train_network(config, arguments.cfg, arguments.resume_model, ranks, gpu_asked=arguments.gpus is not None)


if __name__ == "__main__":
    run_script(main)
