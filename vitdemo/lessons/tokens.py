"""How an image becomes tokens: patches, their projection, and what the position embeddings know."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model import VisionTransformer, copy_of


def flatten_patches(images: Tensor, patch_size: int) -> Tensor:
    """Each patch as one row: all red numbers from the top left, then green, then blue.

    Args:
        images: (B, C, H, W).
        patch_size: pixels; divides H and W.

    Returns:
        (B, N, C * P * P), patches row by row from the top left; N = HW / P² (annotation, section 1.4.1).
    """
    B, C, H, W = images.shape
    P = patch_size
    cut = images.reshape(B, C, H // P, P, W // P, P)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * P * P)


@torch.no_grad()
def project_by_hand(model: VisionTransformer, images: Tensor) -> Tensor:
    """What a patch embedding's convolution computes, as a product of matrices: (B, C, H, W) -> (B, N, D)."""
    proj = model.patch_embed.proj
    weight = proj.weight.flatten(1)  # (D, C * P * P): one filter a row
    return flatten_patches(images, model.config.patch_size) @ weight.T + proj.bias


def shuffle_patches(images: Tensor, patch_size: int, order: Tensor) -> Tensor:
    """The patches of each image in another order.

    Args:
        images: (B, C, H, W).
        patch_size: pixels.
        order: (N,) a permutation; place i gets patch order[i].
    """
    B, C, H, W = images.shape
    P = patch_size
    rows = flatten_patches(images, P)[:, order].reshape(B, H // P, W // P, C, P, P)
    return rows.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)


@torch.no_grad()
def without_positions(model: VisionTransformer) -> VisionTransformer:
    """A copy in which every patch has the mean of all position embeddings, so that none says where it lies."""
    copy = copy_of(model).eval()
    patches = copy.pos_embed[:, copy.config.has_cls :]
    patches.copy_(patches.mean(dim=1, keepdim=True).expand_as(patches))
    return copy


@torch.no_grad()
def position_similarity(model: VisionTransformer, patch: int) -> Tensor:
    """Cosine similarity of a patch's position embedding with every patch's (Dosovitskiy et al. 2021, Figure 7).

    Returns:
        (n, n), from -1 to 1; 1 at the patch itself.
    """
    side = model.config.grid_size
    positions = model.pos_embed[0, model.config.has_cls :]
    positions = positions - positions.mean(
        dim=0
    )  # what all have in common says nothing of the place
    return F.cosine_similarity(positions, positions[patch], dim=1).reshape(side, side)
