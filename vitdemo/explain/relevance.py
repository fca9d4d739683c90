"""Which tokens are evidence for a class? Gradient-weighted attention through all layers."""

import torch
from torch import Tensor

from ..model import VisionTransformer


@torch.enable_grad()
def relevance(model: VisionTransformer, images: Tensor, classes: Tensor) -> Tensor:
    """Return how relevant each input token is to each output token, as evidence for a class.

    *Generic Attention-model Explainability* (Chefer, Gur and Wolf 2021). Rule 5: a layer's
    attention times the gradient of the class's logit with respect to it, without negative
    products, averaged over heads. Rule 6: starting from the identity, that matrix times R is added
    to R, layer by layer.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
        classes: (B,) int64, the class for each image.

    Returns:
        (B, T, T): row = token after the last layer, column = token after the embedding. No entry
        is negative.
    """
    logits, trace = model.trace(images)
    # Images do not influence each other, so one backward pass serves all of them.
    wanted = logits.gather(1, classes[:, None]).sum()
    gradients = torch.autograd.grad(wanted, trace.attention)
    relevant = torch.eye(model.config.num_tokens).to(logits).expand(len(images), -1, -1)
    for attention, gradient in zip(trace.attention, gradients, strict=True):
        weighted = (gradient * attention).clamp(min=0).mean(dim=1)  # rule 5: (B, T, T)
        relevant = relevant + weighted.detach() @ relevant  # rule 6
    return relevant
