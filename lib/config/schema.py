"""Configuration schema: frozen, typed records, each key with its range and its meaning.

YAML keys are the original's, upper case (TRAIN.END_EPOCH); the records' fields are the same names in lower case
(config.train.end_epoch). `lib.config.config` reads files into them.
"""
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import Self

from ..core.skeletons import Skeleton
from .consistency import check_model, check_skeleton
from .fields import (
    Count,
    Fraction,
    Names,
    NotNegative,
    Number,
    Positive,
    Record,
    SetNames,
    Sizes,
    WidthHeight,
    lower_case,
    to_tuple,
)
from .skeleton_config import SkeletonConfig


class DatasetConfig(Record):
    dataset: Literal["mpii", "coco", "posetrack18"] = "mpii"
    """Form of the annotations."""
    skeleton: SkeletonConfig = SkeletonConfig()
    """The joints; see DATASET.SKELETON.* below. A name alone is short for its NAME."""
    root: str = ""
    """Folder of the data set, below DATA_DIR."""
    train_set: SetNames = "train"
    """Name of the training annotations, or a list of names."""
    test_set: str = "valid"
    """Name of the validation annotations."""
    data_format: Literal["jpg", "png", "zip"] = "jpg"
    """zip reads images from an archive; jpg and png from a folder."""
    select_data: bool = False
    """Train only on persons whose joints lie where their box is, as the original does."""
    flip: bool = True
    """Mirror half of the training crops."""
    scale_factor: Fraction = 0.25
    """Crops grow or shrink by up to this share."""
    rot_factor: Annotated[Number, Field(ge=0, le=180)] = 30.0
    """Standard deviation of the rotation in degrees; 60% of the crops turn, by at most twice this."""
    prob_half_body: Fraction = 0.0
    """Probability of a half-body crop."""
    num_joints_half_body: Annotated[int, Field(ge=0)] = 8
    """Half-body crops are for persons with more visible joints than this."""
    color_rgb: bool = False
    """Images are RGB. false: BGR, as in the original."""
    pixel_scale: Positive = 255.0
    """Pixels are divided by this before mean and std. 1.0 for weights of the earlier Paddle port."""
    cache: Literal["none", "crops"] = "none"
    """crops: image regions are decoded once and cached."""
    decode_reduced: Literal[False, True, "all"] = False
    """Decode large JPEG images at a reduced size in training; all: in validation, too."""
    categories: Names = ()
    """Names of COCO's categories, or all. By default those that have the skeleton and annotations."""
    orientation: Literal["auto", "exif", "stored"] = "auto"
    """exif: turn images as their EXIF data say. auto: where the annotated size tells that they were turned."""
    check_sides: bool = True
    """Warn of a set whose left and right joints look exchanged, and refuse it where no posture explains it."""

    @property
    def train_sets(self) -> tuple[str, ...]:
        """The names in TRAIN_SET."""
        return tuple(self.train_set.split("+"))


class ExtraConfig(Record):
    target_type: Literal["gaussian"] = "gaussian"
    """Form of the heatmap targets."""
    heatmap_size: WidthHeight = (64, 64)
    """Width and height of the heatmaps."""
    sigma: Positive = 2.0
    """Standard deviation of the targets' Gaussian, in heatmap pixels."""
    num_deconv_layers: Count = 3
    """Number of deconvolution layers."""
    num_deconv_filters: Sizes = (256, 256, 256)
    """Channels of each deconvolution layer."""
    num_deconv_kernels: Annotated[tuple[Literal[2, 3, 4], ...], BeforeValidator(to_tuple)] = (4, 4, 4)
    """Kernel size of each deconvolution layer."""
    deconv_with_bias: bool = False
    """Deconvolution layers have a bias."""
    final_conv_kernel: Literal[1, 3] = 1
    """Kernel size of the last convolution."""


class ModelConfig(Record):
    name: Literal["pose_resnet"] = "pose_resnet"
    """Name of the model; part of the run folder's path."""
    backbone: Annotated[Literal["resnet"], BeforeValidator(lower_case)] = "resnet"
    """The backbone."""
    style: Literal["pytorch", "caffe"] = "pytorch"
    """Where a bottleneck has its stride: pytorch in the 3x3 convolution, caffe in the first 1x1."""
    depth: Literal[18, 34, 50, 101, 152] = 50
    """Number of layers of the ResNet."""
    pretrained: str = ""
    """Weights to start from: imagenet, a file, or empty for none."""
    init_weights: bool = True
    """Draw the head from normal(0, 0.001). false: each layer's own default, for training from scratch."""
    num_joints: Count = 16
    """Number of heatmaps."""
    image_size: WidthHeight = (256, 256)
    """Width and height of the network's input; multiples of 32."""
    extra: ExtraConfig = ExtraConfig()
    """The head; see MODEL.EXTRA.* below."""


class LossConfig(Record):
    use_target_weight: bool = True
    """Joints that are not annotated do not count in the loss."""


class TrainConfig(Record):
    batch_size: Count = 32
    """Persons in a batch, on each GPU."""
    shuffle: bool = True
    """New random order in each epoch."""
    begin_epoch: Annotated[int, Field(ge=0)] = 0
    """First epoch."""
    end_epoch: Count = 140
    """Training ends before this epoch."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """The optimizer. Adam runs without weight decay, as in the original."""
    lr: Positive = 0.001
    """Learning rate."""
    lr_type: Literal["MultiStepDecay", "PolynomialDecay"] = "MultiStepDecay"
    """MultiStepDecay: by epochs; PolynomialDecay: every step, to 0."""
    lr_step: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(to_tuple)] = (90, 120)
    """Epochs after which MultiStepDecay multiplies the rate."""
    lr_factor: Annotated[Number, Field(gt=0, lt=1)] = 0.1
    """What MultiStepDecay multiplies by."""
    wd: NotNegative = 0.0001
    """Weight decay, for SGD only."""
    momentum: Fraction = 0.9
    """Momentum, for SGD."""
    nesterov: bool = False
    """Nesterov momentum, for SGD."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of all random numbers."""
    ema: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    """Decay of the running average of the weights, which is then validated and saved. 0: none."""
    accumulate: Count = 1
    """Batches that share a step of the optimizer."""
    amp: Literal["O0", "O1", "O2"] = "O0"
    """Mixed precision on a CUDA GPU."""
    amp_dtype: Literal["float16", "bfloat16"] = "float16"
    """Number format of mixed precision."""
    to_static: bool = False
    """Paddle compiles the network."""
    channels_last: bool = False
    """Compute in (N, H, W, C)."""
    sync_bn: bool = False
    """BatchNorm over the batches of all GPUs."""
    rank_timeout: Positive = 600.0
    """Seconds after which a rank that is not heard of ends the run of several."""


class TestConfig(Record):
    __test__ = False  # not a test class, whatever pytest thinks of the name
    batch_size: Count = 32
    """Persons in a batch of validation."""
    flip_test: bool = False
    """Average with the mirrored image."""
    post_process: bool = True
    """Refine the highest pixel as DECODE says."""
    shift_heatmap: bool = True
    """Shift the mirrored heatmaps by one pixel."""
    decode: Literal["quarter", "dark", "none"] = "quarter"
    """Refinement of the highest pixel: a quarter of a pixel, DARK (Zhang et al., CVPR 2020), or none."""
    udp: bool = False
    """Unbiased data processing (Huang et al., CVPR 2020), in training, too."""
    metric: Literal["auto", "pckh", "pck", "ap"] = "auto"
    """auto: PCKh for MPII, AP for COCO, PCK otherwise."""
    model_file: str = ""
    """Weights: .pdparams, .pdckpt or .onnx."""
    provider: Literal["auto", "cpu", "cuda", "tensorrt", "openvino"] = "auto"
    """What runs an .onnx file: ONNX Runtime on cpu, cuda or tensorrt, or OpenVINO. auto: ONNX Runtime as GPUS says."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """With PROVIDER openvino: the numbers of the network. auto: what OpenVINO takes on this processor."""
    use_gt_bbox: bool = True
    """Annotated boxes. false: those of COCO_BBOX_FILE."""
    coco_bbox_file: str = ""
    """Detected boxes, in COCO's result form."""
    part: bool = False
    """The annotations are a part of the set: detections and results of other images are left out."""
    image_thre: NotNegative = 0.0
    """Detected boxes below this score are left out."""
    in_vis_thre: Fraction = 0.2
    """Joints above this score count in a person's score."""
    oks_thre: Fraction = 0.9
    """Poses with a higher OKS are one person."""
    soft_nms: bool = False
    """Soft OKS-NMS."""

    @property
    def decoder(self) -> str:
        """What is added to a heatmap's highest pixel: POST_PROCESS false, the original's key, means nothing."""
        return self.decode if self.post_process else "none"

    @property
    def shift(self) -> bool:
        """Whether the mirrored heatmaps move by a pixel: with unbiased data processing they need not."""
        return self.shift_heatmap and not self.udp


class DebugConfig(Record):
    debug: bool = False
    """Save grids of images while training and validating, as the other keys ask."""
    save_batch_images_gt: bool = False
    """Draw the ground truth."""
    save_batch_images_pred: bool = False
    """Draw the predictions."""
    save_heatmaps_gt: bool = False
    """Draw the target heatmaps."""
    save_heatmaps_pred: bool = False
    """Draw the predicted heatmaps."""
    grid_epochs: Annotated[int, Field(ge=0)] = 10
    """VisualDL gets a grid of the same validation persons at every so many epochs. 0: none."""


class CudnnConfig(Record):
    benchmark: bool = False
    """cuDNN times its algorithms and takes the fastest."""
    deterministic: bool = False
    """cuDNN uses only algorithms that repeat exactly."""


class Config(Record):
    gpus: str = "0"
    """The CUDA GPU, such as 0; cpu for none."""
    data_dir: str = ""
    """Folder that DATASET.ROOT is below."""
    output_dir: str = "output"
    """Where run folders go."""
    log_dir: str = "log"
    """Where VisualDL's scalars go."""
    workers: Annotated[int, Field(ge=0)] = 4
    """Loader processes; 0 loads in the main process."""
    print_freq: Count = 100
    """Steps between lines of the log."""
    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    train: TrainConfig = TrainConfig()
    test: TestConfig = TestConfig()
    debug: DebugConfig = DebugConfig()
    cudnn: CudnnConfig = CudnnConfig()

    @model_validator(mode="after")
    def _values_fit_together(self) -> Self:
        check_model(self.model)
        check_skeleton(self)
        if self.train.begin_epoch >= self.train.end_epoch:
            raise ValueError(
                f"TRAIN.BEGIN_EPOCH: {self.train.begin_epoch} is not below TRAIN.END_EPOCH {self.train.end_epoch}"
            )
        if self.train.nesterov and self.train.momentum == 0:
            raise ValueError("TRAIN.NESTEROV: needs a TRAIN.MOMENTUM above 0")
        return self

    @property
    def skeleton(self) -> Skeleton:
        return self.dataset.skeleton.skeleton(self.dataset.dataset)

    @property
    def dataset_root(self) -> Path:
        return Path(self.data_dir) / self.dataset.root
