"""Which tool a data set is of, and reading it into this project's form."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ...utils.errors import RunError, UserError
from ...utils.files import pluralize, read_json
from ...utils.safe_yaml import read_yaml
from .deeplabcut import read_deeplabcut
from .foreign import TRAIN, VALID, ForeignSet, gather_images
from .label_studio import is_label_studio, read_label_studio
from .own_set import OwnSet, own_set_of, read_export, split_images
from .sleap_labels import read_by_sleap_io
from .yolo_pose import read_yolo_pose

COCO, YOLO, LABEL_STUDIO, DEEPLABCUT = "coco", "yolo", "labelstudio", "deeplabcut"
FORMS = (COCO, "sleap", DEEPLABCUT, LABEL_STUDIO, YOLO, "nwb")
EXPECTED = (
    "expected SLEAP (.slp), DeepLabCut (.csv, .h5, or a project's config.yaml), Label Studio or COCO (.json), "
    "YOLO-pose (data.yaml) or NWB (.nwb)"
)
BY_EXTENSION = {".slp": "sleap", ".csv": DEEPLABCUT, ".h5": DEEPLABCUT, ".nwb": "nwb"}


def source_file(path: Path) -> Path:
    """The file that stands for a source: of a folder, its data.yaml or config.yaml. Raises UserError where none is."""
    if path.is_file():
        return path
    names = [path / name for name in ("data.yaml", "config.yaml") if (path / name).is_file()]
    if not names:
        raise UserError(f"{path} is no file, and no folder with a data.yaml or config.yaml: {EXPECTED}")
    return names[0]


def recognise(path: Path) -> str:
    """The form of a file, one of FORMS. Raises UserError where it is none."""
    form = BY_EXTENSION.get(path.suffix.lower(), "")
    if path.suffix.lower() in (".yaml", ".yml"):
        content: Any = read_yaml(path, "data set file")
        keys = content if isinstance(content, dict) else {}
        of_deeplabcut = keys.keys() & {"bodyparts", "multianimalbodyparts"}
        form = YOLO if "kpt_shape" in keys else DEEPLABCUT if of_deeplabcut else ""
    elif path.suffix.lower() == ".json":
        content = read_json(path)
        is_coco = isinstance(content, dict) and "images" in content
        form = COCO if is_coco else LABEL_STUDIO if is_label_studio(content) else ""
    if not form:
        raise UserError(f"{path}: {EXPECTED}; --form says which where the content does not")
    return form


def read_source(
    path: Path, form: str, images: Path | None, output: Path, share: float, by_video: bool | None
) -> tuple[OwnSet, list[list[dict[str, Any]]], Path, list[str]]:
    """(OwnSet, [images to train on, to validate with], their folder, lines) of a source of the form `form`.

    images: the folder of the pictures, None for the source's; output: where frames of videos are written; share and
    by_video: see `split_images`, by_video None keeps videos together where there are several. A split of the source's
    own is kept. Raises UserError for a source that cannot be read.
    """
    if form == COCO:
        own, folder = read_export(path), images or path.parent
        parts, lines = split_images(own, folder, share, bool(by_video))
        return own, parts, folder, [*own.lines(), *lines]
    if form == YOLO:
        found = read_yolo_pose(path, images)
    elif form == LABEL_STUDIO:
        found = read_label_studio(path, images)
    elif form == DEEPLABCUT:
        found = read_deeplabcut(path, images)
    else:
        found = read_by_sleap_io(path, form, images)
    return _settle(found, path, output, share, by_video)


def _settle(
    found: ForeignSet, path: Path, output: Path, share: float, by_video: bool | None
) -> tuple[OwnSet, list[list[dict[str, Any]]], Path, list[str]]:
    own = own_set_of(found.content(), path, found.pairs)  # says what is wrong before frames are written
    frames = output / "frames"
    if found.frames and frames.exists():
        raise UserError(f"{frames} is there already: give another --output, or remove it")
    try:
        folder = gather_images(found, output)  # own has the same images
        parts, lines = _split(found, own, folder, share, by_video)
    except (UserError, RunError):
        shutil.rmtree(frames, ignore_errors=True)
        raise
    return own, parts, folder, [*found.lines, *own.lines(), *lines]


def _split(
    found: ForeignSet, own: OwnSet, folder: Path, share: float, by_video: bool | None
) -> tuple[list[list[dict[str, Any]]], list[str]]:
    """([images to train on, to validate with], lines): as the tool has split them, or by `split_images`."""
    splits = [image.pop("split", "") for image in found.images]
    if {*splits} == {TRAIN, VALID}:
        parts = [
            [image for image, split in zip(found.images, splits, strict=True) if split == part]
            for part in (TRAIN, VALID)
        ]
        trained = pluralize(len(parts[0]), "image", "images")
        return parts, [f"=> {trained} to train on, {len(parts[1])} to validate, as split"]
    videos = {Path(image["file_name"]).parent for image in found.images}
    together = len(videos) > 1 if by_video is None else by_video
    return split_images(own, folder, share, together)
