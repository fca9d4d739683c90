"""Every method behind one question, and where it reads the class from."""

import pytest
import torch

from vitdemo.explain.methods import METHODS, by_attention, on_patches, reading_weights


@torch.no_grad()
def test_the_class_is_read_with_these_weights(random_model, pictures):
    _, trace = random_model.trace(pictures)
    weights = reading_weights(random_model, trace)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    tokens = random_model.norm(trace.tokens[-1])
    pooled = (weights[..., None] * tokens).sum(dim=1)
    torch.testing.assert_close(
        random_model.head(pooled), random_model(pictures), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", METHODS)
def test_every_method_scores_every_patch_of_every_picture(name, random_model, pictures):
    found = METHODS[name](random_model, pictures, torch.tensor([0, 1, 2]))
    assert found.shape == (3, 2, 2)
    assert found.isfinite().all()
    alone = METHODS[name](random_model, pictures[1:2], torch.tensor([1]))
    torch.testing.assert_close(found[1:2], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("head", [None, 1])
@torch.no_grad()
def test_attention_is_that_of_the_layer_and_head(trained_model, pictures, head):
    maps = trained_model.trace(pictures)[1].attention[2]
    expected = (maps.mean(dim=1) if head is None else maps[:, head])[:, 0, 1:].reshape(3, 8, 8)
    torch.testing.assert_close(
        by_attention(trained_model, pictures, None, layer=2, head=head), expected
    )


def test_patches_lie_as_in_the_picture(trained_model):
    matrices = torch.zeros(1, 65, 65)
    matrices[0, 0, 1 + 8 * 2 + 5] = 1
    weights = torch.zeros(1, 65)
    weights[0, 0] = 1
    assert on_patches(trained_model, weights, matrices)[0].nonzero().tolist() == [[2, 5]]
