"""Activations of a model: their shapes and statistics, and the L2 norms on the residual stream."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..model import VisionTransformer, copy_of


@dataclass(frozen=True)
class Activation:
    """Shape and statistics of the output of one module."""

    name: str  # as in the code
    shape: tuple[int, ...]
    mean: float
    std: float


@torch.no_grad()
def activations(model: VisionTransformer, images: Tensor) -> list[Activation]:
    """Return the activations from images to logits, with every step of the first block.

    Args:
        model: the model in evaluation mode.
        images: (B, C, H, W), normalized.
    """
    logits, trace = model.trace(images)
    block, last = model.blocks[0], len(model.blocks) - 1
    embedded = trace.tokens[0]
    normalized = block.norm1(embedded)
    attended = embedded + trace.attention_updates[0]
    normalized_again = block.norm2(attended)
    hidden = block.mlp.fc1(normalized_again)
    outputs = {
        "images": images,
        "patch_embed": model.patch_embed(images),
        "embed": embedded,
        "blocks[0].norm1": normalized,
        "blocks[0].attn.qkv": block.attn.qkv(normalized),
        "attention": trace.attention[0],
        "blocks[0].attn": trace.attention_updates[0],
        "blocks[0].norm2": normalized_again,
        "blocks[0].mlp.fc1": hidden,
        "blocks[0].mlp.fc2": block.mlp.fc2(block.mlp.act(hidden)),
        "blocks[0]": trace.tokens[1],
        f"blocks[{last}]": trace.tokens[-1],
        "norm": model.norm(trace.tokens[-1]),
        "head": logits,
    }
    return [
        Activation(name, tuple(output.shape), float(output.mean()), float(output.std()))
        for name, output in outputs.items()
    ]


@dataclass(frozen=True)
class ResidualNorms:
    """Mean L2 norms on the residual stream, over images and tokens."""

    tokens: list[float]  # depth + 1: after the embedding, then after each block
    attention: list[float]  # depth: what attention adds in each block
    mlp: list[float]  # depth: what the MLP adds


@torch.no_grad()
def residual_norms(model: VisionTransformer, images: Tensor) -> ResidualNorms:
    """Return the L2 norms of the tokens, and of what each block adds to them.

    Args:
        model: the model in evaluation mode.
        images: (B, C, H, W), normalized.
    """
    _, trace = model.trace(images)

    def norms(tensors: list[Tensor]) -> list[float]:
        return [float(tensor.norm(dim=-1).mean()) for tensor in tensors]

    return ResidualNorms(
        norms(trace.tokens), norms(trace.attention_updates), norms(trace.mlp_updates)
    )


def without_norm1(model: VisionTransformer) -> VisionTransformer:
    """Return a copy of the model without the LayerNorm before attention."""
    copy = copy_of(model).eval()
    for block in copy.blocks:
        block.norm1 = nn.Identity()
    return copy
