"""How an image becomes tokens: patches, their projection, and position embeddings."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model import VisionTransformer, copy_of


def flatten_patches(images: Tensor, patch_size: int) -> Tensor:
    """Flatten each patch to a vector: all red values row by row, then green, then blue.

    Args:
        images: (B, C, H, W).
        patch_size: pixels per side P; divides H and W.

    Returns:
        (B, N, C * P * P), patches row by row from the top left; N = HW / P² (section 1.4.1 of the
        paper).
    """
    B, C, H, W = images.shape
    P = patch_size
    cut = images.reshape(B, C, H // P, P, W // P, P)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * P * P)


@torch.no_grad()
def project_by_hand(model: VisionTransformer, images: Tensor) -> Tensor:
    """Compute the patch embedding's convolution as a matrix multiplication.

    (B, C, H, W) -> (B, N, D).
    """
    proj = model.patch_embed.proj
    weight = proj.weight.flatten(1)  # (D, C * P * P): one filter per row
    return flatten_patches(images, model.config.patch_size) @ weight.T + proj.bias


def shuffle_patches(images: Tensor, patch_size: int, order: Tensor) -> Tensor:
    """Rearrange the patches of each image.

    Args:
        images: (B, C, H, W).
        patch_size: pixels per side.
        order: (N,) a permutation; position i receives patch order[i].
    """
    B, C, H, W = images.shape
    P = patch_size
    rows = flatten_patches(images, P)[:, order].reshape(B, H // P, W // P, C, P, P)
    return rows.permute(0, 3, 1, 4, 2, 5).reshape(B, C, H, W)


@torch.no_grad()
def without_positions(model: VisionTransformer) -> VisionTransformer:
    """Return a copy that gives every patch the mean of all position embeddings."""
    copy = copy_of(model).eval()
    # (1, N, D): without CLS, which is first
    patches = copy.pos_embed[:, -model.config.num_patches :]
    patches.copy_(patches.mean(dim=1, keepdim=True).expand_as(patches))
    return copy


@torch.no_grad()
def position_similarity(model: VisionTransformer, patch: int) -> Tensor:
    """Compare a patch's position embedding with all others by cosine similarity.

    Follows Dosovitskiy et al. 2021, Figure 7, but first subtracts the mean of all embeddings.

    Returns:
        (n, n), from -1 to 1; 1 at the patch itself.
    """
    side = model.config.grid_size
    positions = model.pos_embed[0, -model.config.num_patches :]  # (N, D)
    positions = positions - positions.mean(dim=0)
    return F.cosine_similarity(positions, positions[patch], dim=1).reshape(side, side)
