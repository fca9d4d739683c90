"""Head statistics, against loops and attention made by hand."""

import math

import numpy as np
import pytest
import torch

from vitdemo.config import ModelConfig
from vitdemo.explain.heads import head_statistics, patch_distances
from vitdemo.model import Trace, VisionTransformer


def statistics_by_loops(attention, has_cls, side, patch_size):
    """One head's (B, T, T) numpy -> distance, entropy, attention to CLS and to the query."""
    first = 1 if has_cls else 0  # of the patches
    totals, queries = np.zeros(4), 0
    for image in attention:
        for q in range(side * side):
            row = image[first + q]
            patches = row[first:]
            distances = [
                patch_size * math.hypot(q // side - k // side, q % side - k % side)
                for k in range(side * side)
            ]
            mean = sum(patches[k] * distances[k] for k in range(side * side)) / sum(patches)
            entropy = -sum(p * math.log2(p) for p in row if p > 0)
            totals += (mean, entropy, row[0] if has_cls else 0.0, patches[q])
            queries += 1
    return totals / queries


@torch.no_grad()
def check(model, pictures):
    c = model.config
    found = head_statistics(model, pictures)
    statistics = (found.distance, found.entropy, found.to_cls, found.to_self)
    side = c.image_size // c.patch_size
    for layer, attention in enumerate(model.trace(pictures)[1].attention):
        for head in range(c.num_heads):
            matrices = attention[:, head].double().numpy()
            expected = statistics_by_loops(matrices, c.has_cls, side, c.patch_size)
            mine = [values[layer, head] for values in statistics]
            np.testing.assert_allclose(mine, expected, atol=1e-5, rtol=1e-5)


def test_statistics_of_random_weights_equal_loops(random_model, pictures):
    check(random_model, pictures)


def test_statistics_of_a_trained_model_equal_loops(trained_model, pictures):
    check(trained_model, pictures[:1])


def test_patch_distances_worked_by_hand():
    diagonal = 16 * 2**0.5
    expected = [
        [0, 16, 16, diagonal],
        [16, 0, diagonal, 16],
        [16, diagonal, 0, 16],
        [diagonal, 16, 16, 0],
    ]
    torch.testing.assert_close(patch_distances(2, 16), torch.tensor(expected))


@pytest.fixture
def statistics_of(monkeypatch):
    """A function that returns the statistics of one head with the given attention (T, T)."""

    def measure(attention):
        config = ModelConfig(patch_size=16, embed_dim=8, depth=1, num_heads=1)
        model = VisionTransformer(config, seed=0).eval()
        trace = Trace([], attention=[attention[None, None]])
        monkeypatch.setattr(model, "trace", lambda images: (None, trace))
        return {name: float(value) for name, value in vars(head_statistics(model, None)).items()}

    return measure


def test_attention_to_the_query_alone(statistics_of):
    assert statistics_of(torch.eye(5)) == {"distance": 0, "entropy": 0, "to_cls": 0, "to_self": 1}


def test_uniform_attention(statistics_of):
    found = statistics_of(torch.full((5, 5), 0.2))
    mean_distance = (0 + 16 + 16 + 16 * 2**0.5) / 4  # of the patches; CLS does not count
    assert found["distance"] == pytest.approx(mean_distance)
    assert found["entropy"] == pytest.approx(math.log2(5))
    assert (found["to_cls"], found["to_self"]) == (pytest.approx(0.2), pytest.approx(0.2))


def test_attention_to_cls_does_not_shorten_the_distance(statistics_of):
    attention = torch.zeros(5, 5)
    attention[:, 0] = 0.9
    for patch, opposite in ((1, 4), (2, 3), (3, 2), (4, 1)):
        attention[patch, opposite] = 0.1
    assert statistics_of(attention)["distance"] == pytest.approx(16 * 2**0.5)
