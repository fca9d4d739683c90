"""How do heads differ? Attention distance, entropy, attention to CLS and to the query itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model import VisionTransformer
from .rounding import without_noise


@dataclass(frozen=True)
class HeadStatistics:
    """Statistics of each head (depth, num_heads): means over images and over all query patches.

    Where all heads are the same up to rounding, they are the same.
    """

    distance: Tensor  # pixels from the query patch to the key patches, center to center
    entropy: Tensor  # bits: 0 if all attention goes to one token, log2(T) if it is uniform
    to_cls: Tensor  # attention to CLS; 0 in a model without one
    to_self: Tensor  # attention to the query patch itself


def patch_distances(grid_size: int, patch_size: int) -> Tensor:
    """Return the distance between the centers of every two patches in pixels: (N, N)."""
    positions = torch.arange(grid_size)
    rows, columns = torch.meshgrid(positions, positions, indexing="ij")
    centers = torch.stack([rows, columns], dim=-1).reshape(-1, 2).float() * patch_size
    return torch.cdist(centers, centers)


@torch.no_grad()
def head_statistics(model: VisionTransformer, images: Tensor) -> HeadStatistics:
    """Measure every head on some images.

    The mean attention distance is that of Dosovitskiy et al. (2021, Figure 7): the mean of the
    distances from the query patch to all patches, weighted by attention. CLS has no position, so
    it is not among the queries, and as a key it does not count: the weights of the patches are
    divided by their sum.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
    """
    c = model.config
    distances = patch_distances(c.grid_size, c.patch_size)
    found = []
    for attention in model.trace(images)[1].attention:
        queries = attention[:, :, 1:] if c.has_cls else attention  # (B, H, N, T)
        to_patches = queries[..., 1:] if c.has_cls else queries  # (B, H, N, N)
        distance = (to_patches * distances).sum(dim=-1) / to_patches.sum(dim=-1)
        entropy = -torch.xlogy(queries, queries).sum(dim=-1) / torch.log(torch.tensor(2.0))
        to_cls = queries[..., 0] if c.has_cls else torch.zeros_like(entropy)
        to_self = to_patches.diagonal(dim1=-2, dim2=-1)
        statistics = (distance, entropy, to_cls, to_self)  # each (B, H, N)
        found.append(torch.stack([values.mean(dim=(0, 2)) for values in statistics]))
    return HeadStatistics(*without_noise(torch.stack(found, dim=1)))  # each (depth, H)
