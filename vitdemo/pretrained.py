"""Vision Transformers that others have trained on ImageNet, through torchvision, as models of our own.

Their weights are fetched when somebody asks for them; torchvision's modules become `VisionTransformer` name by name, so
every question in `explain` can be asked of them too.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.transforms import functional

from .config import ConfigError, ModelConfig
from .model import VisionTransformer
from .paths import home

PRETRAINED = {  # the name in torchvision, and its weights
    "vit_b_16": models.ViT_B_16_Weights.IMAGENET1K_V1,
    "vit_b_32": models.ViT_B_32_Weights.IMAGENET1K_V1,
    "vit_l_16": models.ViT_L_16_Weights.IMAGENET1K_V1,
    "vit_l_32": models.ViT_L_32_Weights.IMAGENET1K_V1,
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


def classes_of(name: str) -> tuple[str, ...]:
    """What the model's 1,000 outputs stand for."""
    return tuple(PRETRAINED[name].meta["categories"])


def megabytes_of(name: str) -> float:
    """Size of the weights that are to be fetched."""
    return PRETRAINED[name].meta["_file_size"]


def weights_file(name: str) -> Path:
    """Where the weights lie once they are fetched."""
    return home() / "data" / PRETRAINED[name].url.rsplit("/", 1)[1]


def fetch_weights(name: str) -> None:
    """Fetch the weights, check their digest, and put them where `weights_file` says; nothing is done if they are there.

    Raises:
        ConfigError: they could not be fetched.
    """
    path, url = weights_file(name), PRETRAINED[name].url
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), path.stem.rsplit("-", 1)[1], progress=False)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"The weights of {name} ({megabytes_of(name):.0f} MB) could not be fetched: check the network connection and "
            f"try again. The models that ship work without it. (The reason given: {getattr(error, 'reason', error)})"
        ) from error


def load_pretrained(name: str) -> VisionTransformer:
    """The model with its fetched weights, ready to predict.

    Raises:
        ConfigError: the weights are not there, or damaged.
    """
    path = weights_file(name)
    if not path.is_file():
        raise ConfigError(f"The weights of {name} are not on this machine: fetch them first.")
    theirs = getattr(models, name)()
    try:
        theirs.load_state_dict(torch.load(path, weights_only=True))
    except (RuntimeError, OSError, EOFError, ValueError) as error:
        raise ConfigError(f"The weights of {name} are damaged: delete {path} and fetch them again.") from error
    return from_torchvision(theirs)


@torch.no_grad()
def from_torchvision(theirs: nn.Module) -> VisionTransformer:
    """torchvision's `VisionTransformer` with the same weights as ours: the same logits, and a trace of all on the way."""
    config = ModelConfig(
        image_size=theirs.image_size,
        patch_size=theirs.patch_size,
        num_classes=theirs.num_classes,
        embed_dim=theirs.hidden_dim,
        depth=len(theirs.encoder.layers),
        num_heads=theirs.encoder.layers[0].num_heads,
        mlp_ratio=theirs.mlp_dim / theirs.hidden_dim,
    )
    names = dict(NAMES)
    for layer in range(config.depth):
        ours, block = f"blocks.{layer}", f"encoder.layers.encoder_layer_{layer}"
        names |= {f"{ours}.{mine}": f"{block}.{its}" for mine, its in BLOCK_NAMES.items()}
    weights = theirs.state_dict()
    renamed = {f"{mine}.{part}": weights[f"{its}.{part}"] for mine, its in names.items() for part in ("weight", "bias")}
    renamed |= {"cls_token": weights["class_token"], "pos_embed": weights["encoder.pos_embedding"]}
    for layer in range(config.depth):
        for part in ("weight", "bias"):
            its = f"encoder.layers.encoder_layer_{layer}.self_attention.in_proj_{part}"
            renamed[f"blocks.{layer}.attn.qkv.{part}"] = weights[its]
    model = VisionTransformer(config, seed=0)
    model.load_state_dict(renamed)
    return model.eval()


def cut_out(name: str, picture: Tensor) -> Tensor:
    """The part of a picture that the model sees: scaled and its middle cut out, as its own transforms do.

    Args:
        name: of PRETRAINED.
        picture: (3, H, W) uint8.

    Returns:
        (3, S, S) uint8.
    """
    own = PRETRAINED[name].transforms()
    scaled = functional.resize(picture, own.resize_size, interpolation=own.interpolation, antialias=own.antialias)
    return functional.center_crop(scaled, own.crop_size)


def normalise(name: str, images: Tensor) -> Tensor:
    """uint8 -> float with the mean and the spread of the model's own transforms."""
    own = PRETRAINED[name].transforms()
    return functional.normalize(functional.convert_image_dtype(images, torch.float), own.mean, own.std)
