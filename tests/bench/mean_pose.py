"""What a data set's PCKh is worth: the score of a predictor that looks at no picture.

    python tests/bench/mean_pose.py --root data/synthetic

It gives every validation person the mean pose of the training persons, placed and sized by the person's box. A network
that has learnt nothing but the heatmaps' average scores about this.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from lib.core.skeletons import MPII
from lib.core.transforms import PIXELS_PER_SCALE
from lib.dataset.annotations.mpii import read_mpii
from lib.evaluation.evaluators import PCKhEvaluator
from lib.evaluation.report import table_lines
from lib.utils.runtime import run_script


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data/synthetic", help="a data set in MPII's form")
    root = parser.parse_args().root
    train, valid = read_mpii(root, "train"), read_mpii(root, "valid")
    placed = (train.joints - train.center[:, None]) / (train.scale[:, None] * PIXELS_PER_SCALE)
    seen = train.visible[..., None]
    mean_pose = (placed * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    predictions = valid.center[:, None] + mean_pose * valid.scale[:, None] * PIXELS_PER_SCALE
    results = PCKhEvaluator(Path(root) / "annot" / "gt_valid.mat", MPII).evaluate(predictions)
    print("\n".join(table_lines("mean pose", results)))


if __name__ == "__main__":
    run_script(main)
