"""Short training runs in pairs that differ in one thing, the paper's code, and its Table 2."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import torch

from ..config import PRESETS, ModelConfig, TrainConfig
from ..data.cifar10 import load_cifar10
from ..model import VisionTransformer
from ..runs.run import epoch_record
from ..training.loop import EpochEnd, train
from ..training.metrics import auroc, compute_metrics

Recipe = tuple[ModelConfig, TrainConfig]

PAPERS_CODE: dict[str, Recipe] = {"Paper's code": PRESETS["annotation"]}
_PAPER_MODEL, _PAPER_TRAINING = PRESETS["annotation"]
_PAPER_TRAINING = replace(_PAPER_TRAINING, validation_images=500)
_MODEL = ModelConfig(depth=4)
_TRAINING = TrainConfig(train_images=300, validation_images=500, epochs=20, batch_size=32)
_LONG_TRAINING = replace(
    _TRAINING,
    validation_images=1000,
    epochs=36,
    learning_rate=2e-3,
    schedule="cosine",
    warmup_epochs=2.0,
)
AUGMENTED = {"augmentation": "flip", "jitter": 0.3, "cutout": 8, "cutmix": 0.3}

PAIRS: dict[str, dict[str, Recipe]] = {  # subject -> two recipes by name
    "decay": {
        "Adam (L2)": (_PAPER_MODEL, _PAPER_TRAINING),
        "AdamW (decoupled)": (_PAPER_MODEL, replace(_PAPER_TRAINING, optimizer="adamw")),
    },
    "dropout": {
        "No dropout": (_MODEL, _TRAINING),
        "Dropout 0.3": (replace(_MODEL, dropout=0.3), _TRAINING),
    },
    "augmentation": {
        "No augmentation": (_MODEL, _TRAINING),
        "Flip, translate, color jitter": (
            _MODEL,
            replace(_TRAINING, augmentation="flip_and_translate", jitter=0.2),
        ),
    },
    "overfitting": {
        "No augmentation": (_MODEL, _LONG_TRAINING),
        "Augmentation": (_MODEL, replace(_LONG_TRAINING, **AUGMENTED)),
    },
}


def train_each(recipes: dict[str, Recipe]) -> Iterator[tuple[str, dict]]:
    """Train a new model with each recipe, one after the other.

    Yields:
        After each epoch, the name of the recipe and the `epoch_record`.
    """
    for name, (model_config, training) in recipes.items():
        data = load_cifar10(
            training.train_images, training.validation_images, training.validation_from
        )
        model = VisionTransformer(model_config, seed=training.seed)
        for event in train(model, data, training):
            if isinstance(event, EpochEnd):
                yield name, epoch_record(event)


def metrics_of(probabilities: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Return every metric of a table of predicted probabilities.

    Args:
        probabilities: (N, K); each row is divided by its sum, in exact arithmetic: 0.2 in a row
            that sums to 1 stays 0.2, so that what is equal on the page is a tie.
        labels: (N,).
    """
    rows = [[Fraction(str(number)) for number in row] for row in probabilities.tolist()]
    normalized = torch.tensor(
        [[float(number / sum(row)) for number in row] for row in rows], dtype=torch.double
    )
    metrics = compute_metrics(normalized.clamp(min=1e-12).log(), labels)
    return metrics | {"auroc": auroc(normalized, labels)}


def least_loss(label_smoothing: float, num_classes: int) -> float:
    """Return the smallest cross-entropy with smoothed labels: the entropy of the target, in nats.

    The target is 1 - label_smoothing for the true class, and label_smoothing is spread evenly over
    all classes.
    """
    target = torch.full((num_classes,), label_smoothing / num_classes)
    target[0] += 1 - label_smoothing
    return float(torch.special.entr(target).sum())


def nearest_count(fraction: float, images: int) -> tuple[int, float]:
    """Return the number of images closest to a printed fraction, and the fraction it makes."""
    count = round(fraction * images)
    return count, count / images
