"""A COCO-form export of an annotation tool -> data folder and experiment: joints, pairs, sizes, a split by picture."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ...config.file_joints import joints_and_limbs
from ...core.sides import name_pairs, sided_names
from ...core.skeletons import COCO, Skeleton
from ...utils.errors import UserError
from ...utils.files import pluralize, read_json, write_json
from ...utils.runtime import make_folder, replacing
from ..annotations.coco_truth import truth_of
from ..picture_names import PictureNames

USUAL_SIGMA = 0.065  # the mean of COCO's 17, between an eye's 0.025 and a hip's 0.107
STANDING, LYING = 0.85, 1.18  # width / height of boxes below and above which the input is no square
SIZES = {"standing": (192, 256), "square": (256, 256), "lying": (256, 192)}
FRAME = re.compile(r"[\W_]*\d+$")  # the number of a frame at the end of a picture's name
EXPERIMENT = """\
# {name}: {count} keypoints, from {source}.
# Reproduces nothing published. Written by init_dataset.py: check FLIP_PAIRS, SIGMAS and IMAGE_SIZE.
# Command: python pose_estimation/train.py --cfg {path}
GPUS: '0'
OUTPUT_DIR: output
LOG_DIR: log
WORKERS: 2
PRINT_FREQ: 50

DATASET:
  DATASET: coco  # the form of the annotations
  ROOT: {root}
  TRAIN_SET: train
  TEST_SET: val
  CATEGORIES: {categories}
  FLIP: true
  ROT_FACTOR: 30
  SCALE_FACTOR: 0.25
  SKELETON:
    NAME: {name}
    JOINTS: {joints}
    LIMBS: {limbs}
    FLIP_PAIRS: {pairs}  # joints that change places in the mirrored image
    SIGMAS: {sigmas}  # of the OKS: how far a joint may be off, as a share of the object's size

MODEL:
  NAME: pose_resnet
  BACKBONE: resnet
  DEPTH: 50
  PRETRAINED: imagenet
  IMAGE_SIZE: [{width}, {height}]  # width, height
  NUM_JOINTS: {count}
  EXTRA:
    HEATMAP_SIZE: [{columns}, {rows}]
    SIGMA: 2
    NUM_DECONV_FILTERS: [256, 256, 256]

TRAIN:
  BATCH_SIZE: 32
  END_EPOCH: 140
  OPTIMIZER: adam
  LR: 0.001
  LR_TYPE: MultiStepDecay
  LR_STEP: [90, 120]
  LR_FACTOR: 0.1

TEST:
  BATCH_SIZE: 32
  FLIP_TEST: true
"""


@dataclass(frozen=True)
class OwnSet:
    """What an export says about its keypoints.

    content: the file; joints: names in its order; limbs, pairs: pairs of names; sigmas: one a joint; categories: names
    of those with these joints; image_size: (width, height) of the network's input.
    """

    content: dict[str, Any]
    joints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    pairs: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...]
    categories: tuple[str, ...]
    image_size: tuple[int, int]

    def lines(self) -> list[str]:
        """What was found, to be looked over by a person."""
        pairs = ", ".join(f"{left} - {right}" for left, right in self.pairs) or "none"
        lines = [
            f"=> {pluralize(len(self.joints), 'keypoint', 'keypoints')} of {', '.join(self.categories)}: "
            f"{', '.join(self.joints)}",
            f"=> pairs that change places in a mirrored image: {pairs}",
            f"=> network's input: {self.image_size[0]}x{self.image_size[1]}, by the median aspect of the boxes",
        ]
        alone = [name for name in sided_names(self.joints) if not any(name in pair for pair in self.pairs)]
        if alone:
            lines.append(f"=> WARNING: {', '.join(alone)} look sided and have no pair: complete FLIP_PAIRS")
        return lines


def read_export(path: str | os.PathLike[str]) -> OwnSet:
    """The OwnSet of a COCO-form file. Raises UserError where it has no keypoints, or several different skeletons."""
    return own_set_of(read_json(path), path)


def own_set_of(
    content: Any, path: str | os.PathLike[str], pairs: Sequence[tuple[str, str]] | None = None
) -> OwnSet:
    """The OwnSet of content in COCO's form; path: where it is from; pairs: mirror pairs, None to find them by name.

    Raises UserError, see `read_export`.
    """
    lists = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in lists):
        raise UserError(f"{path}: expected COCO's form: an object with images, annotations and categories")
    categories = [each for each in content["categories"] if isinstance(each, dict)]
    named = [each for each in categories if isinstance(each.get("keypoints"), list)]
    used = [record.get("category_id") for record in content["annotations"] if isinstance(record, dict)]
    named = [each for each in named if each["keypoints"] and each.get("id") in used] or named
    if not named or not named[0]["keypoints"]:
        raise UserError(f"{path}: no category names its keypoints (categories[].keypoints): export with the skeleton")
    joints, limbs = joints_and_limbs(path, named)
    names = tuple(str(each.get("name")) for each in named)
    truth = truth_of(content, path, Skeleton("own", joints), names)  # or says what is wrong
    if not truth.annotations:
        raise UserError(f"{path}: it has no annotations: nothing to train on")
    known = dict(zip(COCO.joints, COCO.sigmas, strict=True))
    sigmas = tuple(float(known.get(name, USUAL_SIGMA)) for name in joints)
    mirrored = name_pairs(joints) if pairs is None else tuple(pairs)
    return OwnSet(content, joints, limbs, mirrored, sigmas, names, _input_size(truth.annotations))


def _input_size(annotations: Sequence[dict[str, Any]]) -> tuple[int, int]:
    sides = [record["bbox"][2:] for record in annotations]
    aspects = [width / height for width, height in sides if min(width, height) > 0]
    aspect = float(np.median(aspects)) if aspects else 1.0
    return SIZES["standing" if aspect < STANDING else "lying" if aspect > LYING else "square"]


def split_images(
    own: OwnSet, folder: Path, share: float, by_video: bool = False, seed: int = 0
) -> tuple[list[list[dict[str, Any]]], list[str]]:
    """([training images, validation images], lines): whole groups, about `share` of the images for validation.

    folder: of the pictures. A group is a picture with its copies (the same bytes), or, by_video, all whose names differ
    in the number at their end alone. Raises UserError where pictures are missing, or where there is a single group.
    """
    images = own.content["images"]
    names = PictureNames(f"{folder}/")
    groups: dict[str, list[dict[str, Any]]] = {}
    digests: dict[str, str] = {}
    missing, copies = [], 0
    for image in images:
        name = names.find(image["file_name"])
        if not (folder / name).is_file():
            missing.append(image["file_name"])
            continue
        image["file_name"] = name
        stem = FRAME.sub("", str(Path(name).with_suffix(""))) if by_video else name
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        copies += digest in digests
        group = digests.setdefault(digest, stem)
        groups.setdefault(group, []).append(image)
    if missing:
        found = f"{len(missing)} of {len(images)} pictures are not in {folder}, such as {missing[0]}"
        raise UserError(f"{found}: give --images FOLDER")
    if len(groups) < 2:
        raise UserError(f"there is {pluralize(len(groups), 'group', 'groups')} of pictures: a split needs two at least")
    lines = []
    if copies:
        lines.append(f"=> WARNING: {copies} pictures are copies of others; they stay on one side of the split")
    order = list(groups)
    np.random.default_rng(seed).shuffle(order)
    chosen: list[dict[str, Any]] = []
    while len(order) > 1 and (not chosen or len(chosen) + len(groups[order[-1]]) / 2 <= share * len(images)):
        chosen += groups[order.pop()]
    rest = [image for group in order for image in groups[group]]
    lines.append(f"=> {len(rest)} images to train on, {len(chosen)} to validate, in {len(groups)} groups")
    return [sorted(part, key=lambda image: image["file_name"]) for part in (rest, chosen)], lines


def write_set(own: OwnSet, parts: Sequence[list[dict[str, Any]]], folder: Path, output: Path) -> list[str]:
    """Writes annotations/person_keypoints_{train,val}.json and images/{train,val} below `output`; returns lines.

    The folders of images are links to `folder`; where the system makes none, copies of the pictures.
    """
    lines = []
    places = {name: output / "images" / name for name in ("train", "val")}
    for place in places.values():
        if place.exists() and not place.is_symlink():
            raise UserError(f"{place} is there already: give another --output, or remove it")
    make_folder(output / "annotations")
    make_folder(output / "images")
    for (name, place), images in zip(places.items(), parts, strict=True):
        numbers = {image["id"] for image in images}
        annotations = [
            record for record in own.content["annotations"]
            if isinstance(record.get("image_id"), (int, str)) and record["image_id"] in numbers
        ]  # fmt: skip
        content = {**own.content, "images": images, "annotations": annotations}
        write_json(content, output / "annotations" / f"person_keypoints_{name}.json", indent=None)
        place.unlink(missing_ok=True)  # an earlier run's link
        try:
            place.symlink_to(folder.resolve(), target_is_directory=True)
            lines.append(f"=> {place} is a link to {folder}")
        except OSError:
            for image in images:
                target = place / image["file_name"]
                make_folder(target.parent)
                shutil.copy(folder / image["file_name"], target)
            lines.append(f"=> {len(images)} pictures copied to {place}")
    return lines


def write_experiment(own: OwnSet, name: str, source: str, output: Path) -> Path:
    """Writes `output`/<name>.yaml and returns its path; source: the export's name, for the first line."""
    path = output / f"{name}.yaml"
    width, height = own.image_size
    text = EXPERIMENT.format(
        name=name, source=source, path=path, root=_yaml(str(output)), categories=_yaml(own.categories),
        joints=_yaml(own.joints), limbs=_yaml(own.limbs), pairs=_yaml(own.pairs), sigmas=_yaml(own.sigmas),
        count=len(own.joints), width=width, height=height, columns=width // 4, rows=height // 4,
    )  # fmt: skip
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _yaml(value: Any) -> str:
    """A value as YAML on one line; texts that YAML would take for something else are quoted."""
    def plain(part: Any) -> Any:
        return [plain(item) for item in part] if isinstance(part, (list, tuple)) else part

    text = yaml.safe_dump(plain(value), default_flow_style=True, width=10**9, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()
