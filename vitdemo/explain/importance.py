"""Which heads matter? Ablate each one, or take the gradient of the loss with respect to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model import Edit, VisionTransformer
from .ablation import ablate_heads
from .faithfulness import Z_95
from .occlusion import BATCH
from .rounding import without_noise


@dataclass(frozen=True)
class Effect:
    """Effect of an intervention on the predictions of the same images."""

    images: int
    correct: int  # predictions that are correct with the intervention
    lost: int  # correct without the intervention only
    gained: int  # correct with it only
    loss: float  # change of the mean loss

    @property
    def accuracy(self) -> float:
        """Change of accuracy: -0.02 means that two images in a hundred are lost."""
        return (self.gained - self.lost) / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """95% confidence interval of the change of accuracy over all such images.

        The adjusted Wald interval for paired proportions (Bonett and Price 2012), which adds one
        image to those lost and one to those gained: with few of them, it holds what it promises.
        """
        gained, lost, images = self.gained + 1, self.lost + 1, self.images + 2
        change = (gained - lost) / images
        margin = Z_95 * (((gained + lost) / images - change**2) / images) ** 0.5
        return change - margin, change + margin

    @property
    def is_clear(self) -> bool:
        """Whether these images can tell the change of accuracy from none."""
        low, high = self.interval
        return low > 0 or high < 0


@torch.no_grad()
def _logits(model: VisionTransformer, images: Tensor, edit: Edit | None = None) -> Tensor:
    return torch.cat([model.trace(batch, edit)[0] for batch in images.split(BATCH)])


def accuracy_and_loss(
    model: VisionTransformer, images: Tensor, labels: Tensor, edit: Edit | None = None
) -> tuple[float, float]:
    """Return accuracy and mean loss on normalized images, with the attention changed by `edit`."""
    logits = _logits(model, images, edit)
    accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return float(accuracy), float(F.cross_entropy(logits, labels))


def effects_of(
    model: VisionTransformer, images: Tensor, labels: Tensor, edits: Iterable[Edit]
) -> Iterator[Effect]:
    """Compare the predictions with the attention changed by each edit with those of the model.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
        labels: (B,).
        edits: changes of the attention, as for `model.trace`.
    """
    before = _logits(model, images)
    was_correct = before.argmax(dim=1) == labels
    for edit in edits:
        after = _logits(model, images, edit)
        correct = after.argmax(dim=1) == labels
        loss = F.cross_entropy(after, labels) - F.cross_entropy(before, labels)
        yield Effect(
            len(labels),
            int(correct.sum()),
            int((was_correct & ~correct).sum()),
            int((correct & ~was_correct).sum()),
            float(loss),
        )


def ablate_each_head(model: VisionTransformer, images: Tensor, labels: Tensor) -> Iterator[Effect]:
    """Ablate every head on its own, layer by layer; arguments as for `effects_of`."""
    c = model.config
    pairs = product(range(c.depth), range(c.num_heads))
    return effects_of(model, images, labels, (ablate_heads([pair]) for pair in pairs))


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
