"""The character of heads, against loops and attention made by hand."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ModelConfig
from vitdemo.explain.heads import distances, head_statistics
from vitdemo.model import Trace, VisionTransformer


def character_by_loops(attention, cls, side, patch_size):
    """One head's (B, T, T) numpy -> distance, entropy, share on CLS and on itself."""
    totals, asked = np.zeros(4), 0
    for image in attention:
        for q in range(side * side):
            row = image[cls + q]
            patches = row[cls:]
            apart = [
                patch_size * math.hypot(q // side - k // side, q % side - k % side)
                for k in range(side * side)
            ]
            mean = sum(patches[k] * apart[k] for k in range(side * side)) / sum(patches)
            entropy = -sum(p * math.log2(p) for p in row if p > 0)
            totals += (mean, entropy, row[0] if cls else 0.0, patches[q])
            asked += 1
    return totals / asked


@torch.no_grad()
def check(model, pictures):
    c = model.config
    found = head_statistics(model, pictures)
    for layer, attention in enumerate(model.trace(pictures)[1].attention):
        for head in range(c.num_heads):
            expected = character_by_loops(
                attention[:, head].double().numpy(),
                c.has_cls,
                c.image_size // c.patch_size,
                c.patch_size,
            )
            mine = [
                what[layer, head]
                for what in (found.distance, found.entropy, found.on_cls, found.on_itself)
            ]
            np.testing.assert_allclose(mine, expected, atol=1e-5, rtol=1e-5)


def test_random_weights_as_by_loops(random_model, pictures):
    check(random_model, pictures)


def test_trained_weights_as_by_loops(trained_model, pictures):
    check(trained_model, pictures[:1])


def test_distances_worked_by_hand():
    torch.testing.assert_close(distances(2, 16), torch.tensor([
        [0, 16, 16, 16 * 2**0.5], [16, 0, 16 * 2**0.5, 16], [16, 16 * 2**0.5, 0, 16], [16 * 2**0.5, 16, 16, 0]
    ]))  # fmt: skip


@pytest.fixture
def made(monkeypatch):
    """A model whose attention is made by hand: (T, T) for the one head."""

    def make(attention):
        model = VisionTransformer(
            ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=1), seed=0
        ).eval()
        monkeypatch.setattr(
            model, "trace", lambda images: (None, Trace([], attention=[attention[None, None]]))
        )
        return {name: float(value) for name, value in vars(head_statistics(model, None)).items()}

    return make


def test_a_head_that_looks_at_itself(made):
    assert made(torch.eye(5)) == {"distance": 0, "entropy": 0, "on_cls": 0, "on_itself": 1}


def test_a_head_that_looks_everywhere(made):
    found = made(torch.full((5, 5), 0.2))
    assert found["distance"] == pytest.approx(
        (0 + 16 + 16 + 16 * 2**0.5) / 4
    )  # CLS does not make it nearer
    assert found["entropy"] == pytest.approx(math.log2(5))
    assert (found["on_cls"], found["on_itself"]) == (pytest.approx(0.2), pytest.approx(0.2))


def test_what_goes_to_cls_does_not_make_a_head_look_near(made):
    attention = torch.zeros(5, 5)
    attention[:, 0] = 0.9
    for patch, opposite in ((1, 4), (2, 3), (3, 2), (4, 1)):
        attention[patch, opposite] = 0.1
    assert made(attention)["distance"] == pytest.approx(16 * 2**0.5)
