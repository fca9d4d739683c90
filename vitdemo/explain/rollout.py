"""Where did a token's information come from, through all layers? Attention rollout (Abnar and Zuidema 2020)."""

import torch
from torch import Tensor

from ..config import ConfigError

FUSIONS = ("mean", "max", "min")  # how the heads of a layer become one matrix


def rollout(attention: list[Tensor], fusion: str = "mean", discard: float = 0.0) -> Tensor:
    """Attention multiplied through the layers, with the residual stream as attention to oneself.

    Each layer's heads are fused, the identity is added (the residual connection takes a token's own content along),
    rows are divided by their sum, and the matrices are multiplied: the last layer's from the left (the paper's section 3).

    Args:
        attention: of each layer (B, H, T, T), the first layer first, as in `Trace.attention`.
        fusion: one of FUSIONS; the paper has the mean.
        discard: share (0 to below 1) of each fused matrix, its smallest entries, that is set to 0 first: not in the paper,
            but often used to make the map clearer.

    Returns:
        (B, T, T): row = token after the last layer, column = token of the embedding; rows sum to 1.

    Raises:
        ConfigError: no such fusion, or a share out of its range.
    """
    if fusion not in FUSIONS:
        raise ConfigError(f"fusion must be one of {', '.join(FUSIONS)}, not {fusion!r}.")
    if not 0 <= discard < 1:
        raise ConfigError(f"discard must be from 0 to below 1, not {discard!r}.")
    tokens = attention[0].shape[-1]
    identity = torch.eye(tokens)
    rolled = identity.expand(len(attention[0]), -1, -1)
    for layer in attention:
        mixed = _without_smallest(_fuse(layer, fusion), discard) + identity  # (B, T, T)
        rolled = mixed / mixed.sum(dim=-1, keepdim=True) @ rolled
    return rolled


def _fuse(layer: Tensor, fusion: str) -> Tensor:
    """(B, H, T, T) -> (B, T, T)."""
    return layer.mean(dim=1) if fusion == "mean" else getattr(layer, f"a{fusion}")(dim=1)


def _without_smallest(matrices: Tensor, share: float) -> Tensor:
    flat = matrices.flatten(1)  # (B, T * T)
    smallest = flat.topk(int(share * flat.shape[1]), largest=False).indices
    return flat.scatter(1, smallest, 0.0).reshape(matrices.shape)
