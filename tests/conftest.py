"""Fixtures of all tests. Each test has its own home folder and writes nothing into the project."""

import vitdemo  # noqa: F401  before torch, as it sets how torch's threads wait

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
    """Return the folder of this test's runs and data."""
    monkeypatch.setenv("VITDEMO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
def one_thread():
    """Use one torch thread: tests compare numbers bit by bit and share the machine."""
    torch.set_num_threads(1)


@pytest.fixture
def tiny():
    """Return a model that trains within a second: four patches and CLS, one block of two heads."""
    return ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=2, mlp_ratio=1.0)


@pytest.fixture
def short():
    """Return the settings of a run of a few steps."""
    return TrainConfig(epochs=2, batch_size=8, train_images=20, validation_images=10, seed=3)


@pytest.fixture
def saved_run(tiny, short):
    """Return a finished run on disk: the model `tiny` trained as `short` says."""
    return trained_run(tiny, short)


@pytest.fixture(params=["mean", "attention"])
def run_without_cls(request, tiny, short):
    """Return the same run without CLS, for each other kind of pooling."""
    return trained_run(replace(tiny, pooling=request.param), short)


@torch.no_grad()
def uneven(config: ModelConfig, seed: int = 0) -> VisionTransformer:
    """Return a model with weights large enough for its attention to be far from uniform."""
    model = VisionTransformer(config, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


@pytest.fixture(params=["cls", "mean", "attention"])
def random_model(request):
    """Return a model of four patches and two blocks of two heads, for each kind of pooling."""
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
    """Return the plain ViT that ships: 64 patches and CLS, six blocks of four heads."""
    return _shipped()


@pytest.fixture
def pictures():
    """Return the first three test images, normalized."""
    return normalize(load_cifar10(1, 3).validation.images)


@pytest.fixture
def labels():
    """Return the labels of the images in `pictures`."""
    return load_cifar10(1, 3).validation.labels
