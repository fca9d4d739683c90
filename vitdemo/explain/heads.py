"""What is each head like? How far it looks, how widely, and how much at CLS and at the asking patch itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model import VisionTransformer


@dataclass(frozen=True)
class HeadStatistics:
    """Of each head (depth, num_heads), as means over images and asking patches. CLS does not ask here."""

    distance: Tensor  # pixels from the asking patch to those it takes from, middle to middle
    entropy: Tensor  # bits: 0 all from one token, log2(T) evenly from all T
    on_cls: Tensor  # share of the attention that goes to CLS; 0 in a model without
    on_itself: Tensor  # share that stays at the asking patch


def distances(side: int, patch_size: int) -> Tensor:
    """From the middle of each patch to that of each other, in pixels: (N, N)."""
    places = torch.stack(
        torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), dim=-1
    )
    places = places.reshape(-1, 2).float() * patch_size
    return torch.cdist(places, places)


@torch.no_grad()
def head_statistics(model: VisionTransformer, images: Tensor) -> HeadStatistics:
    """Measure every head on some images.

    Attention distance is that of Dosovitskiy et al. (2021, Figure 7): the mean distance from the asking patch, weighted with
    attention. CLS lies nowhere, so it does not ask, and what goes to it is left out: the rest is divided by its sum.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalized.
    """
    c = model.config
    apart = distances(c.grid_size, c.patch_size)
    found = []
    for attention in model.trace(images)[1].attention:
        asking = attention[:, :, c.has_cls :]  # (B, H, N, T)
        on_patches = asking[..., c.has_cls :]  # (B, H, N, N)
        distance = (on_patches * apart).sum(dim=-1) / on_patches.sum(dim=-1)
        entropy = -torch.xlogy(asking, asking).sum(dim=-1) / torch.log(torch.tensor(2.0))
        on_cls = asking[..., 0] if c.has_cls else torch.zeros_like(entropy)
        on_itself = on_patches.diagonal(dim1=-2, dim2=-1)
        found.append(
            torch.stack([what.mean(dim=(0, 2)) for what in (distance, entropy, on_cls, on_itself)])
        )
    return HeadStatistics(*torch.stack(found, dim=1))  # each (depth, H)
