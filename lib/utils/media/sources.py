"""What a name on the command line means: pictures and videos, or a stream; and what their results are called."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .kinds import PICTURE_EXTENSIONS, VIDEO_EXTENSIONS, kind_of

RESULT_SUFFIXES = ("_pose.jpg", "_pose.json", "_pose.mp4", "_pose.jsonl", "_heatmaps.jpg", "_heatmaps.mp4")
OUR_JSON = ("_pose.json", "_pose.jsonl", "_track.json", "_track.jsonl")  # nobody misses them among the pictures
MOST_NAMES = 20  # in the line of what was left out
PROTOCOLS = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "udp", "rtp", "srt", "tcp")
ADDRESS = re.compile(rf"(?:{'|'.join(PROTOCOLS)})://", re.IGNORECASE)
CAMERA = re.compile(r"\d{1,3}|/dev/video\d+", re.ASCII)


@dataclass(frozen=True)
class Stream:
    """A camera or a stream's address; name and stem: what its results are called. As text without its password."""

    address: str

    @property
    def name(self) -> str:
        if CAMERA.fullmatch(self.address):
            return f"camera_{int(re.sub('[^0-9]', '', self.address))}"
        return re.sub(r"\W+", "_", str(self).partition("?")[0], flags=re.ASCII).strip("_")[:100]

    @property
    def stem(self) -> str:
        return self.name

    def __str__(self) -> str:
        return re.sub(r"(?<=://)[^/@]*@", "", self.address)


@dataclass(frozen=True)
class Found:
    """What a name means: sources, in order, and lines that name what was left out, with the reason."""

    sources: Sequence[Path | Stream]
    lines: Sequence[str] = ()


def stream_of(name: str | os.PathLike[str]) -> Stream | None:
    """The Stream that a name means: a camera's number or device, or an address such as rtsp://; None for others."""
    text = str(name)
    if os.path.isfile(text) or os.path.isdir(text):
        return None
    return Stream(text) if CAMERA.fullmatch(text) or ADDRESS.match(text) else None


def natural_key(path: str | os.PathLike[str]) -> tuple[tuple[object, ...], str]:
    """What sorts names as people count: frame_2 before frame_10."""
    words = [re.split(r"(\d+)", part) for part in Path(path).parts]
    key = tuple(tuple((int(word), "") if word.isdecimal() else (-1, word) for word in part) for part in words)
    return key, str(path)


def find_media(pattern: Path | str) -> Found:
    """The pictures and videos that `pattern` means: a file, a folder, or a pattern with * ? or [ ]; or a stream.

    Of a folder or a pattern, in natural order, the files that hold one, and those whose endings say that they should.
    Hidden files and our own JSON are left out without a word, others with one. Raises UserError where there is none,
    or where a file by itself is neither.
    """
    if not str(pattern):
        raise UserError("the name of the picture is empty: give a picture, a video, a folder or a pattern")
    stream = stream_of(pattern)
    if stream:
        return Found([stream])
    path = Path(pattern)
    if os.path.isfile(path) or ".zip@" in str(pattern):
        refuse_neither(path)
        return Found([path])
    if os.path.isdir(path):
        found = [path / name for name in os.listdir(path)]
    elif glob.has_magic(str(pattern)):
        found = [Path(name) for name in glob.glob(str(pattern), recursive=True)]
    else:
        raise UserError(f"cannot read the picture {pattern}: there is no such file or folder")
    sources, reasons = sort_out(found)
    if not sources:
        lines = [f"; {line.removeprefix('=> ')}" for line in left_out_lines(reasons)]
        raise UserError(f"{pattern}: no picture or video is there{''.join(lines)}")
    return Found(sources, left_out_lines(reasons))


def refuse_neither(path: Path) -> None:
    """Raises UserError, with the reason, for a file that neither is a picture or a video nor is called one."""
    kind, reason = kind_of(path)
    if not kind and path.suffix.lower() not in PICTURE_EXTENSIONS | VIDEO_EXTENSIONS:
        raise UserError(f"cannot read the picture {path}: {reason}")


def sort_out(files: Iterable[Path]) -> tuple[list[Path], dict[str, list[str]]]:
    """(the pictures and videos among files, in natural order, {reason: names of those left out})."""
    sources: list[Path] = []
    reasons: dict[str, list[str]] = {}
    for file in sorted(files, key=natural_key):
        if file.name.startswith(".") or file.name.endswith(OUR_JSON) or os.path.isdir(file):
            continue
        kind, reason = kind_of(file)
        if kind or file.suffix.lower() in PICTURE_EXTENSIONS | VIDEO_EXTENSIONS:
            sources.append(file)
        else:
            reasons.setdefault(reason, []).append(file.name)
    return sources, reasons


def left_out_lines(reasons: Mapping[str, Sequence[str]]) -> list[str]:
    """A line for each reason why files were left out, with their names."""
    lines = []
    for reason, names in reasons.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        lines.append(f"=> left out: {', '.join(names[:MOST_NAMES])}{more} ({reason})")
    return lines


def result_names(sources: Sequence[Path | Stream]) -> dict[Path | Stream, str]:
    """{source: the name its results begin with}: the file's without its ending, made different where two are alike."""
    names: dict[Path | Stream, str] = {}
    taken = set()
    for source in sources:
        candidates = [source.stem, source.name.replace(".", "_")]
        candidates += [f"{candidates[1]}_{number}" for number in range(2, len(sources) + 2)]
        names[source] = next(name for name in candidates if name not in taken)
        taken.add(names[source])
    return names


def refuse_replacing(
    sources: Sequence[Path | Stream], names: Mapping[Path | Stream, str], folder: Path,
    box_file: str | os.PathLike[str] | None = None,
) -> None:
    """Raises UserError where a result in `folder`, named as `result_names` says, would be one of the inputs itself."""
    files = [source for source in sources if isinstance(source, Path)]
    inputs = {Path(path).resolve() for path in (*files, *([box_file] if box_file else []))}
    for name in names.values():
        for ending in RESULT_SUFFIXES:
            result = folder / f"{name}{ending}"
            if result.resolve() in inputs:
                raise UserError(f"{result} is one of the inputs: choose another --output")
