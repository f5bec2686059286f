"""The index of published networks, skeletons, detectors and data sets, by short names.

It stands in the YAML files beside this one; POSE_ZOO names a file of a laboratory's own networks, of the same form.
Needs no Paddle and no pydantic: it serves machines that only run exported models, too.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.heatmap import DECODERS, heatmap_size_of
from ..core.skeletons import SKELETONS, Skeleton, pair_problem
from ..utils.errors import UserError
from ..utils.files import describe_error, short_repr
from ..utils.safe_yaml import read_yaml

if TYPE_CHECKING:
    from ..config.schema import Config
    from ..deploy.model_metadata import ModelMetadata

FOLDER = Path(__file__).parent
OWN_INDEX = "POSE_ZOO"  # environment variable: a YAML file of networks
NAME = re.compile(r"[a-z0-9]\w*")
DEFAULT_NETWORK, DEFAULT_DETECTOR = "coco_resnet50_256x192", "yolox_tiny"
DATASET_OF = {"mpii": "mpii"}  # which form of annotation a skeleton's data have; the others: coco
DEPTHS = (18, 34, 50, 101, 152)


def file_name_of(url: str) -> str:
    """The name of the file at an address."""
    return url.rpartition("/")[2]


@dataclass(frozen=True)
class Network:
    """A published network of this architecture.

    url: of its weights, None where there are none; sha256_begins: first hexadecimal digits of the file's SHA-256, or
    all 64; input_size, heatmap_size: (width, height); decode, sigma: see lib.core.heatmap; skeleton: a name of
    skeletons.yaml or of a built-in one; published: dictionaries of figures and `on`, their data; tolerance: by which
    the first figure may differ and is reproduced, in points of 100.
    """

    name: str
    url: str | None
    depth: int
    input_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    skeleton: str
    sha256_begins: str = ""
    deconv_filters: tuple[int, ...] = (256, 256, 256)
    sigma: float = 2.0
    decode: str = "quarter"
    color_order: str = "RGB"
    style: str = "pytorch"
    published: tuple[Mapping[str, Any], ...] = ()
    licence: str = "Apache-2.0"
    source: str = ""
    note: str = ""
    tolerance: float = 0.5

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(problem)

    def _problem(self) -> str:
        if not NAME.fullmatch(self.name):
            return "a name has lower-case letters, digits and _"
        if self.url is not None and not (isinstance(self.url, str) and self.url.startswith(("http://", "https://"))):
            return f"url: expected an address that begins with http, got {short_repr(self.url)}"
        if not isinstance(self.sha256_begins, str) or not re.fullmatch(r"[0-9a-f]{0,64}", self.sha256_begins):
            return f"sha256_begins: expected hexadecimal digits, got {short_repr(self.sha256_begins)}"
        if self.depth not in DEPTHS:
            return f"depth: expected one of {', '.join(map(str, DEPTHS))}, got {short_repr(self.depth)}"
        for key in ("input_size", "heatmap_size", "deconv_filters"):
            value = getattr(self, key)
            if not value or not all(isinstance(side, int) and 0 < side < 10_000 for side in value):
                return f"{key}: expected whole numbers above 0, got {short_repr(value)}"
        if len(self.input_size) != 2 or heatmap_size_of(self.input_size, len(self.deconv_filters)) != self.heatmap_size:
            return f"heatmap_size {self.heatmap_size} is not that of input_size {self.input_size}"
        if not isinstance(self.tolerance, (int, float)) or not 0 <= self.tolerance <= 100:
            return f"tolerance: expected points of 100, got {short_repr(self.tolerance)}"
        for key, known in (("decode", DECODERS), ("color_order", ("RGB", "BGR")), ("style", ("pytorch", "caffe"))):
            if getattr(self, key) not in known:
                return f"{key}: expected one of {', '.join(known)}, got {short_repr(getattr(self, key))}"
        if not isinstance(self.sigma, (int, float)) or not math.isfinite(self.sigma) or self.sigma <= 0:
            return f"sigma: expected a number above 0, got {short_repr(self.sigma)}"
        return ""

    @property
    def file_name(self) -> str:
        """The name of the published file."""
        return file_name_of(self.url or "")

    def figure(self) -> str:
        """The first published figure and what it is on, in words."""
        if not self.published:
            return ""
        row = self.published[0]
        key = next((key for key in ("AP", "Whole AP", "Mean", "Total", "AUC", "NME") if key in row), next(iter(row)))
        return f"{key} {row[key]:g} on {row.get('on', '?')}"

    def settings(self) -> dict[str, Any]:
        """{dotted key: value}: what an experiment with this network says."""
        dataset = DATASET_OF.get(self.skeleton, "coco")
        skeleton = find_skeleton(self.skeleton)
        own: dict[str, Any] = {}
        if skeleton is SKELETONS.get(self.skeleton):
            own["DATASET.SKELETON.NAME"] = self.skeleton
        else:
            for key in ("name", "joints", "limbs", "sigmas", "upper_body"):
                own[f"DATASET.SKELETON.{key.upper()}"] = getattr(skeleton, key)
            own["DATASET.SKELETON.FLIP_PAIRS"] = skeleton.mirror_pairs
        return {
            "DATASET.DATASET": dataset,
            "DATASET.ROOT": f"data/{dataset}",
            "DATASET.COLOR_RGB": self.color_order == "RGB",
            **({"DATASET.TEST_SET": "valid"} if dataset == "mpii" else {"DATASET.TEST_SET": "val2017"}),
            **own,
            "MODEL.DEPTH": self.depth,
            "MODEL.STYLE": self.style,
            "MODEL.NUM_JOINTS": len(skeleton.joints),
            "MODEL.IMAGE_SIZE": list(self.input_size),
            "MODEL.EXTRA.HEATMAP_SIZE": list(self.heatmap_size),
            "MODEL.EXTRA.SIGMA": self.sigma,
            "MODEL.EXTRA.NUM_DECONV_LAYERS": len(self.deconv_filters),
            "MODEL.EXTRA.NUM_DECONV_FILTERS": list(self.deconv_filters),
            "MODEL.EXTRA.NUM_DECONV_KERNELS": [4] * len(self.deconv_filters),
            "TEST.DECODE": self.decode,
        }

    def config(self, overrides: Mapping[str, Any] | None = None) -> Config:
        """The Config of an experiment with this network."""
        from ..config.config import config_of

        return config_of(self.settings(), f"the index's {self.name}", overrides)

    def metadata(self) -> ModelMetadata:
        """The metadata of an ONNX file of this network."""
        from ..deploy.model_metadata import ModelMetadata

        return ModelMetadata(
            find_skeleton(self.skeleton),
            self.input_size,
            color_rgb=self.color_order == "RGB",
            decode=self.decode,
            sigma=float(self.sigma),
        )


@dataclass(frozen=True)
class Detector:
    """A published person detector.

    form: a name of lib.inference.detectors.forms; mean, std: of BGR pixels 0-255; member: in an archive.
    """

    name: str
    url: str
    form: str
    input_size: tuple[int, int]
    licence: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    coco_ap: float = 0.0
    member: str = ""
    sha256_begins: str = ""

    @property
    def file_name(self) -> str:
        """The name of the published file."""
        return file_name_of(self.url)


@dataclass(frozen=True)
class DataSet:
    """A published data set. files: dictionaries of url, to, and what is known of bytes_about and members."""

    name: str
    files: tuple[Mapping[str, Any], ...]
    note: str = ""


def _read(path: Path, kind: Any) -> dict[str, Any]:
    """{name: kind} of an index file. Raises UserError that names the file and the entry."""
    content = read_yaml(path, "index")
    if not isinstance(content, dict):
        raise UserError(f"the index {path}: expected names of networks, got a {type(content).__name__}")
    known = {field.name for field in fields(kind)} - {"name"}
    entries = {}
    for name, values in content.items():
        try:
            if not isinstance(name, str) or not isinstance(values, dict):
                raise ValueError("expected a name and its values")
            for key in values:
                if key not in known:
                    close = difflib.get_close_matches(str(key), sorted(known), n=1)
                    raise ValueError(f"unknown key {key}" + (f"; the nearest is {close[0]}" if close else ""))
            entry = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            entries[name] = kind(name=name, **entry)
        except (TypeError, ValueError) as error:
            raise UserError(f"the index {path}: {short_repr(name)}: {describe_error(error)}") from error
    return entries


@lru_cache(maxsize=1)
def _published() -> Mapping[str, Network]:
    return _read(FOLDER / "networks.yaml", Network)


@lru_cache(maxsize=1)
def _skeletons() -> Mapping[str, Any]:
    return read_yaml(FOLDER / "skeletons.yaml", "index")


def networks() -> dict[str, Network]:
    """{name: Network} of the index and of POSE_ZOO's, which wins. Raises UserError."""
    found = dict(_published())
    own = os.environ.get(OWN_INDEX)
    if own:
        added = _read(Path(own), Network)
        for network in added.values():
            find_skeleton(network.skeleton)
        found |= added
    return found


def detectors() -> dict[str, Detector]:
    """{name: Detector} of the index."""
    return _read(FOLDER / "detectors.yaml", Detector)


def data_sets() -> dict[str, DataSet]:
    """{name: DataSet} of the index."""
    return _read(FOLDER / "data.yaml", DataSet)


def find_skeleton(name: str) -> Skeleton:
    """The Skeleton of that name, built in or of the index. Raises UserError."""
    if name in SKELETONS and name != "posetrack18":  # the index's has the ears, as the published network
        return SKELETONS[name]
    content = _skeletons()
    if name not in content:
        raise UserError(f"there is no skeleton {name}: expected one of {', '.join(sorted({*SKELETONS, *content}))}")
    values = content[name]
    joints = tuple(values["joints"])
    pairs = {key: tuple(map(tuple, values.get(key, ()))) for key in ("limbs", "flip_pairs")}
    assert not pair_problem(joints, pairs["flip_pairs"])
    return Skeleton(
        name, joints, pairs["limbs"], pairs["flip_pairs"],
        sigmas=tuple(values.get("sigmas", ())), upper_body=tuple(values.get("upper_body", ())),
    )  # fmt: skip


def find(kind: Mapping[str, Any], name: str, what: str) -> Any:
    """The entry of that name. Raises UserError with the nearest names."""
    if name in kind:
        return kind[name]
    close = difflib.get_close_matches(name, kind, n=3, cutoff=0.4)
    near = f"; the nearest are {', '.join(close)}" if close else ""
    raise UserError(f"{name} is neither a file nor a {what} of the index{near}: fetch.py --list shows all")

