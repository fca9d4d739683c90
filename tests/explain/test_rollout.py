"""Attention rollout, against loops written from the formulas of Abnar and Zuidema (2020)."""

import numpy as np
import pytest
import torch

from vitdemo.config import ConfigError
from vitdemo.explain.rollout import FUSIONS, rollout


def rollout_by_loops(layers, fusion, discard):
    """Roll out one image's layers of (H, T, T) numpy, with every sum and product written out."""
    tokens = layers[0].shape[-1]
    rolled = np.eye(tokens)
    for heads in layers:
        fused = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                values = [float(head[i, j]) for head in heads]
                mean = sum(values) / len(values)
                fused[i, j] = {"mean": mean, "max": max(values), "min": min(values)}[fusion]
        for smallest in sorted(fused.ravel())[: int(discard * tokens * tokens)]:
            fused[np.unravel_index(np.argmax(fused == smallest), fused.shape)] = 0
        mixed = np.zeros((tokens, tokens))
        for i in range(tokens):
            row = [fused[i, j] + (1 if i == j else 0) for j in range(tokens)]
            mixed[i] = [value / sum(row) for value in row]
        product = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                product[i, j] = sum(mixed[i, k] * rolled[k, j] for k in range(tokens))
        rolled = product
    return rolled


@pytest.mark.parametrize("discard", [0.0, 0.3])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_rollout_of_random_attention_equals_loops(fusion, discard):
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(2, 3, 5, 5, generator=generator).softmax(dim=-1) for _ in range(3)]
    found = rollout(layers, fusion, discard)
    for image in range(2):
        one_image = [layer[image].double().numpy() for layer in layers]
        expected = rollout_by_loops(one_image, fusion, discard)
        np.testing.assert_allclose(found[image].numpy(), expected, atol=1e-5)


@torch.no_grad()
def test_rollout_of_a_trained_model_equals_loops(trained_model, pictures):
    attention = trained_model.trace(pictures[:1])[1].attention
    expected = rollout_by_loops([layer[0].double().numpy() for layer in attention], "mean", 0.0)
    np.testing.assert_allclose(rollout(attention)[0].numpy(), expected, atol=1e-5)


def test_rollout_of_two_tokens_worked_by_hand():
    layers = [
        torch.tensor([[[[0.5, 0.5], [0.0, 1.0]]]]),
        torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]),
    ]
    # Plus the identity, rows divided by 2: first [[3/4, 1/4], [0, 1]], then [[1, 0], [1/2, 1/2]].
    # Rollout is the second times the first.
    torch.testing.assert_close(rollout(layers)[0], torch.tensor([[0.75, 0.25], [0.375, 0.625]]))


@pytest.mark.parametrize("discard", [0.0, 0.4])
@pytest.mark.parametrize("fusion", FUSIONS)
@torch.no_grad()
def test_rollout_rows_sum_to_1(random_model, pictures, fusion, discard):
    rows = rollout(random_model.trace(pictures)[1].attention, fusion, discard).sum(dim=-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_rollout_of_identities_is_the_identity(fusion):
    identity = torch.eye(4).expand(1, 2, 4, 4)
    torch.testing.assert_close(rollout([identity] * 3, fusion)[0], torch.eye(4))


def test_a_token_that_no_token_attends_to_reaches_only_itself():
    attention = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    attention[..., 2] = 0
    attention /= attention.sum(dim=-1, keepdim=True)
    rolled = rollout([attention] * 3)[0]
    assert rolled[[0, 1, 3], 2].tolist() == [0, 0, 0]
    assert rolled[2, 2] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "median"}, "Use one of mean, max, min."),
        ({"discard": 1.0}, "1.0 is out of range"),
        ({"discard": -0.1}, "-0.1 is out of range. Use a fraction from 0 to below 1."),
    ],
)
def test_unknown_options_raise(options, message):
    with pytest.raises(ConfigError, match=message):
        rollout([torch.eye(2)[None, None]], **options)
