"""Costs over tokens and images; the trainings themselves are those of train(), tested elsewhere."""

import pytest

from vitdemo.config import ModelConfig
from vitdemo.lessons import scaling
from vitdemo.lessons.scaling import BATCH, KINDS, attention_costs, exponent, hunger


def test_the_exponent_of_a_known_power():
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert exponent([10, 100], [5, 50]) == pytest.approx(1)


def test_costs_are_of_the_tokens_of_each_patch_size():
    found = attention_costs(ModelConfig(), (8, 4, 2), repeats=2)
    assert [cost.tokens for cost in found] == [17, 65, 257]
    assert [cost.megabytes for cost in found] == pytest.approx(
        [4 * BATCH * 8 * T**2 / 1e6 for T in (17, 65, 257)]
    )
    assert all(cost.seconds > 0 for cost in found)
    assert found[2].seconds > found[0].seconds


def test_more_images_teach_more(monkeypatch):
    monkeypatch.setattr(scaling, "HUNGRY", (20, 320))
    monkeypatch.setattr(scaling, "SEEN", 1600)
    found = {(kind, images): reached for kind, images, reached in hunger()}
    assert list(found) == [(kind, images) for images in (20, 320) for kind in KINDS]
    assert found["hybrid", 320] > found["hybrid", 20]
