"""SLEAP and NWB by the package sleap-io, which keeps up with their forms."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...utils.errors import UserError
from ...utils.files import pluralize
from .foreign import ForeignSet, PictureFinder

if TYPE_CHECKING:
    from sleap_io import Instance, LabeledFrame, Labels

INSTALL = "pip install -r requirements/import.txt"


def import_sleap_io() -> Any:
    """The package. Raises UserError where it is not installed."""
    try:
        import sleap_io
    except ImportError as error:
        raise UserError(f"sleap-io, which reads this form, cannot be imported ({error}): {INSTALL}") from error
    return sleap_io


def read_by_sleap_io(path: Path, form: str, images: Path | None) -> ForeignSet:
    """The set of a .slp or an NWB file; form: sleap or nwb; images: the folder of its pictures.

    Raises UserError where the package is missing or cannot read the file.
    """
    package = import_sleap_io()
    read = package.load_slp if form == "sleap" else package.load_nwb
    try:
        labels = read(str(path))
    except Exception as error:  # damaged files raise what h5py and others like
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(f"{path} cannot be read as {form}: {reason}") from error
    return foreign_set_of(labels, path, images)


def foreign_set_of(labels: Labels, path: Path, images: Path | None) -> ForeignSet:
    """The ForeignSet of sleap-io's Labels; of frames that people labelled, or of predicted ones where none is."""
    if not labels.skeletons or not labels.skeletons[0].node_names:
        raise UserError(f"{path}: it has no skeleton")
    skeleton = labels.skeletons[0]
    if any(each.node_names != skeleton.node_names for each in labels.skeletons):
        raise UserError(f"{path}: its {len(labels.skeletons)} skeletons have different nodes: export one at a time")
    place = skeleton.node_names.index
    pairs = {tuple(sorted(pair, key=place)) for pair in skeleton.symmetry_names}  # SLEAP's own files have each twice
    found = ForeignSet(
        list(skeleton.node_names),
        skeleton.name or "animal",
        [(first, second) for first, second in skeleton.edge_names],
        [(first, second) for first, second in sorted(pairs, key=lambda pair: place(pair[0]))] or None,
    )
    labelled = any(frame.user_instances for frame in labels)
    frames = [(frame, frame.user_instances if labelled else frame.predicted_instances) for frame in labels]
    frames = [(frame, instances) for frame, instances in frames if instances]
    if not frames:
        raise UserError(f"{path}: none of its {len(labels)} frames has an instance")
    if not labelled:
        found.lines.append("=> WARNING: no frame is labelled by hand: predicted instances are taken")
    files, pictures = all(isinstance(frame.video.filename, list) for frame, _ in frames), PictureFinder(path, images)
    for frame, instances in frames:
        if files:  # a video that is a list of pictures
            image_id = found.add_picture(pictures.find(frame.video.filename[frame.frame_idx]))
        else:
            image_id = _add_frame(found, frame, path)
        for instance in instances:
            _add_instance(found, image_id, instance, labels)
    count = sum(len(instances) for _, instances in frames)
    found.lines.append(
        f"=> {pluralize(count, 'instance', 'instances')} in {pluralize(len(frames), 'frame', 'frames')} of "
        f"{pluralize(len({id(frame.video) for frame, _ in frames}), 'video', 'videos')}"
    )
    return found


def _add_frame(found: ForeignSet, frame: LabeledFrame, path: Path) -> int:
    """A frame of a film, or of pictures inside the file, which is written as a picture later."""
    video = frame.video
    if video.shape is None or not video.exists():
        raise UserError(f"{path}: its video {video.filename} is not there: put it where the file says, or beside it")
    source = video.source_video.filename if video.source_video is not None else video.filename
    stem = Path(source[0]).parent.name if isinstance(source, list) else Path(str(source)).stem
    name = f"{stem}/{frame.frame_idx:06d}.png"
    if name in found.frames:  # of another video of this name
        name = f"{stem}/{frame.frame_idx:06d}_{len(found.frames)}.png"
    found.frames[name] = partial(_image_of, frame)
    height, width = video.shape[1:3]
    return found.add_image(name, (int(width), int(height)))


def _image_of(frame: LabeledFrame) -> np.ndarray:
    """(H, W, 3) BGR; sleap-io gives RGB or one channel."""
    image = np.asarray(frame.image)
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., ::-1])


def _add_instance(found: ForeignSet, image_id: int, instance: Instance, labels: Labels) -> None:
    points = instance.points
    known = np.isfinite(points["xy"]).all(axis=1)
    visibility = np.where(known, np.where(points["visible"], 2, 1), 0).tolist()
    keys = {} if instance.track is None else {"track_id": labels.tracks.index(instance.track)}
    found.add_person(image_id, np.nan_to_num(points["xy"]), visibility, **keys)
