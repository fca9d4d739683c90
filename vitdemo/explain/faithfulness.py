"""Does a map tell the truth? Cover the patches that it ranks first, and see whether the answer falls faster than by chance.

Deletion and insertion (Petsiuk, Das and Saenko 2018, RISE, section 3.2), beside random orders as a baseline.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model import VisionTransformer
from .occlusion import probabilities_occluded

Explain = Callable[
    [VisionTransformer, Tensor, Tensor], Tensor
]  # model, pictures, classes -> (B, n, n)
CHANCE = "chance"
CERTAIN = 1.96  # standard errors on each side: 95 % of a normal distribution


@dataclass(frozen=True)
class Curves:
    """A class's probability while patches are covered, or uncovered, in a certain order."""

    shares: np.ndarray  # (P,) of the patches, from 0 to 1
    deletion: (
        np.ndarray
    )  # (P,) covered from the first of the order on; falls early if the order is faithful
    insertion: (
        np.ndarray
    )  # (P,) uncovered from the first of the order on; rises early if the order is faithful

    @property
    def gap(self) -> float:
        """Area under insertion minus area under deletion, -1 to 1: the larger, the more faithful the order."""
        return area(self.shares, self.insertion) - area(self.shares, self.deletion)


def area(shares: np.ndarray, values: np.ndarray) -> float:
    """Area under a curve by the trapezoidal rule."""
    return float(np.trapezoid(values, shares))


def order_of(scores: np.ndarray) -> np.ndarray:
    """Patches (counted row by row) from the highest score to the lowest; equal ones as they lie."""
    return np.argsort(-scores.ravel(), kind="stable")


def random_orders(patches: int, count: int, seed: int = 0) -> list[np.ndarray]:
    """Orders that know nothing of the picture: the baseline."""
    generator = np.random.default_rng(seed)
    return [generator.permutation(patches) for _ in range(count)]


def curves(
    model: VisionTransformer, image: Tensor, class_: int, orders: list[np.ndarray], points: int
) -> list[Curves]:
    """Cover and uncover one picture in several orders.

    Args:
        model: in evaluation.
        image: (C, H, W), normalized.
        class_: whose probability is read.
        orders: permutations of the N patches.
        points: of each curve, at most N + 1; evenly spread, first and last included.

    Returns:
        one for each order. A covered patch has the mean color of the picture.
    """
    side = model.config.grid_size
    counts = np.unique(
        np.linspace(0, side * side, points).round().astype(int)
    )  # covered patches at each point
    ranks = np.argsort(np.stack(orders), axis=1)  # (M, N): the place of each patch in each order
    covered = torch.from_numpy(ranks[:, None] < counts[:, None])  # (M, P, N)
    covered = torch.cat([covered, ~covered], dim=1).reshape(-1, side, side)
    different, place = covered.unique(dim=0, return_inverse=True)  # all orders begin and end alike
    values = (
        probabilities_occluded(model, image, different)[place, class_]
        .numpy()
        .reshape(len(orders), 2, len(counts))
    )
    return [Curves(counts / side**2, deletion, insertion) for deletion, insertion in values]


def gaps_over(
    model: VisionTransformer,
    images: Tensor,
    explain: dict[str, Explain],
    points: int,
    seed: int = 0,
) -> Iterator[dict[str, float]]:
    """The gap of each method's order on each of some pictures, for the class that the model names.

    Args:
        model: in evaluation.
        images: (B, C, H, W), normalized.
        explain: the methods by name.
        points: of each curve.
        seed: of the random order that each picture is compared with.

    Yields:
        for each picture the gap of each method, and of a random order as CHANCE.
    """
    for number, image in enumerate(images):
        with torch.no_grad():
            class_ = model(image[None]).argmax(dim=1)
        maps = [
            method(model, image[None], class_)[0].numpy(force=True) for method in explain.values()
        ]
        orders = [*map(order_of, maps), *random_orders(maps[0].size, 1, seed + number)]
        found = curves(model, image, int(class_), orders, points)
        yield dict(zip([*explain, CHANCE], [each.gap for each in found], strict=True))


@dataclass(frozen=True)
class Verdict:
    """Whether maps rank patches better than random orders do, over some pictures."""

    pictures: int
    gap: float  # mean over pictures
    chance: float  # the same of the random orders
    margin: float  # half the width of the 95 % interval of the mean difference; NaN for one picture

    @property
    def lead(self) -> float:
        """How far the maps are ahead of random orders."""
        return self.gap - self.chance

    @property
    def word(self) -> str:
        """`more`, `less` or `no more` faithful than chance, as far as so many pictures can tell."""
        if abs(self.lead) > self.margin:  # False for NaN
            return "more" if self.lead > 0 else "less"
        return "no more"


def verdict(gaps: Iterable[tuple[float, float]]) -> Verdict:
    """Compare maps with chance.

    Args:
        gaps: of each picture the gap of its map, and the (mean) gap of random orders on the same picture.
    """
    of_map, of_chance = np.array(list(gaps)).T
    difference = of_map - of_chance
    error = difference.std(ddof=1) / len(difference) ** 0.5 if len(difference) > 1 else float("nan")
    return Verdict(
        len(difference), float(of_map.mean()), float(of_chance.mean()), float(CERTAIN * error)
    )
