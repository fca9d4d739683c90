"""What changes when a head is switched off, or a token may not look at another? Edits of the attention for `model.trace`."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..model import Edit


def ablate_heads(heads: Iterable[tuple[int, int]]) -> Edit:
    """Let heads add nothing: their attention becomes 0 everywhere.

    Args:
        heads: (layer, head) of each, from 0.
    """
    off = set(heads)

    def edit(layer: int, attention: Tensor) -> Tensor:
        silent = [head for head in range(attention.shape[1]) if (layer, head) in off]
        return attention.index_fill(1, torch.tensor(silent), 0.0) if silent else attention

    return edit


def block_attention(edges: Iterable[tuple[int, int]], layers: Iterable[int]) -> Edit:
    """Let tokens not look at others, in all heads of some layers; what they gave them goes to the rest, in proportion.

    That is what a mask of minus infinity before the softmax does. A token that may look at none takes nothing.

    Args:
        edges: (asking token, attended token) of each.
        layers: from 0.
    """
    edges, layers = list(edges), set(layers)

    def edit(layer: int, attention: Tensor) -> Tensor:
        if layer not in layers or not edges:
            return attention
        kept = torch.ones(attention.shape[-2:])
        kept[tuple(zip(*edges, strict=True))] = 0.0
        attention = attention * kept
        return attention / attention.sum(dim=-1, keepdim=True).clamp(
            min=torch.finfo(attention.dtype).tiny
        )

    return edit


def both(first: Edit, second: Edit) -> Edit:
    """One edit after the other."""
    return lambda layer, attention: second(layer, first(layer, attention))
