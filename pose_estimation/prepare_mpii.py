"""Makes the JSON annotations and gt_valid.mat of the original project from MPII's own .mat file."""

from pathlib import Path

import _init_paths  # noqa: F401

from lib.dataset.preparation.mpii_mat import prepare, read_release, write_annotations
from lib.utils.parser import OneLineParser
from lib.utils.runtime import run_script


def main() -> None:
    parser = OneLineParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("source", metavar="mpii_human_pose_v1_u12_1.mat", help="MPII's annotations")
    about = "where train, valid, trainval and test.json and gt_valid.mat go (default %(default)s)"
    parser.add_argument("--output", metavar="DIR", default="data/mpii/annot", help=about)
    arguments = parser.parse_args()
    prepared = prepare(read_release(arguments.source))
    write_annotations(prepared, Path(arguments.output))
    counts = ", ".join(f"{name} {len(records)}" for name, records in prepared.records.items())
    print(f"=> persons: {counts}")
    if prepared.left_out:
        print("=> left out: " + ", ".join(f"{count} {reason}" for reason, count in prepared.left_out.items()))
    print(f"=> wrote {arguments.output}")


if __name__ == "__main__":
    run_script(main)
