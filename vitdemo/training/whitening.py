"""Whitened initialization of the patch embedding, computed from the training images."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.cifar10 import normalize
from ..model import VisionTransformer

IMAGES = 1000  # at most, to estimate the covariance from
TOKEN_STD = 0.2  # of each number in a whitened patch's token, about as with random filters
EPSILON = 0.01  # added to each variance, so that components without any are not amplified


@torch.no_grad()
def whiten(model: VisionTransformer, images: Tensor) -> None:
    """Set the first layer's filters to the principal components of its input, scaled to equal std.

    Neighboring pixels are correlated, so a random filter responds mostly to brightness. After
    this PCA whitening, all components are equally strong from the first step on. Krizhevsky (2009)
    whitens images with the related ZCA, Jordan (2024) initializes a first convolution like this.

    Args:
        model: changed in place. With a conv stem, each component is used with both signs, as ReLU
            passes only one.
        images: (N, C, H, W) uint8 training images.
    """
    conv = model.patch_embed.convs[0] if model.config.stem == "conv" else model.patch_embed.proj
    inputs = F.unfold(normalize(images[:IMAGES]), conv.kernel_size, stride=conv.stride)
    inputs = inputs.transpose(1, 2).flatten(0, 1)  # (N * positions, C * P * P)
    covariance = torch.cov(inputs.T, correction=min(1, len(inputs) - 1))  # 0 for a single patch
    variances, components = torch.linalg.eigh(covariance)  # ascending; components are columns
    filters = (components / (variances + EPSILON).sqrt()).T.flip(0)  # largest variance first
    if model.config.stem == "conv":
        filters = filters[: len(conv.weight) // 2]
        filters = torch.cat([filters, -filters])
    else:
        filters = filters[: len(conv.weight)] * TOKEN_STD
    conv.weight[: len(filters)] = filters.reshape(-1, *conv.weight.shape[1:])
    if conv.bias is not None:
        conv.bias.zero_()
