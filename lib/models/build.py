"""From the configuration to the network and its first weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.errors import UserError, whole_reason
from ..weights.convert import depth_of
from ..weights.fill import fill_network, load_weights
from ..weights.weights import read_weights
from .pose_resnet import PoseResNet

if TYPE_CHECKING:
    import paddle

    from ..config.schema import ModelConfig


def get_pose_net(model: ModelConfig) -> PoseResNet:
    """The PoseResNet of a ModelConfig, randomly initialised: INIT_WEIGHTS says how, see PoseResNet."""
    extra = model.extra
    network = PoseResNet(
        model.depth,
        model.num_joints,
        extra.num_deconv_filters,
        extra.num_deconv_kernels,
        extra.deconv_with_bias,
        extra.final_conv_kernel,
        model.style,
    )
    if model.init_weights:
        network.initialize_head()
    else:
        network.initialize_like_original()
    return network


def load_pretrained(network: paddle.nn.Layer, model: ModelConfig) -> str:
    """Loads MODEL.PRETRAINED for training and returns the line that says what came of it.

    'imagenet': Paddle's own ImageNet backbone; where it cannot be had training goes on from scratch and the line says
    so; a UserError with MODEL.STYLE caffe, which these weights are not. A file: a whole pose network or a bare ResNet;
    missing or matching nothing is a UserError. '': nothing.
    """
    if not model.pretrained:
        return "=> MODEL.PRETRAINED is empty: training from scratch"
    if model.pretrained == "imagenet":
        if model.style == "caffe":
            raise UserError(
                "MODEL.PRETRAINED imagenet is of MODEL.STYLE pytorch; for caffe convert a Caffe-style ResNet with "
                "pose_estimation/convert.py --backbone-only and give the result"
            )
        return _load_imagenet(network, model.depth)
    weights = read_weights(model.pretrained)
    if not any(name.startswith("backbone.") for name in weights) and "conv1.weight" in weights:  # a bare ResNet
        weights = {f"backbone.{name}": value for name, value in weights.items()}
    depth = depth_of(weights)
    if depth not in (None, model.depth):  # much of a deeper network fits a shallower one, and is no good there
        raise UserError(f"MODEL.PRETRAINED: {model.pretrained} is of depth {depth}, not of MODEL.DEPTH {model.depth}")
    return fill_network(network, weights, model.pretrained, strict=False)


def _load_imagenet(network: paddle.nn.Layer, depth: int) -> str:
    from paddle.utils.download import get_weights_path_from_url
    from paddle.vision.models.resnet import model_urls

    url, digest = model_urls[f"resnet{depth}"]
    try:
        path = get_weights_path_from_url(url, digest)
    except Exception as error:  # whatever the network, the disk or the server did
        return (
            f"=> WARNING: the ImageNet weights of ResNet-{depth} could not be downloaded ({whole_reason(error)}). "
            "Training starts from scratch: expect a lower score. Give a local file as MODEL.PRETRAINED instead."
        )
    return load_weights(network.backbone, path, strict=False)
