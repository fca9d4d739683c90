"""Attention as the page reads it, against loops and values worked by hand."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.data.cifar10 import load_cifar10, normalize
from vitdemo.explain.attention import (
    attention_map,
    attention_maps,
    attention_matrix,
    has_cls,
    min_max,
    token_name,
)
from vitdemo.model import Trace, VisionTransformer

CONFIG = ModelConfig(patch_size=8, embed_dim=12, depth=2, num_heads=3)  # 16 patches, 17 tokens


@pytest.fixture
def model():
    vit = VisionTransformer(CONFIG, seed=0).eval()
    with torch.no_grad():
        vit.pos_embed.normal_(
            std=2.0, generator=torch.Generator().manual_seed(1)
        )  # so that attention is uneven
    return vit


@pytest.fixture
def trace(model):
    return model.trace(normalize(load_cifar10(1, 1).validation.images))[1]


def attention_by_loops(model, tokens, layer, head):
    """softmax(q · k / sqrt(d_k)) of one head, number by number (annotation, section 1.3.3)."""
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
def test_the_map_shown_is_the_formula(model, trace, layer, head):
    with torch.no_grad():
        expected = attention_by_loops(model, trace.tokens[layer], layer, head)
    shown = attention_matrix(trace, layer, head)
    assert shown.shape == (17, 17)
    assert np.ptp(shown) > 0.05
    np.testing.assert_allclose(shown, expected, atol=1e-5)


def test_the_mean_of_heads_is_their_mean(trace):
    heads = [attention_matrix(trace, -1, head) for head in range(3)]
    np.testing.assert_allclose(attention_matrix(trace, -1, None), sum(heads) / 3, atol=1e-6)


@pytest.mark.parametrize("head", [None, 0, 2])
def test_rows_sum_to_one(trace, head):
    np.testing.assert_allclose(attention_matrix(trace, 0, head).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "head", "said"), [(2, 0, "layers 0 to 1"), (0, 3, "heads 0 to 2"), (-3, 0, "layers")]
)
def test_a_layer_or_head_that_is_not_there(trace, layer, head, said):
    with pytest.raises(ConfigError, match=said):
        attention_matrix(trace, layer, head)


def test_the_grid_lies_as_the_patches_do():
    matrix = np.arange(25.0).reshape(5, 5)
    np.testing.assert_array_equal(attention_map(matrix, 2), [[11, 12], [13, 14]])


def test_the_grid_of_what_a_token_gives_is_its_column():
    matrix = np.arange(25.0).reshape(5, 5)
    np.testing.assert_array_equal(attention_map(matrix, 2, given=True), [[7, 12], [17, 22]])


def test_attention_maps_are_those_of_each_layer_and_head(trace):
    for token, given in ((0, False), (3, True), (None, False)):
        grids = attention_maps(trace, token, given)
        assert grids.shape == (2, 3, 4, 4)
        for layer in range(2):
            for head in range(3):
                expected = attention_map(attention_matrix(trace, layer, head), token, given)
                np.testing.assert_array_equal(grids[layer, head], expected)


def test_without_cls_the_grid_holds_every_token():
    matrix = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(attention_map(matrix, 0), [[0, 1], [2, 3]])
    np.testing.assert_array_equal(attention_map(matrix, 3), [[12, 13], [14, 15]])


def test_the_grid_of_all_tokens_is_the_mean_of_theirs():
    for tokens in (4, 5):
        matrix = np.arange(float(tokens**2)).reshape(tokens, tokens)
        grids = [attention_map(matrix, token) for token in range(tokens)]
        np.testing.assert_allclose(attention_map(matrix, None), sum(grids) / tokens)


@pytest.mark.parametrize("pooling", ["cls", "mean", "attention"])
@pytest.mark.parametrize("patch_size", [8, 16, 32])
def test_the_number_of_tokens_tells_whether_the_first_is_cls(pooling, patch_size):
    config = ModelConfig(patch_size=patch_size, pooling=pooling)
    assert has_cls(np.eye(config.num_tokens)) == config.has_cls


@pytest.mark.parametrize("token", [-1, 5])
def test_a_token_that_is_not_there(token):
    with pytest.raises(ConfigError, match=r"tokens 0 \(CLS\) to 4"):
        attention_map(np.eye(5), token)


@pytest.mark.parametrize("token", [-1, 4])
def test_a_token_that_is_not_there_without_cls(token):
    with pytest.raises(ConfigError, match="tokens 0 to 3"):
        attention_map(np.eye(4), token)


def test_a_patch_that_all_look_at_is_found_where_it_lies():
    attention = torch.zeros(1, 1, 17, 17)
    attention[..., 1 + 4 * 2 + 3] = 1.0  # row 3, column 4 of a 4 x 4 grid
    grid = attention_map(attention_matrix(Trace([], attention=[attention]), 0, None), 0)
    assert np.argwhere(grid == 1).tolist() == [[2, 3]]
    assert token_name(1 + int(grid.argmax()), 4) == "row 3, column 4"


def test_min_max_spans_0_to_1_and_leaves_a_flat_grid_dark():
    np.testing.assert_allclose(min_max(np.array([[2.0, 3.0], [4.0, 6.0]])), [[0, 0.25], [0.5, 1]])
    np.testing.assert_array_equal(min_max(np.full((2, 2), 0.3)), np.zeros((2, 2)))
    several = np.stack([np.eye(2), np.full((2, 2), 7.0)])
    np.testing.assert_array_equal(min_max(several), [np.eye(2), np.zeros((2, 2))])


@pytest.mark.parametrize(
    ("token", "name"),
    [(0, "CLS"), (1, "row 1, column 1"), (8, "row 1, column 8"), (9, "row 2, column 1")],
)
def test_token_names(token, name):
    assert token_name(token, 8) == name


@pytest.mark.parametrize(
    ("token", "name"), [(0, "row 1, column 1"), (7, "row 1, column 8"), (8, "row 2, column 1")]
)
def test_token_names_without_cls(token, name):
    assert token_name(token, 8, cls=False) == name
