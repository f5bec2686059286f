"""The synthetic data set: drawn people in MPII's form (16 joints, 1-based pixels)."""
from __future__ import annotations

import inspect
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from scipy.io import savemat
from tqdm import tqdm

from ...core.skeletons import MPII_MAT_JOINTS
from ...utils.errors import RunError, UserError
from ...utils.parser import OneLineParser
from .scene import draw_picture

if TYPE_CHECKING:
    from .people import Person

GENERATOR_VERSION = 1
MARKER = "synthetic.json"
NUMBER_RANGES = {
    "training_persons": (1, 10**7), "validation_persons": (1, 10**7), "seed": (0, 2**63 - 1), "jpeg_quality": (1, 100),
}  # fmt: skip
PAIR_RANGES = {
    "picture_size": (32, 8192), "persons_per_picture": (1, 20), "validation_persons_per_picture": (1, 20),
}  # fmt: skip


def person_record(
    person: Person, image: str, picture_size: tuple[int, int]
) -> dict[str, float | list[float] | list[int] | list[list[float]] | str]:
    """MPII's record of one person: 1-based pixels x, y; joints_vis 0 only for joints outside the picture."""
    joints = np.round(person.points[:16] + 1, 4)
    inside = ((joints >= 1) & (joints <= picture_size)).all(axis=1)
    low, high = joints.min(axis=0), joints.max(axis=0)
    return {
        "image": image,
        "joints": joints.tolist(),
        "joints_vis": inside.astype(int).tolist(),
        "center": np.round((low + high) / 2, 4).tolist(),
        "scale": round(float((high - low).max()) / 200, 6),
    }


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raises UserError, in one line, for the first of write_dataset's `arguments` that cannot be used."""
    for name, (low, high) in NUMBER_RANGES.items():
        value = arguments[name]
        if not (isinstance(value, int) and low <= value <= high):
            raise UserError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
    for name, (low, high) in PAIR_RANGES.items():
        pair = arguments[name]
        if len(pair) != 2 or not all(isinstance(value, int) and low <= value <= high for value in pair):
            raise UserError(f"{name} is {pair!r}; it must be two whole numbers from {low} to {high}")
        if name != "picture_size" and pair[0] > pair[1]:
            raise UserError(f"{name} is {pair!r}; the lower number comes first")
    if not 0 <= arguments["pose_variation"] <= 1:
        raise UserError(f"pose_variation is {arguments['pose_variation']!r}; it must be a number from 0 to 1")


def _write_split(
    folder: Path, split: int, arguments: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], np.ndarray, int]:
    """Draws one split (0 train, 1 valid) into `folder`; gives its records, head boxes (2, 2, N) and picture count."""
    name, wanted = (("train", arguments["training_persons"]), ("valid", arguments["validation_persons"]))[split]
    size, per_picture = arguments["picture_size"], ("persons_per_picture", "validation_persons_per_picture")[split]
    fewest, most = arguments[per_picture]
    records: list[dict[str, Any]] = []
    boxes: list[np.ndarray] = []
    pictures = 0
    bar = tqdm(total=wanted, desc=name, unit="person", disable=None, leave=False)
    while len(records) < wanted:
        pictures += 1
        rng = np.random.default_rng([arguments["seed"], split, pictures])
        count = min(int(rng.integers(fewest, most + 1)), wanted - len(records))
        picture, people = draw_picture(rng, count, size, arguments["pose_variation"])
        image = f"{name}_{pictures:05d}.jpg"
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, arguments["jpeg_quality"]])[1]
        (folder / "images" / image).write_bytes(coded.tobytes())  # unlike cv2.imwrite, tells of a full disk
        records += [person_record(person, image, size) for person in people]
        boxes += [np.round(person.head_box() + 1, 4) for person in people]
        bar.update(count)
    bar.close()
    (folder / "annot" / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")
    return records, np.stack(boxes, axis=-1), pictures


def _write_truth(
    path: str | os.PathLike[str], records: list[dict[str, Any]],
    boxes: np.ndarray,
) -> None:
    """MPII's gt_valid.mat: pos_gt_src (16, 2, N) and headboxes_src (2, 2, N) 1-based, jnt_missing (16, N)."""
    visible = np.array([record["joints_vis"] for record in records], dtype=np.uint8)
    ground_truth = {
        "dataset_joints": np.array([MPII_MAT_JOINTS], dtype=object),
        "jnt_missing": 1 - visible.T,
        "pos_gt_src": np.array([record["joints"] for record in records], dtype=np.float64).transpose(1, 2, 0),
        "headboxes_src": boxes,
    }
    savemat(path, ground_truth)


def _read_marker(folder: Path) -> dict[str, Any]:
    """What `folder`'s synthetic.json records, {} where there is none or it is not this module's."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return marker if isinstance(marker, dict) and "generator_version" in marker else {}


def _build(folder: Path, arguments: Mapping[str, Any]) -> dict[str, int]:
    """Writes the whole data set into the new `folder`; gives the counts."""
    for name in ("images", "annot"):
        (folder / name).mkdir(parents=True)
    train, _, train_pictures = _write_split(folder, 0, arguments)
    valid, boxes, valid_pictures = _write_split(folder, 1, arguments)
    _write_truth(folder / "annot" / "gt_valid.mat", valid, boxes)
    counts = {
        "training_persons": len(train), "training_pictures": train_pictures,
        "validation_persons": len(valid), "validation_pictures": valid_pictures,
    }  # fmt: skip
    marker = {"generator_version": GENERATOR_VERSION, "arguments": arguments, "counts": counts}
    (folder / MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
    return counts


def write_dataset(
    folder: str | os.PathLike[str], training_persons: int, validation_persons: int, seed: int = 0,
    picture_size: tuple[int, int] = (320, 240), persons_per_picture: tuple[int, int] = (1, 2),
    pose_variation: float = 0.5, jpeg_quality: int = 90,
    validation_persons_per_picture: tuple[int, int] | None = None,
) -> dict[str, int]:  # fmt: skip
    """Draws a data set in MPII's format into `folder`: images/*.jpg, annot/train.json, valid.json and gt_valid.mat.

    `training_persons` and `validation_persons` are exact numbers of people; `picture_size` is (width, height) in
    pixels; `persons_per_picture` the lowest and highest number (`validation_persons_per_picture` where it is another
    in the validation pictures); `pose_variation` goes from 0, nearly standing
    straight, to 1, wild. Positions are 1-based pixels x, y; a joint outside its picture keeps its position and has
    joints_vis 0; a covered one has 1. `scale` is the larger side of the joints' box in pixels / 200. The same
    arguments give the same records and pixels. A folder made by this function is replaced as a whole.

    Returns a dict of int: training_persons, training_pictures, validation_persons, validation_pictures.
    Raises UserError for arguments out of range and for a `folder` that is there and holds something else; OSError
    where it cannot be written. An interrupted run leaves `folder` as it was.
    """
    arguments = {name: value for name, value in locals().items() if name != "folder"}
    arguments |= {"picture_size": list(picture_size), "persons_per_picture": list(persons_per_picture)}
    arguments["validation_persons_per_picture"] = list(validation_persons_per_picture or persons_per_picture)
    check_arguments(arguments)
    folder = Path(folder).resolve()
    if folder.exists() and not _read_marker(folder):
        raise UserError(f"{folder} is there already and was not made by this generator: move it or name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as workplace:
        new, old = Path(workplace, "new"), Path(workplace, "old")
        counts = _build(new, arguments)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except BaseException:
            if old.exists():
                old.rename(folder)
            raise
    return counts


def ensure_dataset(folder: str | os.PathLike[str], **arguments: Any) -> dict[str, int]:
    """Like write_dataset, but does nothing where `folder` records the same arguments; gives the counts either way."""
    bound = inspect.signature(write_dataset).bind(folder, **arguments)
    bound.apply_defaults()
    wanted = dict(list(bound.arguments.items())[1:])
    wanted["validation_persons_per_picture"] = wanted["validation_persons_per_picture"] or wanted["persons_per_picture"]
    marker, wanted = _read_marker(Path(folder)), json.loads(json.dumps(wanted))
    if (marker.get("generator_version"), marker.get("arguments")) == (GENERATOR_VERSION, wanted):
        return marker["counts"]
    return write_dataset(folder, **arguments)


def main(argv: list[str] | None = None) -> None:
    """The command line: draws a data set and says what was written where."""
    parser = OneLineParser(prog="python -m lib.dataset.synthetic", description=__doc__)
    parser.add_argument("--output", default="data/synthetic", help="folder to write (default %(default)s)")
    parser.add_argument("--train", type=int, default=600, help="people to train on (default %(default)s)")
    parser.add_argument("--valid", type=int, default=128, help="people to validate on (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture-size", type=int, nargs=2, default=(320, 240), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--persons-per-picture", type=int, nargs=2, default=(1, 2), metavar=("FEWEST", "MOST"))
    parser.add_argument("--validation-persons-per-picture", type=int, nargs=2, metavar=("FEWEST", "MOST"))
    parser.add_argument("--pose-variation", type=float, default=0.5, help="0 standing straight .. 1 wild")
    parser.add_argument("--jpeg-quality", type=int, default=90)
    options = vars(parser.parse_args(argv))
    output = options.pop("output")
    options["training_persons"], options["validation_persons"] = options.pop("train"), options.pop("valid")
    try:
        counts = ensure_dataset(output, **options)
    except OSError as error:
        raise RunError(f"cannot write {output}: {error}") from error
    numbers = "{training_persons} people in {training_pictures} pictures to train on, {validation_persons} in "
    print(f"=> {output}: " + (numbers + "{validation_pictures} to validate on").format(**counts))
