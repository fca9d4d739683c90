"""Occluded patches and occlusion maps, against loops over pixels."""

import numpy as np
import pytest
import torch

from vitdemo.explain.occlusion import (
    occlude,
    occlusion,
    occlusion_in_parts,
    probabilities_occluded,
)


def occluded_by_loops(image, patches, patch_size):
    """(C, H, W) numpy with some patches (row, column) in the mean color."""
    painted = image.copy()
    for row, column in patches:
        for channel in range(len(image)):
            color = image[channel].mean()
            for y in range(row * patch_size, (row + 1) * patch_size):
                for x in range(column * patch_size, (column + 1) * patch_size):
                    painted[channel, y, x] = color
    return painted


def test_occluded_patches_have_the_mean_color_and_the_rest_stays(pictures):
    mask = torch.zeros(3, 4, 4, dtype=torch.bool)
    mask[1, 0, 3] = mask[1, 2, 1] = True
    found = occlude(pictures, mask, 8)
    expected = occluded_by_loops(pictures[1].numpy(), [(0, 3), (2, 1)], 8)
    np.testing.assert_allclose(found[1], expected, atol=1e-6)
    assert torch.equal(found[[0, 2]], pictures[[0, 2]])


@pytest.mark.parametrize("window", [1, 3])
@torch.no_grad()
def test_occlusion_map_equals_loops(random_model, pictures, window):
    image = pictures[0]
    baseline = random_model(image[None]).softmax(dim=1)[0, 5]
    found = occlusion(random_model, image, 5, window)
    assert found.shape == (2, 2)
    reach = window // 2
    for row in range(2):
        for column in range(2):
            square = [
                (y, x)
                for y in range(2)
                for x in range(2)
                if abs(y - row) <= reach and abs(x - column) <= reach
            ]
            painted = torch.from_numpy(occluded_by_loops(image.numpy(), square, 16))
            expected = baseline - random_model(painted[None]).softmax(dim=1)[0, 5]
            assert found[row, column] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("window", [1, 3])
@torch.no_grad()
def test_occlusion_map_of_a_trained_model_equals_loops(trained_model, pictures, window):
    image, reach = pictures[1], window // 2
    baseline = trained_model(image[None]).softmax(dim=1)[0, 8]
    found = occlusion(trained_model, image, 8, window)
    for row, column in [(0, 0), (3, 4), (7, 2)]:
        square = [
            (y, x)
            for y in range(max(0, row - reach), min(8, row + reach + 1))
            for x in range(max(0, column - reach), min(8, column + reach + 1))
        ]
        painted = torch.from_numpy(occluded_by_loops(image.numpy(), square, 4))
        expected = baseline - trained_model(painted[None]).softmax(dim=1)[0, 8]
        assert found[row, column] == pytest.approx(float(expected), abs=1e-5)
    assert found.abs().max() > 1e-4


def test_parts_of_the_occlusion_map_make_the_map(trained_model, pictures):
    parts = list(occlusion_in_parts(trained_model, pictures[1], 8, window=1, at_a_time=30))
    assert [len(part) for part in parts] == [30, 30, 4]
    whole = occlusion(trained_model, pictures[1], 8)
    torch.testing.assert_close(torch.cat(parts), whole.flatten(), atol=1e-6, rtol=1e-5)


def test_probabilities_of_more_masks_than_one_batch(random_model, pictures):
    masks = torch.rand(150, 2, 2, generator=torch.Generator().manual_seed(0)) < 0.5
    found = probabilities_occluded(random_model, pictures[0], masks)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(150))
    last = probabilities_occluded(random_model, pictures[0], masks[149:])
    torch.testing.assert_close(found[149:], last)
