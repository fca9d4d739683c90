"""Vision Transformers trained on ImageNet, from torchvision, as models of our own.

Their weights are downloaded on request. torchvision's parameters are renamed to ours, so that all
of `explain` works with them. torchvision takes a second to import, so functions import it.
"""

from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from ..config import ConfigError, ModelConfig, TrainConfig
from ..data.cifar10 import SAMPLE
from ..data.classes import name_each
from ..files import pretrained_folder, reason
from ..machine import check_disk
from ..model import VisionTransformer
from . import checks
from .checkpoint import read_header, save_checkpoint
from .normalization import fold_normalization
from .run import Run


def _shape(patch_size: int, embed_dim: int, depth: int, num_heads: int) -> ModelConfig:
    return ModelConfig(
        224, patch_size, num_classes=1000, embed_dim=embed_dim, depth=depth, num_heads=num_heads
    )


PRETRAINED = {  # torchvision's name -> shape (Dosovitskiy et al. 2021, Table 1)
    "vit_b_16": _shape(16, 768, 12, 12),
    "vit_b_32": _shape(32, 768, 12, 12),
    "vit_l_16": _shape(16, 1024, 24, 16),
    "vit_l_32": _shape(32, 1024, 24, 16),
}
# Our name of a layer -> torchvision's, each with a weight and a bias.
LAYER_NAMES = {"patch_embed.proj": "conv_proj", "norm": "encoder.ln", "head": "heads.head"}
BLOCK_LAYER_NAMES = {  # within a block
    "norm1": "ln_1",
    "attn.proj": "self_attention.out_proj",
    "norm2": "ln_2",
    "mlp.fc1": "mlp.0",
    "mlp.fc2": "mlp.3",
}
# Our name of a tensor -> torchvision's, where the names end otherwise.
TENSOR_NAMES = {"cls_token": "class_token", "pos_embed": "encoder.pos_embedding"}
BLOCK_TENSOR_NAMES = {  # within a block
    "attn.qkv.weight": "self_attention.in_proj_weight",
    "attn.qkv.bias": "self_attention.in_proj_bias",
}


def pretrained_runs() -> list[Run]:
    """Return torchvision's ImageNet models, downloaded or not; they validate on the sample."""
    training, runs = TrainConfig(validation_images=SAMPLE["test"]), []
    for name, shape in PRETRAINED.items():
        classes = name_each((), shape.num_classes)  # until the names are downloaded
        run = Run(name, shape, training, "finished", origin="imagenet", classes=classes)
        runs.append(replace(run, classes=_classes_of(run)) if run.has_weights else run)
    return runs


def _classes_of(run: Run) -> tuple[str, ...]:
    try:
        _, card = read_header(run.weights)
        return checks.classes(card.get("classes"), run.model.num_classes) or run.classes
    except ValueError:  # damaged; loading the model reports it
        return run.classes


def _weights(name: str):
    """Return torchvision's description of the weights: URL, size, classes and transforms."""
    from torchvision.models import get_model_weights

    return get_model_weights(name).IMAGENET1K_V1


def imagenet_classes() -> list[str]:
    """Return the names of ImageNet's 1,000 classes, in the order of all common models."""
    return _weights("vit_b_16").meta["categories"]


def normalization_of(name: str) -> dict[str, list[float]]:
    """Return mean and standard deviation of each channel that a model was trained with."""
    transforms = _weights(name).transforms()
    return {"mean": transforms.mean, "std": transforms.std}


def megabytes_of(name: str) -> float:
    """Return the size of the download in units of 2^20 bytes."""
    return _weights(name).meta["_file_size"]


def weights_file(name: str) -> Path:
    """Return the path of the checkpoint that `download_weights` makes."""
    return pretrained_folder() / f"{name}.safetensors"


def download_file(name: str) -> Path:
    """Return the path of the download, which is deleted once the checkpoint is made."""
    return pretrained_folder() / _weights(name).url.rsplit("/", 1)[1]


def downloaded_bytes(name: str) -> int:
    """Return how much of the download is on disk, in its file or in torch's `.partial` file."""
    path = download_file(name)
    return max((part.stat().st_size for part in path.parent.glob(f"{path.name}*")), default=0)


def download_weights(name: str) -> None:
    """Download the weights, check their digest, and save them as a checkpoint.

    Does nothing if the checkpoint exists. Its model takes images from `data.cifar10.normalize`.

    Raises:
        ConfigError: the download failed, or its content is damaged.
    """
    from torchvision import models

    if weights_file(name).is_file():
        return
    path, weights = download_file(name), _weights(name)
    check_disk(path.parent, int(2 * 2**20 * megabytes_of(name)))  # the download and the checkpoint
    digest = path.stem.rsplit("-", 1)[1]
    try:
        torch.hub.download_url_to_file(weights.url, str(path), digest, progress=False)
        theirs = models.get_model(name)
        theirs.load_state_dict(torch.load(path, weights_only=True))
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as error:
        raise ConfigError(
            f"The download of {name} ({megabytes_of(name):.0f} MB) failed "
            f"({reason(error)}). Check the network connection and try again. "
            "The models that ship work without it."
        ) from error
    finally:
        path.unlink(missing_ok=True)
    model, transforms = from_torchvision(theirs), weights.transforms()
    fold_normalization(model, transforms.mean, transforms.std)
    card = {"from": weights.url, "classes": weights.meta["categories"]}
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


def from_torchvision(theirs: nn.Module) -> VisionTransformer:
    """Return our model with the weights of torchvision's `VisionTransformer`: same logits."""
    config = config_of(theirs)
    layers, tensors = dict(LAYER_NAMES), dict(TENSOR_NAMES)
    for n in range(config.depth):
        block, its_block = f"blocks.{n}", f"encoder.layers.encoder_layer_{n}"
        for name, its_name in BLOCK_LAYER_NAMES.items():
            layers[f"{block}.{name}"] = f"{its_block}.{its_name}"
        for name, its_name in BLOCK_TENSOR_NAMES.items():
            tensors[f"{block}.{name}"] = f"{its_block}.{its_name}"
    for name, its_name in layers.items():
        for part in ("weight", "bias"):
            tensors[f"{name}.{part}"] = f"{its_name}.{part}"
    weights = theirs.state_dict()
    model = VisionTransformer(config, seed=0)
    model.load_state_dict({name: weights[its_name] for name, its_name in tensors.items()})
    return model.eval()


def crop(name: str, picture: Tensor) -> Tensor:
    """Resize a picture and crop its center, as the model's own transforms do.

    Args:
        name: key of PRETRAINED.
        picture: (3, H, W) uint8.

    Returns:
        (3, S, S) uint8.
    """
    from torchvision.transforms import functional

    own = _weights(name).transforms()
    resized = functional.resize(
        picture, own.resize_size, interpolation=own.interpolation, antialias=own.antialias
    )
    return functional.center_crop(resized, own.crop_size)


def crop_fraction(name: str) -> float:
    """Return the fraction of a picture's shorter side that `crop` keeps."""
    own = _weights(name).transforms()
    return own.crop_size[0] / own.resize_size[0]
