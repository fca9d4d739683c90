"""Trainings one after the other, to be compared: each differs from the first in one thing."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..config import PRESETS, ModelConfig, TrainConfig
from ..data.cifar10 import load_cifar10
from ..model import VisionTransformer
from ..training.loop import EpochEnd, train
from ..training.metrics import compute_metrics

Recipe = tuple[ModelConfig, TrainConfig]
_PLAIN = (
    ModelConfig(depth=4),
    TrainConfig(train_images=300, validation_images=500, epochs=20, batch_size=32),
)
_BY_HEART = replace(
    _PLAIN[1],
    validation_images=1000,
    epochs=36,
    learning_rate=2e-3,
    schedule="cosine",
    warmup_epochs=2.0,
)
_LISTING = (PRESETS["annotation"][0], replace(PRESETS["annotation"][1], validation_images=500))
CURE = {"augmentation": "flip", "jitter": 0.3, "cutout": 8, "cutmix": 0.3}


def _against(
    first: str, second: str, base: Recipe, model: dict | None = None, training: dict | None = None
) -> dict:
    return {
        first: base,
        second: (replace(base[0], **(model or {})), replace(base[1], **(training or {}))),
    }


PAIRS = {  # what is compared: two names, each with its recipe
    "decay": _against("Adam, L2", "AdamW, decoupled", _LISTING, training={"optimizer": "adamw"}),
    "dropout": _against("no dropout", "dropout 0.3", _PLAIN, model={"dropout": 0.3}),
    "augmentation": _against(
        "as they are",
        "flipped and shifted",
        _PLAIN,
        training={"augmentation": "flip_and_translate", "jitter": 0.2},
    ),
    "by heart": _against(
        "as they are", "never twice the same", (_PLAIN[0], _BY_HEART), training=CURE
    ),
}


def train_each(recipes: dict[str, Recipe]) -> Iterator[tuple[str, EpochEnd]]:
    """One after the other, each from its own first weights.

    Yields:
        after each epoch the name, and what it reached.
    """
    for name, (model, recipe) in recipes.items():
        data = load_cifar10(recipe.train_images, recipe.validation_images)
        for event in train(VisionTransformer(model, seed=recipe.seed), data, recipe):
            if isinstance(event, EpochEnd):
                yield name, event


def listing() -> Iterator[EpochEnd]:
    """The annotation's listing as printed, on its 600 and 200 images."""
    model, recipe = PRESETS["annotation"]
    data = load_cifar10(recipe.train_images, recipe.validation_images)
    for event in train(VisionTransformer(model, seed=recipe.seed), data, recipe):
        if isinstance(event, EpochEnd):
            yield event


def metrics_of(probabilities: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Every metric of a table of predictions.

    Args:
        probabilities: (N, K); rows are divided by their sum.
        labels: (N,).
    """
    shares = probabilities / probabilities.sum(dim=1, keepdim=True)
    return compute_metrics(shares.clamp(min=1e-12).log(), labels)


def nearest_count(share: float, images: int) -> tuple[int, float]:
    """The number of images whose share of all is nearest to a printed one, and that share."""
    count = round(share * images)
    return count, count / images
