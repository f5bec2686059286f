"""Checks of keys that depend on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.heatmap import BACKBONE_STRIDE, heatmap_size_of
from ..core.skeletons import SKELETONS

if TYPE_CHECKING:
    from .schema import Config, ModelConfig


def check_skeleton(config: Config) -> None:
    """Raises ValueError if the skeleton does not go with the network, the metric or the boxes."""
    skeleton = config.skeleton
    if config.model.num_joints != len(skeleton.joints):
        entry = config.dataset.skeleton
        own = config.dataset.dataset == "coco" and not entry.name and not entry.joints
        way_on = "; for other joints give DATASET.SKELETON, or the annotations that name them" if own else ""
        found = f"{skeleton.name} has {len(skeleton.joints)} joints"
        raise ValueError(f"MODEL.NUM_JOINTS: {config.model.num_joints}, but {found}{way_on}")
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


def check_model(model: ModelConfig) -> None:
    """Raises ValueError if the sizes of the network contradict each other."""
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
