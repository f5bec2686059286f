"""Writes synthetic clips: videos, ground truth in PoseTrack18's form, and the boxes of a perfect detector.

<folder>/videos/<clip>.mp4, <folder>/annotations/val/<clip>.json, <folder>/detections/<clip>.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.skeletons import MPII
from ..utils.errors import UserError
from ..utils.files import write_json
from ..utils.media import video_writer
from ..utils.parser import OneLineParser, count
from ..utils.progress import progress_bar
from ..utils.runtime import make_folder, run_script
from .annotations.posetrack_form import annotation_entry, write_form
from .synthetic.clips import HIDDEN_SHARE, ClipSettings, SyntheticClip

RATE = 15.0  # frames a second


def write_clip(folder: Path, seed: int, settings: ClipSettings) -> str:
    """Writes the clip of a seed and returns its name."""
    name, records, detections = f"clip_{seed:04d}", [], []
    kinds = {"videos": ".mp4", "annotations/val": ".json", "detections": ".json"}
    paths = [make_folder(Path(folder) / kind) / f"{name}{ending}" for kind, ending in kinds.items()]
    width, height = settings.size
    annotations = 0
    with video_writer(paths[0], RATE, settings.size) as writer:
        for number, (picture, people) in enumerate(SyntheticClip(seed, settings)):
            writer.write(picture)
            file_name = f"{name}/{number:06d}.jpg"
            image: dict[str, Any] = {"id": number, "frame_id": number, "file_name": file_name, "is_labeled": True}
            entries = []
            for person in people:
                annotations += 1
                values = {
                    "identity": person.identity, "joints": person.joints, "shown": person.visible,
                    "scores": np.ones(16), "box": person.box, "score": 1.0,
                }  # fmt: skip
                entries.append(annotation_entry(number, annotations, values, MPII, person.head_box))
                if person.share >= HIDDEN_SHARE:
                    box = person.box.tolist()
                    detections.append({"image_id": number, "category_id": 1, "bbox": box, "score": 1.0})
            image |= {"width": width, "height": height}
            records.append({"image": image, "annotations": entries})
    write_form(paths[1], lambda: iter(records), MPII)
    write_json(detections, paths[2], indent=None)
    return name


def main(argv: list[str] | None = None) -> None:
    """The command line: draws clips and says what was written where."""
    parser = OneLineParser(prog="python -m lib.dataset.write_clips", description=__doc__)
    parser.add_argument("--output", default="data/synthetic_clips", help="folder to write (default %(default)s)")
    parser.add_argument("--clips", type=count, default=4, help="how many (default %(default)s)")
    parser.add_argument("--frames", type=count, default=100, help="of each (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the others follow (default %(default)s)")
    parser.add_argument("--picture-size", type=count, nargs=2, default=(640, 360), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--people", type=count, nargs=2, default=(3, 6), metavar=("FEWEST", "MOST"))
    options = parser.parse_args(argv)
    if options.people[0] > options.people[1] or options.seed < 0:
        raise UserError("--people: the lower number comes first; --seed: from 0 on")
    if not all(64 <= side <= 4096 for side in options.picture_size):
        raise UserError("--picture-size: both from 64 to 4096 pixels")
    settings = ClipSettings(options.frames, tuple(options.picture_size), tuple(options.people))
    with progress_bar(options.clips, "clips") as bar:
        for number in range(options.clips):
            write_clip(options.output, options.seed + number, settings)
            bar.update()
    print(f"=> {options.output}: {options.clips} clips of {options.frames} frames, with truth and boxes")


if __name__ == "__main__":
    run_script(main)
