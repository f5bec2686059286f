"""What an experiment can say: frozen, typed records, each value's range beside it.

YAML keys are the original's, upper case (TRAIN.END_EPOCH); the records' fields are the same names in lower case
(config.train.end_epoch). `lib.core.config` reads files into them.
"""

import math
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lib.core.heatmap import BACKBONE_STRIDE, heatmap_size_of
from lib.core.skeletons import SKELETONS


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


def _lower(value):
    return value.lower() if isinstance(value, str) else value


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


class ModelConfig(Record):
    name: Literal["pose_resnet"] = "pose_resnet"
    backbone: Annotated[Literal["resnet"], BeforeValidator(_lower)] = "resnet"
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
    lr_factor: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    wd: NotNegative = 0.0001
    momentum: Fraction = 0.9
    nesterov: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0


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
    expected = heatmap_size_of(model.image_size, layers)
    if extra.heatmap_size != expected:
        raise ValueError(
            f"MODEL.EXTRA.HEATMAP_SIZE: {list(extra.heatmap_size)}, but the network makes {list(expected)} (width, "
            f"height) from MODEL.IMAGE_SIZE {list(model.image_size)} with {layers} deconvolution layers"
        )
