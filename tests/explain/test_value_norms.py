"""Attention weighted by the norm of the transformed values, against a plain loop."""

import numpy as np
import torch

from vitdemo.explain.value_norms import weighted_by_norm
from vitdemo.model import copy_of


@torch.no_grad()
def test_each_weight_is_multiplied_by_the_norm_of_its_transformed_value(random_model, pictures):
    model, c = random_model, random_model.config
    _, trace = model.trace(pictures[:2])
    found = weighted_by_norm(model, trace)
    assert [each.shape for each in found] == [each.shape for each in trace.attention]
    width, heads = c.embed_dim, c.num_heads
    size = width // heads
    for layer, block in enumerate(model.blocks):
        weight, bias = block.attn.qkv.weight.numpy(), block.attn.qkv.bias.numpy()
        projection = block.attn.proj.weight.numpy()
        for image in range(2):
            normalized = block.norm1(trace.tokens[layer][image]).numpy()
            for head in range(heads):
                rows = range(2 * width + head * size, 2 * width + (head + 1) * size)
                for key, token in enumerate(normalized):
                    value = [weight[row] @ token + bias[row] for row in rows]
                    carried = [
                        sum(projection[out, head * size + k] * value[k] for k in range(size))
                        for out in range(width)
                    ]
                    norm = sum(number**2 for number in carried) ** 0.5
                    expected = trace.attention[layer][image, head, :, key].numpy() * norm
                    np.testing.assert_allclose(
                        found[layer][image, head, :, key], expected, rtol=1e-4, atol=1e-7
                    )


@torch.no_grad()
def test_where_all_values_are_equal_a_row_sums_to_their_norm(trained_model, pictures):
    model = copy_of(trained_model).eval()
    width, size = model.config.embed_dim, model.config.head_dim
    block = model.blocks[2]
    block.attn.qkv.weight[2 * width :] = 0  # each value is the bias alone
    found = weighted_by_norm(model, model.trace(pictures[:1])[1])[2][0]  # (H, T, T)
    for head in range(model.config.num_heads):
        part = slice(head * size, (head + 1) * size)
        bias = block.attn.qkv.bias[2 * width :][part]
        expected = (block.attn.proj.weight[:, part] @ bias).norm()
        sums = found[head].sum(dim=-1)
        torch.testing.assert_close(sums, expected.expand_as(sums), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_a_head_whose_values_are_0_passes_nothing_on(random_model, pictures):
    width = random_model.config.embed_dim
    for block in random_model.blocks:
        block.attn.qkv.weight[2 * width :] = 0
        block.attn.qkv.bias[2 * width :] = 0
    _, trace = random_model.trace(pictures[:1])
    for weighted, attention in zip(
        weighted_by_norm(random_model, trace), trace.attention, strict=True
    ):
        assert not weighted.any()
        assert attention.any()
