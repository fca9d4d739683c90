"""What every test shares: a home of its own, so that nothing is written into the project, and one torch thread."""

import vitdemo  # noqa: F401  before torch: it says how torch's threads wait

# isort: split
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from open_app import trained_run

from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.files import SHIPPED
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The folder of this test's runs and data."""
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def one_thread():
    """One torch thread: tests compare numbers to the bit and share the machine."""
    torch.set_num_threads(1)


@pytest.fixture
def tiny():
    """A model that trains in no time."""
    return ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)


@pytest.fixture
def short():
    """A training of a few steps."""
    return TrainConfig(epochs=2, batch_size=8, train_images=20, validation_images=10, seed=3)


@pytest.fixture
def saved_run(tiny, short):
    """A run on disk: four patches and CLS, one layer of two heads."""
    return trained_run(tiny, short)


@pytest.fixture(params=["mean", "attention"])
def run_without_cls(request, tiny, short):
    """The same without CLS."""
    return trained_run(replace(tiny, pooling=request.param), short)


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
    return uneven(
        ModelConfig(
            patch_size=16, embed_dim=8, depth=2, num_heads=2, mlp_ratio=1.0, pooling=request.param
        )
    )


@lru_cache
def _shipped():
    return load_checkpoint(SHIPPED / "vit.safetensors")[0]


@pytest.fixture
def trained_model():
    """The plain ViT that ships: 64 patches and CLS, six layers of four heads."""
    return _shipped()


@pytest.fixture
def pictures():
    """The first three test images, normalized."""
    return normalize(load_cifar10(1, 3).validation.images)


@pytest.fixture
def labels():
    """What they show."""
    return load_cifar10(1, 3).validation.labels
