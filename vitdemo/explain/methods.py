"""Every way to say which patches an answer came from, behind one question: model, pictures, classes -> scores of patches."""

import torch
from torch import Tensor

from ..model import Trace, VisionTransformer
from .occlusion import occlusion
from .relevance import relevance
from .rollout import rollout


def reading_weights(model: VisionTransformer, trace: Trace) -> Tensor:
    """How much the class is read from each token after the last block: (B, T), rows sum to 1."""
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
    """What the class takes from each patch: (B, T) reading weights and (B, T, T) -> (B, n, n), CLS left out."""
    side = model.config.grid_size
    return (weights[:, None] @ matrices)[:, 0, model.config.has_cls :].reshape(-1, side, side)


@torch.no_grad()
def by_attention(
    model: VisionTransformer,
    images: Tensor,
    classes: Tensor,
    layer: int = -1,
    head: int | None = None,
):
    """Attention of one layer, of one head or (None) the mean of all. Knows nothing of the class."""
    trace = model.trace(images)[1]
    maps = trace.attention[layer]
    matrices = maps.mean(dim=1) if head is None else maps[:, head]
    return on_patches(model, reading_weights(model, trace), matrices)


@torch.no_grad()
def by_rollout(
    model: VisionTransformer,
    images: Tensor,
    classes: Tensor,
    fusion: str = "mean",
    discard: float = 0.0,
):
    """Attention rolled out through all layers. Knows nothing of the class."""
    trace = model.trace(images)[1]
    return on_patches(
        model, reading_weights(model, trace), rollout(trace.attention, fusion, discard)
    )


def by_relevance(model: VisionTransformer, images: Tensor, classes: Tensor):
    """Gradient-weighted relevance for the class."""
    with torch.no_grad():
        weights = reading_weights(model, model.trace(images)[1])
    return on_patches(model, weights, relevance(model, images, classes))


def by_occlusion(model: VisionTransformer, images: Tensor, classes: Tensor, window: int = 1):
    """How much the class's probability falls when each patch is covered."""
    each = zip(images, classes.tolist(), strict=True)
    return torch.stack([occlusion(model, image, class_, window) for image, class_ in each])


METHODS = {
    "attention": by_attention,
    "rollout": by_rollout,
    "relevance": by_relevance,
    "occlusion": by_occlusion,
}
