"""A better start for the first layer: filters that see each way in which patches of the training images differ."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.cifar10 import normalize
from ..model import VisionTransformer

IMAGES = 1000  # at most, to estimate from
PATCH_SPREAD = 0.2  # of each number in a token of whitened patches: near that of the random start
SMALLEST = 0.01  # added to each variance, so that what is hardly there is not blown up


@torch.no_grad()
def whiten(model: VisionTransformer, images: Tensor) -> None:
    """Set the filters of the first layer to the principal components of what it sees, each scaled to the same spread.

    Neighboring pixels are nearly alike, so a random filter sees little but brightness. Whitened, all directions count
    the same from the first step on (as in ZCA whitening, Krizhevsky 2009; for a first convolution Jordan 2024).

    Args:
        model: with either stem; a conv stem gets each component with both signs, as its ReLU lets one pass only.
        images: (N, C, H, W) uint8 training images.
    """
    conv = model.patch_embed.convs[0] if model.config.stem == "conv" else model.patch_embed.proj
    seen = F.unfold(
        normalize(images[:IMAGES]), conv.kernel_size, stride=conv.stride
    )  # (N, C * P * P, places)
    seen = seen.transpose(1, 2).flatten(0, 1)  # (N * places, C * P * P)
    covariance = torch.cov(seen.T, correction=min(1, len(seen) - 1))  # 0 of a single patch
    variances, components = torch.linalg.eigh(covariance)  # ascending; a component is a column
    filters = (components / (variances + SMALLEST).sqrt()).T.flip(0)  # the largest variance first
    if model.config.stem == "conv":
        filters = filters[: len(conv.weight) // 2]
        filters = torch.cat([filters, -filters])
    else:
        filters = filters[: len(conv.weight)] * PATCH_SPREAD
    conv.weight[: len(filters)] = filters.reshape(-1, *conv.weight.shape[1:])
    if conv.bias is not None:
        conv.bias.zero_()
