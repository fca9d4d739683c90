"""Attention matrices and maps, against loops and values worked by hand."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.attention import attention_map, attention_maps, attention_matrix
from vitdemo.figures.tokens import token_name
from vitdemo.model import VisionTransformer

CONFIG = ModelConfig(patch_size=8, embed_dim=12, depth=2, num_heads=3)  # 16 patches, 17 tokens


@pytest.fixture
def model():
    vit = VisionTransformer(CONFIG, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        vit.pos_embed.normal_(std=2.0, generator=generator)  # so that attention is not uniform
    return vit


@pytest.fixture
def trace(model):
    return model.trace(normalize(load_cifar10(1, 1).validation.images))[1]


def attention_by_loops(model, tokens, layer, head):
    """softmax(q · k / sqrt(d_k)) of one head, number by number (the paper's section 1.3.3)."""
    block, d = model.blocks[layer], CONFIG.head_dim
    x = block.norm1(tokens)[0]
    weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
    rows = []
    for i in range(len(x)):
        scores = []
        for j in range(len(x)):
            score = 0.0
            for n in range(head * d, (head + 1) * d):
                q = float(weight[n] @ x[i] + bias[n])
                k = float(weight[CONFIG.embed_dim + n] @ x[j] + bias[CONFIG.embed_dim + n])
                score += q * k
            scores.append(math.exp(score / math.sqrt(d)))
        rows.append([score / sum(scores) for score in scores])
    return np.array(rows)


@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 2)])
def test_attention_matrix_equals_the_formula(model, trace, layer, head):
    with torch.no_grad():
        expected = attention_by_loops(model, trace.tokens[layer], layer, head)
    found = attention_matrix(trace.attention, layer, head)
    assert found.shape == (17, 17)
    assert np.ptp(found) > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_head_none_is_the_mean_of_all_heads(trace):
    heads = [attention_matrix(trace.attention, -1, head) for head in range(3)]
    found = attention_matrix(trace.attention, -1, None)
    np.testing.assert_allclose(found, sum(heads) / 3, atol=1e-6)


@pytest.mark.parametrize("head", [None, 0, 2])
def test_rows_of_the_matrix_sum_to_1(trace, head):
    matrix = attention_matrix(trace.attention, 0, head)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "head", "message"),
    [
        (2, 0, "no layer 2. Use 0 to 1."),
        (-3, 0, "no layer -3. Use 0 to 1."),
        (0, 3, "no head 3. Use 0 to 2."),
        (0, -1, "no head -1. Use 0 to 2."),
    ],
)
def test_missing_layer_or_head_raises(trace, layer, head, message):
    with pytest.raises(ConfigError, match=message):
        attention_matrix(trace.attention, layer, head)


def test_attends_to_reads_the_row_of_the_token():
    matrix = np.arange(25.0).reshape(5, 5)
    found = attention_map(matrix, 2, has_cls=True)
    np.testing.assert_array_equal(found, [[11, 12], [13, 14]])


def test_attended_by_reads_the_column_of_the_token():
    matrix = np.arange(25.0).reshape(5, 5)
    found = attention_map(matrix, 2, has_cls=True, attended_by=True)
    np.testing.assert_array_equal(found, [[7, 12], [17, 22]])


def test_attention_maps_holds_the_map_of_each_layer_and_head(trace):
    for token, attended_by in ((0, False), (3, True), (None, False)):
        maps = attention_maps(trace.attention, token, True, attended_by)
        assert maps.shape == (2, 3, 4, 4)
        for layer in range(2):
            for head in range(3):
                matrix = attention_matrix(trace.attention, layer, head)
                expected = attention_map(matrix, token, True, attended_by)
                np.testing.assert_array_equal(maps[layer, head], expected)


def test_without_cls_the_map_holds_every_token():
    matrix = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(attention_map(matrix, 0, has_cls=False), [[0, 1], [2, 3]])
    np.testing.assert_array_equal(attention_map(matrix, 3, has_cls=False), [[12, 13], [14, 15]])


@pytest.mark.parametrize("attended_by", [False, True])
def test_token_none_is_the_mean_of_all_tokens(attended_by):
    for tokens, has_cls in ((4, False), (5, True)):
        matrix = np.arange(float(tokens**2)).reshape(tokens, tokens)
        maps = [attention_map(matrix, token, has_cls, attended_by) for token in range(tokens)]
        found = attention_map(matrix, None, has_cls, attended_by)
        np.testing.assert_allclose(found, sum(maps) / tokens)


@pytest.mark.parametrize("pooling", ["cls", "mean", "attention"])
@pytest.mark.parametrize("patch_size", [8, 16, 32])
def test_the_map_has_one_number_per_patch(pooling, patch_size):
    config = ModelConfig(patch_size=patch_size, pooling=pooling)
    found = attention_map(np.eye(config.num_tokens), 0, config.has_cls)
    assert found.shape == (config.grid_size, config.grid_size)
    assert found.sum() == (0 if config.has_cls else 1)  # token 0 attends to itself alone


@pytest.mark.parametrize("token", [-1, 5])
def test_missing_token_raises(token):
    with pytest.raises(ConfigError, match=rf"no token {token}. Use 0 \(CLS\) to 4."):
        attention_map(np.eye(5), token, has_cls=True)


@pytest.mark.parametrize("token", [-1, 4])
def test_missing_token_raises_without_cls(token):
    with pytest.raises(ConfigError, match=f"no token {token}. Use 0 to 3."):
        attention_map(np.eye(4), token, has_cls=False)


def test_a_patch_attended_by_all_is_found_at_its_position():
    attention = torch.zeros(1, 1, 17, 17)
    attention[..., 1 + 4 * 2 + 3] = 1.0  # row 3, column 4 of a 4 x 4 grid
    found = attention_map(attention_matrix([attention], 0, None), 0, has_cls=True)
    assert np.argwhere(found == 1).tolist() == [[2, 3]]
    assert token_name(1 + int(found.argmax()), 4, has_cls=True) == "row 3, column 4"
