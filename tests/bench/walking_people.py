"""Writes people of synthetic clips in COCO's form, MPII's 16 joints, for `make bench-track` to train its network on.

The clips' seeds are not the bench's. Boxes are as a tracker meets them: shifted, too large, too small, and around
nobody, where the network has to learn to see nothing; for the same reason hidden joints count as not there.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from lib.core.boxes import box_overlaps
from lib.core.skeletons import MPII
from lib.dataset.synthetic.clips import HIDDEN_SHARE, SyntheticClip
from lib.utils.files import write_json
from lib.utils.runtime import make_folder

STEP = 12  # frames from one picture to the next: people have moved on
SHIFT, GROWTH = 0.06, (-0.1, 0.35)  # of a box's sides
FALSE = 0.2  # of the people: for so many a box around nobody is tried; most have somebody in them and are left out


def training_box(rng, box):
    """A person's box as a detector or a carried pose might have it."""
    sides = box[2:] * (1 + rng.uniform(*GROWTH, 2))
    return np.concatenate([box[:2] + box[2:] / 2 + rng.normal(0, SHIFT, 2) * box[2:] - sides / 2, sides])


def false_box(rng, person, people, size):
    """A box of a person's size around nobody, None where the first that comes to mind has somebody in it."""
    box = np.concatenate([rng.uniform(0, 1, 2) * size - person.box[2:] / 2, person.box[2:]])
    near = np.concatenate([box[:2] - box[2:] / 2, box[2:] * 2])[None]
    return None if box_overlaps(near, np.array([other.box for other in people])).any() else box


def annotations_of(rng, people, size):
    """COCO's keypoints, bbox and area of the boxes of those of a frame's people who can be seen."""
    for person in people:
        if person.share < HIDDEN_SHARE or person.visible.sum() < 3:
            continue
        boxes = [training_box(rng, person.box)]
        if rng.random() < FALSE:
            boxes.append(false_box(rng, person, people, size))
        # a person's joints all lie outside a box around nobody, so that none of them is in its heatmaps
        keypoints = np.column_stack([person.joints, 2 * person.visible]) * person.visible[:, None]
        for box in boxes:
            if box is not None:
                yield {"keypoints": keypoints.ravel().tolist(), "bbox": box.tolist(), "area": float(box[2:].prod())}


def write_set(folder, name, seeds):
    """images/<name>/*.jpg and annotations/person_keypoints_<name>.json of the clips of some seeds; counts the boxes."""
    pictures, images, annotations = make_folder(folder / "images" / name), [], []
    for seed in seeds:
        rng = np.random.default_rng([seed, 78])
        for number, (picture, people) in enumerate(SyntheticClip(seed)):
            if number % STEP:
                continue
            (height, width), file = picture.shape[:2], f"{seed}_{number:03d}.jpg"
            cv2.imwrite(str(pictures / file), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
            for entry in annotations_of(rng, people, (width, height)):
                place = {"id": len(annotations), "image_id": len(images), "category_id": 1, "iscrowd": 0}
                annotations.append(place | entry)
            images.append({"id": len(images), "file_name": file, "width": width, "height": height})
    categories = [{"id": 1, "name": "person", "keypoints": list(MPII.joints)}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    write_json(content, make_folder(folder / "annotations") / f"person_keypoints_{name}.json", indent=None)
    return len(annotations)


def main():
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--output", type=Path, default=Path("data/walking_people"))
    parser.add_argument("--train", type=int, default=45, help="clips to train on (default %(default)s)")
    parser.add_argument("--valid", type=int, default=3, help="clips to validate on (default %(default)s)")
    parser.add_argument("--first-seed", type=int, default=5000)
    arguments = parser.parse_args()
    first = arguments.first_seed
    middle, last = first + arguments.train, first + arguments.train + arguments.valid
    counts = [
        write_set(arguments.output, name, range(*seeds))
        for name, seeds in (("train", (first, middle)), ("valid", (middle, last)))
    ]
    print(f"=> {arguments.output}: {counts[0]} boxes to train on, {counts[1]} to validate on")


if __name__ == "__main__":
    main()
