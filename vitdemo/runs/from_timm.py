"""A plain ViT of timm or of Hugging Face's transformers as a model of ours: the same logits.

timm: github.com/huggingface/pytorch-image-models, `timm/models/vision_transformer.py`.
transformers: `ViTForImageClassification`, whose tensors have other names.
"""

import math
import re

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import ConfigError, ModelConfig
from ..costs import check_memory
from ..model import VisionTransformer
from .normalization import fold_normalization, our_normalization

HEAD_DIM = 64  # numbers per head of all ViTs from Ti to L (Dosovitskiy et al. 2021, Table 1)
TRANSFORMERS_NAMES = (  # its name -> timm's; each has a weight and a bias unless it is a token
    (r"vit\.embeddings\.cls_token", "cls_token"),
    (r"vit\.embeddings\.position_embeddings", "pos_embed"),
    (r"vit\.embeddings\.patch_embeddings\.projection", "patch_embed.proj"),
    (r"vit\.encoder\.layer\.(\d+)\.layernorm_before", r"blocks.\1.norm1"),
    (r"vit\.encoder\.layer\.(\d+)\.attention\.output\.dense", r"blocks.\1.attn.proj"),
    (r"vit\.encoder\.layer\.(\d+)\.layernorm_after", r"blocks.\1.norm2"),
    (r"vit\.encoder\.layer\.(\d+)\.intermediate\.dense", r"blocks.\1.mlp.fc1"),
    (r"vit\.encoder\.layer\.(\d+)\.output\.dense", r"blocks.\1.mlp.fc2"),
    (r"vit\.layernorm", "norm"),
    (r"classifier", "head"),
)
QUERY = re.compile(r"vit\.encoder\.layer\.(\d+)\.attention\.attention\.query\.(weight|bias)")
BLOCK = re.compile(r"blocks\.\d{1,3}\.")
LAYER_SCALE = re.compile(r"(blocks\.\d{1,3})\.ls([12])\.gamma")
UNFIT = (  # part of a tensor's name -> what such a model has, and ours has not
    ("fc_norm.", "normalizes the mean of the tokens (fc_norm), not each token"),
    ("norm_pre.", "normalizes tokens before the first block (pre_norm)"),
    ("reg_token", "has register tokens"),
    ("dist_token", "is distilled: it has a second class token"),
    ("head_dist.", "is distilled: it has a second head"),
    ("q_norm.", "normalizes queries and keys (qk_norm)"),
    ("mlp.fc1_g.", "has gated MLPs (SwiGLU)"),
    ("mlp.norm.", "normalizes inside of its MLPs"),
    ("attn.norm.", "normalizes inside of its attention"),
    ("rel_pos", "has relative positions"),
    ("attn_pool.", "has attention pooling of another kind"),
    ("patch_embed.backbone.", "has a convolutional stem of another kind"),
    ("patch_embed.norm.", "normalizes its patch embeddings"),
    ("pre_logits.", "has another layer before the head"),
)


def from_timm(
    weights: dict[str, Tensor],
    num_heads: int | None = None,
    image_size: int | None = None,
    mean: list[float] | None = None,
    std: list[float] | None = None,
) -> VisionTransformer:
    """Return our model with the weights of a plain ViT, in evaluation mode.

    LayerScale is folded into the layers before it, missing biases are zero, and the model's own
    normalization is folded into the patch embedding: ours takes images from
    `data.cifar10.normalize`, as all models here do. Square images, GELU and a class that is read
    from CLS where there is one are assumed: they do not stand in the weights.

    Args:
        weights: state_dict of timm's `VisionTransformer`, or of transformers'
            `ViTForImageClassification`.
        num_heads: heads per block. Default: those with 64 numbers each, as in all common sizes.
        image_size: pixels per side; position embeddings are resized to it. Default: the model's.
        mean: mean of each channel, of pixels from 0 to 1, as the model was trained. Default: 0.5.
        std: standard deviation of each channel, likewise. Default: 0.5.

    Raises:
        ConfigError: it is no plain ViT, or not of a size that we have; the message says why.
    """
    weights = _in_timms_names(weights)
    config = config_of(weights, num_heads, image_size)
    check_memory(config, batch_size=1)
    with torch.device("meta"):  # shapes alone, before anything large is made
        own = {
            name: tensor.shape for name, tensor in VisionTransformer(config).state_dict().items()
        }
    _check_shapes(weights, own)
    tensors = _folded(weights)
    tensors["pos_embed"] = _positions(tensors["pos_embed"], config)
    for name in set(own) - set(tensors):  # made with qkv_bias=False or the like
        tensors[name] = torch.zeros(own[name])
    model = VisionTransformer(config, seed=0)
    model.load_state_dict(tensors)
    given = our_normalization(config.in_channels)
    fold_normalization(model, mean or given["mean"], std or given["std"])
    return model.eval()


def config_of(
    weights: dict[str, Tensor], num_heads: int | None = None, image_size: int | None = None
) -> ModelConfig:
    """Return the configuration that a plain ViT has by the shapes of its tensors.

    Raises:
        ConfigError: a tensor that decides it is missing, or it is out of our limits.
    """
    weights = _in_timms_names(weights)
    patch_size, stored_size = sizes_of(weights)
    embed_dim, channels, *_ = weights["patch_embed.proj.weight"].shape
    hidden, head = (_need(weights, f"{name}.weight", 2) for name in ("blocks.0.mlp.fc1", "head"))
    if num_heads is None and embed_dim % HEAD_DIM:
        raise ConfigError(
            f"The number of heads is not clear from embed_dim {embed_dim}. Give num_heads."
        )
    blocks = {match[0] for match in map(BLOCK.match, weights) if match}
    return ModelConfig(
        image_size=image_size or stored_size,
        patch_size=patch_size,
        in_channels=channels,
        num_classes=len(head),
        embed_dim=embed_dim,
        depth=len(blocks),
        num_heads=num_heads or embed_dim // HEAD_DIM,
        mlp_ratio=_ratio(len(hidden), embed_dim),
        pooling="cls" if "cls_token" in weights else "mean",
    )


def sizes_of(weights: dict[str, Tensor]) -> tuple[int, int]:
    """Return the patch size and the image size of a plain ViT in pixels.

    Raises:
        ConfigError: it is no plain ViT, or its patches or images are not square.
    """
    weights = _in_timms_names(weights)
    _refuse_unfit(weights)
    *_, patch_size, width = _need(weights, "patch_embed.proj.weight", 4).shape
    if patch_size != width:
        raise ConfigError(f"The patches are {patch_size} × {width} pixels, and ours are square.")
    return patch_size, patch_size * _side(_need(weights, "pos_embed", 3), "cls_token" in weights)


def _ratio(hidden: int, embed_dim: int) -> float:
    """Return the ratio that gives exactly this many hidden units when it is rounded down."""
    ratio = hidden / embed_dim
    return ratio if int(embed_dim * ratio) == hidden else math.nextafter(ratio, math.inf)


def _need(weights: dict[str, Tensor], name: str, dimensions: int) -> Tensor:
    """Return a tensor that every plain ViT has.

    Raises:
        ConfigError: it is missing, or has another number of dimensions.
    """
    if name not in weights:
        raise ConfigError(
            f"The weights have no {name}, so they are not those of a plain ViT. Use the state_dict "
            "of timm's VisionTransformer or of transformers' ViTForImageClassification."
        )
    if weights[name].ndim != dimensions or not weights[name].numel():
        raise ConfigError(
            f"{name} has shape {tuple(weights[name].shape)}, and that of a plain ViT has "
            f"{dimensions} dimensions."
        )
    return weights[name]


def _refuse_unfit(weights: dict[str, Tensor]) -> None:
    """Refuse models with parts that change the logits and that ours does not have."""
    for part, what in UNFIT:
        if any(name.startswith(part) or f".{part}" in name for name in weights):
            raise ConfigError(f"This model {what}. Use a plain ViT, such as vit_tiny_patch16_224.")
    for name, tensor in weights.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise ConfigError(f"{name} is not a tensor of floating-point numbers.")


def _check_shapes(weights: dict[str, Tensor], own: dict[str, tuple[int, ...]]) -> None:
    """Refuse weights whose names or shapes are not those of our model; biases may be missing."""
    D = own["norm.weight"]  # (embed_dim,)
    own = own | {"pos_embed": (1, weights["pos_embed"].shape[1], *D)}  # resized later
    for name, tensor in weights.items():
        wanted = D if LAYER_SCALE.fullmatch(name) else own.get(name)
        if wanted is None:
            raise ConfigError(
                f"The weights have {name}, which a plain ViT has not. Its logits would differ."
            )
        if tuple(tensor.shape) != wanted:
            raise ConfigError(
                f"{name} has shape {tuple(tensor.shape)}, and a plain ViT of this size has "
                f"{wanted}."
            )
    missing = [name for name in own if name not in weights and not name.endswith(".bias")]
    if missing:
        raise ConfigError(f"The weights have no {missing[0]}, which a plain ViT has.")


def _side(positions: Tensor, has_cls: bool) -> int:
    """Return the patches per side, from position embeddings (1, T, D) with or without CLS."""
    for count in (positions.shape[1] - has_cls, positions.shape[1]):  # or: no_embed_class
        if count > 0 and math.isqrt(count) ** 2 == count:
            return math.isqrt(count)
    raise ConfigError(
        f"{positions.shape[1]} position embeddings do not make a square of patches, as ours do."
    )


def _positions(positions: Tensor, config: ModelConfig) -> Tensor:
    """Return position embeddings (1, T, D) for the model's own grid, resized as timm does."""
    side = _side(positions, config.has_cls)
    cls, patches = positions[:, : -(side**2)], positions[:, -(side**2) :]
    if side != config.grid_size:
        grid = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, D, side, side)
        grid = F.interpolate(grid, size=[config.grid_size] * 2, mode="bicubic", antialias=True)
        patches = grid.permute(0, 2, 3, 1).flatten(1, 2)  # (1, N, D)
    if config.has_cls and not cls.shape[1]:  # the CLS token has no position (no_embed_class)
        cls = torch.zeros_like(patches[:, :1])
    return torch.cat([cls, patches], dim=1)


def _folded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in float32, with LayerScale (Touvron et al. 2021) folded in.

    It multiplies what attention and MLP add to the tokens, so it scales the rows of their last
    layers.

    Raises:
        ConfigError: a number is NaN or infinite.
    """
    tensors = {name: tensor.detach().float().clone() for name, tensor in weights.items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ConfigError(f"{name} has values that are not numbers (NaN or infinity).")
    for match in filter(None, map(LAYER_SCALE.fullmatch, weights)):
        gamma = tensors.pop(match[0])  # (D,)
        last = f"{match[1]}.attn.proj" if match[2] == "1" else f"{match[1]}.mlp.fc2"
        for part in (f"{last}.weight", f"{last}.bias"):
            if part in tensors:
                tensors[part] *= gamma[:, None] if part.endswith("weight") else gamma
    return tensors


def _in_timms_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under timm's names, if they have those of transformers."""
    if not any(name.startswith("vit.") for name in weights):
        return weights
    renamed = {}
    for name, tensor in weights.items():
        if match := QUERY.fullmatch(name):
            others = (weights.get(name.replace("query", part)) for part in ("key", "value"))
            parts = [part for part in (tensor, *others) if part is not None]
            renamed[f"blocks.{match[1]}.attn.qkv.{match[2]}"] = torch.cat(parts)
        elif not re.search(r"\.attention\.attention\.(key|value)\.", name):
            for theirs, timms in TRANSFORMERS_NAMES:
                name = re.sub(f"^{theirs}(?=\\.weight$|\\.bias$|$)", timms, name)
            renamed[name] = tensor
    return renamed
