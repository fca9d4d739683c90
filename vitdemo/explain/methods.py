"""Every attribution method behind one interface: model, images, classes -> scores of patches."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model import Trace, VisionTransformer
from .occlusion import occlusion
from .relevance import relevance
from .rollout import rollout
from .rounding import without_noise


def pooling_weights(model: VisionTransformer, trace: Trace) -> Tensor:
    """Return the weight of each token after the last block in the pooled token: (B, T).

    Rows sum to 1. With CLS pooling, CLS has all the weight.
    """
    tokens = trace.tokens[-1]
    if model.config.pooling == "attention":
        return model.pool(model.norm(tokens))[..., 0].softmax(dim=1)
    weights = torch.zeros(tokens.shape[:2])
    if model.config.pooling == "cls":
        weights[:, 0] = 1.0
    else:
        weights += 1 / tokens.shape[1]
    return weights


def on_patches(model: VisionTransformer, weights: Tensor, matrices: Tensor) -> Tensor:
    """Return how much of the pooled token comes from each patch.

    Args:
        model: model, for its patch grid and its CLS token, which is left out.
        weights: (B, T), as from `pooling_weights`.
        matrices: (B, T, T), row = token after the last block, column = token that it comes from.

    Returns:
        (B, n, n); a map that is uniform up to rounding is uniform.
    """
    side = model.config.grid_size
    pooled = (weights[:, None] @ matrices)[:, 0]  # (B, T)
    patches = pooled[:, 1:] if model.config.has_cls else pooled
    return without_noise(patches.reshape(-1, side, side))


@torch.no_grad()
def by_attention(
    model: VisionTransformer,
    images: Tensor,
    classes: Tensor,
    layer: int = -1,
    head: int | None = None,
) -> Tensor:
    """Attribute by the attention of one layer: of one head, or the mean of all (None).

    The map does not depend on the class.
    """
    _, trace = model.trace(images)
    attention = trace.attention[layer]  # (B, H, T, T)
    matrices = attention.mean(dim=1) if head is None else attention[:, head]
    return on_patches(model, pooling_weights(model, trace), matrices)


@torch.no_grad()
def by_rollout(
    model: VisionTransformer,
    images: Tensor,
    classes: Tensor,
    fusion: str = "mean",
    discard: float = 0.0,
) -> Tensor:
    """Attribute by attention rollout through all layers. The map does not depend on the class."""
    _, trace = model.trace(images)
    matrices = rollout(trace.attention, fusion, discard)
    return on_patches(model, pooling_weights(model, trace), matrices)


def by_relevance(model: VisionTransformer, images: Tensor, classes: Tensor) -> Tensor:
    """Attribute by gradient-weighted attention: the relevance of each patch for the class."""
    with torch.no_grad():
        weights = pooling_weights(model, model.trace(images)[1])
    return on_patches(model, weights, relevance(model, images, classes))


def by_occlusion(
    model: VisionTransformer, images: Tensor, classes: Tensor, window: int = 1
) -> Tensor:
    """Attribute by how far the class's probability drops when each patch is occluded."""
    pairs = zip(images, classes.tolist(), strict=True)
    return torch.stack([occlusion(model, image, class_, window) for image, class_ in pairs])


METHODS = {
    "attention": by_attention,
    "rollout": by_rollout,
    "relevance": by_relevance,
    "occlusion": by_occlusion,
}


@dataclass(frozen=True)
class Method:
    """An attribution method with its options. Hashable, so that results can be cached by it."""

    name: str  # a key of METHODS
    options: tuple[tuple[str, int | float | str | None], ...] = ()  # pairs of name and value

    def __call__(self, model: VisionTransformer, images: Tensor, classes: Tensor) -> Tensor:
        """(B, C, H, W) normalized images and (B,) classes -> (B, n, n) scores of patches."""
        return METHODS[self.name](model, images, classes, **dict(self.options))
