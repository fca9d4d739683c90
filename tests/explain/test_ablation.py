"""Heads and edges switched off, against weights and scores changed by hand."""

import copy

import pytest
import torch

from vitdemo.explain.ablation import ablate_heads, block_attention, both


@torch.no_grad()
def test_a_head_that_is_off_is_one_whose_values_are_not_projected(trained_model, pictures):
    changed = copy.deepcopy(trained_model)
    d = changed.config.head_dim
    for layer, head in [(0, 1), (0, 3), (4, 2)]:
        changed.blocks[layer].attn.proj.weight[:, head * d : (head + 1) * d] = 0
    logits, trace = trained_model.trace(pictures, ablate_heads([(0, 1), (0, 3), (4, 2)]))
    torch.testing.assert_close(logits, changed(pictures), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(logits, trained_model(pictures), atol=0.01)
    assert trace.attention[0][:, [1, 3]].abs().max() == 0
    assert trace.attention[0][:, [0, 2]].sum(dim=-1).min() > 0.99


@torch.no_grad()
def masked_by_scores(model, images, edges, layers):
    """The logits with minus infinity before the softmax, block by block from the model's own weights."""
    x = model.embed(images)
    for number, block in enumerate(model.blocks):
        attn = block.attn
        B, T, D = x.shape
        q, k, v = (
            attn.qkv(block.norm1(x)).reshape(B, T, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        )
        scores = q @ k.transpose(-2, -1) * attn.scale
        if number in layers:
            for asking, attended in edges:
                scores[..., asking, attended] = float("-inf")
        x = x + attn.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(B, T, D))
        x = x + block.mlp(block.norm2(x))
    return model.classify(x)


@pytest.mark.parametrize("layers", [[0], [1, 4], range(6)])
@torch.no_grad()
def test_an_edge_that_is_off_is_one_masked_before_the_softmax(trained_model, pictures, layers):
    edges = [(0, 5), (0, 6), (12, 12), (3, 0)]
    logits, trace = trained_model.trace(pictures, block_attention(edges, layers))
    torch.testing.assert_close(
        logits, masked_by_scores(trained_model, pictures, edges, layers), atol=1e-5, rtol=1e-5
    )
    assert not torch.equal(logits, trained_model(pictures))
    for asking, attended in edges:
        assert trace.attention[layers[0]][..., asking, attended].abs().max() == 0
    rows = trace.attention[layers[0]].sum(dim=-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))


@torch.no_grad()
def test_a_token_that_may_look_at_none_takes_nothing(random_model, pictures):
    tokens = random_model.config.num_tokens
    _, trace = random_model.trace(
        pictures, block_attention([(0, attended) for attended in range(tokens)], [0])
    )
    assert trace.attention[0][:, :, 0].abs().max() == 0
    assert all(layer.isfinite().all() for layer in trace.attention)


@torch.no_grad()
def test_without_heads_or_edges_nothing_changes(random_model, pictures):
    edit = both(ablate_heads([]), block_attention([], range(2)))
    assert torch.equal(random_model.trace(pictures, edit)[0], random_model(pictures))


@torch.no_grad()
def test_both_at_once(trained_model, pictures):
    changed = copy.deepcopy(trained_model)
    changed.blocks[2].attn.proj.weight[:, :32] = 0
    edit = both(ablate_heads([(2, 0)]), block_attention([(0, 7)], range(6)))
    expected = masked_by_scores(changed, pictures, [(0, 7)], range(6))
    torch.testing.assert_close(
        trained_model.trace(pictures, edit)[0], expected, atol=1e-5, rtol=1e-5
    )
