"""Which tokens speak for a class? Gradient-weighted attention through all layers (Chefer, Gur and Wolf 2021)."""

import torch
from torch import Tensor

from ..model import VisionTransformer


@torch.enable_grad()
def relevance(model: VisionTransformer, images: Tensor, classes: Tensor) -> Tensor:
    """How much each token after the last layer owes to each token of the embedding, as far as it speaks for a class.

    Rule 5 of *Generic Attention-model Explainability*: a layer's attention times the gradient of the class's logit with
    respect to it, negative products left out, the mean over heads. Rule 6: R grows by that matrix times R; it begins as the
    identity.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalized.
        classes: (B,) int64; the class to speak for, of each image.

    Returns:
        (B, T, T): row = token after the last layer, column = token of the embedding. No entry is negative.
    """
    logits, trace = model.trace(images)
    wanted = logits.gather(
        1, classes[:, None]
    ).sum()  # images do not touch each other, so one backward serves all
    gradients = torch.autograd.grad(wanted, trace.attention)
    relevant = torch.eye(model.config.num_tokens).to(logits).expand(len(images), -1, -1)
    for attention, gradient in zip(trace.attention, gradients, strict=True):
        weighted = (gradient * attention).clamp(min=0).mean(dim=1)  # rule 5: (B, T, T)
        relevant = relevant + weighted.detach() @ relevant  # rule 6
    return relevant
