"""Fetches published networks, detectors and data sets by name."""

import argparse

import _init_paths  # noqa: F401

from lib.utils.errors import UserError
from lib.utils.parser import OneLineParser
from lib.utils.runtime import run_script
from lib.zoo.fetch import fetch_data, fetch_detector, fetch_network, is_fetched, models_folder
from lib.zoo.index import Network, data_sets, detectors, find, find_skeleton, networks

EPILOG = """
Networks and detectors go to models/ (or POSE_HOME), converted: NAME.pdparams for Paddle, NAME.onnx for deploy.py. A
file that was put there by hand is taken. POSE_MIRROR=http://host:port downloads from another host, POSE_ZOO=FILE.yaml
adds networks of your own.
"""


def parse_arguments() -> argparse.Namespace:
    parser = OneLineParser(description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a network or a detector, see --list")
    parser.add_argument("--list", nargs="?", const="", metavar="WORD", help="list everything, or what has WORD in it")
    parser.add_argument("--data", action="append", default=[], metavar="NAME", help="a data set")
    arguments = parser.parse_args()
    if arguments.list is None and not arguments.names and not arguments.data:
        raise UserError("give the names of networks or detectors, --data NAME, or --list")
    return arguments


def list_index(word: str) -> None:
    """Prints tables of the networks, detectors and data sets whose line has the word in it."""
    for network in networks().values():
        joints = len(find_skeleton(network.skeleton).joints)
        width, height = network.input_size
        state = "fetched" if is_fetched(network) else "" if network.url else "no weights"
        show(f"{network.name:58} {joints:3} joints  {height}x{width}  {network.figure():40} {state}", word)
    for detector in detectors().values():
        figure = f"AP {detector.coco_ap:g} on COCO" if detector.coco_ap else ""
        state = "fetched" if is_fetched(detector) else ""
        size = "x".join(map(str, detector.input_size))
        show(f"{detector.name:58} detector    {size}  {figure:40} {state}", word)
    for data in data_sets().values():
        count = sum(file.get("bytes_about", 0) for file in data.files)
        about = f"about {count / 1e9:.1f} GB" if count else "size unknown"
        show(f"--data {data.name:51} data set    {about}  {data.note}", word)


def show(line: str, word: str) -> None:
    if word.lower() in line.lower():
        print(line.rstrip())


def main() -> None:
    arguments = parse_arguments()
    if arguments.list is not None:
        list_index(arguments.list)
        return
    known = {**networks(), **detectors()}
    wanted = [find(known, name, "network or detector") for name in arguments.names]
    sets = [find(data_sets(), name, "data set") for name in arguments.data]
    for entry in wanted:
        if isinstance(entry, Network):
            fetch_network(entry)
        else:
            print(f"=> {fetch_detector(entry)}")
        print(f"=> {entry.name} is in {models_folder()}")
    for data in sets:
        fetch_data(data)


if __name__ == "__main__":
    run_script(main)
