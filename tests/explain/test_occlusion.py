"""Covered patches and occlusion, against loops over pixels."""

import numpy as np
import pytest
import torch

from vitdemo.explain.occlusion import cover, occlusion, probabilities_occluded


def covered_by_loops(image, patches, patch_size):
    """(C, H, W) numpy with some patches (row, column) in the mean color."""
    painted = image.copy()
    for row, column in patches:
        for channel in range(len(image)):
            color = image[channel].mean()
            for y in range(row * patch_size, (row + 1) * patch_size):
                for x in range(column * patch_size, (column + 1) * patch_size):
                    painted[channel, y, x] = color
    return painted


def test_a_covered_patch_has_the_mean_color_and_the_rest_stays(pictures):
    covered = torch.zeros(3, 4, 4, dtype=torch.bool)
    covered[1, 0, 3] = covered[1, 2, 1] = True
    found = cover(pictures, covered, 8)
    np.testing.assert_allclose(
        found[1], covered_by_loops(pictures[1].numpy(), [(0, 3), (2, 1)], 8), atol=1e-6
    )
    assert torch.equal(found[[0, 2]], pictures[[0, 2]])


@pytest.mark.parametrize("window", [1, 3])
@torch.no_grad()
def test_occlusion_as_by_loops(random_model, pictures, window):
    image = pictures[0]
    whole = random_model(image[None]).softmax(dim=1)[0, 5]
    found = occlusion(random_model, image, 5, window)
    for row in range(2):
        for column in range(2):
            reach = window // 2
            square = [
                (y, x)
                for y in range(2)
                for x in range(2)
                if abs(y - row) <= reach and abs(x - column) <= reach
            ]
            painted = torch.from_numpy(covered_by_loops(image.numpy(), square, 16))
            expected = whole - random_model(painted[None]).softmax(dim=1)[0, 5]
            assert found[row, column] == pytest.approx(float(expected), abs=1e-5)


@torch.no_grad()
def test_occlusion_of_a_trained_model_as_by_loops(trained_model, pictures):
    image = pictures[1]
    whole = trained_model(image[None]).softmax(dim=1)[0, 8]
    found = occlusion(trained_model, image, 8)
    for row, column in [(0, 0), (3, 4), (7, 2)]:
        painted = torch.from_numpy(covered_by_loops(image.numpy(), [(row, column)], 4))
        expected = whole - trained_model(painted[None]).softmax(dim=1)[0, 8]
        assert found[row, column] == pytest.approx(float(expected), abs=1e-5)
    assert found.abs().max() > 1e-4


def test_more_ways_to_cover_than_fit_into_a_batch(random_model, pictures):
    covered = torch.rand(150, 2, 2, generator=torch.Generator().manual_seed(0)) < 0.5
    found = probabilities_occluded(random_model, pictures[0], covered)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(150))
    torch.testing.assert_close(
        found[149:], probabilities_occluded(random_model, pictures[0], covered[149:])
    )
