"""How long an epoch takes on one core, learned from every epoch that this process trains.

What is known of the same model and recipe counts. Otherwise it is computed from MACs, at
the speed of what was trained last.
"""

import threading
from dataclasses import replace

from ..config import ModelConfig, TrainConfig
from ..costs import macs

RATE = 2e10  # MACs in a second on one core, before anything is known
PER_IMAGE = 3e-4  # seconds of an image that do not depend on its MACs
PER_EPOCH = 0.1  # seconds of an epoch that do not depend on its images, as to save them
MOST = 2.0  # times an unknown run may be faster or slower than computed, as the last one was
BACKWARD = 2  # times the MACs of the forward pass
SHARE = 0.7  # exponent: two threads of one run do the work of 2 ** 0.7 runs on a core each
NEWEST = 0.3  # weight of the newest epoch in the means

_lock = threading.Lock()
_ratio = 1.0  # of measured to computed seconds
# The same for one model and recipe, and how often it was measured.
_known: dict[tuple[ModelConfig, TrainConfig], tuple[float, int]] = {}


def epoch_seconds(model: ModelConfig, training: TrainConfig) -> float:
    """Return the expected seconds of one epoch on one core."""
    with _lock:
        unknown = min(max(_ratio, 1 / MOST), MOST)
        ratio, _ = _known.get(_key(model, training), (unknown, 0))
        return _computed(model, training) * ratio


def learn(model: ModelConfig, training: TrainConfig, seconds: float, threads: int) -> None:
    """Learn from an epoch that took these seconds with this many torch threads."""
    global _ratio
    ratio = seconds * threads**SHARE / _computed(model, training)
    with _lock:
        key = _key(model, training)
        before, count = _known.get(key, (ratio, 0))
        weight = 1.0 if count < 2 else NEWEST  # the first epoch warms up and counts for nothing
        _known[key] = ratio * weight + before * (1 - weight), count + 1
        _ratio = ratio * NEWEST + _ratio * (1 - NEWEST)
        while len(_known) > 1000:
            del _known[next(iter(_known))]


def _computed(model: ModelConfig, training: TrainConfig) -> float:
    forward = sum(macs(model).values())
    train = forward * (1 + BACKWARD) * (1 - model.patch_drop)
    images, validation_images = training.train_images, training.validation_images
    work = images * train + validation_images * forward
    return work / RATE + (images + validation_images) * PER_IMAGE + PER_EPOCH


def _key(model: ModelConfig, training: TrainConfig) -> tuple[ModelConfig, TrainConfig]:
    """Leave out what does not change the time of an epoch per image."""
    return model, replace(training, epochs=1, warmup_epochs=0, seed=0)
