"""How far apart the joints of two pose files are: python tests/compare_poses.py A_pose.json B_pose.json"""

import argparse
import json
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs=2, metavar="POSES", help="<name>_pose.json of infer.py or deploy.py")
    first, second = (json.loads(Path(path).read_text(encoding="utf-8")) for path in parser.parse_args().files)
    assert len(first) == len(second) > 0, f"{len(first)} and {len(second)} persons"
    joints = [np.array([entry["keypoints"] for entry in poses]).reshape(len(poses), -1, 3) for poses in (first, second)]
    apart = np.linalg.norm(joints[0][..., :2] - joints[1][..., :2], axis=-1)
    print(f"=> {apart.size} joints of {len(first)} people, at most {apart.max():.3f} pixels apart")


if __name__ == "__main__":
    main()
