"""Attention by hand matches plain loops, PyTorch, and the model's attention module."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ConfigError, ModelConfig
from vitdemo.lessons.attention_by_hand import (
    attention_steps,
    divided_by,
    entropy,
    heads_by_hand,
    read_matrix,
    scaling,
    softmax,
)
from vitdemo.model import Attention

RNG = np.random.default_rng(0)


def by_loops(q, k, v, divisor):
    """Compute the formula of section 1.3.3, one number at a time."""
    tokens = len(q)
    output = np.zeros((tokens, v.shape[1]))
    for i in range(tokens):
        powers = [
            math.exp(sum(a * b for a, b in zip(q[i], k[j], strict=True)) / divisor)
            for j in range(tokens)
        ]
        for j in range(tokens):
            output[i] += powers[j] / sum(powers) * v[j]
    return output


@pytest.mark.parametrize(("tokens", "d_k", "d_v"), [(4, 3, 3), (1, 5, 2), (7, 64, 64)])
def test_attention_steps_match_loops_and_torch(tokens, d_k, d_v):
    q, k, v = (
        RNG.normal(size=(tokens, d_k)),
        RNG.normal(size=(tokens, d_k)),
        RNG.normal(size=(tokens, d_v)),
    )
    steps = attention_steps(q, k, v, d_k**0.5)
    np.testing.assert_allclose(steps.output, by_loops(q, k, v, d_k**0.5), atol=1e-12)
    theirs = torch.nn.functional.scaled_dot_product_attention(*map(torch.from_numpy, (q, k, v)))
    np.testing.assert_allclose(steps.output, theirs, atol=1e-12)
    np.testing.assert_allclose(steps.weights.sum(axis=1), 1)
    np.testing.assert_allclose(steps.scaled * d_k**0.5, steps.scores)


def test_attention_steps_match_a_worked_example():
    """Scores of 0 and ln 3 give weights of one quarter and three quarters."""
    steps = attention_steps(
        np.array([[1.0], [0.0]]), np.array([[0.0], [math.log(3)]]), np.array([[4.0], [8.0]]), 1.0
    )
    np.testing.assert_allclose(steps.weights, [[0.25, 0.75], [0.5, 0.5]])
    np.testing.assert_allclose(steps.output, [[7.0], [6.0]])


def test_softmax_of_large_numbers_does_not_overflow():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]], atol=1e-12)


def test_matrix_rows_are_separated_by_lines_or_semicolons():
    expected = [[1, 0, -0.5], [2, 3, 4]]
    for text in ("1 0 -0.5\n2 3 4", "1 0 -0.5; 2 3 4", " 1, 0, -0.5 \n\n 2,3,4\n"):
        np.testing.assert_array_equal(read_matrix(text, 2, 3), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\n3 4\n5 6", "Expected 2 lines of 2 numbers"),
        ("1 2\n3", "Expected 2 lines of 2 numbers"),
        ("", "Expected 2 lines of 2 numbers"),
        ("1 2\n3 x", "'x' is not a number"),
        ("1 2\n3 nan", "from -1000 to 1000"),
        ("1 2\n3 1e9", "from -1000 to 1000"),
    ],
)
def test_invalid_matrix_is_rejected(text, message):
    with pytest.raises(ConfigError, match=message):
        read_matrix(text, 2, 2)


def test_std_of_scores_is_sqrt_d_k_and_scaling_undoes_its_effect():
    dims = (4, 64, 512)
    raw, scaled = scaling(dims, scaled=False), scaling(dims, scaled=True)
    np.testing.assert_allclose(raw.std, np.sqrt(dims), rtol=0.1)
    np.testing.assert_array_equal(raw.std, scaled.std)
    assert np.ptp(scaled.largest) < 0.05
    assert raw.largest[-1] > 0.9
    assert raw.median_gradient[-1] < scaled.median_gradient[-1] / 100
    assert np.ptp(scaled.median_gradient) < 0.1


def test_without_scaling_few_queries_hold_most_of_the_gradient():
    raw, scaled = scaling((4, 512), scaled=False), scaling((4, 512), scaled=True)
    assert raw.median_gradient[0] > scaled.median_gradient[0]  # nothing vanishes at a small d_k
    assert raw.mean_gradient[1] > 2 * scaled.mean_gradient[1]
    assert raw.top_gradient[1] > 0.6
    assert scaled.top_gradient[1] < 0.15


@pytest.mark.parametrize("scaled", [True, False])
def test_gradients_match_torch(scaled):
    """Mean, median and largest of the norms of PyTorch's Jacobians, query by query."""
    found = scaling((8,), scaled, queries=10, seed=3)
    generator = np.random.default_rng(3)
    q, k = generator.normal(size=(10, 1, 8)), generator.normal(size=(10, 4, 8))
    norms = []
    for query, keys in zip(torch.from_numpy(q[:, 0]), torch.from_numpy(k), strict=True):
        scores = keys / 8**0.5 if scaled else keys
        jacobian = torch.autograd.functional.jacobian(
            lambda query, scores=scores: (scores @ query).softmax(dim=0), query
        )
        norms.append(float(jacobian.norm()))
    assert found.mean_gradient[0] == pytest.approx(sum(norms) / 10)
    assert found.median_gradient[0] == pytest.approx(sum(sorted(norms)[4:6]) / 2)
    assert found.top_gradient[0] == pytest.approx(max(norms) / sum(norms))  # one of ten


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
@pytest.mark.parametrize("scale", ["head_dim", "embed_dim"])
def test_heads_by_hand_match_the_module(heads, scale):
    config = ModelConfig(embed_dim=12, num_heads=heads, attention_scale=scale)
    torch.manual_seed(0)
    module, x = Attention(config, torch.Generator()), torch.randn(5, 12)
    weights, output = heads_by_hand(module, x)
    with torch.no_grad():
        expected, attention = module(x[None])
    np.testing.assert_allclose(output, expected[0], atol=1e-5)
    np.testing.assert_allclose(weights, attention[0], atol=1e-6)


def test_another_divisor_changes_only_the_copy(trained_model, pictures):
    with torch.no_grad():
        before = trained_model(pictures)
        own = trained_model.config.head_dim**0.5
        torch.testing.assert_close(divided_by(trained_model, own)(pictures), before)
        flat = divided_by(trained_model, 1e6).trace(pictures)[1].attention[0]
        assert (divided_by(trained_model, 2 * own)(pictures) - before).abs().max() > 0.1
        torch.testing.assert_close(trained_model(pictures), before)
    torch.testing.assert_close(flat, torch.full_like(flat, 1 / 65), atol=1e-4, rtol=0)


def test_entropy_is_in_bits():
    assert entropy(torch.full((2, 3, 8), 1 / 8)) == pytest.approx(3)
    assert entropy(torch.eye(4)) == pytest.approx(0)
