"""Where does the model attend? The attention of one layer and head, as a matrix and as a map."""

import math

import numpy as np
import torch
from torch import Tensor

from ..config import ConfigError
from .rounding import without_noise


def attention_matrix(attention: list[Tensor], layer: int, head: int | None) -> np.ndarray:
    """Return the attention of one image from every token to every token.

    Args:
        attention: attention of one image, as in `Trace.attention`.
        layer: index of the block; -1 is the last.
        head: index of the head, or None for the mean of all, as in the paper's Figure 3.

    Returns:
        (T, T) float32; row = query token, column = key token; each row sums to 1. A matrix that is
        uniform up to rounding is uniform.

    Raises:
        ConfigError: there is no such layer or head.
    """
    depth, heads = len(attention), attention[0].shape[1]
    if not -depth <= layer < depth:
        raise ConfigError(f"The model has no layer {layer}. Use 0 to {depth - 1}.")
    if head is not None and not 0 <= head < heads:
        raise ConfigError(f"The model has no head {head}. Use 0 to {heads - 1}.")
    weights = attention[layer][0].detach()  # (H, T, T)
    return without_noise(weights.mean(dim=0) if head is None else weights[head]).numpy()


def attention_map(
    matrix: np.ndarray, token: int | None, has_cls: bool, attended_by: bool = False
) -> np.ndarray:
    """Return one token's attention to each patch, or each patch's to it, laid out like the image.

    Args:
        matrix: attention (..., T, T), as from `attention_matrix`.
        token: index of the token (CLS, if there is one, then the patches row by row), or None for
            the mean of all.
        has_cls: whether token 0 is CLS, which has no position in the image and is left out.
        attended_by: False reads the token's row: how much it attends to each patch. True reads its
            column: how much each patch attends to it.

    Returns:
        (..., n, n), one number for each patch. With CLS, the attention of a token sums to less
        than 1 here: the rest goes to CLS. A map that is uniform up to rounding is uniform.

    Raises:
        ConfigError: there is no such token.
    """
    tokens = matrix.shape[-1]
    if token is not None and not 0 <= token < tokens:
        first = "0 (CLS)" if has_cls else "0"
        raise ConfigError(f"The model has no token {token}. Use {first} to {tokens - 1}.")
    rows = matrix.swapaxes(-2, -1) if attended_by else matrix
    line = rows.mean(axis=-2) if token is None else rows[..., token, :]  # (..., T)
    patches = line[..., 1:] if has_cls else line
    side = math.isqrt(patches.shape[-1])
    grids = patches.reshape(*patches.shape[:-1], side, side)
    return without_noise(torch.from_numpy(grids)).numpy()


def attention_maps(
    attention: list[Tensor], token: int | None, has_cls: bool, attended_by: bool = False
) -> np.ndarray:
    """Return the `attention_map` of every layer and head of one image: (depth, num_heads, n, n)."""
    matrices = torch.cat(attention).numpy(force=True)  # (depth, H, T, T)
    return attention_map(matrices, token, has_cls, attended_by)
