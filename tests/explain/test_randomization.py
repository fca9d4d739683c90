"""Shuffled copies of a model, and the similarity of their maps."""

import copy
import math

import numpy as np
import pytest
import torch

from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.methods import by_attention, by_relevance
from vitdemo.explain.randomization import (
    shuffled_from_the_top,
    similarities,
    similarities_between,
    similarity,
    stages,
)


def changed_parts(model, other):
    """Return the names of the parts whose parameters differ."""
    changed = set()
    for (name, mine), its in zip(model.named_parameters(), other.parameters(), strict=True):
        if (mine != its).any():
            part, *rest = name.split(".")
            changed.add(part + rest[0] if part == "blocks" else part)
    return changed


def test_shuffling_goes_from_the_head_down(random_model):
    original = copy.deepcopy(random_model.state_dict())
    changed = [
        (name, changed_parts(random_model, other))
        for name, other in shuffled_from_the_top(random_model)
    ]
    assert [name for name, _ in changed] == ["head", "block 2", "block 1", "embedding"]
    head = {"head", "norm"}
    if random_model.pool:
        head |= {"pool"}
    embedding = {"patch_embed", "pos_embed"}
    if random_model.config.has_cls:
        embedding |= {"cls_token"}
    assert changed[0][1] == head
    assert changed[1][1] == head | {"blocks1"}
    assert changed[2][1] == head | {"blocks1", "blocks0"}
    assert changed[3][1] == head | {"blocks1", "blocks0"} | embedding
    after = random_model.state_dict()
    assert all(torch.equal(tensor, original[name]) for name, tensor in after.items())


def test_shuffling_keeps_the_numbers_of_each_parameter(random_model):
    *_, (_, other) = shuffled_from_the_top(random_model)
    for mine, its in zip(random_model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine.flatten().sort().values, its.flatten().sort().values)


def test_shuffling_is_fixed_by_the_seed(random_model):
    last = []
    for seed in (0, 0, 1):
        *_, (_, other) = shuffled_from_the_top(random_model, seed)
        last.append(other.head.weight)
    assert torch.equal(last[0], last[1])
    assert not torch.equal(last[0], last[2])


def test_similarity_is_the_rank_correlation():
    first = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert similarity(first, first**3) == pytest.approx(1)
    assert similarity(first, -first) == pytest.approx(-1)
    # Ranks 1 2 3 4 and 2 1 4 3: differences 1 1 1 1, so 1 - 6 * 4 / (4 * 15).
    assert similarity(first, torch.tensor([[2.0, 1.0], [4.0, 3.0]])) == pytest.approx(0.6)


def test_similarity_with_a_uniform_map_is_nan():
    first = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert math.isnan(similarity(first, torch.ones(2, 2)))
    assert math.isnan(similarity(torch.ones(2, 2), first))


def test_similarities_between_are_those_of_all_pairs():
    maps = torch.rand(4, 5, 5, generator=torch.Generator().manual_seed(1))
    expected = []
    for first in range(4):
        for second in range(first + 1, 4):
            ranks = [maps[k].flatten().argsort().argsort().numpy() for k in (first, second)]
            expected.append(np.corrcoef(*ranks)[0, 1])
    np.testing.assert_allclose(similarities_between(maps), expected, atol=1e-9)
    maps[2] = 0.25  # uniform: its three pairs have no similarity
    np.testing.assert_allclose(
        similarities_between(maps), np.delete(expected, [1, 3, 5]), atol=1e-9
    )


def test_unrelated_smooth_maps_are_not_always_far_apart(trained_model):
    images = normalize(load_cifar10(1, 12).validation.images)
    found = similarities_between(by_attention(trained_model, images, None))
    assert len(found) == 66
    assert np.percentile(found, 97.5) > 0.5


def test_a_map_that_ignores_the_model_keeps_similarity_1(random_model):
    same = torch.rand(2, 2, generator=torch.Generator().manual_seed(0))
    found = [value for _, value in similarities(random_model, lambda model: same)]
    assert found == pytest.approx([1, 1, 1, 1])


def test_similarity_falls_for_a_trained_model(trained_model, pictures):
    for explain in (by_attention, by_relevance):

        def map_of(model, explain=explain):
            return explain(model, pictures[:1], torch.tensor([3]))[0]

        found = dict(similarities(trained_model, map_of))
        assert list(found) == ["head", *(f"block {n}" for n in (6, 5, 4, 3, 2, 1)), "embedding"]
        assert list(found) == stages(6)
        assert abs(found["embedding"]) < 0.5
    assert found["head"] < 1  # relevance depends on the head


def test_attention_does_not_depend_on_the_head(trained_model, pictures):
    def map_of(model):
        return by_attention(model, pictures[:1], None)[0]

    name, found = next(similarities(trained_model, map_of))
    assert (name, found) == ("head", pytest.approx(1))
