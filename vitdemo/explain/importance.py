"""Which heads matter? Ablate each one, or take the gradient of the loss with respect to it."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model import Edit, VisionTransformer
from .ablation import ablate_heads
from .occlusion import BATCH
from .precision import without_noise


@torch.no_grad()
def accuracy_and_loss(
    model: VisionTransformer, images: Tensor, labels: Tensor, edit: Edit | None = None
) -> tuple[float, float]:
    """Return accuracy and mean loss on normalized images, with the attention changed by `edit`."""
    logits = torch.cat([model.trace(batch, edit)[0] for batch in images.split(BATCH)])
    accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return float(accuracy), float(F.cross_entropy(logits, labels))


def ablate_each_head(
    model: VisionTransformer, images: Tensor, labels: Tensor
) -> Iterator[tuple[int, int, float, float]]:
    """Ablate every head on its own.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
        labels: (B,).

    Yields:
        Layer, head (from 0), and the change of accuracy and of loss: -0.02 and +0.1 mean that the
        head was useful.
    """
    accuracy, loss = accuracy_and_loss(model, images, labels)
    for layer in range(model.config.depth):
        for head in range(model.config.num_heads):
            edit = ablate_heads([(layer, head)])
            without = accuracy_and_loss(model, images, labels, edit)
            yield layer, head, without[0] - accuracy, without[1] - loss


@torch.enable_grad()
def head_importance(model: VisionTransformer, images: Tensor, labels: Tensor) -> Tensor:
    """Measure how sensitive the loss is to each head (Michel, Levy and Neubig 2019, equation 2).

    Each head of each image is multiplied by a gate of 1; its importance is the mean magnitude of
    the gradient of the loss with respect to the gate.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
        labels: (B,).

    Returns:
        (depth, num_heads), no entry negative; all the same where they are so up to rounding.
    """
    c = model.config
    total = torch.zeros(c.depth, c.num_heads)
    for batch, targets in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        gates = torch.ones(c.depth, len(batch), c.num_heads, 1, 1, requires_grad=True)
        logits, _ = model.trace(batch, partial(_scale, gates))
        loss = F.cross_entropy(logits, targets, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, gates)  # (depth, B, num_heads, 1, 1)
        total += gradient.abs().sum(dim=1)[..., 0, 0]
    return without_noise(total / len(images), size=1.0)


def _scale(gates: Tensor, layer: int, attention: Tensor) -> Tensor:
    return attention * gates[layer]
