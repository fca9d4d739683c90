"""Attribution methods behind one interface, and the pooling weights."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from vitdemo.explain.methods import METHODS, Method, by_attention, on_patches, pooling_weights
from vitdemo.explain.rollout import rollout


@torch.no_grad()
def test_pooling_weights_reproduce_the_logits(random_model, pictures):
    _, trace = random_model.trace(pictures)
    weights = pooling_weights(random_model, trace)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    tokens = random_model.norm(trace.tokens[-1])
    logits = random_model.head((weights[..., None] * tokens).sum(dim=1))
    torch.testing.assert_close(logits, random_model(pictures), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_scores_every_patch_of_every_picture(name, random_model, pictures):
    found = METHODS[name](random_model, pictures, torch.tensor([0, 1, 2]))
    assert found.shape == (3, 2, 2)
    assert found.isfinite().all()
    alone = METHODS[name](random_model, pictures[1:2], torch.tensor([1]))
    torch.testing.assert_close(found[1:2], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", [None, 1])
@torch.no_grad()
def test_by_attention_reads_the_row_of_cls(trained_model, pictures, head):
    attention = trained_model.trace(pictures)[1].attention[2]
    matrices = attention.mean(dim=1) if head is None else attention[:, head]
    expected = matrices[:, 0, 1:].reshape(3, 8, 8)
    found = by_attention(trained_model, pictures, None, layer=2, head=head)
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_by_rollout_weights_rollout_by_pooling(random_model, pictures):
    _, trace = random_model.trace(pictures)
    weights = pooling_weights(random_model, trace)
    matrices = rollout(trace.attention, "max", 0.5)
    expected = torch.stack([w @ matrix for w, matrix in zip(weights, matrices, strict=True)])
    patches = expected[:, 1:] if random_model.config.has_cls else expected
    found = METHODS["rollout"](random_model, pictures, None, fusion="max", discard=0.5)
    torch.testing.assert_close(found, patches.reshape(3, 2, 2))


def test_on_patches_keeps_the_position_of_a_patch(trained_model):
    matrices = torch.zeros(1, 65, 65)
    matrices[0, 0, 1 + 8 * 2 + 5] = 1
    weights = torch.zeros(1, 65)
    weights[0, 0] = 1
    assert on_patches(trained_model, weights, matrices)[0].nonzero().tolist() == [[2, 5]]


@pytest.mark.parametrize("name", METHODS)
def test_method_without_options_equals_its_function(name, random_model, pictures):
    classes = torch.tensor([0, 1, 2])
    found = Method(name)(random_model, pictures, classes)
    assert torch.equal(found, METHODS[name](random_model, pictures, classes))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("attention", {"layer": 0, "head": 1}),
        ("rollout", {"fusion": "min", "discard": 0.25}),
        ("occlusion", {"window": 3}),
    ],
)
def test_method_passes_its_options_on(name, options, random_model, pictures):
    classes = torch.tensor([0, 1, 2])
    found = Method(name, tuple(options.items()))(random_model, pictures, classes)
    assert torch.equal(found, METHODS[name](random_model, pictures, classes, **options))
    assert not torch.equal(found, METHODS[name](random_model, pictures, classes))


def test_methods_are_equal_and_hash_alike_if_name_and_options_are():
    first, second = (Method("attention", (("layer", 2), ("head", None))) for _ in range(2))
    assert first is not second
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1


@pytest.mark.parametrize(
    "other",
    [
        Method("rollout", (("layer", 2), ("head", None))),
        Method("attention", (("layer", 3), ("head", None))),
        Method("attention", (("layer", 2), ("head", 0))),
        Method("attention"),
    ],
)
def test_methods_differ_by_name_and_by_options(other):
    assert Method("attention", (("layer", 2), ("head", None))) != other


def test_method_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Method("attention").name = "rollout"
