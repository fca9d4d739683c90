"""Is an attribution map faithful? Deletion and insertion, compared with random orders of patches.

After RISE (Petsiuk, Das and Saenko 2018), but patch by patch; in place of zeros (deletion) and of a
blurred image (insertion), an occluded patch has the mean color of the image. Both have limits:
an occluded image is unlike those that the model was trained on, so a low probability need not mean
that evidence is gone (Hooker et al. 2019); and occlusion maps are computed by the same occlusion.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model import VisionTransformer
from .occlusion import probabilities_occluded
from .rounding import ROUNDED

# An attribution method, such as `Method`: model, images, classes -> scores of patches (B, n, n).
Explain = Callable[[VisionTransformer, Tensor, Tensor], Tensor]
RANDOM = "random"
Z_95 = 1.96  # standard errors on each side: 95% of a normal distribution


@dataclass(frozen=True)
class Curves:
    """A class's probability while patches are deleted, or inserted, in a certain order."""

    fractions: np.ndarray  # (P,) of the patches, from 0 to 1
    deletion: np.ndarray  # (P,) the first patches of the order occluded; low is faithful
    insertion: np.ndarray  # (P,) only the first patches of the order shown; high is faithful

    @property
    def deletion_auc(self) -> float:
        """Area under the deletion curve."""
        return area_under(self.fractions, self.deletion)

    @property
    def insertion_auc(self) -> float:
        """Area under the insertion curve."""
        return area_under(self.fractions, self.insertion)

    @property
    def score(self) -> float:
        """Insertion AUC minus deletion AUC, -1 to 1: the higher, the more faithful the order."""
        return self.insertion_auc - self.deletion_auc

    def better_than(self, others: Iterable["Curves"]) -> int:
        """Count the curves whose score is lower by more than rounding."""
        return sum(self.score - other.score > ROUNDED for other in others)


def area_under(fractions: np.ndarray, values: np.ndarray) -> float:
    """Return the area under a curve by the trapezoidal rule."""
    return float(np.trapezoid(values, fractions))


def order_of(scores: np.ndarray) -> np.ndarray:
    """Return the patches (counted row by row) by descending score; ties keep their order."""
    return np.argsort(-scores.ravel(), kind="stable")


def random_orders(patches: int, count: int, seed: int = 0) -> list[np.ndarray]:
    """Return random permutations of the patches: the baseline, independent of the image."""
    generator = np.random.default_rng(seed)
    return [generator.permutation(patches) for _ in range(count)]


def curves(
    model: VisionTransformer, image: Tensor, class_: int, orders: list[np.ndarray], points: int
) -> list[Curves]:
    """Delete and insert the patches of one image in several orders.

    Args:
        model: model in evaluation mode.
        image: (C, H, W), normalized.
        class_: the class whose probability is read.
        orders: M permutations of the N patches.
        points: number of points on each curve, at most N + 1: evenly spaced, both ends included.

    Returns:
        The curves of each order. An occluded patch has the mean color of the image.
    """
    side = model.config.grid_size
    counts = np.unique(np.linspace(0, side * side, points).round().astype(int))  # (P,) patches
    ranks = np.argsort(np.stack(orders), axis=1)  # (M, N): position of each patch in each order
    deleted = ranks[:, None] < counts[:, None]  # (M, P, N): the first patches are occluded
    inserted = ~deleted  # (M, P, N): all but the first are occluded
    masks = torch.from_numpy(np.concatenate([deleted, inserted], axis=1))  # (M, 2P, N)
    # All orders share the whole image and the fully occluded one: ask for each mask once.
    distinct, index = masks.reshape(-1, side, side).unique(dim=0, return_inverse=True)
    probabilities = probabilities_occluded(model, image, distinct)[index, class_].numpy()
    by_order = probabilities.reshape(len(orders), 2, len(counts))
    return [Curves(counts / side**2, deletion, insertion) for deletion, insertion in by_order]


def scores_over(
    model: VisionTransformer,
    images: Tensor,
    methods: dict[str, Explain],
    points: int,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """Score each method on each of several images, for the class that the model predicts.

    Args:
        model: model in evaluation mode.
        images: (B, C, H, W), normalized.
        methods: attribution methods by name.
        points: number of points on each curve.
        seed: random seed for the order that the first image's maps are compared with; each
            further image has a seed one higher.

    Yields:
        For each image, the score of each method, and that of a random order as RANDOM.
    """
    for number, image in enumerate(images):
        with torch.no_grad():
            class_ = model(image[None]).argmax(dim=1)
        maps = [method(model, image[None], class_)[0] for method in methods.values()]
        orders = [order_of(scores.numpy(force=True)) for scores in maps]
        orders += random_orders(maps[0].numel(), 1, seed + number)
        found = curves(model, image, int(class_), orders, points)
        yield dict(zip([*methods, RANDOM], [each.score for each in found], strict=True))


@dataclass(frozen=True)
class Verdict:
    """Whether maps rank patches better than random orders do, over some images."""

    images: int
    score: float  # mean over the images
    random_score: float  # the same of the random orders
    margin: float  # half the 95% confidence interval of the difference; NaN for one image

    @property
    def difference(self) -> float:
        """Mean score of the maps minus that of random orders."""
        return self.score - self.random_score

    @property
    def word(self) -> str:
        """`more` or `less` faithful than chance; `unclear` if these images cannot tell."""
        if abs(self.difference) > self.margin + ROUNDED:  # a comparison with NaN is False
            return "more" if self.difference > 0 else "less"
        return "unclear"


def verdict(scores: Iterable[tuple[float, float]]) -> Verdict:
    """Compare the scores of maps with those of random orders.

    Args:
        scores: for each image the score of its map, and that of a random order.
    """
    of_map, of_random = np.array(list(scores)).T
    difference = of_map - of_random
    count = len(difference)
    error = difference.std(ddof=1) / count**0.5 if count > 1 else float("nan")
    return Verdict(count, float(of_map.mean()), float(of_random.mean()), float(Z_95 * error))
