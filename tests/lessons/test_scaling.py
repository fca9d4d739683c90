"""Costs of attention over tokens, and accuracy over training images."""

import pytest

from vitdemo.config import ModelConfig
from vitdemo.costs import macs
from vitdemo.lessons import scaling
from vitdemo.lessons.paper import VIT_BASE
from vitdemo.lessons.scaling import (
    BATCH,
    MODELS,
    attention_costs,
    break_even,
    data_efficiency,
    exponent,
    quadratic_share,
)


def test_exponent_of_known_power_laws():
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert exponent([10, 100], [5, 50]) == pytest.approx(1)


def test_attention_costs_for_each_patch_size():
    found = attention_costs(ModelConfig(), (8, 4, 2), repeats=2)
    assert [cost.tokens for cost in found] == [17, 65, 257]
    assert [cost.megabytes for cost in found] == pytest.approx(
        [4 * BATCH * 8 * T**2 / 1e6 for T in (17, 65, 257)]
    )
    assert all(cost.seconds > 0 for cost in found)
    assert found[2].seconds > found[0].seconds


def test_quadratic_share_of_vit_base_by_hand():
    T, D = 197, 768
    linear = 12 * 12 * T * D**2 + 196 * 768 * D + D * 1000
    assert quadratic_share(ModelConfig(**VIT_BASE)) == pytest.approx(
        12 * 2 * T**2 * D / (12 * 2 * T**2 * D + linear)
    )
    assert quadratic_share(ModelConfig(**VIT_BASE)) == pytest.approx(0.041, abs=5e-4)


@pytest.mark.parametrize(("embed_dim", "mlp_ratio"), [(24, 4.0), (36, 2.0)])
def test_attention_breaks_even_with_the_linear_layers(embed_dim, mlp_ratio):
    config = ModelConfig(
        image_size=48, embed_dim=embed_dim, mlp_ratio=mlp_ratio, num_heads=1, pooling="mean"
    )
    parts = macs(config)
    assert break_even(config) == config.num_tokens == 144
    assert parts["attention"] == parts["projections"] + parts["MLPs"]


@pytest.mark.slow
def test_accuracy_rises_with_training_images(monkeypatch):
    monkeypatch.setattr(scaling, "TRAIN_IMAGES", (20, 320))
    monkeypatch.setattr(scaling, "IMAGES_SEEN", 1600)
    found = {(name, images): accuracy for name, images, accuracy in data_efficiency()}
    assert list(found) == [(name, images) for images in (20, 320) for name in MODELS]
    assert found["hybrid", 320] > found["hybrid", 20]
