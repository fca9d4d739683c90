"""Shuffled copies, and how like their maps are."""

import copy

import pytest
import torch

from vitdemo.explain.methods import by_attention, by_relevance
from vitdemo.explain.randomization import shuffled_from_the_top, similarities, similarity


def parts_that_differ(model, other):
    """Whose parameters are no longer the model's."""
    pairs = zip(model.named_parameters(), other.parameters(), strict=True)
    return {
        name.split(".")[0] + (name.split(".")[1] if "blocks" in name else "")
        for (name, a), b in pairs
        if (a != b).any()
    }


def test_ever_more_is_shuffled_from_the_head_down(random_model):
    original = copy.deepcopy(random_model.state_dict())
    differ = [
        (name, parts_that_differ(random_model, other))
        for name, other in shuffled_from_the_top(random_model)
    ]
    assert [name for name, _ in differ] == ["head", "block 2", "block 1", "embedding"]
    head = {"head", "norm"} | ({"pool"} if random_model.pool else set())
    tokens = {"patch_embed", "pos_embed"} | (
        {"cls_token"} if random_model.config.has_cls else set()
    )
    assert differ[0][1] == head
    assert differ[1][1] == head | {"blocks1"}
    assert differ[2][1] == head | {"blocks1", "blocks0"}
    assert differ[3][1] == head | {"blocks1", "blocks0"} | tokens
    assert all(
        torch.equal(tensor, original[name]) for name, tensor in random_model.state_dict().items()
    )


def test_a_shuffled_tensor_has_the_same_numbers(random_model):
    *_, (_, other) = shuffled_from_the_top(random_model)
    for mine, its in zip(random_model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(
            mine.flatten().sort().values, its.flatten().sort().values, rtol=0, atol=0
        )


def test_the_similarity_is_the_correlation_of_ranks():
    first = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert similarity(first, first**3) == pytest.approx(1)
    assert similarity(first, -first) == pytest.approx(-1)
    # Ranks 1 2 3 4 and 2 1 4 3: differences 1 1 1 1, so 1 - 6 * 4 / (4 * 15).
    assert similarity(first, torch.tensor([[2.0, 1.0], [4.0, 3.0]])) == pytest.approx(0.6)
    assert similarity(first, torch.ones(2, 2)) != similarity(first, torch.ones(2, 2))  # NaN


def test_a_map_that_does_not_look_at_the_model_stays(random_model):
    same = torch.rand(2, 2, generator=torch.Generator().manual_seed(0))
    assert [found for _, found in similarities(random_model, lambda model: same)] == pytest.approx(
        [1, 1, 1, 1]
    )


def test_the_maps_of_the_trained_model_fall_apart(trained_model, pictures):
    for explain in (by_attention, by_relevance):

        def map_of(model, explain=explain):
            return explain(model, pictures[:1], torch.tensor([3]))[0]

        found = dict(similarities(trained_model, map_of))
        assert list(found) == ["head", *(f"block {n}" for n in (6, 5, 4, 3, 2, 1)), "embedding"]
        assert abs(found["embedding"]) < 0.5
    assert found["head"] < 1  # relevance depends on the head


def test_attention_does_not_depend_on_the_head(trained_model, pictures):
    name, found = next(
        similarities(trained_model, lambda model: by_attention(model, pictures[:1], None)[0])
    )
    assert (name, found) == ("head", pytest.approx(1))
