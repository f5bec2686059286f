"""The record beside a weight file: which images the weights expect, checked against the configuration.

The record of X.pdparams is X.json; it counts for the one file whose sha256 it holds. Weights that were trained here
have the config.yaml of their run folder instead.
"""
import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config.config import read_config
from ..config.schema import Config, DatasetConfig
from ..utils.errors import UserError
from ..utils.files import file_digest, write_json
from ..utils.image import is_usual_normalization

Three = tuple[float, float, float]


class WeightRecord(BaseModel):
    """normalised = (pixel / pixel_scale - mean) / deviation; mean and deviation per channel, in the color_order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str  # the name of the file that was converted
    kind: str
    part: Literal["pose network", "backbone"]
    color_order: Literal["BGR", "RGB"]
    mean: Three
    deviation: Three
    pixel_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    style: Literal["pytorch", "caffe"]
    depth: int
    joint_count: int | None  # None for a backbone
    image_size: tuple[int, int]  # (width, height) of the experiment it was converted with
    sha256: str  # of the weight file, hexadecimal

    def describe_pictures(self) -> str:
        """What the weights expect, in words: RGB pictures divided by 255."""
        return f"{self.color_order} pictures divided by {self.pixel_scale:g}"

    def overrides_for(self, dataset: DatasetConfig) -> str:
        """What a DatasetConfig lacks for these pictures: 'DATASET.COLOR_RGB true DATASET.PIXEL_SCALE 1', or ''."""
        rgb = self.color_order == "RGB"
        color = "" if dataset.color_rgb == rgb else f"DATASET.COLOR_RGB {str(rgb).lower()}"
        scale = "" if dataset.pixel_scale == self.pixel_scale else f"DATASET.PIXEL_SCALE {self.pixel_scale:g}"
        return " ".join(filter(None, (color, scale)))


def record_path(weight_file: str | os.PathLike[str]) -> Path:
    """Where the record of a weight file is: X.json beside X.pdparams."""
    return Path(weight_file).with_suffix(".json")


def write_record(record: WeightRecord, path: str | os.PathLike[str]) -> None:
    """Writes a WeightRecord, whole or not at all."""
    write_json(record.model_dump(mode="json"), path)


def parse_record(path: str | os.PathLike[str]) -> WeightRecord | None:
    """The WeightRecord in a JSON file; None where there is no file, or another JSON of the same name.

    Raises UserError for a record with a value that cannot be: somebody meant it to count.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or not values.keys() >= {"sha256", "color_order"}:
        return None
    try:
        return WeightRecord.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: {key}: {first['msg']}; convert the weights again, or remove the record") from None


def read_record(weight_file: str | os.PathLike[str]) -> tuple[WeightRecord | None, str | None]:
    """(WeightRecord, None) of a weight file; (None, a line that says so) where the one beside it is of another file.

    (None, None) where there is none.
    """
    if not Path(weight_file).is_file():
        return None, None
    path = record_path(weight_file)
    record = parse_record(path)
    if record and record.sha256 != file_digest(weight_file):
        return None, f"=> WARNING: {path} is the record of other weights than {weight_file}: ignored"
    return record, None


def check_record(weight_file: str | os.PathLike[str], config: Config, start: int = False) -> str | None:
    """Compares the record beside a weight file, if there is one, with the experiment that is to use the weights.

    config: a Config, of which DATASET.COLOR_RGB, DATASET.PIXEL_SCALE and MODEL.STYLE are looked at.
    start: the weights are only where a training starts. Pictures of another kind are then a line of warning: the
        original itself starts on BGR pictures from ImageNet weights of RGB ones. Another style is always an error.
    Returns a line to show, or None. Raises UserError with the values to give.
    """
    record, line = read_record(weight_file)
    if record is None:
        return line or _check_run(weight_file, config, start)
    says = f"(says {record_path(weight_file).name} beside it)"
    if record.style != config.model.style:
        raise UserError(
            f"{weight_file} is of MODEL.STYLE {record.style}, not {config.model.style} {says}: the same weights, but "
            f"another network; give MODEL.STYLE {record.style}"
        )
    complaint = _other_pictures(record, config.dataset)
    if not complaint:
        return None
    if start:
        return f"=> WARNING: {weight_file} {complaint} {says}; as a start that may do, training goes on"
    raise UserError(f"{weight_file} {complaint} {says}")


def _check_run(weight_file: str | os.PathLike[str], config: Config, start: int) -> str | None:
    """As check_record, by the config.yaml of the run folder that weights without a record lie in."""
    path = Path(weight_file).parent / "config.yaml"
    if not Path(weight_file).is_file():
        return None  # complained of where it is opened
    try:
        run = read_config(path, warn=lambda line: None)
    except UserError:  # none there, or another program's
        return f"=> nothing beside {weight_file} says what images it expects: the preprocessing is not verified"
    settings = {
        "MODEL.STYLE": (run.model.style, config.model.style),
        "DATASET.COLOR_RGB": (run.dataset.color_rgb, config.dataset.color_rgb),
        "DATASET.PIXEL_SCALE": (run.dataset.pixel_scale, config.dataset.pixel_scale),
        "TEST.UDP": (run.test.udp, config.test.udp),
    }
    other = {key: trained for key, (trained, now) in settings.items() if trained != now}
    if not other:
        return None
    overrides = " ".join(f"{key} {str(value).lower()}" for key, value in other.items())
    if start and "MODEL.STYLE" not in other:
        return f"=> WARNING: {weight_file} was trained with {overrides} (says {path}); as a start that may do"
    raise UserError(f"{weight_file} was trained with {overrides} (says {path}): give {overrides}")


def _other_pictures(record: WeightRecord, dataset: DatasetConfig) -> str:
    """What the weights expect and what to give for it, or '' where the experiment's pictures are such."""
    expects = f"expects {record.describe_pictures()}"
    if not is_usual_normalization(record.mean, record.deviation):
        return f"{expects}, minus {list(record.mean)}, over {list(record.deviation)}, which no option gives them here"
    overrides = record.overrides_for(dataset)
    return f"{expects}: give {overrides}" if overrides else ""
