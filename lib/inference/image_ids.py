"""Which picture or frame an image_id of a file means."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..utils.errors import UserError
from ..utils.files import short_repr
from ..utils.media import image_id_of

if TYPE_CHECKING:
    from ..utils.media import Frame

T = TypeVar("T")
SHOWN = 3  # pictures in a message


def image_key(image_id: Any) -> str:
    """An image_id as text: 785, 785.0 and "785" are the same, and so are a/1.png, ./a/1.png and a\\1.png.

    ValueError where it is none.
    """
    if isinstance(image_id, bool) or not isinstance(image_id, (int, float, str)):
        raise ValueError(f"an image_id of {short_repr(image_id)}; expected a number or a name")
    if isinstance(image_id, float) and image_id.is_integer():
        image_id = int(image_id)
    key = str(image_id).replace("\\", "/")
    return posixpath.normpath(key) if "/" in key else key


def keys_of_picture(path: Path, depth: int) -> Iterator[str]:
    """What an image_id may call a picture, as `image_key` has it: its number, its name, or its path or the end of it.

    The name and the path may be without their ending. depth: how many parts a path may have.
    """
    yield from dict.fromkeys((str(image_id_of(path)), path.stem, path.name))
    if depth < 2:
        return
    parts = Path(os.path.abspath(path)).parts
    for start in range(max(0, len(parts) - depth), len(parts) - 1):
        name = posixpath.join(*parts[start:])
        yield name
        yield name.removesuffix(path.suffix)


def frame_from_0(frame: Frame) -> str:
    """The image_id of a video's frame, by its number from 0."""
    return str(frame.number)


def frame_from_1(frame: Frame) -> str:
    """The same by its number from 1."""
    return str((frame.number or 0) + 1)


class ByPicture(Generic[T]):
    """What a file holds for pictures and frames, under their image_ids.

    path: of the file; frame_key: the image_id of a video's Frame. count: how much it holds; used: how much of it was
    asked for.
    """

    def __init__(self, path: str | os.PathLike[str], frame_key: Callable[[Frame], str] = frame_from_0) -> None:
        self.path, self.frame_key = path, frame_key
        self.count = self.used = 0
        self._items: dict[str, list[T]] = {}
        self._depth = 1  # parts of the longest path among the image_ids

    def add(self, key: str, item: T) -> None:
        """Adds something under an image_id, as `image_key` has it."""
        self._items.setdefault(key, []).append(item)
        self.count += 1
        self._depth = max(self._depth, key.count("/") + 1)

    def of_picture(self, path: Path) -> list[T]:
        """What is there for a picture; it is not counted as used."""
        return [item for key in keys_of_picture(path, self._depth) for item in self._items.get(key, ())]

    def of(self, frame: Frame) -> list[T]:
        """What is there for a Frame."""
        is_picture = frame.number is None
        found = self.of_picture(frame.path) if is_picture else list(self._items.get(self.frame_key(frame), ()))
        self.used += len(found)
        return found

    def every(self) -> list[T]:
        """All that it holds."""
        return [item for items in self._items.values() for item in items]

    def refuse_ambiguous(self, pictures: Sequence[Path]) -> None:
        """Raises UserError where one image_id means several of these pictures."""
        named: dict[str, list[Path]] = {}
        for path in pictures:
            for key in keys_of_picture(path, self._depth):
                if key in self._items:
                    named.setdefault(key, []).append(path)
        several = next((key for key, paths in named.items() if len(paths) > 1), None)
        if several is not None:
            paths = named[several]
            shown = ", ".join(str(path) for path in paths[:SHOWN])
            more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            example = posixpath.join(*Path(os.path.abspath(paths[0])).parts[-2:])
            raise UserError(
                f"{self.path}: the image_id {several[:60]} fits several pictures: {shown}{more}; give the picture's "
                f"name with its folder and ending as image_id, such as {example}"
            )

    def warning(self, what: str) -> str:
        """What to say when the work is done, where the file was of no use, otherwise ''; what: it holds."""
        if self.used or not self.count:
            return ""
        name = next(iter(self._items))[:60]
        return (
            f"{self.path}: no picture here has an image_id of its {what} (such as {name}): is it of other pictures?"
        )
