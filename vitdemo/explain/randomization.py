"""Does a map depend on what was learned? Shuffle the weights from the top and see (Adebayo et al. 2018, section 4.1)."""

from collections.abc import Callable, Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from ..model import VisionTransformer, copy_of


@torch.no_grad()
def shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Give each parameter tensor its own numbers in another order, which keeps their spread and undoes what they say."""
    for parameter in module.parameters():
        order = torch.randperm(parameter.numel(), generator=generator)
        parameter.copy_(parameter.flatten()[order].reshape(parameter.shape))


def shuffled_from_the_top(
    model: VisionTransformer, seed: int = 0
) -> Iterator[tuple[str, VisionTransformer]]:
    """A copy of the model with ever more of its weights shuffled, from the head down to the embedding.

    Yields:
        what was shuffled last, and the copy: always the same one, so use it before the next.
    """
    copy, generator = copy_of(model).eval(), torch.Generator().manual_seed(seed)
    blocks = [(f"block {layer}", [block]) for layer, block in enumerate(copy.blocks, start=1)]
    tokens = nn.ParameterList([copy.pos_embed, *([copy.cls_token] if copy.config.has_cls else [])])
    last = [copy.head, copy.norm, *([copy.pool] if copy.pool else [])]
    for name, parts in chain(
        [("head", last)], reversed(blocks), [("embedding", [copy.patch_embed, tokens])]
    ):
        for part in parts:
            shuffle(part, generator)
        yield name, copy


def similarity(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two maps (n, n): 1 the same order of patches, 0 none in common; NaN if one is flat."""
    from torchmetrics.functional.regression import spearman_corrcoef  # large, and only needed here

    if len(first.unique()) == 1 or len(second.unique()) == 1:
        return float("nan")
    return float(spearman_corrcoef(first.flatten().double(), second.flatten().double()))


def similarities(
    model: VisionTransformer, explain: Callable[[VisionTransformer], Tensor], seed: int = 0
) -> Iterator[tuple[str, float]]:
    """How like the model's own map those of its shuffled copies are.

    Args:
        model: in evaluation.
        explain: a model -> its map (n, n) of the picture in question.
        seed: of the shuffling.

    Yields:
        what was shuffled last, and the similarity; a faithful method falls to about 0.
    """
    own = explain(model)
    for name, copy in shuffled_from_the_top(model, seed):
        yield name, similarity(own, explain(copy))
