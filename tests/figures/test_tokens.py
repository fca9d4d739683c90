"""Names of tokens and patches, and the patch at a point."""

import numpy as np
import pytest

from vitdemo.figures.tokens import patch_at, patch_name, patch_names, token_name


@pytest.mark.parametrize(
    ("token", "name"),
    [(0, "CLS"), (1, "row 1, column 1"), (8, "row 1, column 8"), (9, "row 2, column 1")],
)
def test_token_names_with_cls(token, name):
    assert token_name(token, 8, has_cls=True) == name


@pytest.mark.parametrize(
    ("token", "name"), [(0, "row 1, column 1"), (7, "row 1, column 8"), (8, "row 2, column 1")]
)
def test_token_names_without_cls(token, name):
    assert token_name(token, 8, has_cls=False) == name
    assert patch_name(token, 8) == name


def test_patch_names_lie_like_the_patches():
    names = patch_names(3)
    assert names.shape == (3, 3)
    for row, column in np.ndindex(3, 3):
        assert names[row, column] == f"row {row + 1}, column {column + 1}"


@pytest.mark.parametrize(
    ("x", "y", "patch"),
    [(0, 0, 0), (7.9, 0, 0), (8, 0, 1), (0, 8, 4), (20, 12, 6), (31.9, 31.9, 15)],
)
def test_patch_at_a_point_of_a_picture(x, y, patch):
    assert patch_at(x, y, patch_size=8, grid_size=4) == patch


@pytest.mark.parametrize(("patch_size", "grid_size"), [(4, 8), (16, 2), (32, 1)])
def test_patch_at_the_center_of_each_patch(patch_size, grid_size):
    for patch in range(grid_size**2):
        row, column = divmod(patch, grid_size)
        x, y = (column + 0.5) * patch_size, (row + 0.5) * patch_size
        assert patch_at(x, y, patch_size, grid_size) == patch
