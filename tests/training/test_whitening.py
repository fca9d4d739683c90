from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vitdemo.config import ModelConfig, TrainConfig
from vitdemo.data.cifar10 import Data, load_cifar10, normalize
from vitdemo.files import SHIPPED
from vitdemo.model import VisionTransformer
from vitdemo.runs.checkpoint import load_checkpoint, save_checkpoint
from vitdemo.training import whitening
from vitdemo.training.loop import evaluate, train
from vitdemo.training.whitening import whiten

PATCH = ModelConfig(patch_size=4, embed_dim=64, depth=1, num_heads=1)
CONV = replace(PATCH, stem="conv")
INPUTS = {"patch": 3 * 4 * 4, "conv": 3 * 3 * 3}  # of one filter


def first_layer(model):
    return model.patch_embed.convs[0] if model.config.stem == "conv" else model.patch_embed.proj


def whitened(config, images, seed=0):
    model = VisionTransformer(config, seed=seed)
    whiten(model, images)
    return model


def inputs_of(images, config):
    """Return the filters' inputs at all positions of the images, (positions, inputs) in NumPy."""
    pixels = normalize(images).double().numpy()
    side, step = (3, 1) if config.stem == "conv" else (config.patch_size, config.patch_size)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(2, 3))[
        :, :, ::step, ::step
    ]
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, pixels.shape[1] * side * side)


@pytest.mark.parametrize(
    "config", [PATCH, CONV, replace(PATCH, embed_dim=16)], ids=["patch", "conv", "few"]
)
def test_responses_of_whitened_filters_are_uncorrelated_with_equal_std(config):
    images = load_cifar10(200, 1).train.images
    layer = first_layer(whitened(config, images))
    stride = 1 if config.stem == "conv" else config.patch_size
    count = min(INPUTS[config.stem], len(layer.weight) // (2 if config.stem == "conv" else 1))
    with torch.no_grad():
        responses = F.conv2d(normalize(images), layer.weight[:count], stride=stride)
    covariance = np.cov(responses.transpose(0, 1).flatten(1).double().numpy())

    inputs = inputs_of(images, config)
    variances = np.linalg.svd(inputs - inputs.mean(axis=0), compute_uv=False) ** 2 / (
        len(inputs) - 1
    )
    std = 0.2 if config.stem == "patch" else 1.0
    expected = std**2 * variances / (variances + 0.01)
    np.testing.assert_allclose(np.diag(covariance), expected[:count], rtol=0.02, atol=1e-4)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.005 * std**2
    assert covariance[0, 0] == pytest.approx(std**2, rel=0.01)


def test_conv_stem_has_each_filter_with_both_signs():
    images = load_cifar10(50, 1).train.images
    weight = first_layer(whitened(CONV, images)).weight
    assert torch.equal(weight[:27], -weight[27:54])
    assert torch.equal(weight[54:], first_layer(VisionTransformer(CONV, seed=0)).weight[54:])
    assert weight[:27].flatten(1).norm(dim=1).min() > 0.3


def test_remaining_filters_stay_random():
    images = load_cifar10(50, 1).train.images
    weight = first_layer(whitened(PATCH, images)).weight
    drawn = first_layer(VisionTransformer(PATCH, seed=0)).weight
    assert torch.equal(weight[48:], drawn[48:])
    assert not torch.isclose(weight[:48], drawn[:48]).flatten(1).all(dim=1).any()


def test_few_filters_are_the_largest_components():
    images = load_cifar10(50, 1).train.images
    few, many = (
        whitened(replace(PATCH, embed_dim=width), images).patch_embed.proj for width in (8, 64)
    )
    assert torch.equal(few.weight, many.weight[:8])
    first = few.weight[0].flatten()
    assert (first > 0).all() or (first < 0).all()  # brightness


@pytest.mark.parametrize("config", [PATCH, CONV], ids=["patch", "conv"])
def test_only_the_first_layer_changes(config):
    images = load_cifar10(50, 1).train.images
    model, plain = whitened(config, images), VisionTransformer(config, seed=0)
    changed = {
        name
        for name, weight in plain.named_parameters()
        if not torch.equal(weight, model.get_parameter(name))
    }
    layer = "patch_embed.convs.0" if config.stem == "conv" else "patch_embed.proj"
    if config.stem == "conv":
        assert changed == {f"{layer}.weight"}
    else:
        assert changed == {f"{layer}.weight", f"{layer}.bias"}
        assert not model.patch_embed.proj.bias.any()
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())


def test_only_the_first_images_are_used(monkeypatch):
    monkeypatch.setattr(whitening, "IMAGES", 20)
    images = load_cifar10(50, 1).train.images
    full, first = (first_layer(whitened(PATCH, part)).weight for part in (images, images[:20]))
    assert torch.equal(full, first)
    assert not torch.equal(full, first_layer(whitened(PATCH, images[:19])).weight)


@pytest.mark.parametrize("config", [ModelConfig(patch_size=8), CONV], ids=["patch", "conv"])
@pytest.mark.parametrize("count", [1, 2])
def test_images_without_variance_give_bounded_filters(config, count):
    gray = torch.full((count, 3, 32, 32), 77, dtype=torch.uint8)
    for images in (gray, load_cifar10(count, 1).train.images):
        weight = first_layer(whitened(config, images)).weight
        assert weight.isfinite().all()
        assert weight.flatten(1).norm(dim=1).max() < 1 / 0.1 + 1e-3  # 1 / sqrt(EPSILON)


def test_single_patch_gives_finite_filters():
    config = ModelConfig(image_size=8, patch_size=8, embed_dim=8, depth=1, num_heads=1)
    image = torch.randint(256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    assert first_layer(whitened(config, image)).weight.isfinite().all()


@pytest.mark.parametrize("channels", [1, 16])
def test_images_with_any_number_of_channels(channels):
    images = torch.randint(
        256, (20, channels, 32, 32), generator=torch.Generator().manual_seed(0)
    ).byte()
    weight = first_layer(whitened(replace(CONV, in_channels=channels), images)).weight
    half = min(32, 9 * channels)
    assert torch.equal(weight[:half], -weight[half : 2 * half])


RECIPE = TrainConfig(epochs=1, batch_size=10, learning_rate=1e-7, patch_embed_init="whitened")


def filters_of(model):
    return first_layer(model).weight.detach().clone()


def test_new_model_is_whitened_by_its_first_training(tiny):
    data = load_cifar10(20, 10)
    expected, model = VisionTransformer(tiny, seed=0), VisionTransformer(tiny, seed=0)
    whiten(expected, data.train.images)
    assert model.is_new
    list(train(model, data, RECIPE))
    assert not model.is_new
    torch.testing.assert_close(filters_of(model), filters_of(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, patch_embed_init="random")])
def test_trained_model_is_not_whitened_again(tiny, recipe):
    model = VisionTransformer(tiny, seed=0)
    list(train(model, load_cifar10(20, 10), recipe))
    before = filters_of(model)
    other = Data(load_cifar10(60, 10).train[40:], load_cifar10(1, 10).validation)
    list(train(model, other, RECIPE))
    torch.testing.assert_close(filters_of(model), before, atol=1e-5, rtol=0)


def test_loaded_model_is_not_whitened(tiny, tmp_path):
    path, trained = tmp_path / "model.safetensors", VisionTransformer(tiny, seed=0)
    save_checkpoint(path, trained, {})
    model, _ = load_checkpoint(path)
    list(train(model, load_cifar10(20, 10), RECIPE))
    torch.testing.assert_close(filters_of(model), filters_of(trained), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_shipped_model_keeps_its_accuracy_at_a_tiny_learning_rate():
    model, _ = load_checkpoint(SHIPPED / "vit.safetensors")
    data = load_cifar10(64, 300)
    before = evaluate(model, data.validation)["accuracy"]
    *_, last = train(model, data, RECIPE)
    assert last.validation["accuracy"] == pytest.approx(before, abs=0.01)
