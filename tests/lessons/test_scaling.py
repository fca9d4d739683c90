"""Costs of attention over tokens, and accuracy over training images."""

import pytest

from vitdemo.config import ModelConfig
from vitdemo.lessons import scaling
from vitdemo.lessons.scaling import BATCH, MODELS, attention_costs, data_efficiency, exponent


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


@pytest.mark.slow
def test_accuracy_rises_with_training_images(monkeypatch):
    monkeypatch.setattr(scaling, "TRAIN_IMAGES", (20, 320))
    monkeypatch.setattr(scaling, "IMAGES_SEEN", 1600)
    found = {(name, images): accuracy for name, images, accuracy in data_efficiency()}
    assert list(found) == [(name, images) for images in (20, 320) for name in MODELS]
    assert found["hybrid", 320] > found["hybrid", 20]
