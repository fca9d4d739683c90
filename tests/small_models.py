"""Small models, one for each stem and pooling, and images for them."""

from dataclasses import replace
from itertools import product

import torch

from vitdemo.config import SETTINGS, ModelConfig

SMALL = ModelConfig(image_size=16, patch_size=4, embed_dim=24, depth=2, num_heads=3, mlp_ratio=2.0)
VARIANTS = [
    replace(SMALL, stem=stem, pooling=kind)
    for stem, kind in product(SETTINGS["stem"].choices, SETTINGS["pooling"].choices)
]


def named(config):
    return f"{config.stem}-{config.pooling}"


def images_for(config, count=3, seed=0):
    shape = (count, config.in_channels, config.image_size, config.image_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def with_large_weights(model, seed=1):
    """Change all weights about as much as training does, norms and biases included."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.parameters():
        tensor.add_(torch.randn(tensor.shape, generator=generator), alpha=0.15)
    return model
