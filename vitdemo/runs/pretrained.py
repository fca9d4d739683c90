"""Vision Transformers that others have trained on ImageNet, through torchvision, as models of our own.

Their weights are fetched when somebody asks for them. torchvision's modules become `VisionTransformer` name by name, so
every question in `explain` can be asked of them too. torchvision is loaded where it is needed: it takes a second.
"""

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from ..config import ConfigError, ModelConfig
from ..data.cifar10 import MEAN, STD
from ..files import pretrained_folder
from ..model import VisionTransformer
from .checkpoint import save_checkpoint


def _shape(patch_size: int, embed_dim: int, depth: int, num_heads: int) -> ModelConfig:
    return ModelConfig(
        224, patch_size, num_classes=1000, embed_dim=embed_dim, depth=depth, num_heads=num_heads
    )


PRETRAINED = {  # the name in torchvision, and the shape (Dosovitskiy et al. 2021, Table 1)
    "vit_b_16": _shape(16, 768, 12, 12),
    "vit_b_32": _shape(32, 768, 12, 12),
    "vit_l_16": _shape(16, 1024, 24, 16),
    "vit_l_32": _shape(32, 1024, 24, 16),
}
NAMES = {  # ours: theirs
    "patch_embed.proj": "conv_proj",
    "norm": "encoder.ln",
    "head": "heads.head",
}
BLOCK_NAMES = {
    "norm1": "ln_1",
    "attn.proj": "self_attention.out_proj",
    "norm2": "ln_2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}


def _weights(name: str):
    """torchvision's description of the weights: address, size, classes, transforms."""
    from torchvision.models import get_model_weights

    return get_model_weights(name).IMAGENET1K_V1


def megabytes_of(name: str) -> float:
    """Size of the download, in 2^20 bytes."""
    return _weights(name).meta["_file_size"]


def weights_file(name: str) -> Path:
    """The checkpoint that `fetch_weights` makes."""
    return pretrained_folder() / f"{name}.safetensors"


def download_file(name: str) -> Path:
    """Where the download lies until it has become a checkpoint; while it arrives, its bytes are in a `.partial` beside."""
    return pretrained_folder() / _weights(name).url.rsplit("/", 1)[1]


def arrived(name: str) -> int:
    """Bytes of the download that are on disk."""
    path = download_file(name)
    return max((part.stat().st_size for part in path.parent.glob(f"{path.name}*")), default=0)


def fetch_weights(name: str) -> None:
    """Fetch the weights, check their digest, and save them as a checkpoint; nothing is done if it is there.

    The model saved takes images as our `data.normalize` makes them.

    Raises:
        ConfigError: they could not be fetched, or what came is damaged.
    """
    from torchvision import models

    if weights_file(name).is_file():
        return
    path, own = download_file(name), _weights(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(
            own.url, str(path), path.stem.rsplit("-", 1)[1], progress=False
        )
        theirs = models.get_model(name)
        theirs.load_state_dict(torch.load(path, weights_only=True))
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise ConfigError(
            f"The weights of {name} ({megabytes_of(name):.0f} MB) could not be fetched: check the network connection and "
            f"try again. The models that ship work without it. (The reason given: {getattr(error, 'reason', error)})"
        ) from error
    finally:
        path.unlink(missing_ok=True)
    transforms = own.transforms()
    model = from_torchvision(theirs)
    take_our_images(model, transforms.mean, transforms.std)
    card = {"from": own.url, "classes": own.meta["categories"]}
    save_checkpoint(weights_file(name), model, card)


def config_of(theirs: nn.Module) -> ModelConfig:
    """Return the configuration of torchvision's `VisionTransformer`."""
    return ModelConfig(
        image_size=theirs.image_size,
        patch_size=theirs.patch_size,
        num_classes=theirs.num_classes,
        embed_dim=theirs.hidden_dim,
        depth=len(theirs.encoder.layers),
        num_heads=theirs.encoder.layers[0].num_heads,
        mlp_ratio=theirs.mlp_dim / theirs.hidden_dim,
    )


@torch.no_grad()
def from_torchvision(theirs: nn.Module) -> VisionTransformer:
    """torchvision's `VisionTransformer` with the same weights as ours: the same logits, and a trace of all on the way."""
    config = config_of(theirs)
    names = dict(NAMES)
    for layer in range(config.depth):
        ours, block = f"blocks.{layer}", f"encoder.layers.encoder_layer_{layer}"
        names |= {f"{ours}.{mine}": f"{block}.{its}" for mine, its in BLOCK_NAMES.items()}
    weights = theirs.state_dict()
    renamed = {
        f"{mine}.{part}": weights[f"{its}.{part}"]
        for mine, its in names.items()
        for part in ("weight", "bias")
    }
    renamed |= {"cls_token": weights["class_token"], "pos_embed": weights["encoder.pos_embedding"]}
    for layer in range(config.depth):
        for part in ("weight", "bias"):
            its = f"encoder.layers.encoder_layer_{layer}.self_attention.in_proj_{part}"
            renamed[f"blocks.{layer}.attn.qkv.{part}"] = weights[its]
    model = VisionTransformer(config, seed=0)
    model.load_state_dict(renamed)
    return model.eval()


@torch.no_grad()
def take_our_images(model: VisionTransformer, mean: list[float], std: list[float]) -> None:
    """Let a model that was trained on (x - mean) / std take our (x - MEAN) / STD: the first layer does the rest.

    Args:
        model: takes patches without a stem; changed in place.
        mean: of each channel, from 0 to 1.
        std: likewise.
    """
    proj = model.patch_embed.proj
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))  # (C, 1, 1)
    proj.bias += (proj.weight * ((MEAN - mean) / std)).sum(dim=(1, 2, 3))
    proj.weight *= STD / std


def crop(name: str, picture: Tensor) -> Tensor:
    """The part of a picture that the model sees: scaled and its middle cut out, as its own transforms do.

    Args:
        name: of PRETRAINED.
        picture: (3, H, W) uint8.

    Returns:
        (3, S, S) uint8.
    """
    from torchvision.transforms import functional

    own = _weights(name).transforms()
    scaled = functional.resize(
        picture, own.resize_size, interpolation=own.interpolation, antialias=own.antialias
    )
    return functional.center_crop(scaled, own.crop_size)
