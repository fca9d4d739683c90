"""What changes without a head, or without attention between two tokens? Edits for `model.trace`."""

from collections.abc import Iterable

import torch
from torch import Tensor

from ..model import Edit


def ablate_heads(heads: Iterable[tuple[int, int]]) -> Edit:
    """Return an edit that sets the attention of some heads to 0, so that they add nothing.

    Args:
        heads: pairs (layer, head), counted from 0.
    """
    ablated = set(heads)

    def edit(layer: int, attention: Tensor) -> Tensor:
        chosen = [head for head in range(attention.shape[1]) if (layer, head) in ablated]
        return attention.index_fill(1, torch.tensor(chosen), 0.0) if chosen else attention

    return edit


def block_attention(edges: Iterable[tuple[int, int]], layers: Iterable[int]) -> Edit:
    """Return an edit that blocks attention between pairs of tokens (attention knockout).

    The attention of the blocked keys goes to the query's other keys, in proportion to theirs, just
    as with minus infinity in the scores before the softmax. A query whose keys are all blocked
    attends to nothing: its row is 0.

    Args:
        edges: pairs (query token, key token).
        layers: layers in which they are blocked, in all heads; counted from 0.
    """
    edges, layers = list(edges), set(layers)

    def edit(layer: int, attention: Tensor) -> Tensor:
        if layer not in layers or not edges:
            return attention
        queries, keys = zip(*edges, strict=True)
        kept = torch.ones(attention.shape[-2:])
        kept[queries, keys] = 0.0
        attention = attention * kept
        tiny = torch.finfo(attention.dtype).tiny  # where all keys are blocked, 0 / tiny is 0
        return attention / attention.sum(dim=-1, keepdim=True).clamp(min=tiny)

    return edit


def compose(first: Edit, second: Edit) -> Edit:
    """Return an edit that applies `first`, then `second`."""
    return lambda layer, attention: second(layer, first(layer, attention))
