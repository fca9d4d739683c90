"""What a recipe leaves open, decided once before the first step of a run."""

from dataclasses import replace

from ..config import TrainConfig
from .precision import working_precision

LONGEST_WARMUP = 1 / 4  # of a run; a short run has a shorter warm-up than its recipe


def settled(config: TrainConfig) -> TrainConfig:
    """Return the recipe with a definite precision, and with a warm-up that fits the run."""
    warmup = min(config.warmup_epochs, config.epochs * LONGEST_WARMUP)
    return replace(config, precision=working_precision(config), warmup_epochs=warmup)


def is_same(saved: TrainConfig, given: TrainConfig) -> bool:
    """Whether a saved recipe, settled or not, is the given one. A precision of auto fits any."""
    if "auto" in (saved.precision, given.precision):
        saved, given = replace(saved, precision="float32"), replace(given, precision="float32")
    return settled(saved) == settled(given)
