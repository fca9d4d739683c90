"""Training speed of a model on this machine, measured so that a page can estimate a run's time."""

import time

import torch

from ..config import ModelConfig, TrainConfig
from ..costs import MEMORY_LIMIT, activation_bytes, macs
from ..data.cifar10 import Data, Split
from ..model import VisionTransformer
from ..training.loop import train
from .training_queue import QUEUE

SECONDS = 0.6  # approximate duration of a measurement
STEP_MACS = 10e9  # MACs in one measured step, which then takes a fraction of a second
MOST_STEPS = 30
_measured: dict[ModelConfig, float] = {}


def training_speed(model: ModelConfig) -> float | None:
    """Return the training speed in images per second, or None if nothing is known yet.

    A run of the same model in this process gives it most reliably. Otherwise it is measured in the
    background as soon as the queue is idle; until then, the speed of the model measured last is
    scaled by the ratio of their MACs.
    """
    for status in QUEUE.list():
        history = status.run.history
        if status.run.model == model and len(history) > 1:  # the first epoch warms up
            return history[-1]["images_per_second"]
    if model in _measured:
        return _measured[model]
    if 2 * _macs(model) < STEP_MACS and activation_bytes(model, 1) <= MEMORY_LIMIT:
        QUEUE.when_idle(lambda: _measured.update({model: measure(model)}))
    if not _measured:
        return None
    last = list(_measured)[-1]  # a copy, as an idle task may add to it meanwhile
    return _measured[last] * _macs(last) / _macs(model)


def measure(model: ModelConfig) -> float:
    """Return the images per second of the fastest of some training steps on random pixels.

    The steps are real ones, with the torch threads of the calling thread. The fastest counts, since
    a page that loads at the same time slows others down.
    """
    B = int(STEP_MACS / (3 * _macs(model)))  # the backward pass takes twice the forward pass's MACs
    B = max(1, min(64, B, MEMORY_LIMIT // activation_bytes(model, 1)))
    shape = (B * MOST_STEPS, model.in_channels, model.image_size, model.image_size)
    images = torch.randint(256, shape, dtype=torch.uint8)
    split = Split(images, torch.zeros(len(images), dtype=torch.long))
    events = train(VisionTransformer(model, seed=0), Data(split, split), TrainConfig(batch_size=B))
    seconds, started = [], time.perf_counter()
    before = started
    for _ in events:
        now = time.perf_counter()
        seconds.append(now - before)
        before = now
        if len(seconds) == MOST_STEPS or (len(seconds) > 1 and now - started > SECONDS):
            break
    return B / min(seconds)


def _macs(model: ModelConfig) -> int:
    return sum(macs(model).values())
