"""Head ablation and attention knockout, against changed weights and masked scores."""

import copy

import pytest
import torch

from vitdemo.explain.ablation import ablate_heads, block_attention, compose


@torch.no_grad()
def test_ablating_heads_equals_zeroing_their_projection(trained_model, pictures):
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
def logits_with_masked_scores(model, images, edges, layers):
    """Put minus infinity before the softmax, block by block with the model's own weights."""
    x = model.embed(images)
    for number, block in enumerate(model.blocks):
        attn = block.attn
        B, T, D = x.shape
        qkv = attn.qkv(block.norm1(x)).reshape(B, T, 3, attn.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * attn.scale
        if number in layers:
            for query, key in edges:
                scores[..., query, key] = float("-inf")
        x = x + attn.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(B, T, D))
        x = x + block.mlp(block.norm2(x))
    return model.classify(x)


@pytest.mark.parametrize("layers", [[0], [1, 4], range(6)])
@torch.no_grad()
def test_blocked_attention_equals_a_mask_before_the_softmax(trained_model, pictures, layers):
    edges = [(0, 5), (0, 6), (12, 12), (3, 0)]
    logits, trace = trained_model.trace(pictures, block_attention(edges, layers))
    expected = logits_with_masked_scores(trained_model, pictures, edges, layers)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    assert not torch.equal(logits, trained_model(pictures))
    for query, key in edges:
        assert trace.attention[layers[0]][..., query, key].abs().max() == 0
    rows = trace.attention[layers[0]].sum(dim=-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))


@torch.no_grad()
def test_a_query_with_all_keys_blocked_attends_to_nothing(random_model, pictures):
    edges = [(0, key) for key in range(random_model.config.num_tokens)]
    _, trace = random_model.trace(pictures, block_attention(edges, [0]))
    assert trace.attention[0][:, :, 0].abs().max() == 0
    assert all(layer.isfinite().all() for layer in trace.attention)


@torch.no_grad()
def test_other_layers_keep_their_attention(random_model, pictures):
    blocked = random_model.trace(pictures, block_attention([(0, 1)], [1]))[1].attention
    plain = random_model.trace(pictures)[1].attention
    assert torch.equal(blocked[0], plain[0])
    assert not torch.equal(blocked[1], plain[1])


@torch.no_grad()
def test_no_heads_and_no_edges_change_nothing(random_model, pictures):
    edit = compose(ablate_heads([]), block_attention([], range(2)))
    assert torch.equal(random_model.trace(pictures, edit)[0], random_model(pictures))


@torch.no_grad()
def test_compose_ablates_heads_and_blocks_attention(trained_model, pictures):
    changed = copy.deepcopy(trained_model)
    changed.blocks[2].attn.proj.weight[:, :32] = 0
    edit = compose(ablate_heads([(2, 0)]), block_attention([(0, 7)], range(6)))
    expected = logits_with_masked_scores(changed, pictures, [(0, 7)], range(6))
    found = trained_model.trace(pictures, edit)[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_compose_applies_the_first_edit_first():
    edit = compose(
        lambda layer, attention: attention + layer, lambda layer, attention: attention * 3
    )
    assert edit(2, torch.tensor(1.0)) == 9
