"""Where does the model look? The attention of one layer and head, read from a Trace."""

import math

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


def has_cls(matrix: np.ndarray) -> bool:
    """Whether the first of the matrix's tokens is CLS: then the others, and not all, lie in a square."""
    return math.isqrt(len(matrix)) ** 2 != len(matrix)


def attention_map(matrix: np.ndarray, token: int | None, given: bool = False) -> np.ndarray:
    """What one token takes from each patch, or gives to each, laid out as the patches lie in the picture.

    Args:
        matrix: (T, T), as from `attention_matrix`.
        token: 0 is CLS where there is one, then come the patches row by row. None is the mean over all.
        given: False for the token's row of the matrix: what it takes from each patch. True for its column: what each
            patch takes from it.

    Returns:
        (n, n), one number for each patch. CLS is left out, so with CLS what a token takes sums to less than 1.

    Raises:
        ConfigError: there is no such token.
    """
    tokens, cls = len(matrix), has_cls(matrix)
    if token is not None and not 0 <= token < tokens:
        raise ConfigError(f"The model has tokens 0{' (CLS)' * cls} to {tokens - 1}, not {token}.")
    matrix = matrix.T if given else matrix
    line = matrix.mean(axis=0) if token is None else matrix[token]
    side = math.isqrt(tokens)
    return line[cls:].reshape(side, side)


def attention_maps(trace: Trace, token: int | None, given: bool = False) -> np.ndarray:
    """`attention_map` of every layer and head of one image: (depth, num_heads, n, n)."""
    return np.stack(
        [
            [attention_map(matrix, token, given) for matrix in layer[0].numpy(force=True)]
            for layer in trace.attention
        ]
    )


def min_max(grids: np.ndarray) -> np.ndarray:
    """Each grid (..., n, n) stretched to 0 … 1, as the annotation draws it (section 1.5.3); all 0 where it is flat."""
    low, high = (edge(grids, axis=(-2, -1), keepdims=True) for edge in (np.min, np.max))
    return (grids - low) / np.where(high > low, high - low, 1)


def token_name(token: int, side: int, cls: bool = True) -> str:
    """`CLS` (the first token, if `cls`), or where the patch lies, counted from 1 at the top left."""
    row, column = divmod(token - cls, side)
    return "CLS" if row < 0 else f"row {row + 1}, column {column + 1}"
