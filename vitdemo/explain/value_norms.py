"""How much does a head pass on from token to token? A weight says little if the value is short."""

import torch
from torch import Tensor

from ..model import Trace, VisionTransformer


@torch.no_grad()
def weighted_by_norm(model: VisionTransformer, trace: Trace) -> list[Tensor]:
    """Multiply each attention weight by the L2 norm of the vector that it weights.

    *Attention is Not Only a Weight* (Kobayashi, Kuribayashi, Yokoi and Inui 2020). A head adds to
    query token i the sum over all key tokens j of a_ij times v_j W_O: the value of j, with its
    bias, after the head's columns of the output projection.

    Args:
        model: model in evaluation mode.
        trace: what it saw of B images.

    Returns:
        depth of (B, H, T, T), laid out like `Trace.attention`: a_ij times the norm of v_j W_O. Rows
        do not sum to 1.
    """
    c = model.config
    found = []
    for block, tokens, attention in zip(
        model.blocks, trace.tokens[:-1], trace.attention, strict=True
    ):
        values = block.attn.qkv(block.norm1(tokens))[..., 2 * c.embed_dim :]  # (B, T, D)
        by_head = values.unflatten(-1, (c.num_heads, c.head_dim))  # (B, T, H, d_k)
        output = block.attn.proj.weight.unflatten(-1, (c.num_heads, c.head_dim))  # (D, H, d_k)
        carried = torch.einsum("bthk,dhk->bhtd", by_head, output)
        found.append(attention * carried.norm(dim=-1)[:, :, None])  # (B, H, 1, T): by key token
    return found
