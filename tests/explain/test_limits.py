"""Costs over tokens and images; the trainings themselves are those of train(), tested elsewhere."""

from itertools import islice

import pytest

from vitdemo.config import ModelConfig
from vitdemo.explain.limits import BATCH, attention_costs, exponent, hunger


def test_the_exponent_of_a_known_power():
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)
    assert exponent([10, 100], [5, 50]) == pytest.approx(1)


def test_costs_are_of_the_tokens_of_each_patch_size():
    found = attention_costs(ModelConfig(), (8, 4, 2), repeats=2)
    assert [cost.tokens for cost in found] == [17, 65, 257]
    assert [cost.megabytes for cost in found] == pytest.approx([4 * BATCH * 8 * T**2 / 1e6 for T in (17, 65, 257)])
    assert all(cost.seconds > 0 for cost in found)
    assert found[2].seconds > found[0].seconds


def test_more_images_teach_more():
    found = list(islice(hunger(), 3))
    assert [images for images, _ in found] == [50, 200, 800]
    assert found[2][1] > found[0][1]
