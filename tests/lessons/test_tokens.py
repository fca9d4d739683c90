"""Patches match plain loops and the model's convolution; position embeddings are removable."""

import pytest
import torch

from vitdemo.config import ModelConfig
from vitdemo.lessons.tokens import (
    flatten_patches,
    position_similarity,
    project_by_hand,
    shuffle_patches,
    without_positions,
)
from vitdemo.model import VisionTransformer

IMAGES = torch.arange(2 * 3 * 8 * 8, dtype=torch.float).reshape(2, 3, 8, 8)


def test_flatten_patches_matches_loops():
    found = flatten_patches(IMAGES, 4)
    assert found.shape == (2, 4, 48)
    for row in range(2):
        for column in range(2):
            patch = IMAGES[1, :, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
            assert torch.equal(found[1, row * 2 + column], patch.flatten())


@pytest.mark.parametrize("patch_size", [2, 4, 8, 16, 32])
def test_projection_by_matrix_multiplication_matches_the_convolution(patch_size):
    model = VisionTransformer(
        ModelConfig(patch_size=patch_size, embed_dim=16, depth=1, num_heads=1), seed=0
    )
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        project_by_hand(model, images), model.patch_embed(images), atol=1e-5, rtol=0
    )


def test_shuffle_moves_whole_patches_and_is_invertible():
    order = torch.tensor([2, 0, 3, 1])
    shuffled = shuffle_patches(IMAGES, 4, order)
    assert torch.equal(shuffled[:, :, :4, :4], IMAGES[:, :, 4:, :4])
    assert torch.equal(shuffle_patches(shuffled, 4, order.argsort()), IMAGES)


def test_without_positions_the_order_of_patches_does_not_matter(trained_model, pictures):
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    shuffled, removed = shuffle_patches(pictures, 4, order), without_positions(trained_model)
    with torch.no_grad():
        torch.testing.assert_close(removed(shuffled), removed(pictures), atol=1e-4, rtol=0)
        assert (trained_model(shuffled) - trained_model(pictures)).abs().max() > 0.5


def test_position_similarity_is_the_cosine(trained_model):
    found = position_similarity(trained_model, 27)
    assert found.shape == (8, 8)
    assert found[3, 3] == pytest.approx(1)
    assert found.abs().max() <= 1 + 1e-6
    positions = trained_model.pos_embed[0, 1:].detach()
    a, b = positions[27] - positions.mean(dim=0), positions[5] - positions.mean(dim=0)
    assert found[0, 5] == pytest.approx(float(a @ b / (a.norm() * b.norm())), abs=1e-5)
    assert found[3, 4] > found[0, 7]  # neighbors are more similar
