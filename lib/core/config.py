"""Reading an experiment: YAML -> checked, frozen records. Read once at the door of a script, never changed afterwards.

YAML keys are the original's, upper case (TRAIN.END_EPOCH); the records' fields are the same names in lower case
(config.train.end_epoch). What a value may be is said once, beside the field.
"""

import difflib
import math
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lib.core.skeletons import SKELETONS
from lib.utils.errors import UserError

# In the original's YAML files and read by nobody here: accepted, said once, ignored
UNREAD_KEYS = frozenset(
    (
        "CUDNN.BENCHMARK", "CUDNN.DETERMINISTIC", "CUDNN.ENABLED", "DATASET.HYBRID_JOINTS_TYPE", "TEST.BBOX_THRE",
        "TEST.COCO_BBOX_FILE", "TEST.IMAGE_THRE", "TEST.IN_VIS_THRE", "TEST.NMS_THRE", "TEST.OKS_THRE",
        "TEST.USE_GT_BBOX", "TRAIN.CHECKPOINT", "TRAIN.GAMMA1", "TRAIN.GAMMA2", "TRAIN.RESUME",
    )
)  # fmt: skip
BACKBONE_STRIDE = 32


def _number(value):
    """YAML 1.1 reads 1e-3 as text; people write it as a number."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _finite(value):
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


Number = Annotated[float, BeforeValidator(_number), AfterValidator(_finite)]
NotNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Sizes = Annotated[tuple[Count, ...], BeforeValidator(_tuple)]
WidthHeight = Annotated[tuple[Count, Count], BeforeValidator(_tuple)]


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=str.upper)


class DatasetConfig(Record):
    dataset: Literal["mpii"] = "mpii"
    root: str = ""
    train_set: str = "train"
    test_set: str = "valid"
    data_format: Literal["jpg", "png", "zip"] = "jpg"
    select_data: bool = False
    flip: bool = True
    scale_factor: Fraction = 0.25
    rot_factor: Annotated[Number, Field(ge=0, le=180)] = 30.0
    color_rgb: bool = False
    pixel_scale: Positive = 255.0


class ExtraConfig(Record):
    target_type: Literal["gaussian"] = "gaussian"
    heatmap_size: WidthHeight = (64, 64)
    sigma: Positive = 2.0
    num_deconv_layers: Count = 3
    num_deconv_filters: Sizes = (256, 256, 256)
    num_deconv_kernels: Annotated[tuple[Literal[2, 3, 4], ...], BeforeValidator(_tuple)] = (4, 4, 4)
    deconv_with_bias: bool = False
    final_conv_kernel: Literal[1, 3] = 1
    num_layers: Literal[18, 34, 50, 101, 152] | None = None


class ModelConfig(Record):
    name: Literal["pose_resnet"] = "pose_resnet"
    backbone: Literal["resnet"] = "resnet"
    style: Literal["pytorch"] = "pytorch"
    depth: Literal[18, 34, 50, 101, 152] = 50
    pretrained: str = ""
    init_weights: bool = True
    num_joints: Count = 16
    image_size: WidthHeight = (256, 256)
    extra: ExtraConfig = ExtraConfig()


class LossConfig(Record):
    use_target_weight: bool = True


class TrainConfig(Record):
    batch_size: Count = 32
    shuffle: bool = True
    begin_epoch: Annotated[int, Field(ge=0)] = 0
    end_epoch: Count = 140
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: Positive = 0.001
    lr_type: Literal["MultiStepDecay", "PolynomialDecay"] = "MultiStepDecay"
    lr_step: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_tuple)] = (90, 120)
    lr_factor: Positive = 0.1
    wd: NotNegative = 0.0001
    momentum: Fraction = 0.9
    nesterov: bool = False
    seed: Annotated[int, Field(ge=0)] = 0


class TestConfig(Record):
    __test__ = False  # not a test class, whatever pytest thinks of the name
    batch_size: Count = 32
    flip_test: bool = False
    post_process: bool = True
    shift_heatmap: bool = True
    model_file: str = ""


class DebugConfig(Record):
    debug: bool = False
    save_batch_images_gt: bool = False
    save_batch_images_pred: bool = False
    save_heatmaps_gt: bool = False
    save_heatmaps_pred: bool = False


class Config(Record):
    gpus: str = "0"
    data_dir: str = ""
    output_dir: str = "output"
    log_dir: str = "log"
    workers: Annotated[int, Field(ge=0)] = 4
    print_freq: Count = 100
    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig()
    test: TestConfig = TestConfig()
    debug: DebugConfig = DebugConfig()

    @model_validator(mode="after")
    def _values_fit_together(self):
        _check_model(self.model)
        skeleton = SKELETONS[self.dataset.dataset]
        if self.model.num_joints != len(skeleton.joints):
            raise ValueError(
                f"MODEL.NUM_JOINTS: {self.model.num_joints}, but {skeleton.name} has {len(skeleton.joints)} joints"
            )
        if self.train.begin_epoch >= self.train.end_epoch:
            raise ValueError(
                f"TRAIN.BEGIN_EPOCH: {self.train.begin_epoch} is not below TRAIN.END_EPOCH {self.train.end_epoch}"
            )
        if self.train.nesterov and self.train.momentum == 0:
            raise ValueError("TRAIN.NESTEROV: needs a TRAIN.MOMENTUM above 0")
        return self

    @property
    def dataset_root(self):
        return Path(self.data_dir) / self.dataset.root


def _check_model(model):
    extra, layers = model.extra, model.extra.num_deconv_layers
    for key, value in (("FILTERS", extra.num_deconv_filters), ("KERNELS", extra.num_deconv_kernels)):
        if len(value) != layers:
            raise ValueError(
                f"MODEL.EXTRA.NUM_DECONV_{key}: {len(value)} values, but MODEL.EXTRA.NUM_DECONV_LAYERS is {layers}"
            )
    for side in model.image_size:
        if side % BACKBONE_STRIDE:
            raise ValueError(f"MODEL.IMAGE_SIZE: {list(model.image_size)}: both must be multiples of {BACKBONE_STRIDE}")
    expected = tuple(side // BACKBONE_STRIDE * 2**layers for side in model.image_size)
    if extra.heatmap_size != expected:
        raise ValueError(
            f"MODEL.EXTRA.HEATMAP_SIZE: {list(extra.heatmap_size)}, but the network makes {list(expected)} (width, "
            f"height) from MODEL.IMAGE_SIZE {list(model.image_size)} with {layers} deconvolution layers"
        )


def _known_keys(record=Config, prefix=""):
    """Every dotted key that a file may hold, sections and unread keys included."""
    keys = set() if prefix else set(UNREAD_KEYS) | {"CUDNN"}
    for field in record.model_fields.values():
        keys.add(prefix + field.alias)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Record):
            keys |= _known_keys(field.annotation, f"{prefix}{field.alias}.")
    return keys


def _nearest(dotted_key):
    keys = sorted(_known_keys())
    close = difflib.get_close_matches(dotted_key.upper(), keys, n=1, cutoff=0.6)
    if not close:  # the right name in the wrong section
        close = [key for key in keys if key.rpartition(".")[2] == dotted_key.upper().rpartition(".")[2]]
    return f"; the nearest valid key is {close[0]}" if close else ""


def _say(error, source):
    """One line for pydantic's first complaint."""
    path = ".".join(str(part) for part in error["loc"] if not isinstance(part, int) and str(part).isupper())
    if error["type"] == "extra_forbidden":
        return f"{source}: unknown key {path}{_nearest(path)}"
    message = error["msg"].removeprefix("Value error, ")
    if not path:  # a check across keys names its key itself
        return f"{source}: {message}"
    return f"{source}: {path}: {message[0].lower() + message[1:]}, got {error['input']!r}"


def _flatten(tree, prefix=""):
    """A nested mapping as {dotted key: value}."""
    flat = {}
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        flat.update(_flatten(value, dotted + ".") if isinstance(value, dict) and value else {dotted: value})
    return flat


def _nest(flat):
    tree = {}
    for dotted, value in flat.items():
        *sections, key = dotted.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
            if not isinstance(node, dict):
                raise UserError(f"{dotted}: {section} is a value and a section at once")
        node[key] = value
    return tree


def _read_yaml(path):
    try:
        with open(path, encoding="utf-8") as file:
            tree = yaml.safe_load(file)
    except OSError as error:
        raise UserError(f"cannot read the experiment file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected KEY: value lines, got {type(tree).__name__}")
    return _flatten(tree)


def parse_overrides(words):
    """['TRAIN.END_EPOCH', '3'] -> {'TRAIN.END_EPOCH': 3}; values are read as YAML."""
    if len(words) % 2:
        raise UserError(f"overrides come as KEY VALUE pairs; {words[-1]!r} has no value")
    values = {}
    for key, word in zip(words[::2], words[1::2], strict=True):
        if key not in _known_keys():
            raise UserError(f"command line: unknown key {key}{_nearest(key)}")
        try:
            values[key] = yaml.safe_load(word)
        except yaml.YAMLError as error:
            raise UserError(f"command line: {key}: {word!r} is not a YAML value") from error
        if key == "GPUS" or (isinstance(values[key], (int, float)) and key in _TEXT_KEYS):
            values[key] = word
    return values


_TEXT_KEYS = ("DATA_DIR", "OUTPUT_DIR", "LOG_DIR", "DATASET.ROOT", "DATASET.TRAIN_SET", "DATASET.TEST_SET")


def _one_depth(flat, source):
    """MODEL.DEPTH and the original's MODEL.EXTRA.NUM_LAYERS are one value."""
    depth, layers = flat.get("MODEL.DEPTH"), flat.get("MODEL.EXTRA.NUM_LAYERS")
    if depth is not None and layers is not None and depth != layers:
        raise UserError(
            f"{source}: MODEL.DEPTH is {depth} and MODEL.EXTRA.NUM_LAYERS is {layers}: they are one value, give one"
        )
    if layers is not None:
        flat["MODEL.DEPTH"] = layers
    elif depth is not None:
        flat["MODEL.EXTRA.NUM_LAYERS"] = depth
    return flat


def read_config(path, overrides=None, warn=print):
    """The checked, frozen `Config` of a YAML file.

    overrides: {dotted key: value} that win over the file (see `parse_overrides`).
    warn: called with one line where the file holds keys that nothing reads.
    Raises UserError with the dotted key, the file, what was expected and the nearest valid key.
    """
    flat = _read_yaml(path)
    overrides = dict(overrides or {})
    for twin, other in (("MODEL.DEPTH", "MODEL.EXTRA.NUM_LAYERS"), ("MODEL.EXTRA.NUM_LAYERS", "MODEL.DEPTH")):
        if twin in overrides and other not in overrides:
            flat.pop(other, None)  # the command line changes the depth, under whichever of its names
    source = str(path) if not overrides else f"{path} with the command line's overrides"
    flat = _one_depth({**flat, **overrides}, source)
    if isinstance(flat.get("GPUS"), int):
        flat["GPUS"] = str(flat["GPUS"])
    unread = sorted(key for key in flat if key in UNREAD_KEYS)
    if unread:
        warn(f"=> {path}: not used here, ignored: {', '.join(unread)}")
    tree = _nest({key: value for key, value in flat.items() if key not in UNREAD_KEYS and key != "CUDNN"})
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise UserError(_say(error.errors()[0], source)) from None


def dump_config(config):
    """The full configuration as YAML text that `read_config` reads back."""
    return yaml.safe_dump(config.model_dump(by_alias=True, mode="json"), sort_keys=False)
