"""A model of ours as timm's `VisionTransformer` (github.com/huggingface/pytorch-image-models)."""

from safetensors.torch import save
from torch import Tensor

from ..config import ConfigError, ModelConfig
from ..files import json_text
from ..model import VisionTransformer
from .normalization import our_normalization


def to_timm(model: VisionTransformer) -> tuple[dict, dict[str, Tensor]]:
    """Return the arguments and the weights of timm's `VisionTransformer` with the same logits.

    timm itself is not needed here. Where it is installed:

        arguments, weights = to_timm(model)
        theirs = timm.models.vision_transformer.VisionTransformer(**arguments)
        theirs.load_state_dict(weights)

    Both take images from `data.cifar10.normalize`: (x - 0.5) / 0.5, of pixels from 0 to 1. Dropout
    and the like act in training only; give timm's own arguments for them.

    Args:
        model: a model with a patch stem, and CLS or mean pooling.

    Raises:
        ConfigError: timm's class has no such model; the message says why.
    """
    config = model.config
    problem = why_not(config)
    if problem:
        raise ConfigError(problem)
    arguments = {
        "img_size": config.image_size,
        "patch_size": config.patch_size,
        "in_chans": config.in_channels,
        "num_classes": config.num_classes,
        "embed_dim": config.embed_dim,
        "depth": config.depth,
        "num_heads": config.num_heads,
        "mlp_ratio": config.mlp_ratio,
    }
    if config.pooling == "mean":  # normalize each token, then average, as ours does
        arguments |= {"class_token": False, "global_pool": "avg", "fc_norm": False}
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    if config.attention_scale == "embed_dim":
        for layer in range(config.depth):
            _fold_scale(config, weights, f"blocks.{layer}.attn.qkv")
    return arguments, weights


def timm_file(model: VisionTransformer, classes: tuple[str, ...]) -> bytes:
    """Return a safetensors file with the weights for timm.

    Its header has, as JSON, the arguments ("timm"), the normalization and the names of the classes.

    Raises:
        ConfigError: as `to_timm`.
    """
    arguments, weights = to_timm(model)
    normalization = our_normalization(model.config.in_channels)
    header = {"timm": arguments, "normalization": normalization, "classes": classes}
    return save(weights, {name: json_text(value) for name, value in header.items()})


def why_not(config: ModelConfig) -> str:
    """Return why timm's class has no such model, or an empty string if it has."""
    if config.stem != "patch":
        return (
            "timm's VisionTransformer cuts images into patches and has no convolutional stem of "
            "this kind. Export a model with stem patch."
        )
    if config.pooling == "attention":
        return (
            "timm's VisionTransformer has no attention pooling of this kind (its own has queries, "
            "keys and values). Export a model with pooling cls or mean."
        )
    return ""


def _fold_scale(config: ModelConfig, weights: dict[str, Tensor], qkv: str) -> None:
    """Let queries carry our divisor: timm divides by sqrt(d_k), the paper's code by sqrt(D)."""
    ratio = (config.head_dim / config.embed_dim) ** 0.5
    for part in ("weight", "bias"):
        weights[f"{qkv}.{part}"][: config.embed_dim] *= ratio  # queries come first
