"""Models and pictures that the questions are asked of: one with random weights, and the trained one that ships."""

from functools import lru_cache

import pytest
import torch

from vitdemo.checkpoint import SHIPPED, load_checkpoint
from vitdemo.config import ModelConfig
from vitdemo.data import load_cifar10, normalise
from vitdemo.model import VisionTransformer


@torch.no_grad()
def uneven(config: ModelConfig, seed: int = 0) -> VisionTransformer:
    """A model whose weights are large enough for its attention to be uneven."""
    model = VisionTransformer(config, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


@pytest.fixture(params=["cls", "mean", "attention"])
def random_model(request):
    """Four patches, two layers of two heads, for each kind of pooling."""
    return uneven(ModelConfig(patch_size=16, embed_dim=8, depth=2, num_heads=2, mlp_ratio=1.0, pooling=request.param))


@lru_cache
def _shipped():
    return load_checkpoint(SHIPPED / "vit.safetensors")[0]


@pytest.fixture
def trained_model():
    """The plain ViT that ships: 64 patches and CLS, six layers of four heads."""
    return _shipped()


@pytest.fixture
def pictures():
    """The first three test images, normalised."""
    return normalise(load_cifar10(1, 3).validation.images)


@pytest.fixture
def labels():
    """What they show."""
    return load_cifar10(1, 3).validation.labels
