"""The experiments that the lesson pages offer: what each depends on, and how to run it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from ..config import PRESETS, ModelConfig
from ..training.metrics import METRICS
from . import scaling
from .comparisons import PAIRS, PAPERS_CODE, Recipe, train_each


@dataclass(frozen=True)
class Experiment:
    """Runs that a page offers; their results can be stored as JSON."""

    total: int  # number of results
    steps: Callable[[], Iterator[tuple]]  # yields the results
    like: tuple  # a result of the same structure
    recipes: dict[str, Recipe] = field(default_factory=dict)  # that are trained, by name
    numbers: dict[str, int | list[int]] = field(default_factory=dict)  # all else that matters


def experiments() -> dict[str, Experiment]:
    """Return every experiment by its name, with the present settings."""
    trained = PAIRS | {"papers-code": PAPERS_CODE}
    return {
        "attention-costs": _attention_costs(),
        "data-efficiency": _data_efficiency(),
        **{name: _runs(recipes) for name, recipes in trained.items()},
    }


def _runs(recipes: dict[str, Recipe]) -> Experiment:
    """Train with each recipe: name of the recipe, and record of an epoch."""
    epochs = sum(training.epochs for _, training in recipes.values())
    metrics = dict.fromkeys(METRICS, 0.0)
    like = ("", {"epoch": 0, "train": metrics, "validation": metrics})
    return Experiment(epochs, partial(train_each, recipes), like, recipes)


def _data_efficiency() -> Experiment:
    """Train both models on sets of growing size: model, training images, accuracy."""
    return Experiment(
        len(scaling.TRAIN_IMAGES) * len(scaling.MODELS),
        scaling.data_efficiency,
        ("", 0, 0.0),
        {name: PRESETS[preset] for name, preset in scaling.MODELS.items()},
        {
            "train_images": list(scaling.TRAIN_IMAGES),
            "images_seen": scaling.IMAGES_SEEN,
            "test_images": scaling.TEST_IMAGES,
        },
    )


def _attention_costs() -> Experiment:
    """Time attention with more and more tokens: `scaling.AttentionCost`."""
    config = ModelConfig()
    return Experiment(
        len(scaling.PATCH_SIZES),
        lambda: iter(scaling.attention_costs(config, scaling.PATCH_SIZES)),
        scaling.AttentionCost(0, 0.0, 0.0),
        numbers={
            "patch_sizes": list(scaling.PATCH_SIZES),
            "images": scaling.BATCH,
            "embed_dim": config.embed_dim,
            "num_heads": config.num_heads,
        },
    )
