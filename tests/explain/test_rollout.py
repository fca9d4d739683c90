"""Attention rollout, against loops written from the paper's formulas."""

import numpy as np
import pytest
import torch

from vitdemo.config import ConfigError
from vitdemo.explain.rollout import FUSIONS, rollout


def rollout_by_loops(layers, fusion, discard):
    """One image: layers of (H, T, T) numpy; every sum and product written out."""
    tokens = layers[0].shape[-1]
    rolled = np.eye(tokens)
    for heads in layers:
        fused = np.zeros((tokens, tokens))
        for i in range(tokens):
            for j in range(tokens):
                values = [float(head[i, j]) for head in heads]
                fused[i, j] = {
                    "mean": sum(values) / len(values),
                    "max": max(values),
                    "min": min(values),
                }[fusion]
        for smallest in sorted(fused.ravel())[: int(discard * tokens * tokens)]:
            fused[np.unravel_index(np.argmax(fused == smallest), fused.shape)] = 0
        mixed = np.zeros((tokens, tokens))
        for i in range(tokens):
            row = [fused[i, j] + (1 if i == j else 0) for j in range(tokens)]
            mixed[i] = [value / sum(row) for value in row]
        rolled = np.array(
            [
                [sum(mixed[i, k] * rolled[k, j] for k in range(tokens)) for j in range(tokens)]
                for i in range(tokens)
            ]
        )
    return rolled


@pytest.mark.parametrize("discard", [0.0, 0.3])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_random_attention_as_by_loops(fusion, discard):
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(2, 3, 5, 5, generator=generator).softmax(dim=-1) for _ in range(3)]
    found = rollout(layers, fusion, discard)
    for image in range(2):
        expected = rollout_by_loops(
            [layer[image].double().numpy() for layer in layers], fusion, discard
        )
        np.testing.assert_allclose(found[image].numpy(), expected, atol=1e-5)


@torch.no_grad()
def test_attention_of_a_trained_model_as_by_loops(trained_model, pictures):
    attention = trained_model.trace(pictures[:1])[1].attention
    expected = rollout_by_loops([layer[0].double().numpy() for layer in attention], "mean", 0.0)
    np.testing.assert_allclose(rollout(attention)[0].numpy(), expected, atol=1e-5)


def test_two_tokens_worked_by_hand():
    layers = [
        torch.tensor([[[[0.5, 0.5], [0.0, 1.0]]]]),
        torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]),
    ]
    # With the identity and halved: [[3/4, 1/4], [0, 1]], then [[1, 0], [1/2, 1/2]]; the second times the first:
    torch.testing.assert_close(rollout(layers)[0], torch.tensor([[0.75, 0.25], [0.375, 0.625]]))


@pytest.mark.parametrize("discard", [0.0, 0.4])
@pytest.mark.parametrize("fusion", FUSIONS)
@torch.no_grad()
def test_rows_sum_to_one(random_model, pictures, fusion, discard):
    rows = rollout(random_model.trace(pictures)[1].attention, fusion, discard).sum(dim=-1)
    torch.testing.assert_close(rows, torch.ones_like(rows))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_attention_to_oneself_alone_is_the_identity(fusion):
    identity = torch.eye(4).expand(1, 2, 4, 4)
    torch.testing.assert_close(rollout([identity] * 3, fusion)[0], torch.eye(4))


def test_what_nobody_looks_at_reaches_nobody_else():
    attention = torch.rand(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    attention[..., 2] = 0
    attention /= attention.sum(dim=-1, keepdim=True)
    rolled = rollout([attention] * 3)[0]
    assert rolled[[0, 1, 3], 2].tolist() == [0, 0, 0]
    assert rolled[2, 2] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fusion": "median"}, "mean, max, min"),
        ({"discard": 1.0}, "below 1"),
        ({"discard": -0.1}, "from 0"),
    ],
)
def test_options_that_are_not_there(options, said):
    with pytest.raises(ConfigError, match=said):
        rollout([torch.eye(2)[None, None]], **options)
