"""A real tensor on its way through the model: shapes, sizes, and what each half of a block adds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..model import VisionTransformer
from ..training.loop import copy_of


@dataclass(frozen=True)
class Step:
    """What a part of the model put out."""

    name: str  # of the part, as in the code
    shape: tuple[int, ...]
    mean: float
    spread: float  # standard deviation


@contextmanager
def _outputs(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """What each module put out in the forward pass that runs inside; of several results the first."""
    found = {}

    def keep(name: str):
        def hook(module, inputs, output):
            found[name] = output[0] if isinstance(output, tuple) else output

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def flow(model: VisionTransformer, images: Tensor) -> list[Step]:
    """Every part from the images to the logits, with the first block in full.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalised.
    """
    block = model.blocks[0]
    modules = {"patch_embed": model.patch_embed, "blocks[0].norm1": block.norm1, "blocks[0].attn.qkv": block.attn.qkv}
    modules |= {"blocks[0].attn": block.attn, "blocks[0].norm2": block.norm2, "blocks[0].mlp.fc1": block.mlp.fc1}
    modules |= {"blocks[0].mlp.fc2": block.mlp.fc2, "norm": model.norm, "head": model.head}
    with _outputs(modules) as found:
        _, trace = model.trace(images)
    tensors = {"images": images, "patch_embed": found.pop("patch_embed"), "embed": trace.tokens[0]}
    for name, tensor in found.items():
        if name == "blocks[0].attn":
            tensors["attention"] = trace.attention[0]
        if name == "norm":
            tensors["blocks[0]"], tensors[f"blocks[{len(model.blocks) - 1}]"] = trace.tokens[1], trace.tokens[-1]
        tensors[name] = tensor
    return [
        Step(name, tuple(tensor.shape), float(tensor.mean()), float(tensor.std())) for name, tensor in tensors.items()
    ]


@dataclass(frozen=True)
class Stream:
    """Lengths (Euclidean norms) on the residual stream, means over images and tokens."""

    tokens: list[float]  # depth + 1: the embedding, then after each block
    attention: list[float]  # depth: what attention adds in each block
    mlp: list[float]  # depth: what the MLP adds


@torch.no_grad()
def stream(model: VisionTransformer, images: Tensor) -> Stream:
    """How the tokens grow, and who makes them grow.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalised.
    """
    halves = {
        (layer, half): getattr(block, half) for layer, block in enumerate(model.blocks) for half in ("attn", "mlp")
    }
    with _outputs(halves) as added:
        _, trace = model.trace(images)

    def length(tokens: Tensor) -> float:
        return float(tokens.norm(dim=-1).mean())

    layers = range(len(model.blocks))
    attention, mlp = ([length(added[layer, half]) for layer in layers] for half in ("attn", "mlp"))
    return Stream([length(tokens) for tokens in trace.tokens], attention, mlp)


def without_norm1(model: VisionTransformer) -> VisionTransformer:
    """A copy whose attention gets its tokens as they are, not normalised."""
    copy = copy_of(model).eval()
    for block in copy.blocks:
        block.norm1 = nn.Identity()
    return copy
