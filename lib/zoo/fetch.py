"""Downloads published files by pooch, checks them, and makes of them what the scripts take."""

from __future__ import annotations

import importlib.util
import logging
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ..utils.errors import RunError, UserError
from ..utils.files import file_digest, readable_size
from ..utils.runtime import make_folder, replacing
from ..weights.convert import read_source, rename
from .index import DataSet, Detector, Network, file_name_of

HOME, MIRROR = "POSE_HOME", "POSE_MIRROR"  # environment variables: the folder of models, and another host
ATTEMPTS = 3
SPARE = 1.1  # of the room that a download needs
SECONDS = 30  # for an answer


def models_folder() -> Path:
    """Where fetched networks and detectors are: POSE_HOME, or models/."""
    return Path(os.environ.get(HOME) or "models")


def address_of(url: str) -> str:
    """The address to download from: that of the index, with the scheme and host of POSE_MIRROR where it is set."""
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return url
    parts = urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UserError(f"{MIRROR}={mirror}: expected http://host:port or https://host")
    return urlunsplit((parts.scheme, parts.netloc, *urlsplit(url)[2:]))


def download(url: str, path: Path, sha256_begins: str = "", say: Callable[[str], None] = print) -> Path:
    """Downloads a file to `path`; one that is there, perhaps put there by hand, is taken if its hash is right.

    Raises UserError for another hash (nothing is kept of a download), RunError where it cannot be downloaded.
    """
    if path.is_file():
        _check_hash(path, sha256_begins, "put there by hand? remove it, or get the right one")
        return path
    if importlib.util.find_spec("pooch") is None:
        raise UserError("downloading needs pooch: pip install pooch")
    address = address_of(url)
    by_hand = f"put the file by hand to {path}"
    _check_room(address, make_folder(path.parent), by_hand)
    say(f"=> downloading {address}")
    with replacing(path) as temporary:
        _retrieve(address, temporary, by_hand)
        _check_hash(temporary, sha256_begins, f"nothing is kept of the download from {address}")
    return path


def _retrieve(address: str, target: Path, by_hand: str) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    downloader = pooch.HTTPDownloader(progressbar=_has_terminal(), timeout=SECONDS)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            downloader(address, str(target), None)
            return
        except requests.exceptions.HTTPError as error:  # such as 404: asking again is of no use
            raise RunError(f"cannot download {address} ({error.response.status_code}): {by_hand}") from error
        except (requests.exceptions.RequestException, ValueError) as error:
            target.unlink(missing_ok=True)
            if attempt == ATTEMPTS:
                reason = type(error).__name__
                raise RunError(f"cannot download {address} ({reason}): {by_hand}, or set {MIRROR}") from error


def _has_terminal() -> bool:
    return os.isatty(2) and importlib.util.find_spec("tqdm") is not None


def _check_room(address: str, folder: Path, by_hand: str) -> None:
    """Raises RunError, before the first byte, where the disk has less room than the file needs."""
    import requests

    try:
        answer = requests.head(address, allow_redirects=True, timeout=SECONDS)
        size = int(answer.headers.get("Content-Length", 0)) if answer.ok else 0
    except (requests.exceptions.RequestException, ValueError):
        return  # the download says why
    free = shutil.disk_usage(folder).free
    if size * SPARE > free:
        raise RunError(
            f"{address} has {readable_size(size)}, but the disk of {folder} has {readable_size(free)} free: make room, "
            f"or {by_hand}"
        )


def _check_hash(path: Path, begins: str, remedy: str) -> None:
    if not begins:
        return
    digest = file_digest(path)
    if not digest.startswith(begins):
        raise UserError(f"{path.name} has SHA-256 {digest[:16]}..., expected {begins}...: {remedy}")


def _downloads() -> Path:
    return models_folder() / "downloads"


def file_of(entry: Network | Detector, ending: str) -> Path:
    """Where a network's or detector's file is, or will be."""
    return models_folder() / f"{entry.name}{ending}"


def is_fetched(entry: Network | Detector) -> bool:
    """Whether the files of a network or detector are there."""
    endings = (".pdparams", ".onnx") if isinstance(entry, Network) else (".onnx",)
    return any(file_of(entry, ending).is_file() for ending in endings)


def fetch_network(network: Network, say: Callable[[str], None] = print) -> dict[str, Path]:
    """{".pdparams": path, ".onnx": path} of a network, downloaded and converted where they are not there yet.

    Each is made where its packages are installed: the weights with pydantic, the ONNX file with onnx. Raises UserError,
    RunError.
    """
    wanted = {ending: file_of(network, ending) for ending in _makeable()}
    if all(path.is_file() for path in wanted.values()):
        return wanted
    if network.url is None:
        raise UserError(f"{network.name} has no weights: {network.note or 'its publisher gives none'}")
    source = download(network.url, _downloads() / network.file_name, network.sha256_begins, say)
    weights = rename(read_source(source, say=say))
    for ending, path in wanted.items():
        if not path.is_file():
            (_write_weights if ending == ".pdparams" else _write_onnx)(network, weights, path)
    say(f"=> wrote {', '.join(map(str, wanted.values()))}")
    return wanted


def _makeable() -> list[str]:
    needed = {".onnx": "onnx", ".pdparams": "pydantic"}
    found = [ending for ending, package in needed.items() if importlib.util.find_spec(package)]
    if not found:
        raise UserError("a network is converted with onnx or pydantic: pip install onnx")
    return found


def _write_onnx(network: Network, weights: dict[str, Any], path: Path) -> None:
    from ..deploy.onnx_writer import write_network

    with replacing(path) as temporary:
        write_network(weights, network.metadata(), temporary, network.style)


def _write_weights(network: Network, weights: dict[str, Any], path: Path) -> None:
    """A .pdparams file, which is a pickle of names and arrays, and the record of what pictures it expects."""
    from ..utils.image import MEAN, STD
    from ..weights.conversion import write_weights
    from ..weights.weight_record import WeightRecord

    record = WeightRecord(
        source=network.file_name, kind="mmpose" if network.source.startswith("mmpose") else "original",
        part="pose network", color_order="RGB" if network.color_order == "RGB" else "BGR", mean=MEAN, deviation=STD,
        pixel_scale=255.0, style="caffe" if network.style == "caffe" else "pytorch", depth=network.depth,
        joint_count=len(weights["final_layer.weight"]), image_size=network.input_size, sha256="",
    )  # fmt: skip
    write_weights(weights, record, path, _save)


def _save(weights: dict[str, Any], path: str) -> None:
    with open(path, "wb") as file:
        pickle.dump(weights, file, protocol=4)


def fetch_detector(detector: Detector, say: Callable[[str], None] = print) -> Path:
    """The ONNX file of a detector, downloaded where it is not there yet. Raises UserError, RunError."""
    path = file_of(detector, ".onnx")
    if path.is_file():
        return path
    if not detector.member:
        return download(detector.url, path, detector.sha256_begins, say)
    archive = download(detector.url, _downloads() / detector.file_name, detector.sha256_begins, say)
    with zipfile.ZipFile(archive) as members:
        names = [name for name in members.namelist() if PurePosixPath(name).name == detector.member]
        if len(names) != 1:
            raise UserError(f"{archive} has {len(names)} files {detector.member}; expected one")
        with replacing(path) as temporary, members.open(names[0]) as source, open(temporary, "wb") as target:
            shutil.copyfileobj(source, target)
    return path


def fetch_data(data: DataSet, say: Callable[[str], None] = print) -> None:
    """Downloads the files of a data set; archives of annotations and of MPII's pictures are unpacked."""
    for file in data.files:
        target = Path(file["to"])
        name = file_name_of(file["url"])
        archive = target if target.suffix == ".zip" else target.parent / name
        about = file.get("bytes_about")
        say(f"=> {name}" + (f", about {readable_size(about)}" if about else ""))
        download(file["url"], archive, "", say)
        if archive != target:
            unpack(archive, make_folder(target))
            say(f"=> unpacked into {target}")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the files of an archive into a folder, without the archive's own folders, and nothing outside it."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                if not member.is_dir():
                    with members.open(member) as source:
                        _write(source, folder, member.filename)
        return
    try:
        with tarfile.open(archive) as members:
            for entry in members:
                content = members.extractfile(entry) if entry.isfile() else None
                if content:
                    _write(content, folder, entry.name)
    except tarfile.TarError as error:
        raise UserError(f"{archive} is no archive, or is damaged ({error}): remove it and fetch it again") from error


def _write(source: Any, folder: Path, name: str) -> None:
    path = folder / PurePosixPath(name.replace("\\", "/")).name
    with replacing(path) as temporary, open(temporary, "wb") as target:
        shutil.copyfileobj(source, target)
