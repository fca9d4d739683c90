"""How fast this machine trains a model, measured before a training starts so that a page can say how long it takes."""

import time

import torch
from torch.nn import functional as F

from .config import ModelConfig
from .costs import operations
from .jobs import QUEUE
from .model import VisionTransformer

SECONDS = 0.6  # that a measurement lasts, about
STEP_OPERATIONS = 10e9  # multiply-adds in one measured step: a fraction of a second
_measured: dict[ModelConfig, float] = {}


def training_speed(model: ModelConfig) -> float | None:
    """Training images a second, or None where nothing is known yet.

    Best known from a training of the same shape in this process. Otherwise the shape is measured in the background as
    soon as nothing runs; until then the speed of the shape measured last is scaled by the number of operations.
    """
    for snapshot in QUEUE.list():
        if snapshot.run.model == model and len(snapshot.run.history) > 1:  # the first epoch warms up
            return snapshot.run.history[-1]["images_per_second"]
    if model in _measured:
        return _measured[model]
    if 2 * sum(operations(model).values()) < STEP_OPERATIONS:
        QUEUE.when_idle(lambda: _measured.update({model: measure(model)}))
    if not _measured:
        return None
    known = next(reversed(_measured))
    return _measured[known] * sum(operations(known).values()) / sum(operations(model).values())


def measure(model: ModelConfig) -> float:
    """Images a second in the quickest of some real training steps on random pixels, on the calling thread's torch threads.

    The quickest, as a page that loads meanwhile slows the others down.
    """
    vit = VisionTransformer(model, seed=0)
    optimizer = torch.optim.AdamW(vit.parameters())
    per_image = 3 * sum(operations(model).values())  # forward, and twice that backward
    B = max(1, min(64, int(STEP_OPERATIONS / per_image)))
    images = torch.rand(B, model.in_channels, model.image_size, model.image_size)
    labels = torch.zeros(B, dtype=torch.long)
    steps, started = [], time.perf_counter()
    while len(steps) < 2 or time.perf_counter() - started < SECONDS:
        begun = time.perf_counter()
        optimizer.zero_grad()
        F.cross_entropy(vit(images), labels).backward()
        optimizer.step()
        steps.append(time.perf_counter() - begun)
    return B / min(steps)
