"""The forms of detectors in ONNX that are known, and which of them a file has, by its inputs and outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...deploy.session import as_picture_input, describe_inputs, describe_outputs, fixed_size
from ...utils.errors import UserError
from . import answers, pixels
from .answers import Asked, Boxes, grid_cells
from .pixels import Pixels, Placing

if TYPE_CHECKING:
    from ...deploy.session import PictureInput, Session

DEFAULT_SIZE = (640, 640)
FLOATS = {"tensor(float)", "tensor(float16)", "tensor(double)"}
INTEGERS = {"tensor(int64)", "tensor(int32)"}
PADDLE_INPUTS = {"scale_factor", "im_shape"}  # beside the picture's


@dataclass(frozen=True)
class Output:
    """A named output of a file. shape: None for sizes that it leaves open."""

    name: str
    is_float: bool
    is_integer: bool
    shape: tuple[int | None, ...]


class Signature:
    """The inputs and outputs of a session.

    picture: the PictureInput, None where there is none; others: names of the other inputs; size: (width, height) of the
    input, where the file leaves it open the given one or 640x640; cells: of YOLOX's grids at that size.
    """

    def __init__(self, session: Session, size: tuple[int, int] | None = None) -> None:
        pictures = {item.name: as_picture_input(item) for item in session.inputs}
        found = [picture for picture in pictures.values() if picture is not None]
        self.picture: PictureInput | None = found[0] if len(found) == 1 else None
        self.others = {name for name, picture in pictures.items() if picture is None}
        self.outputs = [
            Output(item.name, item.type in FLOATS, item.type in INTEGERS, tuple(map(fixed_size, item.shape)))
            for item in session.outputs
        ]
        fixed = self.picture.sides if self.picture else (None, None)
        width, height = (side or other for side, other in zip(fixed, size or DEFAULT_SIZE, strict=True))
        self.cells = len(grid_cells((width, height))[0])

    def only(self, rank: int, last: int | None = None, is_integer: bool = False) -> str | None:
        """The name of the only output of floats, or of integers, of that rank whose last size can be `last`."""
        found = [
            output.name for output in self.outputs
            if (output.is_integer if is_integer else output.is_float) and len(output.shape) == rank
            and (last is None or output.shape[-1] in (None, last))
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def single(self) -> tuple[int | None, int | None] | None:
        """The last two sizes of the only output, None unless it is of floats and rank 3."""
        if self.only(3) is None or len(self.outputs) != 1:
            return None
        return self.outputs[0].shape[1], self.outputs[0].shape[2]


@dataclass(frozen=True)
class DetectorForm:
    """A form of detector.

    outputs: names of a file's outputs, in the order that `decode` takes them, None where the file cannot be of this
    form; is_likely: whether its names and sizes are this form's and not another's; size: of the input where the file
    leaves it open; multiple: of which that size has to be; in_picture_pixels: whether boxes are so.
    """

    name: str
    who: str
    makes: str
    outputs: Callable[[Signature], tuple[str, ...] | None]
    is_likely: Callable[[Signature], bool]
    decode: Callable[[Sequence[np.ndarray], Asked], Boxes]
    pixels: Pixels
    placing: Placing
    person_label: int = 0
    size: tuple[int, int] = DEFAULT_SIZE
    multiple: int = 1
    overlap: float = 0.45
    in_picture_pixels: bool = False


def _together(*names: str | None) -> tuple[str, ...] | None:
    found = tuple(name for name in names if name is not None)
    return found if len(found) == len(names) else None


def _mmdeploy(file: Signature) -> tuple[str, ...] | None:
    if file.others:
        return None
    if _has_names(file, "dets", "labels"):
        return "dets", "labels"
    return _together(file.only(3, 5), file.only(2, is_integer=True))


def _single(file: Signature) -> tuple[str, ...] | None:
    return None if file.others or file.single() is None else (file.outputs[0].name,)


def _boxes_labels_scores(file: Signature) -> tuple[str, ...] | None:
    return None if file.others else _together(file.only(2, 4), file.only(1, is_integer=True), file.only(1))


def _zoo_ssd(file: Signature) -> tuple[str, ...] | None:
    return None if file.others else _together(file.only(3, 4), file.only(2, is_integer=True), file.only(2))


def _paddledetection(file: Signature) -> tuple[str, ...] | None:
    boxes, count = file.only(2, 6), file.only(1, is_integer=True)
    if boxes is None or "scale_factor" not in file.others or not file.others <= PADDLE_INPUTS:
        return None
    return (boxes,) if count is None else (boxes, count)


def _has_names(file: Signature, *names: str) -> bool:
    return set(names) <= {output.name for output in file.outputs}


def _is_zoo_rcnn(file: Signature) -> bool:
    return file.picture is not None and not file.picture.has_batch and file.picture.name == "image"


def _likely_yolox(file: Signature) -> bool:
    boxes, values = file.single() or (0, 0)
    return boxes in (None, file.cells) and (values is None or values > 5)


def _likely_yolo(file: Signature) -> bool:
    """At least as many boxes as two of three grids have: DETR's (1, 300, classes) is no such file."""
    values, boxes = file.single() or (0, 0)
    if values == file.cells and boxes != file.cells:  # YOLOX's
        return False
    return (values is None or values > 4) and (boxes is None or boxes >= max(7, file.cells // 5))


def _likely_yolo_end_to_end(file: Signature) -> bool:
    """Not with a box for each cell, which is YOLOX's, or three, which is YOLOv5's: both of one class."""
    boxes, values = file.single() or (0, 0)
    return values == 6 and boxes not in (file.cells, 3 * file.cells) or (boxes is None and values is None)


FORMS = {
    form.name: form
    for form in (
        DetectorForm(
            "mmdeploy", "MMDeploy: RTMDet, YOLOX", "dets (N, M, 5), labels (N, M)", _mmdeploy,
            lambda file: _has_names(file, "dets", "labels"), answers.of_mmdeploy, pixels.RTMDET, pixels.LETTERBOX,
            size=(320, 320),
        ),
        DetectorForm(
            "yolox", "Megvii's YOLOX", "(1, A, 5 + C)", _single, _likely_yolox, answers.of_yolox, pixels.AS_THEY_ARE,
            pixels.LETTERBOX, multiple=32,
        ),
        DetectorForm(
            "yolo", "Ultralytics: YOLOv8, YOLO11", "(1, 4 + C, A)", _single, _likely_yolo, answers.of_yolo,
            pixels.OVER_255, pixels.CENTERED, multiple=32, overlap=0.7,
        ),
        DetectorForm(
            "yolo-end-to-end", "YOLOv10, YOLO26, exports with nms=True", "(1, M, 6)", _single, _likely_yolo_end_to_end,
            answers.of_yolo_end_to_end, pixels.OVER_255, pixels.CENTERED, multiple=32,
        ),
        DetectorForm(
            "torchvision", "torchvision: Faster R-CNN, RetinaNet, SSD", "boxes (M, 4), labels (M), scores (M)",
            _boxes_labels_scores, lambda file: not _is_zoo_rcnn(file), answers.of_torchvision, pixels.OVER_255,
            pixels.UNBOXED, person_label=1, size=(1333, 1333),
        ),
        DetectorForm(
            "onnx-zoo-faster-rcnn", "ONNX model zoo: FasterRCNN-10, 12",
            "of an input image (3, H, W): boxes (M, 4), labels (M), scores (M)", _boxes_labels_scores, _is_zoo_rcnn,
            answers.of_torchvision, pixels.CAFFE, pixels.PADDED, person_label=1, size=(1333, 800),
        ),
        DetectorForm(
            "onnx-zoo-ssd", "ONNX model zoo: ssd-10, 12", "bboxes (1, M, 4), labels (1, M), scores (1, M)", _zoo_ssd,
            lambda file: not _has_names(file, "dets", "labels"), answers.of_zoo_ssd, pixels.IMAGENET, pixels.SQUASHED,
            person_label=1, size=(1200, 1200),
        ),
        DetectorForm(
            "paddledetection", "PaddleDetection: PP-YOLOE, PP-Human, PicoDet",
            "of inputs image, scale_factor: (M, 6) and their number", _paddledetection, lambda file: True,
            answers.of_paddledetection, pixels.IMAGENET, pixels.SQUASHED, in_picture_pixels=True,
        ),
    )
}  # fmt: skip


def form_of(
    session: Session, path: str | os.PathLike[str], name: str | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[DetectorForm, tuple[str, ...], PictureInput]:
    """(form, names of the outputs that its `decode` takes, input of the picture) of a file.

    name: a key of FORMS, None to recognise it; size: given for an input that the file leaves open. Raises UserError
    where the file is of no known form, of several, not of the named one, or takes several pictures at a time.
    """
    file = Signature(session, size)
    known = FORMS.values() if name is None else [FORMS[name]]
    found = [(form, outputs) for form in known if file.picture and (outputs := form.outputs(file))]
    if name is None:
        found = [(form, outputs) for form, outputs in found if form.is_likely(file)]
    picture = file.picture
    if len(found) == 1 and picture is not None and picture.batch in (None, 1):
        return *found[0], picture
    has = f"{path} has the inputs {describe_inputs(session)} and the outputs {describe_outputs(session)}"
    if len(found) > 1:
        names = " or ".join(form.name for form, _ in found)
        raise UserError(f"{has}: this could be {names}: give --detector-form")
    if found:
        raise UserError(f"{has}; expected one picture at a time: export it with a batch of 1")
    expected = "; ".join(f"{form.name}: {form.makes}" for form in known)
    raise UserError(
        f"{has}; expected one input of float pictures and the outputs of a known form ({expected}). Of another "
        "detector, give the boxes: --bbox-file FILE"
    )
