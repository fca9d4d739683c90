"""How fast this machine trains a model, measured before a training starts so that a page can say how long it takes."""

import time

import torch

from ..config import ModelConfig, TrainConfig
from ..costs import MEMORY_LIMIT, activation_bytes, macs
from ..data.cifar10 import Data, Split
from ..model import VisionTransformer
from ..training.loop import train
from .training_queue import QUEUE

SECONDS = 0.6  # that a measurement lasts, about
STEP_OPERATIONS = 10e9  # multiply-adds in one measured step: a fraction of a second
MOST_STEPS = 30
_measured: dict[ModelConfig, float] = {}


def training_speed(model: ModelConfig) -> float | None:
    """Training images a second, or None where nothing is known yet.

    Best known from a training of the same shape in this process. Otherwise the shape is measured in the background as
    soon as nothing runs; until then the speed of the shape measured last is scaled by the number of operations.
    """
    for snapshot in QUEUE.list():
        if (
            snapshot.run.model == model and len(snapshot.run.history) > 1
        ):  # the first epoch warms up
            return snapshot.run.history[-1]["images_per_second"]
    if model in _measured:
        return _measured[model]
    if (
        2 * sum(macs(model).values()) < STEP_OPERATIONS
        and activation_bytes(model, 1) <= MEMORY_LIMIT
    ):
        QUEUE.when_idle(lambda: _measured.update({model: measure(model)}))
    if not _measured:
        return None
    known = next(reversed(_measured))
    return _measured[known] * sum(macs(known).values()) / sum(macs(model).values())


def measure(model: ModelConfig) -> float:
    """Images a second in the quickest of some real training steps on random pixels, on the calling thread's torch threads.

    The quickest, as a page that loads meanwhile slows the others down.
    """
    per_image = 3 * sum(macs(model).values())  # forward, and twice that backward
    B = max(
        1, min(64, int(STEP_OPERATIONS / per_image), MEMORY_LIMIT // activation_bytes(model, 1))
    )
    shape = (B * MOST_STEPS, model.in_channels, model.image_size, model.image_size)
    images = torch.randint(256, shape, dtype=torch.uint8)
    random = Split(images, torch.zeros(len(images), dtype=torch.long))
    steps, started = [], time.perf_counter()
    begun = started
    for _ in train(
        VisionTransformer(model, seed=0), Data(random, random), TrainConfig(batch_size=B)
    ):
        now = time.perf_counter()
        steps.append(now - begun)
        begun = now
        if len(steps) == MOST_STEPS or (len(steps) > 1 and now - started > SECONDS):
            break
    return B / min(steps)
