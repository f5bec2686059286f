"""What the project needs of an open ONNX file, whatever runs it, and what goes in and comes out of one."""
from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..utils.errors import RunError, UserError, gpu_problem, whole_reason

FLOATS = {"tensor(float)": "float32", "tensor(float16)": "float16"}
# such as /onnxruntime_src/.../model.cc:256 onnxruntime::Model::Model(onnx::ModelProto&&, ...)
CODE_PLACE = re.compile(
    r"/\S+\.(?:cc|h|cpp|hpp|cu):\d+ (?:[\w:<>~*&, ]*::[\w~<>]+\((?:[^()]|\([^()]*\))*\)(?: const)? )?"
)


@dataclass(frozen=True)
class Port:
    """An input or output of a file. type: as ONNX has it, such as tensor(float); shape: a name or None is left open."""

    name: str
    type: str
    shape: list[int | str | None]


class Session(Protocol):
    """An open ONNX file. `onnx_session` and `openvino_session` each have one.

    metadata: the file's own, {key: text}; runs_on: what runs it, in words; pictures_at_once: so many pictures as one
    input are fastest where there are more, None for all of them.
    """

    @property
    def inputs(self) -> list[Port]: ...

    @property
    def outputs(self) -> list[Port]: ...

    @property
    def metadata(self) -> Mapping[str, str]: ...

    @property
    def runs_on(self) -> str: ...

    @property
    def pictures_at_once(self) -> int | None: ...

    def run(self, names: Sequence[str], values: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs of these names, for the inputs {name: array}. Raises whatever the runtime raises."""

    def run_each(self, names: Sequence[str], feeds: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """`run` of each of several inputs, in their order; at the same time where that is faster."""


def reason_of(error: BaseException) -> str:
    """What a runtime says, in one line and to its end, where the reason stands; without places in its own code."""
    text = CODE_PLACE.sub("", " ".join(str(error).split())).replace(" failed:", " failed: ").replace(":  ", ": ")
    return gpu_problem(error) or whole_reason(text)


@contextlib.contextmanager
def running(path: str | os.PathLike[str]) -> Iterator[None]:
    """Makes whatever a runtime says in the block a RunError of one line."""
    try:
        yield
    except Exception as error:  # their exception classes have no common one of their own
        raise RunError(f"{path} cannot be run: {reason_of(error)}") from error


@dataclass(frozen=True)
class PictureInput:
    """The input of a network that takes pictures.

    shape: as the file says it; sides: (width, height), None where the file leaves them open; batch: None where it
    leaves it open; has_batch: False for one picture, without an axis for more; dtype: of its values.
    """

    name: str
    shape: list
    channels_last: bool
    sides: tuple
    batch: int | None
    has_batch: bool = True
    dtype: str = "float32"

    def arranged(self, images: np.ndarray) -> np.ndarray:
        """Pictures (N, 3, h, w) in the layout that the file wants; of an input without a batch N is 1."""
        values = np.moveaxis(images, 1, -1) if self.channels_last else images
        return np.ascontiguousarray(values if self.has_batch else values[0], dtype=self.dtype)


def picture_input(session: Session, path: str | os.PathLike[str]) -> PictureInput:
    """The one PictureInput of a session, of batches of float32; raises UserError where its file has other inputs."""
    inputs = session.inputs
    found = as_picture_input(inputs[0]) if len(inputs) == 1 else None
    if found is None or not found.has_batch or found.dtype != "float32":
        raise UserError(
            f"{path} has the inputs {describe_inputs(session)}; expected one of float pictures, (N, 3, height, width)"
        )
    return found


def as_picture_input(item: Port) -> PictureInput | None:
    """An input of a session as a PictureInput, None where it is of no pictures of floats."""
    dtype = FLOATS.get(item.type)
    has_batch = len(item.shape) == 4
    if dtype is None or len(item.shape) not in (3, 4):
        return None
    rest = item.shape[-3:]
    if 3 not in (rest[0], rest[2]):
        return None
    channels_last = rest[2] == 3 and rest[0] != 3
    height, width = rest[:2] if channels_last else rest[1:]
    batch = fixed_size(item.shape[0]) if has_batch else 1
    sides = (fixed_size(width), fixed_size(height))
    return PictureInput(item.name, item.shape, channels_last, sides, batch, has_batch, dtype)


def fixed_size(side: int | str | None) -> int | None:
    """A size of a graph, None where it is open: it is a name or None there."""
    return side if isinstance(side, int) and side > 0 else None


def heatmap_output(session: Session, joint_count: int) -> Port | None:
    """The first output of a session that can be heatmaps (N, joint_count, H, W); None where none can.

    A size that the file leaves open is a name or None, and shows when the network has run.
    """
    return next(iter(_heatmap_outputs(session, joint_count)), None)


def which_heatmaps(session: Session, joint_count: int) -> str:
    """What to say of a session where several outputs can be heatmaps: which `heatmap_output` takes; otherwise ''."""
    names = [output.name for output in _heatmap_outputs(session, joint_count)]
    if len(names) < 2:
        return ""
    return f"=> the outputs {', '.join(names)} can all be heatmaps: {names[0]}, the first, is taken"


def _heatmap_outputs(session: Session, joint_count: int) -> list[Port]:
    return [
        output for output in session.outputs
        if len(output.shape) == 4 and (output.shape[1] == joint_count or not isinstance(output.shape[1], int))
    ]  # fmt: skip


def no_heatmaps(session: Session, path: str | os.PathLike[str], joint_count: int) -> UserError:
    """The UserError to raise where `heatmap_output` found none."""
    return UserError(
        f"{path} has the outputs {describe_outputs(session)}; expected heatmaps (N, {joint_count}, height, width)"
    )


def run_pictures(
    session: Session, path: str | os.PathLike[str], source: PictureInput, output: str, images: np.ndarray
) -> np.ndarray:
    """The output named `output` for pictures that are `arranged` as their PictureInput `source` says.

    A batch size fixed in the file is kept to: the last picture is repeated to fill it. Raises RunError.
    """
    size = source.batch or session.pictures_at_once or len(images)
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    last = len(parts[-1])
    if source.batch and last < size:
        parts[-1] = np.concatenate([parts[-1], np.repeat(parts[-1][-1:], size - last, axis=0)])
    with running(path):
        found = [maps for (maps,) in session.run_each([output], [{source.name: part} for part in parts])]
    found[-1] = found[-1][:last]
    return np.concatenate(found) if len(found) > 1 else found[0]


def describe_inputs(session: Session) -> str:
    """The names, types and shapes of a session's inputs, for a message."""
    return ", ".join(f"{item.name} {item.type} {item.shape}" for item in session.inputs)


def describe_outputs(session: Session) -> str:
    """The names and shapes of a session's outputs, for a message."""
    return ", ".join(f"{item.name} {item.shape}" for item in session.outputs)
