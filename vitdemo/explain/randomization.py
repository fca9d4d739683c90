"""Does a map depend on what was learned? Shuffle the weights from the top down and compare maps.

The cascading randomization of Adebayo et al. (2018, section 4.1), with shuffled instead of new
weights.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..model import VisionTransformer, copy_of


@torch.no_grad()
def shuffle(parameter: Tensor, generator: torch.Generator) -> None:
    """Put the numbers of a parameter in random order: same distribution, nothing learned."""
    order = torch.randperm(parameter.numel(), generator=generator)
    parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))


def shuffled_from_the_top(
    model: VisionTransformer, seed: int = 0
) -> Iterator[tuple[str, VisionTransformer]]:
    """Shuffle more and more weights of a copy of the model, from the head down to the embedding.

    Yields:
        The name of the part that was shuffled last, and the copy. It is the same object each time,
        so use it before the next step.
    """
    copy, generator = copy_of(model).eval(), torch.Generator().manual_seed(seed)
    head = [*copy.head.parameters(), *copy.norm.parameters()]
    if copy.pool:
        head += copy.pool.parameters()
    embedding = [*copy.patch_embed.parameters(), copy.pos_embed]
    if copy.config.has_cls:
        embedding.append(copy.cls_token)
    stages = [("head", head)]
    for number, block in reversed(list(enumerate(copy.blocks, start=1))):
        stages.append((f"block {number}", list(block.parameters())))
    stages.append(("embedding", embedding))
    for name, parameters in stages:
        for parameter in parameters:
            shuffle(parameter, generator)
        yield name, copy


def similarity(first: Tensor, second: Tensor) -> float:
    """Return Spearman's rank correlation of two maps (n, n); NaN if one of them is uniform.

    1 is the same ranking of the patches, 0 no relation.
    """
    from torchmetrics.functional.regression import spearman_corrcoef  # large, only needed here

    if len(first.unique()) == 1 or len(second.unique()) == 1:
        return float("nan")
    return float(spearman_corrcoef(first.flatten().double(), second.flatten().double()))


def similarities(
    model: VisionTransformer, explain: Callable[[VisionTransformer], Tensor], seed: int = 0
) -> Iterator[tuple[str, float]]:
    """Compare the model's own map with those of its shuffled copies.

    Args:
        model: model in evaluation mode.
        explain: function of a model that returns its map (n, n) of one image.
        seed: random seed of the shuffling.

    Yields:
        The name of the part that was shuffled last, and the similarity. It falls to about 0 if the
        map depends on what was learned.
    """
    own = explain(model)
    for name, copy in shuffled_from_the_top(model, seed):
        yield name, similarity(own, explain(copy))
