"""Data sets of other tools in this project's form: COCO's, with the pictures' folder and what the tool says besides."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...utils.errors import RunError, UserError
from ...utils.files import pluralize
from ...utils.image import stored_size
from ...utils.media import write_picture
from ...utils.runtime import make_folder
from ..picture_names import PictureNames

TRAIN, VALID = "train", "val"


@dataclass
class ForeignSet:
    """A data set of another tool.

    joints: names in its order; limbs, pairs: of names, pairs None where it does not say them; images: COCO's, with an
    absolute file_name, and `split` (train or val) where the tool has split them; annotations: COCO's, without id and
    category; name: of what is annotated; frames: {file_name: what gives the BGR picture} of those that are in videos,
    whose file_name is relative; lines: what is said about it.
    """

    joints: Sequence[str]
    name: str = "animal"
    limbs: Sequence[tuple[str, str]] = ()
    pairs: Sequence[tuple[str, str]] | None = None
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    frames: dict[str, Callable[[], np.ndarray]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def add_image(self, file_name: str, size: tuple[int, int], split: str = "") -> int:
        """The id of a new image of `size` (width, height)."""
        number = len(self.images) + 1
        image = {"id": number, "file_name": file_name, "width": size[0], "height": size[1]}
        self.images.append({**image, "split": split} if split else image)
        return number

    def add_picture(self, path: str) -> int:
        """The id of a new image, whose size is that of its file as stored; 0 by 0 where it is missing, which is said
        where all such are counted."""
        try:
            size = stored_size(path)[0]
        except UserError:
            size = (0, 0)
        return self.add_image(path, size)

    def add_person(self, image_id: int, points: np.ndarray, visibility: Sequence[int], **keys: Any) -> None:
        """A person or animal: points (K, 2) in pixels, visibility 0, 1 (hidden) or 2 of each; keys: such as bbox."""
        triples = [
            [float(x), float(y), int(seen)] if seen else [0, 0, 0]
            for (x, y), seen in zip(points, visibility, strict=True)
        ]
        number = len(self.annotations) + 1
        record = {"id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0, "keypoints": sum(triples, [])}
        self.annotations.append({**record, "num_keypoints": sum(map(bool, visibility)), **keys})

    def content(self) -> dict[str, Any]:
        """The set in COCO's form."""
        numbers = {name: number for number, name in enumerate(self.joints, 1)}
        limbs = [[numbers[first], numbers[second]] for first, second in self.limbs]
        category = {"id": 1, "name": self.name, "keypoints": list(self.joints), "skeleton": limbs}
        return {"images": self.images, "annotations": self.annotations, "categories": [category]}


def gather_images(found: ForeignSet, output: Path) -> Path:
    """Makes file_names relative to one folder and returns it; frames of videos are written to `output`/frames.

    Raises UserError where pictures are missing, RunError where a frame cannot be read or written.
    """
    if found.frames:
        return _write_frames(found, output / "frames")
    missing = [image["file_name"] for image in found.images if not os.path.isfile(image["file_name"])]
    if missing:
        count = f"{len(missing)} of {len(found.images)} pictures are not there, such as {missing[0]}"
        raise UserError(f"{count}: give --images FOLDER")
    folder = Path(os.path.commonpath([os.path.dirname(image["file_name"]) for image in found.images]))
    for image in found.images:
        image["file_name"] = os.path.relpath(image["file_name"], folder).replace(os.sep, "/")
    return folder


def _write_frames(found: ForeignSet, folder: Path) -> Path:
    for name, read in found.frames.items():
        target = folder / name
        make_folder(target.parent)
        try:
            image = read()
        except Exception as error:  # a video's reader raises what it likes
            raise RunError(f"frame {name} cannot be read from its video: {str(error)[:300]}") from error
        write_picture(image, target)
    found.lines.append(f"=> {pluralize(len(found.frames), 'frame', 'frames')} of videos written to {folder}")
    return folder


class PictureFinder:
    """Finds the pictures that a source names; images: the folder that they are below, None: where the source says."""

    def __init__(self, source: Path, images: Path | None) -> None:
        self._folders = [source.parent, *source.resolve().parents[1:3]]  # DeepLabCut's: two above
        self._images = images
        self._names = None if images is None else PictureNames(f"{images}/")

    def find(self, name: str) -> str:
        """A picture's absolute path, there or not: below `images`, or as it stands, or beside the source."""
        if self._images is not None and self._names is not None:
            return os.path.abspath(self._images / self._names.find(name))
        beside = [folder / name for folder in self._folders]
        for candidate in (Path(name), *beside, self._folders[0] / Path(name).name):
            if candidate.is_file():
                return os.path.abspath(candidate)
        return os.path.abspath(beside[0])
