"""How does attention compose through all layers? Attention rollout (Abnar and Zuidema 2020)."""

import torch
from torch import Tensor

from ..config import ConfigError

FUSIONS = ("mean", "max", "min")  # how the heads of a layer become one matrix


def rollout(attention: list[Tensor], fusion: str = "mean", discard: float = 0.0) -> Tensor:
    """Multiply the attention of all layers, with an identity for each residual connection.

    Each layer's heads are fused, the identity is added (the residual connection keeps a token's own
    content), rows are divided by their sums, and the matrices are multiplied, the last layer's on
    the left (section 3 of that paper).

    Args:
        attention: attention (B, H, T, T) of each layer, first to last, as in `Trace.attention`.
        fusion: one of FUSIONS; Abnar and Zuidema use the mean.
        discard: fraction (0 to below 1) of each fused matrix, its smallest entries, that is set to
            0 first. Not theirs, but often used to make the map clearer.

    Returns:
        (B, T, T): row = token after the last layer, column = token after the embedding; rows sum
        to 1.

    Raises:
        ConfigError: there is no such fusion, or `discard` is out of range.
    """
    if fusion not in FUSIONS:
        raise ConfigError(f"Fusion {fusion!r} is unknown. Use one of {', '.join(FUSIONS)}.")
    if not 0 <= discard < 1:
        raise ConfigError(f"Discard {discard!r} is out of range. Use a fraction from 0 to below 1.")
    tokens = attention[0].shape[-1]
    identity = torch.eye(tokens)
    rolled = identity.expand(len(attention[0]), -1, -1)
    for layer in attention:
        mixed = _without_smallest(_fuse(layer, fusion), discard) + identity  # (B, T, T)
        rolled = mixed / mixed.sum(dim=-1, keepdim=True) @ rolled
    return rolled


def _fuse(layer: Tensor, fusion: str) -> Tensor:
    """(B, H, T, T) -> (B, T, T)."""
    if fusion == "max":
        return layer.amax(dim=1)
    if fusion == "min":
        return layer.amin(dim=1)
    return layer.mean(dim=1)


def _without_smallest(matrices: Tensor, fraction: float) -> Tensor:
    flat = matrices.flatten(1)  # (B, T * T)
    smallest = flat.topk(int(fraction * flat.shape[1]), largest=False).indices
    return flat.scatter(1, smallest, 0.0).reshape(matrices.shape)
