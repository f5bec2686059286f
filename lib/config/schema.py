"""What an experiment can say: frozen, typed records, each value's range beside it.

YAML keys are the original's, upper case (TRAIN.END_EPOCH); the records' fields are the same names in lower case
(config.train.end_epoch). `lib.config.config` reads files into them.
"""

import difflib
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_serializer, model_validator

from ..core.heatmap import BACKBONE_STRIDE, heatmap_size_of
from ..core.skeletons import SKELETONS, Skeleton, pair_problem
from ..utils.files import short_repr
from .fields import (
    Count,
    Fraction,
    NamePairs,
    Names,
    NotNegative,
    Number,
    Positive,
    Record,
    Sizes,
    WidthHeight,
    lower_case,
    to_pck_reference,
    to_tuple,
)


class SkeletonConfig(Record):
    """A skeleton by name (the data set's own where it is empty), or one of the user's own where `joints` are given."""

    name: str = ""
    joints: Names = ()
    limbs: NamePairs = ()
    flip_pairs: NamePairs | None = None
    sigmas: Annotated[tuple[Positive, ...], BeforeValidator(to_tuple)] = ()
    upper_body: Names = ()
    pck_reference: Annotated[str | tuple[str, str], BeforeValidator(to_pck_reference)] = "box"
    pck_threshold: Positive = 0.2
    indices: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(to_tuple)] = ()

    @model_validator(mode="after")
    def _names_are_joints(self):
        if not self.joints:
            if self.name and self.name not in SKELETONS:
                known = ", ".join(sorted(SKELETONS))
                name = short_repr(self.name)
                raise ValueError(f"NAME: there is no skeleton {name}; known are {known}, or give JOINTS")
            for key in sorted(self.model_fields_set - {"name", "joints"}):
                raise ValueError(f"{key.upper()}: is of a skeleton of one's own, which needs its JOINTS too")
            return self
        for key in ("joints", "sigmas", "indices"):
            values = getattr(self, key)
            if values and len(values) != len(self.joints):
                raise ValueError(f"{key.upper()}: {len(values)} values for {len(self.joints)} joints")
            if key != "sigmas" and len(set(values)) != len(values):
                raise ValueError(f"{key.upper()}: one of them is there twice")
        reference = () if self.pck_reference == "box" else self.pck_reference
        named = {"LIMBS": chain(*self.limbs), "FLIP_PAIRS": chain(*self.flip_pairs or ())}
        for key, names in {**named, "UPPER_BODY": self.upper_body, "PCK_REFERENCE": reference}.items():
            for name in names:
                if name not in self.joints:
                    nearest = difflib.get_close_matches(name, self.joints, n=1, cutoff=0)[0]
                    raise ValueError(f"{key}: {short_repr(name)} is not among JOINTS; the nearest is {nearest!r}")
        if len(set(reference)) != len(reference):
            raise ValueError("PCK_REFERENCE: from a joint to itself there is no length")
        mirrored = list(chain(*self.flip_pairs or ()))
        if len(set(mirrored)) != len(mirrored):
            raise ValueError("FLIP_PAIRS: a joint has one twin, another one than itself")
        problem = "" if self.flip_pairs is None else pair_problem(self.joints, self.flip_pairs)
        if problem:
            raise ValueError(f"FLIP_PAIRS: {problem}")
        return self

    @model_serializer(mode="wrap")
    def _a_name_alone(self, write):
        """Without joints the entry is a name and nothing else, and is read back as such."""
        values = write(self)
        return values if self.joints else {key: value for key, value in values.items() if key.lower() == "name"}

    def skeleton(self, dataset):
        """The Skeleton that this entry means for a data set of the form `dataset`."""
        if not self.joints:
            return SKELETONS[self.name or dataset]
        values = {key: getattr(self, key) for key in type(self).model_fields if key != "flip_pairs"}
        return Skeleton(mirror_pairs=self.flip_pairs, **{**values, "name": self.name or "own"})


class DatasetConfig(Record):
    dataset: Literal["mpii", "coco", "posetrack18"] = "mpii"
    skeleton: SkeletonConfig = SkeletonConfig()
    root: str = ""
    train_set: str = "train"
    test_set: str = "valid"
    data_format: Literal["jpg", "png", "zip"] = "jpg"
    select_data: bool = False
    flip: bool = True
    scale_factor: Fraction = 0.25
    rot_factor: Annotated[Number, Field(ge=0, le=180)] = 30.0
    prob_half_body: Fraction = 0.0
    num_joints_half_body: Annotated[int, Field(ge=0)] = 8
    color_rgb: bool = False
    pixel_scale: Positive = 255.0
    cache: Literal["none", "crops"] = "none"
    decode_reduced: Literal[False, True, "all"] = False
    check_sides: bool = True


class ExtraConfig(Record):
    target_type: Literal["gaussian"] = "gaussian"
    heatmap_size: WidthHeight = (64, 64)
    sigma: Positive = 2.0
    num_deconv_layers: Count = 3
    num_deconv_filters: Sizes = (256, 256, 256)
    num_deconv_kernels: Annotated[tuple[Literal[2, 3, 4], ...], BeforeValidator(to_tuple)] = (4, 4, 4)
    deconv_with_bias: bool = False
    final_conv_kernel: Literal[1, 3] = 1


class ModelConfig(Record):
    name: Literal["pose_resnet"] = "pose_resnet"
    backbone: Annotated[Literal["resnet"], BeforeValidator(lower_case)] = "resnet"
    style: Literal["pytorch", "caffe"] = "pytorch"
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
    lr_step: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(to_tuple)] = (90, 120)
    lr_factor: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    wd: NotNegative = 0.0001
    momentum: Fraction = 0.9
    nesterov: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    ema: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    accumulate: Count = 1
    amp: Literal["O0", "O1", "O2"] = "O0"
    amp_dtype: Literal["float16", "bfloat16"] = "float16"
    to_static: bool = False
    channels_last: bool = False
    sync_bn: bool = False


class TestConfig(Record):
    __test__ = False  # not a test class, whatever pytest thinks of the name
    batch_size: Count = 32
    flip_test: bool = False
    post_process: bool = True
    shift_heatmap: bool = True
    decode: Literal["quarter", "dark", "none"] = "quarter"
    udp: bool = False
    metric: Literal["auto", "pckh", "pck", "ap"] = "auto"
    model_file: str = ""
    use_gt_bbox: bool = True
    coco_bbox_file: str = ""
    image_thre: NotNegative = 0.0
    in_vis_thre: Fraction = 0.2
    oks_thre: Fraction = 0.9
    soft_nms: bool = False

    @property
    def decoder(self):
        """What is added to a heatmap's highest pixel: POST_PROCESS false, the original's key, means nothing."""
        return self.decode if self.post_process else "none"

    @property
    def shift(self):
        """Whether the mirrored heatmaps move by a pixel: with unbiased data processing they need not."""
        return self.shift_heatmap and not self.udp


class DebugConfig(Record):
    debug: bool = False
    save_batch_images_gt: bool = False
    save_batch_images_pred: bool = False
    save_heatmaps_gt: bool = False
    save_heatmaps_pred: bool = False


class CudnnConfig(Record):
    benchmark: bool = False
    deterministic: bool = False


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
    cudnn: CudnnConfig = CudnnConfig()

    @model_validator(mode="after")
    def _values_fit_together(self):
        _check_model(self.model)
        _check_skeleton(self)
        if self.train.begin_epoch >= self.train.end_epoch:
            raise ValueError(
                f"TRAIN.BEGIN_EPOCH: {self.train.begin_epoch} is not below TRAIN.END_EPOCH {self.train.end_epoch}"
            )
        if self.train.nesterov and self.train.momentum == 0:
            raise ValueError("TRAIN.NESTEROV: needs a TRAIN.MOMENTUM above 0")
        return self

    @property
    def skeleton(self):
        return self.dataset.skeleton.skeleton(self.dataset.dataset)

    @property
    def dataset_root(self):
        return Path(self.data_dir) / self.dataset.root


def _check_skeleton(config):
    skeleton = config.skeleton
    if config.model.num_joints != len(skeleton.joints):
        raise ValueError(
            f"MODEL.NUM_JOINTS: {config.model.num_joints}, but {skeleton.name} has {len(skeleton.joints)} joints"
        )
    if config.dataset.prob_half_body and not skeleton.upper_body:
        raise ValueError(f"DATASET.PROB_HALF_BODY: the skeleton {skeleton.name} has no UPPER_BODY")
    if config.test.metric == "ap" and (config.dataset.dataset != "coco" or not skeleton.sigmas):
        raise ValueError("TEST.METRIC: ap needs annotations in COCO's form and the skeleton's SIGMAS")
    if config.test.metric == "pckh" and skeleton is not SKELETONS["mpii"]:
        raise ValueError("TEST.METRIC: pckh is MPII's own; PCK by head size is pck with PCK_REFERENCE head joints")
    if config.test.soft_nms and not config.test.oks_thre:
        raise ValueError("TEST.OKS_THRE: soft NMS divides by it, so it must be above 0")
    if not config.test.use_gt_bbox and config.dataset.dataset != "coco":
        raise ValueError("TEST.USE_GT_BBOX: false needs annotations in COCO's form")
    if not config.test.use_gt_bbox and not config.test.coco_bbox_file:
        raise ValueError("TEST.COCO_BBOX_FILE: detected boxes (TEST.USE_GT_BBOX false) need their file")


def _check_model(model):
    extra, layers = model.extra, model.extra.num_deconv_layers
    if model.style == "caffe" and model.depth < 50:
        raise ValueError(f"MODEL.STYLE: caffe needs a MODEL.DEPTH of 50, 101 or 152 (bottlenecks), got {model.depth}")
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
