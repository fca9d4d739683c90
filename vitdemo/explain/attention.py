"""Where does the model look? The attention of one layer and head, read from a Trace."""

import numpy as np

from ..config import ConfigError
from ..model import Trace


def attention_matrix(trace: Trace, layer: int, head: int | None) -> np.ndarray:
    """Attention of one image from every token to every token.

    Args:
        trace: of one image.
        layer: 0 is the first block, -1 the last.
        head: 0 is the first; None is the mean of all heads, as in the annotation's Figure 3.

    Returns:
        (T, T) float32; row = asking token, column = the token it takes from; each row sums to 1.

    Raises:
        ConfigError: there is no such layer or head.
    """
    depth, heads = len(trace.attention), trace.attention[0].shape[1]
    if not -depth <= layer < depth:
        raise ConfigError(f"The model has layers 0 to {depth - 1}, not {layer}.")
    if head is not None and not 0 <= head < heads:
        raise ConfigError(f"The model has heads 0 to {heads - 1}, not {head}.")
    maps = trace.attention[layer][0]  # (H, T, T)
    return (maps.mean(dim=0) if head is None else maps[head]).numpy(force=True)


def attention_grid(matrix: np.ndarray, token: int) -> np.ndarray:
    """What one token takes from each patch, laid out as the patches lie in the picture.

    Args:
        matrix: (T, T), as from `attention_matrix`.
        token: the asking token; 0 is CLS, then the patches row by row.

    Returns:
        (n, n) with n² = T - 1. The share on CLS itself is left out, so it sums to less than 1.

    Raises:
        ConfigError: there is no such token.
    """
    tokens = len(matrix)
    if not 0 <= token < tokens:
        raise ConfigError(f"The model has tokens 0 (CLS) to {tokens - 1}, not {token}.")
    side = round((tokens - 1) ** 0.5)
    return matrix[token, 1:].reshape(side, side)


def min_max(grid: np.ndarray) -> np.ndarray:
    """The grid stretched to 0 … 1, as the annotation draws it (section 1.5.3); all 0 where it is flat."""
    spread = grid.max() - grid.min()
    return (grid - grid.min()) / spread if spread > 0 else np.zeros_like(grid)


def token_name(token: int, side: int) -> str:
    """`CLS`, or where the patch lies, counted from 1 at the top left."""
    return "CLS" if token == 0 else f"row {(token - 1) // side + 1}, column {(token - 1) % side + 1}"
