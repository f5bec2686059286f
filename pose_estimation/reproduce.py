"""Measures a published row again: network and data by name, its settings, and how far the figures are apart."""

import argparse
from pathlib import Path

import _init_paths  # noqa: F401

from lib.config.cli import run_folder
from lib.config.config import parse_overrides
from lib.core.predictor import Run
from lib.utils.files import file_digest
from lib.utils.parser import OneLineParser, count
from lib.utils.runtime import run_script
from lib.zoo.experiment import with_weights
from lib.zoo.fetch import fetch_data, fetch_network, file_of
from lib.zoo.index import data_sets, find, networks
from lib.zoo.reproduce import (
    check_boxes,
    compare,
    data_of,
    figures_of,
    is_reproduced,
    published_settings,
    table_of,
    write_reproduction,
)

EPILOG = """
Writes reproduction.json to the run folder. Exit code 0: the first figure is within the index's tolerance; 1: it is not.
With --persons there is no verdict, and 0.
"""


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("name", metavar="NAME", help="a network of fetch.py --list")
    parser.add_argument("--fetch-data", action="store_true", help="download the validation data; sizes are said first")
    parser.add_argument("--annotated-boxes", action="store_true", help="annotated boxes where detected ones were used")
    parser.add_argument("--persons", type=count, metavar="N", help="a quick look at the first N persons")
    parser.add_argument("--gpus", default="0", help="the CUDA GPU to use, such as 0; cpu for none")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="override settings: DATASET.ROOT data/mpii")
    return parser.parse_intermixed_args()


def main() -> None:
    arguments = parse_arguments()
    network = find(networks(), arguments.name, "network")
    figures_of(network)
    overrides = {"GPUS": arguments.gpus, **published_settings(network, arguments.annotated_boxes)}
    config = network.config({**overrides, **parse_overrides(arguments.overrides)})
    if arguments.fetch_data:
        for name in data_of(network):
            fetch_data(data_sets()[name])
    check_boxes(config)
    path = file_of(network, ".pdparams")
    config = with_weights(config, path)
    from lib.evaluation.scoring import validate_network
    from lib.inference.build import open_network

    def open_published() -> tuple[Run, list[str]]:
        fetch_network(network)  # now that the data were read
        return open_network(config)

    persons = arguments.persons
    results = validate_network(config, network.name, open_published, persons)
    rows = compare(network, results)
    print("\n".join(table_of(network, rows, persons)))
    output = Path(run_folder(config, network.name, "reproduce")[0]) / "reproduction.json"
    write_reproduction(network, config, rows, file_digest(path), output, persons)
    print(f"=> wrote {output}")
    raise SystemExit(0 if persons is not None or is_reproduced(network, rows) else 1)


if __name__ == "__main__":
    run_script(main)
