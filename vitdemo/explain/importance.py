"""Which heads matter? What removing each one costs, and what the gradient says it would."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model import Edit, VisionTransformer
from .ablation import ablate_heads
from .occlusion import BATCH


@torch.no_grad()
def accuracy_and_loss(
    model: VisionTransformer, images: Tensor, labels: Tensor, edit: Edit | None = None
) -> tuple[float, float]:
    """Over some normalized images, with the attention edited if asked for."""
    logits = torch.cat([model.trace(some, edit)[0] for some in images.split(BATCH)])
    return float((logits.argmax(dim=1) == labels).float().mean()), float(
        F.cross_entropy(logits, labels)
    )


def removals(
    model: VisionTransformer, images: Tensor, labels: Tensor
) -> Iterator[tuple[int, int, float, float]]:
    """Switch off each head alone.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalized.
        labels: (B,).

    Yields:
        layer, head (from 0), and how much accuracy and loss changed: -0.02 and +0.1 say that the head was of use.
    """
    accuracy, loss = accuracy_and_loss(model, images, labels)
    for layer in range(model.config.depth):
        for head in range(model.config.num_heads):
            without = accuracy_and_loss(model, images, labels, ablate_heads([(layer, head)]))
            yield layer, head, without[0] - accuracy, without[1] - loss


@torch.enable_grad()
def gradient_importance(model: VisionTransformer, images: Tensor, labels: Tensor) -> Tensor:
    """How much each image's loss would move if a head were made a little weaker (Michel, Levy and Neubig 2019, equation 2).

    A gate of 1 is put on each head of each image; its importance is the mean size of the loss's gradient at the gates.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalized.
        labels: (B,).

    Returns:
        (depth, num_heads), none negative.
    """
    c = model.config
    total = torch.zeros(c.depth, c.num_heads)
    for some, their in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        gates = torch.ones(c.depth, len(some), c.num_heads, 1, 1, requires_grad=True)
        logits, _ = model.trace(
            some, lambda layer, attention, gates=gates: attention * gates[layer]
        )
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, their, reduction="sum"), gates)
        total += gradient.abs().sum(dim=1)[..., 0, 0]
    return total / len(images)
