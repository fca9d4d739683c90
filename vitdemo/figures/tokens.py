"""Names of tokens, and the patch under a click."""

import numpy as np


def patch_name(patch: int, grid_size: int) -> str:
    """Return the position of a patch, counted from 1 at the top left: `row 3, column 4`."""
    row, column = divmod(patch, grid_size)
    return f"row {row + 1}, column {column + 1}"


def token_name(token: int, grid_size: int, has_cls: bool) -> str:
    """Return `CLS` for the CLS token (token 0, if there is one), else the position of the patch."""
    if not has_cls:
        return patch_name(token, grid_size)
    return "CLS" if token == 0 else patch_name(token - 1, grid_size)


def patch_at(x: float, y: float, patch_size: int, grid_size: int) -> int:
    """Return the patch at a point of the image in pixels, counted from 0 row by row."""
    return int(y // patch_size) * grid_size + int(x // patch_size)


def patch_names(grid_size: int) -> np.ndarray:
    """Return the name of each patch, laid out like the patches: (n, n)."""
    names = [patch_name(patch, grid_size) for patch in range(grid_size**2)]
    return np.array(names).reshape(grid_size, grid_size)
