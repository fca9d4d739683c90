"""Does a map depend on what was learned? Shuffle the weights from the top down and compare maps.

The cascading randomization of Adebayo et al. (2018), with shuffled instead of new weights.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
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
    blocks = [block.parameters() for block in reversed(copy.blocks)]
    for name, parameters in zip(stages(copy.config.depth), [head, *blocks, embedding], strict=True):
        for parameter in parameters:
            shuffle(parameter, generator)
        yield name, copy


def stages(depth: int) -> list[str]:
    """Return the names of the parts of a model in the order in which they are shuffled."""
    return ["head", *(f"block {number}" for number in range(depth, 0, -1)), "embedding"]


def similarity(first: Tensor, second: Tensor) -> float:
    """Return Spearman's rank correlation of two maps (n, n); NaN if one of them is uniform.

    1 is the same ranking of the patches, 0 no relation, -1 the reverse ranking.
    """
    from torchmetrics.functional.regression import spearman_corrcoef  # large, only needed here

    if len(first.unique()) == 1 or len(second.unique()) == 1:
        return float("nan")
    return float(spearman_corrcoef(first.flatten().double(), second.flatten().double()))


def similarities_between(maps: Tensor) -> np.ndarray:
    """Compare the maps (P, n, n) of P images in pairs: the similarity of unrelated maps.

    Patches that are close are ranked alike in any map, so this is far from 0 more often than for
    independent numbers.

    Returns:
        (P * (P - 1) / 2,), without the pairs that have a uniform map.
    """
    found = np.array([similarity(first, second) for first, second in combinations(maps, 2)])
    return found[~np.isnan(found)]


def similarities(
    model: VisionTransformer, explain: Callable[[VisionTransformer], Tensor], seed: int = 0
) -> Iterator[tuple[str, float]]:
    """Compare the model's own map with those of its shuffled copies.

    Args:
        model: model in evaluation mode.
        explain: function of a model that returns its map (n, n) of one image.
        seed: random seed of the shuffling.

    Yields:
        The name of the part that was shuffled last, and the similarity. If the map depends on what
        was learned, it falls to that of unrelated maps: see `similarities_between`.
    """
    own = explain(model)
    for name, copy in shuffled_from_the_top(model, seed):
        yield name, similarity(own, explain(copy))
